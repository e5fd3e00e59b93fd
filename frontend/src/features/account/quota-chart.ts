import type { QuotaHistory, QuotaWindow } from '@/api';
import { formatPercent, UNKNOWN } from '@/lib/format';
import type { Series } from '@/ui/time-series-chart';

export interface QuotaChart {
  times: number[];
  series: Series[];
  /** When windows began anew, unix seconds. */
  resets: number[];
}

const COLORS = ['data-1', 'data-3', 'data-4', 'data-5'];
/** Evidence holds until the next, but not longer than this; then nobody knows. */
const HOLDS_SECONDS = 3 * 3600;
const AHEAD_SHARE = 0.15;
/** Resets that come more often than this, as a share of what is shown, are plain to see and not marked. */
const MARKED_SHARE = 0.1;

/** What was left of every window, and where the present pace leads; the newest windows decide the order. */
export function presentQuota(
  history: QuotaHistory,
  windows: readonly QuotaWindow[],
  now: number,
): QuotaChart {
  const step = history.bucket_seconds;
  const start = Math.floor(Date.parse(history.from) / 1000 / step) * step;
  const end = Math.floor(now / 1000 / step) * step;
  const past = Math.max(Math.round((end - start) / step) + 1, 1);
  const ahead = windows.some((window) => window.burn_percent_per_hour) ? Math.ceil(past * AHEAD_SHARE) : 0;
  const times = Array.from({ length: past + ahead }, (_, i) => start + i * step);
  const order = windows.map(({ key }) => key);
  const known = history.series.toSorted((a, b) => rank(order, a.key) - rank(order, b.key));
  const series = known.flatMap((each, i) => {
    const color = COLORS[i % COLORS.length] ?? 'data-1';
    const window = windows.find(({ key }) => key === each.key);
    const left: Series = {
      key: each.key,
      label: each.label,
      color,
      kind: 'line',
      format: formatPercent,
      values: leftOf(each, times, past, step),
    };
    const expected = window ? expectedOf(window, times, past, now) : null;
    return expected
      ? [
          left,
          {
            ...left,
            key: `${each.key}:ahead`,
            label: `${each.label}, expected`,
            dashed: true,
            values: expected,
          },
        ]
      : [left];
  });
  const marked = known.filter(({ key }) => {
    const window = windows.find((each) => each.key === key);
    return !window || window.window_seconds >= (end - start) * MARKED_SHARE;
  });
  const resets = [...new Set(marked.flatMap((each) => each.resets))].filter(
    (at) => at >= start && at * 1000 <= now,
  );
  return { times, series, resets };
}

function rank(order: readonly string[], key: string): number {
  const at = order.indexOf(key);
  return at < 0 ? order.length : at;
}

function leftOf(
  { t, used_percent, resets }: QuotaHistory['series'][number],
  times: readonly number[],
  past: number,
  step: number,
): (number | null)[] {
  let at = -1;
  return times.map((time, i) => {
    if (i >= past) return null;
    while (at + 1 < t.length && (t[at + 1] ?? 0) < time + step) at += 1;
    const seen = t[at];
    const used = used_percent[at];
    if (seen === undefined || used === undefined) return null;
    if (time - seen > Math.max(HOLDS_SECONDS, 2 * step)) return null;
    // What was used before a reset is no longer used after it.
    const renewed = resets.some((reset) => reset > seen && reset <= time);
    return renewed ? 100 : 100 - used;
  });
}

/** From now on along the present pace, until it is spent or begins anew. */
function expectedOf(
  { used_percent, burn_percent_per_hour: rate, resets_at }: QuotaWindow,
  times: readonly number[],
  past: number,
  now: number,
): (number | null)[] | null {
  const resetsAt = resets_at === null ? Number.POSITIVE_INFINITY : Date.parse(resets_at);
  if (!rate || resetsAt <= now) return null;
  let over = false;
  return times.map((time, i) => {
    if (i < past - 1 || over || time * 1000 > resetsAt) return null;
    const hours = Math.max(time * 1000 - now, 0) / 3_600_000;
    const left = Math.max(100 - used_percent - rate * hours, 0);
    over = left === 0;
    return left;
  });
}

/** A rate for people: an hour for the short windows, a day for those that take days to fall. */
export function paceText({ burn_percent_per_hour: rate, window_seconds }: QuotaWindow): string {
  if (rate === null) return UNKNOWN;
  return window_seconds > 86_400
    ? `${formatPercent(rate * 24, rate * 24 < 10 ? 1 : 0)} a day`
    : `${formatPercent(rate, rate < 10 ? 1 : 0)} an hour`;
}
