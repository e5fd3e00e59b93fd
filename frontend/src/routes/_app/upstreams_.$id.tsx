import { createFileRoute } from '@tanstack/react-router';
import { upstreamQuery, upstreamsQuery } from '@/api';
import { AccountPage, accountSearch, cockpitQuery, savedResetsQuery } from '@/features/account';

export const Route = createFileRoute('/_app/upstreams_/$id')({
  validateSearch: accountSearch,
  // Started, not awaited: the shell shows at once and the page its skeleton.
  loader: ({ context, params }) => {
    context.queryClient.prefetchQuery(upstreamsQuery);
    context.queryClient.prefetchQuery(upstreamQuery(params.id));
    context.queryClient.prefetchQuery(cockpitQuery(params.id));
    context.queryClient.prefetchQuery(savedResetsQuery(params.id));
  },
  component: Account,
});

function Account() {
  const { id } = Route.useParams();
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <AccountPage
      id={id}
      search={search}
      onSearch={(patch) => navigate({ search: { ...search, ...patch }, replace: true, resetScroll: false })}
    />
  );
}
