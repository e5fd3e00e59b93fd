import { createFileRoute } from '@tanstack/react-router';
import { apiKeysQuery, poolsQuery } from '@/api';
import { ApiKeysPage, apiKeysSearch } from '@/features/api-keys';

export const Route = createFileRoute('/_app/api-keys')({
  validateSearch: apiKeysSearch,
  // Started, not awaited: the shell shows at once and the page its skeleton.
  loader: ({ context }) => {
    context.queryClient.prefetchQuery(apiKeysQuery);
    context.queryClient.prefetchQuery(poolsQuery);
  },
  component: ApiKeys,
});

function ApiKeys() {
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <ApiKeysPage
      search={search}
      onSearch={(patch) => navigate({ search: { ...search, ...patch }, replace: true, resetScroll: false })}
    />
  );
}
