import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { ChevronDown, ChevronLeft, ChevronUp, UserRoundX } from 'lucide-react';
import { type ReactNode, Suspense, useState } from 'react';
import { isApiError, type Upstream, upstreamQuery, upstreamsQuery } from '@/api';
import { type AccountAction, AccountDialog, byUrgency, upstreamStatus } from '@/features/upstreams';
import { plural } from '@/lib/format';
import { useShortcuts } from '@/lib/use-shortcuts';
import { buttonClass, IconButton } from '@/ui/button';
import { PageHeader, Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { EmptyState, ErrorState, Skeleton } from '@/ui/states';
import { StatusDot, Tag } from '@/ui/status';
import { Tooltip } from '@/ui/tooltip';
import { AccountRail } from './account-rail';
import { ActivityPanel } from './activity-panel';
import { HealthPanel } from './health-panel';
import { LanesPanel } from './lanes-panel';
import { cockpitQuery } from './queries';
import { QuotaPanel } from './quota-panel';
import { SavedResetsPanel } from './saved-resets-panel';
import type { AccountSearch } from './search';

interface AccountPageProps {
  id: string;
  search: AccountSearch;
  onSearch: (patch: AccountSearch) => void;
}

/** One account: who it is and what can be done, what stands in its way, how it has fared. */
export function AccountPage({ id, search, onSearch }: AccountPageProps) {
  const { data: list } = useSuspenseQuery(upstreamsQuery);
  const { data, error, refetch } = useQuery({
    ...upstreamQuery(id),
    placeholderData: () => list.items.find((item) => item.id === id),
    retry: (failures, failure) => !isApiError(failure, 'not_found') && failures < 2,
  });
  const navigate = useNavigate();
  const neighbours = useNeighbours(list.items, id);
  const back = () => navigate({ to: '/upstreams' });
  const go = (to: Upstream | undefined) => {
    if (to) void navigate({ to: '/upstreams/$id', params: { id: to.id }, search, replace: true });
  };
  useShortcuts({
    j: () => go(neighbours.next),
    k: () => go(neighbours.previous),
    Escape: back,
  });
  if (error && !data)
    return isApiError(error, 'not_found') || isApiError(error, 'validation_failed') ? (
      <Missing />
    ) : (
      <>
        <PageHeader title="Account" />
        <ErrorState error={error} retry={refetch} />
      </>
    );
  if (!data) return <AccountSkeleton />;
  return (
    <>
      <BackLink />
      <PageHeader
        title={data.label}
        facts={<Verdict upstream={data} />}
        actions={
          <span className="flex">
            <Tooltip content="Previous account" shortcut="k">
              <IconButton
                label="Previous account"
                disabled={!neighbours.previous}
                onClick={() => go(neighbours.previous)}
              >
                <ChevronUp />
              </IconButton>
            </Tooltip>
            <Tooltip content="Next account" shortcut="j">
              <IconButton
                label="Next account"
                disabled={!neighbours.next}
                onClick={() => go(neighbours.next)}
              >
                <ChevronDown />
              </IconButton>
            </Tooltip>
          </span>
        }
      />
      <Account key={id} upstream={data} search={search} onSearch={onSearch} onGone={back} />
    </>
  );
}

interface AccountProps {
  upstream: Upstream;
  search: AccountSearch;
  onSearch: (patch: AccountSearch) => void;
  onGone: () => void;
}

function Account({ upstream, search, onSearch, onGone }: AccountProps) {
  const cockpit = useQuery(cockpitQuery(upstream.id));
  const [action, setAction] = useState<AccountAction>();
  const part = (height: string, render: (data: NonNullable<typeof cockpit.data>) => ReactNode) =>
    cockpit.data ? render(cockpit.data) : <Skeleton className={`rounded-lg ${height}`} />;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-[19rem_minmax(0,1fr)]">
      <AccountRail upstream={upstream} vitals={cockpit.data?.vitals} onAction={setAction} />
      <div className="min-w-0 space-y-4">
        {cockpit.error && !cockpit.data ? (
          <ErrorState error={cockpit.error} retry={cockpit.refetch} />
        ) : (
          part('h-32', ({ lanes }) => <LanesPanel lanes={lanes} upstream={upstream} onAction={setAction} />)
        )}
        <QuotaPanel
          upstream={upstream}
          range={search.range ?? '7d'}
          first={cockpit.data?.quota_history}
          onRange={(range) => onSearch({ range: range === '7d' ? undefined : range })}
        />
        <SavedResetsPanel upstream={upstream} />
        {cockpit.error && !cockpit.data ? null : (
          <div className="grid gap-4 2xl:grid-cols-2">
            {part('h-64', ({ health }) => (
              <HealthPanel health={health} upstream={upstream} />
            ))}
            {part('h-64', ({ recent }) => (
              <ActivityPanel recent={recent} upstream={upstream} />
            ))}
          </div>
        )}
      </div>
      <Suspense>
        {action ? (
          <AccountDialog
            action={action}
            upstream={upstream}
            onClose={() => setAction(undefined)}
            onDeleted={onGone}
          />
        ) : null}
      </Suspense>
    </div>
  );
}

function BackLink() {
  return (
    <Link
      to="/upstreams"
      className="-mt-1 mb-1 inline-flex items-center gap-0.5 text-xs text-ink-3 hover:text-ink coarse:min-h-11 [&_svg]:size-3.5"
    >
      <ChevronLeft /> Upstreams
    </Link>
  );
}

function Verdict({ upstream }: { upstream: Upstream }) {
  const { tone, label } = upstreamStatus(upstream);
  const { readiness, drain, plan } = upstream;
  return (
    <span className="flex flex-wrap items-center gap-2">
      <StatusDot tone={tone}>
        {label}
        {drain && drain.in_flight > 0 ? ` · ${plural(drain.in_flight, 'turn')} left` : null}
        {readiness.until ? (
          <>
            {' · '}
            <RelativeTime at={readiness.until} />
          </>
        ) : null}
      </StatusDot>
      <Tag>{plan.label}</Tag>
      {upstream.tags.map((tag) => (
        <Tag key={tag}>{tag}</Tag>
      ))}
    </span>
  );
}

/** The accounts before and after this one in the order of the list. */
function useNeighbours(upstreams: readonly Upstream[], id: string) {
  const order = upstreams.toSorted(byUrgency);
  const at = order.findIndex((upstream) => upstream.id === id);
  return at < 0 ? {} : { previous: order[at - 1], next: order[at + 1] };
}

function Missing() {
  return (
    <>
      <PageHeader title="Account not found" />
      <Panel>
        <EmptyState
          icon={<UserRoundX />}
          title="There is no such account"
          action={
            <Link to="/upstreams" className={buttonClass()}>
              Go to Upstreams
            </Link>
          }
        >
          It may have been deleted, or it is in pools that are not yours.
        </EmptyState>
      </Panel>
    </>
  );
}

function AccountSkeleton() {
  return (
    <div role="status" aria-label="Loading" className="space-y-4">
      <Skeleton className="h-7 w-40 rounded-md" />
      <div className="grid gap-4 lg:grid-cols-[19rem_minmax(0,1fr)]">
        <Skeleton className="h-96 rounded-lg" />
        <div className="space-y-4">
          <Skeleton className="h-32 rounded-lg" />
          <Skeleton className="h-80 rounded-lg" />
        </div>
      </div>
    </div>
  );
}
