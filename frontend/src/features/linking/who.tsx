import type { Upstream } from '@/api';
import { PrivateEmail, PrivateName } from '@/ui/private';

/** Which ChatGPT account the person has to choose there. */
export function WhoToSignInAs({ upstream }: { upstream: Upstream | undefined }) {
  if (!upstream) return <>Sign in with the account to add</>;
  const workspace = upstream.workspace?.label;
  return (
    <>
      Sign in as {upstream.email ? <PrivateEmail>{upstream.email}</PrivateEmail> : upstream.label}
      {workspace ? (
        <>
          , in the workspace <PrivateName>{workspace}</PrivateName>
        </>
      ) : null}
    </>
  );
}
