import type { Upstream } from '@/api';
import { humanise } from '@/lib/format';

const REVOKED = 'The sign-in was revoked.';
const EXPIRED = 'The sign-in has expired.';
const REFUSED = 'ChatGPT does not accept the sign-in any more.';

const REASONS: Record<string, string> = {
  refresh_token_reused: 'The refresh token was used elsewhere.',
  refresh_token_expired: EXPIRED,
  token_expired: EXPIRED,
  account_session_expired: EXPIRED,
  refresh_token_revoked: REVOKED,
  token_revoked: REVOKED,
  revoked: REVOKED,
  app_session_terminated: REVOKED,
  refresh_token_invalidated: REFUSED,
  token_invalidated: REFUSED,
  account_auth_invalidated: REFUSED,
  invalid_refresh_token: REFUSED,
  invalid_grant: REFUSED,
  access_token_refused: REFUSED,
  account_deactivated: 'ChatGPT has deactivated the account.',
  account_suspended: 'ChatGPT has suspended the account.',
  exported: 'Exported to another instance.',
  drained: 'Its last turns have ended.',
};

/** Why it is in its state, where the server gave a reason; one that has no words here is shown as it is. */
export function reasonOf({ status_reason: reason }: Pick<Upstream, 'status_reason'>): string | null {
  return reason === null ? null : (REASONS[reason] ?? `The reason given: ${humanise(reason).toLowerCase()}.`);
}
