import { useState } from 'react';
import type { SavedResets, Upstream } from '@/api';
import { formatPercent, plural } from '@/lib/format';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { RelativeTime } from '@/ui/relative-time';
import { toast } from '@/ui/toast';
import { useRedeem } from './queries';
import { REDEMPTION_STATES } from './words';

interface RedeemDialogProps {
  upstream: Upstream;
  resets: SavedResets;
  onClose: () => void;
}

/** Asks before one saved reset is spent, and says what came of it. */
export function RedeemDialog({ upstream, resets, onClose }: RedeemDialogProps) {
  const redeem = useRedeem(upstream);
  // What was seen when the dialog opened is what is agreed to.
  const [seen] = useState(resets.available ?? 0);
  const left = upstream.windows
    .filter(({ scope }) => scope === 'account')
    .map(({ label, used_percent }) => `${label} ${formatPercent(Math.max(100 - used_percent, 0))}`);
  return (
    <ConfirmDialog
      title={`Spend one saved reset of ${upstream.label}?`}
      verb="Spend one"
      pending={redeem.isPending}
      error={redeem.error}
      onConfirm={() =>
        redeem.mutate(seen, {
          onSuccess: ({ redemptions: [newest] }) => {
            if (newest)
              toast.done(`${upstream.label}: ${REDEMPTION_STATES[newest.state].label.toLowerCase()}`);
            onClose();
          },
        })
      }
      onClose={onClose}
    >
      <p>
        Its windows begin anew at once, and {plural(Math.max(seen - 1, 0), 'reset')} remain
        {seen - 1 === 1 ? 's' : ''}. This cannot be undone.
        {left.length > 0 ? ` Left now: ${left.join(', ')}.` : ''}
      </p>
      {resets.next_expires_at ? (
        <p>
          The one that expires first is taken, <RelativeTime at={resets.next_expires_at} />.
        </p>
      ) : null}
    </ConfirmDialog>
  );
}
