import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { CirclePause, CirclePlay, FilterX, X } from 'lucide-react';
import { lazy, Suspense, useMemo, useRef } from 'react';
import type { Facet } from '@/api';
import { formatCompact, formatDate, plural } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { useShortcuts } from '@/lib/use-shortcuts';
import { Button } from '@/ui/button';
import { DataTable } from '@/ui/data-table';
import { FacetFilter, type FacetOption } from '@/ui/facet-filter';
import { PageHeader, Panel } from '@/ui/page';
import { SearchField } from '@/ui/search-field';
import { EmptyState, ErrorState, Skeleton } from '@/ui/states';
import type { Series } from '@/ui/time-series-chart';
import { Tooltip } from '@/ui/tooltip';
import { narrowRequestColumns, requestColumns } from './columns';
import { facetsQuery, histogramQuery, requestsQuery } from './queries';
import { RequestDrawer } from './request-drawer';
import { isFiltered, NO_FILTERS, type RequestFilters, type RequestsSearch, requestFilters } from './search';
import { facetLabel } from './status';
import { useFollow } from './use-follow';

const TimeSeriesChart = lazy(() =>
  import('@/ui/time-series-chart').then((m) => ({ default: m.TimeSeriesChart })),
);

interface RequestsPageProps {
  search: RequestsSearch;
  onSearch: (patch: RequestsSearch, options?: { replace?: boolean }) => void;
}

export function RequestsPage({ search, onSearch }: RequestsPageProps) {
  const { timeZone } = usePreferences();
  const filters = requestFilters(search);
  const list = useInfiniteQuery(requestsQuery(filters));
  const { data: facets } = useQuery(facetsQuery(filters));
  const searchRef = useRef<HTMLInputElement>(null);
  const scrollRef = useRef<HTMLDivElement>(null);
  const columns = useMemo(() => requestColumns(timeZone), [timeZone]);
  const narrow = useMemo(() => ({ columns: narrowRequestColumns(timeZone), rowHeight: 56 }), [timeZone]);
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const total = list.data?.pages[0]?.page.total_estimate ?? rows.length;
  const live = search.live ?? false;
  const { arrived, catchUp } = useFollow(filters, live);

  function step(by: 1 | -1) {
    const at = rows.findIndex((row) => row.id === search.id);
    const next = rows[at < 0 ? 0 : at + by];
    if (next) onSearch({ id: next.id }, { replace: true });
  }

  useShortcuts({
    j: () => step(1),
    k: () => step(-1),
    l: () => onSearch({ live: live ? undefined : true }),
    Escape: () => search.id && onSearch({ id: undefined }),
  });

  return (
    <div className={clsx('flex h-full min-h-[34rem] flex-col', search.id && 'xl:pr-[30rem]')}>
      <PageHeader
        title="Request logs"
        actions={
          <Tooltip content={live ? 'Stop following' : 'Follow new requests'} shortcut="l">
            <Button aria-pressed={live} onClick={() => onSearch({ live: live ? undefined : true })}>
              {live ? <CirclePause className="text-accent" /> : <CirclePlay />}
              {live ? 'Following' : 'Follow'}
            </Button>
          </Tooltip>
        }
      />
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <SearchField
          ref={searchRef}
          label="Request id, error or client"
          value={search.q ?? ''}
          onChange={(q) => onSearch({ q: q || undefined })}
          className="w-full sm:w-64"
        />
        <FacetFilter
          label="Status"
          options={worded('status', facets?.status)}
          value={search.status ?? []}
          onChange={(status) => onSearch({ status: status as NonNullable<RequestsSearch['status']> })}
        />
        <FacetFilter
          label="Model"
          options={facets?.model ?? []}
          value={search.model ?? []}
          onChange={(model) => onSearch({ model })}
        />
        <FacetFilter
          label="Pool"
          options={facets?.pool ?? []}
          value={search.pool ?? []}
          onChange={(pool) => onSearch({ pool })}
        />
        <FacetFilter
          label="Upstream"
          options={facets?.account ?? []}
          value={search.account ?? []}
          onChange={(account) => onSearch({ account })}
        />
        <FacetFilter
          label="Key"
          options={facets?.api_key ?? []}
          value={search.key ?? []}
          onChange={(key) => onSearch({ key })}
        />
        <FacetFilter
          label="Transport"
          options={worded('transport', facets?.transport)}
          value={search.transport ?? []}
          onChange={(transport) =>
            onSearch({ transport: transport as NonNullable<RequestsSearch['transport']> })
          }
        />
        {search.from && search.to ? (
          <Button
            onClick={() => onSearch({ from: undefined, to: undefined })}
            aria-label="Remove the time span"
          >
            <span className="tnum">
              {formatDate(search.from, 'time', timeZone)} – {formatDate(search.to, 'time', timeZone)}
            </span>
            <X className="size-3.5! text-ink-3" />
          </Button>
        ) : null}
        {isFiltered(filters) ? (
          <Button look="ghost" size="sm" onClick={() => onSearch(NO_FILTERS)}>
            Clear
          </Button>
        ) : null}
        <span role="status" className="tnum ml-auto text-xs text-ink-3 max-sm:hidden">
          {list.isPending ? '' : countText(total)}
        </span>
      </div>

      {list.error ? (
        <ErrorState error={list.error} retry={list.refetch} />
      ) : (
        <Panel className="flex min-h-0 flex-1 flex-col overflow-hidden">
          {arrived > 0 && !live ? (
            <button
              type="button"
              onClick={() => {
                scrollRef.current?.scrollTo({ top: 0 });
                catchUp();
              }}
              className="border-b border-line bg-accent-wash py-1.5 text-xs font-medium text-accent-ink hover:underline coarse:py-3"
            >
              {plural(arrived, 'new request')}
            </button>
          ) : null}
          <Histogram filters={filters} onSelect={(from, to) => onSearch({ from: iso(from), to: iso(to) })} />
          <DataTable
            label="Requests"
            columns={columns}
            narrow={narrow}
            rows={rows}
            total={total}
            loading={list.isPending}
            selectedId={search.id}
            onSelect={(row) => onSearch({ id: row.id }, { replace: search.id !== undefined })}
            onNearEnd={() => list.hasNextPage && !list.isFetchingNextPage && list.fetchNextPage()}
            scrollRef={scrollRef}
            empty={
              <EmptyState
                icon={<FilterX />}
                title={isFiltered(filters) ? 'No request matches' : 'No requests yet'}
              >
                {isFiltered(filters)
                  ? 'Loosen the filters above.'
                  : 'Point a client at Codex Pooler; its requests appear here.'}
              </EmptyState>
            }
          />
        </Panel>
      )}
      <RequestDrawer id={search.id} onClose={() => onSearch({ id: undefined })} onStep={step} />
    </div>
  );
}

