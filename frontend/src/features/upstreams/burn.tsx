import type { Upstream } from '@/api';
import { formatCompact } from '@/lib/format';
import { Explained } from '@/ui/explained';

const HIGH = 2;
/** Less than this reads as nothing. */
const LEAST = 0.05;

/** How much faster or slower than of late; nothing while there is nothing to compare with. */
export function Burn({ burn: { factor, tokens_5m, baseline_5m } }: Pick<Upstream, 'burn'>) {
  if (factor === null) return null;
  const digits = factor < LEAST || factor >= 10 ? 0 : 1;
  const times = `×${factor.toFixed(digits)}`;
  return (
    <Explained
      label={`Token burn ${times}`}
      by={`Token burn: ${formatCompact(tokens_5m)} tokens in the last 5 minutes, against ${formatCompact(baseline_5m)} in an average 5 minutes of the hour before.`}
    >
      <span className={factor < HIGH ? 'text-ink-3' : undefined}>{times}</span>
    </Explained>
  );
}
