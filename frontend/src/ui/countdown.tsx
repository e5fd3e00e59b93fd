import { clsx } from 'clsx';
import { formatClock } from '@/lib/format';
import { useSecond } from '@/lib/use-now';

const SOON_MS = 60_000;

/** What is left until a moment, to the second; it stops at nothing. */
export function Countdown({ until }: { until: string }) {
  const left = Math.max(Date.parse(until) - useSecond(), 0);
  return (
    <time
      dateTime={until}
      className={clsx('tnum font-medium', left < SOON_MS ? 'text-warn-ink' : 'text-ink-2')}
    >
      {formatClock(left)}
    </time>
  );
}
