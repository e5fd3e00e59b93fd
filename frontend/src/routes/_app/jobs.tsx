import { createFileRoute } from '@tanstack/react-router';
import { JobsPage, jobFilters, jobsQuery, jobsSearch, workersQuery } from '@/features/jobs';
import { sessionQuery } from '@/features/session';

export const Route = createFileRoute('/_app/jobs')({
  validateSearch: jobsSearch,
  loaderDeps: ({ search }) => jobFilters(search),
  loader: ({ context, deps }) => {
    const session = context.queryClient.getQueryData(sessionQuery.queryKey);
    if (!session?.capabilities.includes('jobs:read')) return;
    // Started, not awaited: the page shows its own placeholders at once.
    context.queryClient.prefetchQuery(workersQuery);
    context.queryClient.prefetchInfiniteQuery(jobsQuery(deps));
  },
  component: Jobs,
});

function Jobs() {
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <JobsPage
      search={search}
      onSearch={(patch, options) =>
        navigate({ search: { ...search, ...patch }, replace: options?.replace ?? false, resetScroll: false })
      }
    />
  );
}
