import type { ApiKey } from '@/api';
import { formatCompact } from '@/lib/format';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { KeyForm } from './key-form';
import { useDeleteApiKey, useRevokeApiKey, useRotateApiKey, useUpdateApiKey } from './queries';
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
          update.mutate({ id: apiKey.id, patch }, { onSuccess: onClose })
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
