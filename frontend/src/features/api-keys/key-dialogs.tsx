import { useSuspenseQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { type ApiKey, poolsQuery } from '@/api';
import { formatCompact } from '@/lib/format';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { KeyForm } from './key-form';
import { useDeleteApiKey, useMoveApiKey, useRevokeApiKey, useRotateApiKey, useUpdateApiKey } from './queries';
import { SecretDialog } from './secret-dialog';

interface KeyDialogProps {
  apiKey: ApiKey;
  onClose: () => void;
}

export function EditKeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const update = useUpdateApiKey();
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Edit ${apiKey.name}`}
      description={`A key of ${apiKey.pool.name}.`}
    >
      <KeyForm
        apiKey={apiKey}
        error={update.error}
        onSubmit={({ pool_id: _fixed, ...patch }) =>
          update.mutate({ key: apiKey, patch }, { onSuccess: onClose })
        }
      >
        {(fields) => (
          <>
            <DialogBody>{fields}</DialogBody>
            <DialogFooter>
              <Button onClick={onClose}>Cancel</Button>
              <Button look="primary" type="submit" disabled={update.isPending}>
                Save
              </Button>
            </DialogFooter>
          </>
        )}
      </KeyForm>
    </Dialog>
  );
}

export function MoveKeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const [poolId, setPoolId] = useState<string | null>(null);
  const move = useMoveApiKey();
  const others = pools.items.filter(({ id, status }) => id !== apiKey.pool.id && status !== 'archived');
  function submit(event: FormEvent) {
    event.preventDefault();
    if (poolId) move.mutate({ key: apiKey, poolId }, { onSuccess: onClose });
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Move ${apiKey.name}`}
      description={`It uses the accounts of ${apiKey.pool.name} now.`}
    >
      <form onSubmit={submit} className="flex min-h-0 flex-col">
        <DialogBody>
          <div className="space-y-4">
            {move.error ? <Notice tone="bad">{move.error.message}</Notice> : null}
            {others.length === 0 ? (
              <p className="text-ink-2">There is no other pool. Create one first.</p>
            ) : (
              <Field
                label="New pool"
                hint="The secret stays the same. Open websockets of the key end, and its clients connect again."
              >
                <Select
                  value={poolId}
                  onChange={setPoolId}
                  placeholder="Choose a pool"
                  options={others.map(({ id, name }) => ({ value: id, label: name }))}
                />
              </Field>
            )}
          </div>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={poolId === null || move.isPending}>
            Move
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

export function RotateKeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const rotate = useRotateApiKey();
  if (rotate.data) return <SecretDialog apiKey={rotate.data} event="rotated" onClose={onClose} />;
  return (
    <ConfirmDialog
      title={`Rotate ${apiKey.name}?`}
      verb="Rotate"
      pending={rotate.isPending}
      error={rotate.error}
      onConfirm={() => rotate.mutate(apiKey)}
      onClose={onClose}
    >
      <p>The key gets a new secret, shown once. Clients with the old one are refused from that moment.</p>
      <Recently apiKey={apiKey} />
    </ConfirmDialog>
  );
}

export function RevokeKeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const revoke = useRevokeApiKey();
  return (
    <ConfirmDialog
      title={`Revoke ${apiKey.name}?`}
      verb="Revoke"
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate(apiKey, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>
        Clients with this key are refused at once, and it cannot be made valid again. To stop it for a while,
        pause it.
      </p>
      <Recently apiKey={apiKey} />
    </ConfirmDialog>
  );
}

export function DeleteKeyDialog({ apiKey, onClose }: KeyDialogProps) {
  const remove = useDeleteApiKey();
  return (
    <ConfirmDialog
      title={`Delete ${apiKey.name}?`}
      verb="Delete"
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(apiKey, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>The key leaves this list. The request log keeps what was done with it.</p>
    </ConfirmDialog>
  );
}

function Recently({ apiKey }: { apiKey: ApiKey }) {
  const { requests } = apiKey.usage;
  return (
    <p>
      {requests === 0
        ? 'It was not used in the last 24 hours.'
        : `It made ${formatCompact(requests)} requests in the last 24 hours.`}
    </p>
  );
}
