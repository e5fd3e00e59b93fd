import { createFileRoute } from '@tanstack/react-router';
import { inviteQuery, OnboardingPage } from '@/features/onboarding';

/** Without shell and without session: the link is for people who are no operators. */
export const Route = createFileRoute('/onboarding/invites/$token')({
  loader: ({ context, params }) => {
    context.queryClient.prefetchQuery(inviteQuery(params.token));
  },
  component: Onboarding,
});

function Onboarding() {
  const { token } = Route.useParams();
  return <OnboardingPage key={token} token={token} />;
}
