import { clsx } from 'clsx';
import type { ReactNode } from 'react';
import { formatPercent } from '@/lib/format';

const NEAR_PERCENT = 80;

/** How much of a limit is used: ink while there is room, amber near it, red when nothing is left. */
export function UsageBar({ label, percent }: { label: string; percent: number }) {
  const used = Math.min(percent, 100);
  return (
    <div
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(used)}
      aria-valuetext={`${formatPercent(percent)} used`}
      className="h-1.5 overflow-hidden rounded-full bg-line"
    >
      <div
        className={clsx(
          'h-full rounded-full transition-[width,background-color] duration-300',
          percent >= 100 ? 'bg-bad' : percent >= NEAR_PERCENT ? 'bg-warn' : 'bg-ink-2',
        )}
        style={{ width: `${used}%` }}
      />
    </div>
  );
}

interface UsageRowProps {
  label: string;
  percent: number;
  /** What is used, of how much. */
  amount: ReactNode;
  /** When there is room again. */
  note: ReactNode;
}

/** A limit with its bar, in two lines, so that long names and figures fit. */
export function UsageRow({ label, percent, amount, note }: UsageRowProps) {
  return (
    <div>
      <div className="flex items-baseline justify-between gap-3">
        <span className="min-w-0 truncate">{label}</span>
        <span className="tnum shrink-0 text-xs text-ink-2">{amount}</span>
      </div>
      <div className="my-1">
        <UsageBar label={label} percent={percent} />
      </div>
      <div className="tnum flex justify-between gap-3 text-xs text-ink-3">
        <span className={clsx(percent >= 100 && 'text-bad-ink')}>{formatPercent(percent)} used</span>
        <span className="shrink-0">{note}</span>
      </div>
    </div>
  );
}
