import type { Facet, RequestHistogram, RequestLog } from '@/api';

/** The request log's filters, facets and histogram over rows in memory. */
export function select(rows: readonly RequestLog[], query: URLSearchParams): RequestLog[] {
  const among = (name: string, value: string | null | undefined) => {
    const chosen = query.getAll(name);
    return chosen.length === 0 || (value != null && chosen.includes(value));
  };
  const [q, from, to] = [query.get('q'), query.get('from'), query.get('to')];
  return rows.filter(
    (row) =>
      among('status', row.status) &&
      among('model', row.model) &&
      among('pool_id', row.pool?.id) &&
      among('account_id', row.account?.id) &&
      among('api_key_id', row.api_key?.id) &&
      among('transport', row.transport) &&
      (!q || [row.id, row.error_code, row.client].some((text) => text?.includes(q))) &&
      (!from || row.admitted_at >= from) &&
      (!to || row.admitted_at <= to),
  );
}

const BUCKETS = 119;
const EMPTY: RequestHistogram = {
  step_seconds: 60,
  t: [],
  succeeded: [],
  failed: [],
  rejected: [],
  cancelled: [],
};

export function histogram(rows: readonly RequestLog[]): RequestHistogram {
  const [last, first] = [rows[0], rows.at(-1)];
  if (!last || !first) return EMPTY;
  const [oldest, newest] = [Date.parse(first.admitted_at), Date.parse(last.admitted_at)];
  const step = Math.max(Math.ceil((newest - oldest) / BUCKETS / 1000), 1);
  const start = Math.floor(oldest / 1000 / step) * step;
  const zeros = () => Array<number>(BUCKETS + 1).fill(0);
  const result: RequestHistogram = {
    step_seconds: step,
    t: zeros().map((_, i) => start + i * step),
    succeeded: zeros(),
    failed: zeros(),
    rejected: zeros(),
    cancelled: zeros(),
  };
  for (const row of rows) {
    const column = result[row.status === 'interrupted' ? 'failed' : row.status];
    const at = Math.min(Math.floor((Date.parse(row.admitted_at) / 1000 - start) / step), BUCKETS);
    column[at] = (column[at] ?? 0) + 1;
  }
  return result;
}

type Key = [value: string | null, label: string] | null | undefined;

export function facet(rows: readonly RequestLog[], key: (row: RequestLog) => Key): Facet[] {
  const facets = new Map<string, Facet>();
  for (const row of rows) {
    const [value, label] = key(row) ?? [null, ''];
    if (value === null) continue;
    const known = facets.get(value);
    if (known) known.count += 1;
    else facets.set(value, { value, label, count: 1 });
  }
  return [...facets.values()].toSorted((a, b) => b.count - a.count);
}
