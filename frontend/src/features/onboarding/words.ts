import { isApiError, type Onboarding } from '@/api';
import { formatSpan } from '@/lib/format';

export interface Trouble {
  title: string;
  /** What to do next. */
  next: string;
}

const NEW_LINK = 'Ask the person who invited you for a new link.';

/** What ends an invite for the one who holds its link. */
export const ENDS: Record<'expired' | 'revoked' | 'invalid', Trouble> = {
  expired: { title: 'This invite has expired', next: `Its link was valid for a limited time. ${NEW_LINK}` },
  revoked: { title: 'This invite was withdrawn', next: `Its link leads nowhere any more. ${NEW_LINK}` },
  invalid: {
    title: 'This link is not an invite',
    next: `It may have been cut off while copying, or replaced by a newer one. Open it once more from where you got it. ${NEW_LINK}`,
  },
};

const TROUBLES: Record<string, Trouble> = {
  access_denied: {
    title: 'The sign-in was cancelled',
    next: 'Get a new code and confirm it on the ChatGPT page.',
  },
  provider_denied: {
    title: 'ChatGPT did not allow the sign-in',
    next: 'Sign-in by device code must be allowed in ChatGPT, under Settings, Security, and in a workspace by its admin as well. Then get a new code.',
  },
  expired_flow: { title: 'The code has expired', next: 'Get a new one; it is valid for some minutes.' },
  identity_mismatch: {
    title: 'That was another account',
    next: 'Nothing was added. Sign in with the account and the workspace you were asked for, in a private window if need be.',
  },
  identity_conflict: {
    title: 'The account cannot be told from another one here',
    next: 'Nothing was added. Tell the person who invited you.',
  },
  token_exchange_failed: {
    title: 'ChatGPT did not complete the sign-in',
    next: 'Get a new code and try again.',
  },
  sign_in_unavailable: {
    title: 'The sign-in server cannot be reached',
    next: 'That is seldom for long. Try again in a moment.',
  },
  interrupted: { title: 'The sign-in was interrupted', next: 'Get a new code and try once more.' },
  login_not_stored: {
    title: 'The sign-in could not be saved',
    next: 'It succeeded, but the server could not keep it. Get a new code in some minutes.',
  },
  expired_token: { title: 'The code has expired', next: 'Get a new one; it is valid for some minutes.' },
  superseded: {
    title: 'A newer code was made',
    next: 'This page may be open twice. Go on where the newer code is, or get another one.',
  },
  stale_flow: {
    title: 'A newer code was made',
    next: 'This page may be open twice. Go on where the newer code is, or get another one.',
  },
};

/** Why a sign-in came to nothing, and what helps. */
export function troubleOf({ error, invited_email_masked }: Onboarding): Trouble {
  if (error?.code === 'invite_email_mismatch')
    return {
      title: 'That was not the invited account',
      next: `The invite is for ${invited_email_masked ?? 'another address'}. Nothing was added. Sign out of ChatGPT or use a private window, then get a new code and sign in with that address.`,
    };
  return (
    TROUBLES[error?.code ?? 'expired_flow'] ?? {
      title: 'The sign-in did not succeed',
      next: error?.detail ?? 'Get a new code and try again.',
    }
  );
}

/** What to say when the server refuses to go on for a while, or does not answer. */
export function explain(error: Error): string {
  if (isApiError(error) && error.status === 429)
    return `Too many attempts. Try again in ${formatSpan((error.retryAfterSeconds ?? 60) * 1000)}`;
  return error.message.replace(/\.$/, '');
}
