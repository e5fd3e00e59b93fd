import type { Upstream } from '@/api';
import { formatCompact } from '@/lib/format';
import { Explained } from '@/ui/explained';

const HIGH = 2;

/** How much faster or slower than of late; nothing while there is nothing to compare with. */
export function Burn({ burn: { factor, tokens_5m, baseline_5m } }: Pick<Upstream, 'burn'>) {
  if (factor === null) return null;
  const times = `×${factor.toFixed(factor < 10 ? 1 : 0)}`;
  return (
    <Explained
      label={`Token burn ${times}`}
      by={`Token burn: ${formatCompact(tokens_5m)} tokens in the last 5 minutes, against ${formatCompact(baseline_5m)} in an average 5 minutes of the hour before.`}
    >
      <span className={factor < HIGH ? 'text-ink-3' : undefined}>{times}</span>
    </Explained>
  );
}
