import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import type { QuotaHistory, Upstream } from '@/api';
import { Burn, forecastText, QuotaAge, readQuota, serves } from '@/features/upstreams';
import { formatPercent, formatSpan } from '@/lib/format';
import { useNow } from '@/lib/use-now';
import { Panel } from '@/ui/page';
import { QuotaBar } from '@/ui/quota-meter';
import { Segmented } from '@/ui/segmented';
import { ErrorState, Skeleton } from '@/ui/states';
import { ProviderFacts } from './provider-facts';
import { type HistoryRange, historyQuery } from './queries';
import { paceText, presentQuota } from './quota-chart';

const QuotaChart = lazy(() => import('./quota-chart-view').then((m) => ({ default: m.QuotaChartView })));

interface QuotaPanelProps {
  upstream: Upstream;
  range: HistoryRange;
  /** The week's history, where the page has it already. */
  first: QuotaHistory | undefined;
  onRange: (range: HistoryRange) => void;
}

const RANGES: { value: HistoryRange; label: string }[] = [
  { value: '24h', label: '24 h' },
  { value: '7d', label: '7 d' },
  { value: '30d', label: '30 d' },
];

/** How full the account's windows are, were, and will be at the present pace. */
export function QuotaPanel({ upstream, range, first, onRange }: QuotaPanelProps) {
  const own = upstream.windows.filter(({ scope }) => scope === 'account');
  return (
    <Panel aria-labelledby="quota">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2 px-4 pt-3">
        <div className="mr-auto min-w-0">
          <h2 id="quota" className="text-base font-semibold">
            Quota
          </h2>
          <p className="tnum text-ink-3">
            {own.length === 0 ? 'Nothing is known of it yet' : summary(upstream)}
            {upstream.burn.factor === null ? null : (
              <>
                {', token burn '}
                <Burn burn={upstream.burn} />
              </>
            )}
          </p>
        </div>
        <Segmented label="Range" value={range} onChange={onRange} options={RANGES} />
      </header>
      <Chart upstream={upstream} range={range} first={first} />
      <div className="space-y-3 border-t border-line px-4 py-3">
        <Windows upstream={upstream} />
        <ProviderFacts quota={upstream.quota} />
        <QuotaAge quota={upstream.quota} />
      </div>
    </Panel>
  );
}

function summary({ windows }: Upstream): string {
  return windows
    .filter(({ scope }) => scope === 'account')
    .map(({ label, used_percent }) => `${label} ${formatPercent(Math.max(100 - used_percent, 0))} left`)
    .join(', ');
}

function Chart({ upstream, range, first }: Pick<QuotaPanelProps, 'upstream' | 'range' | 'first'>) {
  const { data, error, refetch, isPlaceholderData } = useQuery({
    ...historyQuery(upstream.id, range),
    enabled: range !== '7d' || first === undefined,
  });
  const history = range === '7d' ? (first ?? data) : data;
  const now = useNow();
  const chart = useMemo(
    () => (history ? presentQuota(history, upstream.windows, now) : null),
    [history, upstream.windows, now],
  );
  if (error && !history)
    return (
      <div className="p-4">
        <ErrorState error={error} retry={refetch} />
      </div>
    );
  if (!chart) return <Skeleton className="mx-4 my-3 h-56" />;
  if (chart.series.length === 0)
    return (
      <p className="mx-4 my-3 grid h-24 place-items-center rounded-md border border-dashed border-line text-ink-3">
        No history yet. It begins with the first turn, or with the first answer about usage.
      </p>
    );
  return (
    <div
      className={`px-2 pt-3 pb-2 transition-opacity ${isPlaceholderData && range !== '7d' ? 'opacity-50' : ''}`}
    >
      <Suspense fallback={<Skeleton className="mx-2 h-56" />}>
        <QuotaChart chart={chart} label={`Quota left of ${upstream.label}, ${range}`} />
      </Suspense>
    </div>
  );
}

/** Every window with its bar, and what is expected of it. */
function Windows({ upstream }: { upstream: Upstream }) {
  const now = useNow();
  if (upstream.windows.length === 0) return null;
  const on = serves(upstream);
  return (
    <ul className="grid gap-x-8 gap-y-3 md:grid-cols-2">
      {upstream.windows.map((window) => {
        const found = readQuota(window, now);
        const reading = on ? found : { ...found, risk: 'off' as const };
        return (
          <li key={window.key} title={forecastText(window, now)}>
            <div className="flex items-baseline justify-between gap-3">
              <span className="min-w-0 truncate font-medium">
                {window.label}
                {window.model ? <span className="font-normal text-ink-3"> {window.model}</span> : null}
              </span>
              <span className="tnum">
                {found.remainingPercent === null ? '' : `${formatPercent(found.remainingPercent)} left`}
              </span>
            </div>
            <div className="my-1.5">
              <QuotaBar label={window.label} reading={reading} />
            </div>
            <p className="tnum flex justify-between gap-3 text-xs text-ink-3">
              <span className={reading.risk === 'fast' ? 'text-warn-ink' : undefined}>
                {found.runsOutInMs === null || !on
                  ? paceText(window)
                  : `${paceText(window)}, out in ${formatSpan(found.runsOutInMs)}`}
              </span>
              <span>
                {found.resetsInMs === null
                  ? 'begins on first use'
                  : `resets in ${formatSpan(found.resetsInMs)}`}
              </span>
            </p>
          </li>
        );
      })}
    </ul>
  );
}
