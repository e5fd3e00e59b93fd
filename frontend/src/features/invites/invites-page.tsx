import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { FilterX, Lock, MailPlus } from 'lucide-react';
import { lazy, Suspense, useMemo, useRef, useState } from 'react';
import { type Invite, poolsQuery } from '@/api';
import { useCan } from '@/features/session';
import { formatInteger, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { FacetFilter } from '@/ui/facet-filter';
import { PageHeader, Panel } from '@/ui/page';
import { SearchField } from '@/ui/search-field';
import { EmptyState, ErrorState, Skeleton } from '@/ui/states';
import type { InviteAction } from './invites-table';
import { invitesQuery } from './queries';
import { type InviteFilters, type InvitesSearch, inviteFilters, isFiltered, NO_FILTERS } from './search';
import { INVITE_STATUS } from './status';

const InvitesTable = lazy(() => import('./invites-table').then((m) => ({ default: m.InvitesTable })));
const NewInviteDialog = lazy(() =>
  import('@/features/linking').then((m) => ({ default: m.NewInviteDialog })),
);
const RenewInviteDialog = lazy(() =>
  import('@/features/linking').then((m) => ({ default: m.RenewInviteDialog })),
);
const RevokeInviteDialog = lazy(() =>
  import('@/features/linking').then((m) => ({ default: m.RevokeInviteDialog })),
);

interface InvitesPageProps {
  search: InvitesSearch;
  onSearch: (patch: InvitesSearch) => void;
}

/** Who was asked to sign an account in, and what became of it. */
export function InvitesPage(props: InvitesPageProps) {
  return useCan('invites:read') ? <Invites {...props} /> : <NotAllowed />;
}

function Invites({ search, onSearch }: InvitesPageProps) {
  const filters = inviteFilters(search);
  const list = useInfiniteQuery(invitesQuery(filters));
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const mayWrite = useCan('invites:write');
  const [chosen, setChosen] = useState<{ invite: Invite; action: InviteAction }>();
  const create = () => onSearch({ dialog: 'new' });
  return (
    <div className="flex h-full min-h-[24rem] flex-col">
      <PageHeader
        title="Invites"
        actions={
          mayWrite ? (
            <Button look="primary" onClick={create}>
              <MailPlus /> Invite someone
            </Button>
          ) : null
        }
      />
      <Filters
        search={search}
        onSearch={onSearch}
        count={list.isPending ? '' : countText(rows.length, list.hasNextPage)}
      />
      {list.error ? (
        <ErrorState error={list.error} retry={list.refetch} />
      ) : (
        <Panel className="flex min-h-0 flex-col overflow-hidden">
          <Suspense fallback={<Skeleton className="h-96 rounded-lg" />}>
            <InvitesTable
              invites={rows}
              loading={list.isPending}
              mayWrite={mayWrite}
              onNearEnd={() => list.hasNextPage && !list.isFetchingNextPage && list.fetchNextPage()}
              onAction={(invite, action) => setChosen({ invite, action })}
              empty={<NoInvites filters={filters} onCreate={mayWrite ? create : undefined} />}
            />
          </Suspense>
        </Panel>
      )}
      <Suspense>
        {search.dialog === 'new' && mayWrite ? (
          <NewInviteDialog poolId={search.pool?.[0]} onClose={() => onSearch({ dialog: undefined })} />
        ) : null}
        {chosen ? <ChosenDialog {...chosen} onClose={() => setChosen(undefined)} /> : null}
      </Suspense>
    </div>
  );
}

interface ChosenDialogProps {
  invite: Invite;
  action: InviteAction;
  onClose: () => void;
}

function ChosenDialog({ invite, action, onClose }: ChosenDialogProps) {
  if (action === 'revoke') return <RevokeInviteDialog invite={invite} onClose={onClose} />;
  return <RenewInviteDialog invite={invite} send={action === 'mail'} onClose={onClose} />;
}

function Filters({ search, onSearch, count }: InvitesPageProps & { count: string }) {
  const searchRef = useRef<HTMLInputElement>(null);
  const { data: pools } = useQuery(poolsQuery);
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      <SearchField
        ref={searchRef}
        label="Find an address or note"
        value={search.q ?? ''}
        onChange={(q) => onSearch({ q: q || undefined })}
        className="w-full sm:w-60"
      />
      <FacetFilter
        label="Pool"
        options={(pools?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
        value={search.pool ?? []}
        onChange={(pool) => onSearch({ pool })}
      />
      <FacetFilter
        label="Status"
        options={Object.entries(INVITE_STATUS).map(([value, { label }]) => ({ value, label }))}
        value={search.status ?? []}
        onChange={(status) => onSearch({ status: status as NonNullable<InvitesSearch['status']> })}
      />
      {isFiltered(inviteFilters(search)) ? (
        <Button look="ghost" size="sm" onClick={() => onSearch(NO_FILTERS)}>
          Clear
        </Button>
      ) : null}
      <span role="status" className="tnum ml-auto text-xs text-ink-3 max-sm:hidden">
        {count}
      </span>
    </div>
  );
}

interface NoInvitesProps {
  filters: InviteFilters;
  onCreate: (() => void) | undefined;
}

function NoInvites({ filters, onCreate }: NoInvitesProps) {
  if (isFiltered(filters))
    return (
      <EmptyState icon={<FilterX />} title="No invite matches">
        Loosen the filters above.
      </EmptyState>
    );
  return (
    <EmptyState
      icon={<MailPlus />}
      title="No invites yet"
      action={
        onCreate ? (
          <Button onClick={onCreate}>
            <MailPlus /> Invite someone
          </Button>
        ) : null
      }
    >
      With an invite somebody adds their own ChatGPT account to a pool; no password changes hands.
    </EmptyState>
  );
}

function NotAllowed() {
  return (
    <>
      <PageHeader title="Invites" />
      <Panel>
        <EmptyState icon={<Lock />} title="Not for your role">
          Invites are for those who manage accounts. Ask an owner for more rights.
        </EmptyState>
      </Panel>
    </>
  );
}

/** More than is loaded is not counted by the server. */
function countText(loaded: number, more: boolean): string {
  return more ? `${formatInteger(loaded)}+ invites` : plural(loaded, 'invite');
}
