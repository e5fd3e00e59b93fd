import type { Pool } from '@/api';
import { formatCompact, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { PoolForm } from './pool-form';
import { useCreatePool, useDeletePool } from './queries';

interface CreatePoolDialogProps {
  onClose: () => void;
  onCreated: (pool: Pool) => void;
}

export function CreatePoolDialog({ onClose, onCreated }: CreatePoolDialogProps) {
  const create = useCreatePool();
  return (
    <Dialog open onClose={onClose} title="New pool" description="Accounts behind keys of their own.">
      <PoolForm error={create.error} onSubmit={(values) => create.mutate(values, { onSuccess: onCreated })}>
        {(fields) => (
          <>
            <DialogBody>{fields}</DialogBody>
            <DialogFooter>
              <Button onClick={onClose}>Cancel</Button>
              <Button look="primary" type="submit" disabled={create.isPending}>
                Create pool
              </Button>
            </DialogFooter>
          </>
        )}
      </PoolForm>
    </Dialog>
  );
}

export function DeletePoolDialog({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const remove = useDeletePool();
  return (
    <ConfirmDialog
      title={`Delete ${pool.name}?`}
      verb="Delete"
      typed={pool.name}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(pool, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>
        {plural(pool.counts.api_keys, 'API key')} of this pool {pool.counts.api_keys === 1 ? 'stops' : 'stop'}{' '}
        working for good. Its {plural(pool.counts.accounts, 'account')} and the request log are kept
        {pool.usage.requests > 0
          ? ` (${formatCompact(pool.usage.requests)} requests in the last 24 hours)`
          : ''}
        .
      </p>
    </ConfirmDialog>
  );
}
