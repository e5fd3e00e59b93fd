import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { FilterX, Lock, Workflow } from 'lucide-react';
import { useMemo } from 'react';
import type { JobWorker } from '@/api';
import { useCan } from '@/features/session';
import { formatInteger, plural } from '@/lib/format';
import { useShortcuts } from '@/lib/use-shortcuts';
import { Button } from '@/ui/button';
import { FacetFilter } from '@/ui/facet-filter';
import { PageHeader, Panel } from '@/ui/page';
import { EmptyState, ErrorState, Notice, Skeleton } from '@/ui/states';
import { JobDrawer } from './job-drawer';
import { JobsTable } from './jobs-table';
import { jobsQuery, workersQuery } from './queries';
import { isFiltered, type JobsSearch, jobFilters, NO_FILTERS } from './search';
import { JOB_STATES } from './words';
import { WorkerCard } from './worker-card';

interface JobsPageProps {
  search: JobsSearch;
  onSearch: (patch: JobsSearch, options?: { replace?: boolean }) => void;
}

/** What runs in the background: every kind with its last runs, and every job of the last days. */
export function JobsPage(props: JobsPageProps) {
  return useCan('jobs:read') ? <Jobs {...props} /> : <NotAllowed />;
}

function Jobs({ search, onSearch }: JobsPageProps) {
  const filters = jobFilters(search);
  const workers = useQuery(workersQuery);
  const list = useInfiniteQuery(jobsQuery(filters));
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);

  function step(by: 1 | -1) {
    const at = rows.findIndex((row) => row.id === search.id);
    const next = rows[at < 0 ? 0 : at + by];
    if (next) onSearch({ id: next.id }, { replace: true });
  }
  useShortcuts({
    j: () => step(1),
    k: () => step(-1),
    Escape: () => search.id && onSearch({ id: undefined }),
  });

  return (
    <div className={clsx(search.id && 'xl:pr-[30rem]')}>
      <PageHeader title="Jobs" />
      {workers.error && !workers.data ? (
        <div className="mb-4">
          <ErrorState error={workers.error} retry={workers.refetch} />
        </div>
      ) : (
        <Workers
          workers={workers.data?.items}
          chosen={search.worker ?? []}
          onChoose={(worker) => onSearch({ worker })}
        />
      )}
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <FacetFilter
          label="State"
          options={Object.entries(JOB_STATES).map(([value, { label }]) => ({ value, label }))}
          value={search.state ?? []}
          onChange={(state) => onSearch({ state: state as NonNullable<JobsSearch['state']> })}
        />
        <FacetFilter
          label="Kind"
          options={(workers.data?.items ?? []).map(({ name, title }) => ({ value: name, label: title }))}
          value={search.worker ?? []}
          onChange={(worker) => onSearch({ worker })}
        />
        {isFiltered(filters) ? (
          <Button look="ghost" size="sm" onClick={() => onSearch(NO_FILTERS)}>
            Clear
          </Button>
        ) : null}
        <span role="status" className="tnum ml-auto text-xs text-ink-3 max-sm:hidden">
          {list.isPending ? '' : countText(rows.length, list.hasNextPage)}
        </span>
      </div>
      {list.error && !list.data ? (
        <ErrorState error={list.error} retry={list.refetch} />
      ) : (
        <Panel className="flex max-h-[max(24rem,calc(100dvh-14rem))] flex-col overflow-hidden">
          <JobsTable
            jobs={rows}
            loading={list.isPending}
            selectedId={search.id}
            onSelect={(job) => onSearch({ id: job.id }, { replace: search.id !== undefined })}
            onNearEnd={() => list.hasNextPage && !list.isFetchingNextPage && list.fetchNextPage()}
            empty={<NoJobs filtered={isFiltered(filters)} />}
          />
        </Panel>
      )}
      <JobDrawer id={search.id} onClose={() => onSearch({ id: undefined })} onStep={step} />
    </div>
  );
}

interface WorkersProps {
  workers: readonly JobWorker[] | undefined;
  chosen: readonly string[];
  onChoose: (worker: string[] | undefined) => void;
}

function Workers({ workers, chosen, onChoose }: WorkersProps) {
  const mayRun = useCan('jobs:write');
  const alone = workers?.some(({ attention }) => attention.includes('jobs_role_missing'));
  return (
    <>
      {alone ? (
        <div className="mb-4">
          <Notice tone="bad">
            <p className="font-medium">Background work stands still.</p>
            <p>
              No process that runs it has been heard of for two minutes. Start one with the role worker and
              one with the role scheduler, or one with the role all; what is queued waits for them.
            </p>
          </Notice>
        </div>
      ) : null}
      <div className="mb-4 grid grid-cols-[repeat(auto-fill,minmax(min(17rem,100%),1fr))] gap-3">
        {workers
          ? workers.map((worker) => (
              <WorkerCard
                key={worker.name}
                worker={worker}
                chosen={chosen.includes(worker.name)}
                mayRun={mayRun}
                onChoose={() =>
                  onChoose(chosen.length === 1 && chosen[0] === worker.name ? undefined : [worker.name])
                }
              />
            ))
          : ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => (
              <Skeleton key={key} className="h-40 rounded-lg" />
            ))}
      </div>
    </>
  );
}

function NoJobs({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <EmptyState icon={<FilterX />} title="No job matches">
        Loosen the filters above.
      </EmptyState>
    );
  return (
    <EmptyState icon={<Workflow />} title="No jobs yet">
      They come by their schedules, and when something asks for them. Run one above to see.
    </EmptyState>
  );
}

function NotAllowed() {
  return (
    <>
      <PageHeader title="Jobs" />
      <Panel>
        <EmptyState icon={<Lock />} title="Not for your role">
          Background work is for owners of the instance. Ask one of them.
        </EmptyState>
      </Panel>
    </>
  );
}

/** More than is loaded is not counted by the server. */
function countText(loaded: number, more: boolean): string {
  return more ? `${formatInteger(loaded)}+ jobs` : plural(loaded, 'job');
}
