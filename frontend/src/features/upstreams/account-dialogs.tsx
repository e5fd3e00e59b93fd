import { useSuspenseQuery } from '@tanstack/react-query';
import { poolsQuery, type Upstream } from '@/api';
import { formatCompact, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Switch } from '@/ui/switch';
import { useDeleteUpstream, useSetMembership } from './queries';

interface AccountDialogProps {
  upstream: Upstream;
  onClose: () => void;
}

export function DeleteDialog({
  upstream,
  onClose,
  onDeleted,
}: AccountDialogProps & { onDeleted: () => void }) {
  const remove = useDeleteUpstream();
  return (
    <ConfirmDialog
      title={`Delete ${upstream.label}?`}
      verb="Delete"
      typed={upstream.label}
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(upstream, { onSuccess: onDeleted })}
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