function Histogram({
  filters,
  onSelect,
}: {
  filters: RequestFilters;
  onSelect: (from: number, to: number) => void;
}) {
  const { data } = useQuery(histogramQuery(filters));
  if (!data)
    return (
      <div className="h-16 px-4 py-2">
        <Skeleton className="h-full" />
      </div>
    );
  if (data.t.length === 0) return null;
  const series: Series[] = [
    {
      key: 'succeeded',
      label: 'Succeeded',
      color: 'data-2',
      values: data.succeeded,
      kind: 'bar',
      format: formatCompact,
    },
    {
      key: 'cancelled',
      label: 'Cancelled',
      color: 'idle',
      values: data.cancelled,
      kind: 'bar',
      format: formatCompact,
    },
    {
      key: 'rejected',
      label: 'Rejected',
      color: 'warn',
      values: data.rejected,
      kind: 'bar',
      format: formatCompact,
    },
    { key: 'failed', label: 'Failed', color: 'bad', values: data.failed, kind: 'bar', format: formatCompact },
  ];
  return (
    <div className="px-4 pt-2 pb-1">
      <Suspense fallback={<Skeleton className="h-14" />}>
        <TimeSeriesChart
          label="Requests over time by status"
          times={data.t}
          series={series}
          height={56}
          bare
          onSelect={onSelect}
        />
      </Suspense>
    </div>
  );
}

/** The server stops counting there; more is not told. */
const COUNTED_TO = 10_000;

function countText(total: number): string {
  return total >= COUNTED_TO ? `${formatCompact(COUNTED_TO)}+ requests` : plural(total, 'request');
}

function worded(kind: 'status' | 'transport', facets: readonly Facet[] | undefined): FacetOption[] {
  return (facets ?? []).map((facet) => ({ ...facet, label: facetLabel(kind, facet.value, facet.label) }));
}

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
