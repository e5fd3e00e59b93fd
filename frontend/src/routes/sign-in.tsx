import { createFileRoute, redirect } from '@tanstack/react-router';
import { PageError } from '@/app/page-states';
import { SignInPage, safeReturnPath, sessionQuery, signInSearch } from '@/features/session';

export const Route = createFileRoute('/sign-in')({
  validateSearch: signInSearch,
  beforeLoad: async ({ context, search }) => {
    const session = await context.queryClient.ensureQueryData(sessionQuery);
    if (session.bootstrap === 'pending') throw redirect({ to: '/setup', replace: true });
    if (session.authenticated) throw redirect({ href: safeReturnPath(search.next), replace: true });
  },
  component: SignIn,
  errorComponent: (props) => (
    <main className="mx-auto max-w-xl p-6">
      <PageError {...props} />
    </main>
  ),
});

function SignIn() {
  const { next } = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <SignInPage
      interrupted={next !== undefined}
      onSignedIn={() => navigate({ href: safeReturnPath(next), replace: true })}
    />
  );
}
