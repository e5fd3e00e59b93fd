import { useSuspenseQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { ApiError, poolsQuery, type Upstream } from '@/api';
import { formatCompact, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Field, TextInput } from '@/ui/field';
import { Switch } from '@/ui/switch';
import { useDeleteUpstream, useRenameUpstream, useSetMembership } from './queries';

interface AccountDialogProps {
  upstream: Upstream;
  onClose: () => void;
}

export function RenameDialog({ upstream, onClose }: AccountDialogProps) {
  const [label, setLabel] = useState(upstream.label);
  const rename = useRenameUpstream();
  const error =
    label.trim() === ''
      ? 'Give the account a label'
      : rename.error instanceof ApiError
        ? (rename.error.fieldError('/label') ?? rename.error.message)
        : rename.error?.message;
  function submit(event: FormEvent) {
    event.preventDefault();
    if (label.trim() !== '') rename.mutate({ id: upstream.id, label: label.trim() }, { onSuccess: onClose });
  }
  return (
    <Dialog open onClose={onClose} title={`Rename ${upstream.label}`}>
      <form onSubmit={submit} noValidate>
        <DialogBody>
          <Field label="Label" hint="Shown in lists and in the request log from now on." error={error}>
            <TextInput
              value={label}
              onChange={(event) => setLabel(event.target.value)}
              maxLength={100}
              autoComplete="off"
            />
          </Field>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={rename.isPending}>
            Rename
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

export function DeleteDialog({ upstream, onClose }: AccountDialogProps) {
  const remove = useDeleteUpstream();
  return (
    <ConfirmDialog
      title={`Delete ${upstream.label}?`}
      verb="Delete"
      typed={upstream.label}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(upstream, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>
        Its sign-in is erased and {plural(upstream.pools.length, 'pool')} lose
        {upstream.pools.length === 1 ? 's' : ''} it
        {upstream.in_flight > 0 ? `, with ${plural(upstream.in_flight, 'request')} in flight` : ''}. The
        request log keeps what it served ({formatCompact(upstream.usage.requests)} in the last 24 hours).
      </p>
    </ConfirmDialog>
  );
}

export function PoolsDialog({ upstream, onClose }: AccountDialogProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const set = useSetMembership(upstream);
  const shown = pools.items.filter((pool) => pool.status !== 'archived');
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Pools of ${upstream.label}`}
      description="Keys of these pools may use it."
    >
      <DialogBody>
        {shown.length === 0 ? (
          <p className="text-ink-3">There is no pool yet. Create one under Pools.</p>
        ) : (
          <ul className="divide-y divide-line rounded-lg border border-line">
            {shown.map((pool) => {
              const member = upstream.pools.some(({ id }) => id === pool.id);
              return (
                <li key={pool.id} className="flex min-h-11 items-center gap-3 px-3 py-2">
                  <span className="min-w-0 flex-1 truncate font-medium">{pool.name}</span>
                  <span className="tnum text-xs text-ink-3">{plural(pool.counts.accounts, 'account')}</span>
                  <Switch
                    label={`${upstream.label} in ${pool.name}`}
                    checked={member}
                    disabled={set.isPending}
                    onChange={(next) => set.mutate({ pool, member: next })}
                  />
                </li>
              );
            })}
          </ul>
        )}
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </DialogFooter>
    </Dialog>
  );
}
