import { createFileRoute, redirect } from '@tanstack/react-router';
import { PageError } from '@/app/page-states';
import { bootstrapQuery, SetupPage } from '@/features/session';

export const Route = createFileRoute('/setup')({
  loader: async ({ context }) => {
    const status = await context.queryClient.fetchQuery(bootstrapQuery);
    if (status.state === 'completed') throw redirect({ to: '/sign-in', replace: true });
    return status;
  },
  component: Setup,
  errorComponent: (props) => (
    <main className="mx-auto max-w-xl p-6">
      <PageError {...props} />
    </main>
  ),
});

function Setup() {
  const status = Route.useLoaderData();
  const navigate = Route.useNavigate();
  return <SetupPage status={status} onReady={() => navigate({ to: '/upstreams', replace: true })} />;
}
