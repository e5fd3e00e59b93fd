import { createFileRoute } from '@tanstack/react-router';
import { poolsQuery } from '@/api';
import { InvitesPage, inviteFilters, invitesQuery, invitesSearch } from '@/features/invites';
import { sessionQuery } from '@/features/session';

export const Route = createFileRoute('/_app/invites')({
  validateSearch: invitesSearch,
  loaderDeps: ({ search }) => inviteFilters(search),
  loader: ({ context, deps }) => {
    const session = context.queryClient.getQueryData(sessionQuery.queryKey);
    if (!session?.capabilities.includes('invites:read')) return;
    // Started, not awaited: the page shows its own table skeleton at once.
    context.queryClient.prefetchInfiniteQuery(invitesQuery(deps));
    context.queryClient.prefetchQuery(poolsQuery);
  },
  component: Invites,
});

function Invites() {
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <InvitesPage
      search={search}
      onSearch={(patch) => navigate({ search: { ...search, ...patch }, replace: true, resetScroll: false })}
    />
  );
}
