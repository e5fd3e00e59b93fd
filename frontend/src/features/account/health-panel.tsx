import { Link } from '@tanstack/react-router';
import type { AccountHealth, Upstream } from '@/api';
import { formatCompact, formatDate, formatDuration, formatPercent, plural, UNKNOWN } from '@/lib/format';
import { Panel, Stat } from '@/ui/page';

interface HealthPanelProps {
  upstream: Upstream;
  health: AccountHealth;
}

const WORRYING_PERCENT = 2;

/** How the account's turns ended and how long they took. */
export function HealthPanel({ upstream, health }: HealthPanelProps) {
  return (
    <Panel aria-labelledby="health" className="px-4 py-3">
      <h2 id="health" className="text-base font-semibold">
        Request health
      </h2>
      <dl className="mt-2 grid grid-cols-2 gap-x-4 gap-y-3 sm:grid-cols-4 2xl:grid-cols-2">
        <Stat
          label="Turns, 24 h"
          value={formatCompact(health.requests_24h)}
          detail={failedText(health.failed_24h, health.failure_rate_24h)}
        />
        <Stat
          label="Turns, 7 d"
          value={formatCompact(health.requests_7d)}
          detail={failedText(health.failed_7d, health.failure_rate_7d)}
        />
        <Stat
          label="Duration, 24 h"
          value={health.p50_ms === null ? UNKNOWN : formatDuration(health.p50_ms)}
          detail={health.p95_ms === null ? 'median' : `median; p95 ${formatDuration(health.p95_ms)}`}
        />
        <Stat
          label="First token, 24 h"
          value={health.p95_ttft_ms === null ? UNKNOWN : formatDuration(health.p95_ttft_ms)}
          detail="p95"
        />
      </dl>
      <Days days={health.daily} />
      <Errors upstream={upstream} errors={health.errors_24h} />
    </Panel>
  );
}

function failedText(failed: number, rate: number | null) {
  if (rate === null) return 'none';
  if (failed === 0) return 'none failed';
  const text = `${formatCompact(failed)} failed (${formatPercent(rate, 1)})`;
  return rate > WORRYING_PERCENT ? <span className="text-bad-ink">{text}</span> : text;
}

const BAR_HEIGHT = 56;

/** A column a day: what succeeded below, what failed on top. */
function Days({ days }: { days: AccountHealth['daily'] }) {
  const peak = Math.max(...days.map(({ ok, failed }) => ok + failed), 1);
  if (days.every(({ ok, failed }) => ok + failed === 0))
    return (
      <p className="mt-3 grid h-14 place-items-center rounded-md border border-dashed border-line text-xs text-ink-3">
        No turns in the last 7 days
      </p>
    );
  return (
    <ol aria-label="Turns by day" className="mt-3 flex gap-1.5">
      {days.map(({ date, ok, failed }) => {
        const day = formatDate(`${date}T12:00:00Z`, 'day', 'UTC');
        const says = `${day}: ${plural(ok, 'turn')} succeeded, ${failed} failed`;
        return (
          <li key={date} title={says} className="min-w-0 flex-1">
            <span className="sr-only">{says}</span>
            <div aria-hidden className="flex flex-col justify-end gap-px" style={{ height: BAR_HEIGHT }}>
              <Bar className="bg-bad" height={failed === 0 ? 0 : Math.max((failed / peak) * BAR_HEIGHT, 2)} />
              <Bar className="bg-data-2" height={ok === 0 ? 1 : Math.max((ok / peak) * BAR_HEIGHT, 2)} />
            </div>
            <p aria-hidden className="mt-1 truncate text-center text-2xs text-ink-3">
              <span className="sm:hidden">{Number(date.slice(8))}</span>
              <span className="max-sm:hidden">{day}</span>
            </p>
          </li>
        );
      })}
    </ol>
  );
}

function Bar({ className, height }: { className: string; height: number }) {
  return height === 0 ? null : <div className={`rounded-[2px] ${className}`} style={{ height }} />;
}

function Errors({ upstream, errors }: { upstream: Upstream; errors: AccountHealth['errors_24h'] }) {
  if (errors.length === 0) return null;
  return (
    <div className="mt-3 border-t border-line pt-2.5">
      <h3 className="mb-1 text-xs text-ink-3">Errors, 24 h</h3>
      <ul className="space-y-1">
        {errors.map(({ code, turns }) => (
          <li key={code} className="flex items-baseline justify-between gap-3">
            <Link
              to="/requests"
              search={{ account: [upstream.id], q: code }}
              className="min-w-0 truncate font-mono text-xs text-ink-2 hover:underline"
            >
              {code}
            </Link>
            <span className="tnum shrink-0 text-xs text-ink-3">{plural(turns, 'turn')}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
