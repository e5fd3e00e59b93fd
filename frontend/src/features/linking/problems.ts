import { ApiError } from '@/api';

export interface LinkProblem {
  title: string;
  /** What to do next. */
  next: string;
}

const LOGIN_AGAIN = 'Run codex logout, then codex login, and import the new auth.json.';
const COPY_ALL = 'Copy the whole address from the address bar of the page that could not be loaded.';
const START_AGAIN = 'Start again to get a new one.';

/** Every refusal on the way of an account into a pool, answered by the next step. */
const PROBLEMS: Record<string, LinkProblem> = {
  // auth.json
  invalid_auth_json: {
    title: 'This is not an auth.json',
    next: 'Take the whole file from ~/.codex/auth.json, from the first brace to the last.',
  },
  unsupported_auth_json: {
    title: 'This sign-in is an API key or a personal access token',
    next: 'Run codex login and choose “Sign in with ChatGPT”, then import the auth.json it writes. A token that begins with at- goes into “Access token”.',
  },
  missing_tokens: { title: 'The file has no tokens', next: LOGIN_AGAIN },
  missing_token: { title: 'The access token or the id token is missing', next: LOGIN_AGAIN },
  invalid_token: {
    title: 'A token in the file cannot be read',
    next: 'It may have been cut while copying. Choose the file instead of pasting it.',
  },
  expired_token: {
    title: 'The access token has expired',
    next: 'Use Codex once on that machine, which renews the file, then import it again. Or sign in with the browser.',
  },
  missing_account_identifier: {
    title: 'The file does not say which ChatGPT account it belongs to',
    next: LOGIN_AGAIN,
  },
  missing_refresh_token: {
    title: 'The refresh token is missing',
    next: `Without it the sign-in would end within days. ${LOGIN_AGAIN}`,
  },
  body_too_large: {
    title: 'The file is too large',
    next: 'An auth.json has a few kilobytes. Check which file this is.',
  },
  // access tokens
  invalid_access_token: {
    title: 'This is not an access token of a workspace',
    next: 'It begins with at-. Copy it once more from where it was created, without spaces.',
  },
  access_token_refused: {
    title: 'ChatGPT does not accept this access token',
    next: 'It was revoked, has expired or belongs to a workspace that does not allow such tokens. Create a new one.',
  },
  access_token_expired: {
    title: 'The access token has expired',
    next: 'Its end lies in the past. Create a new one in the workspace, or leave the end out.',
  },
  // browser
  invalid_callback_url: { title: 'This is not an address', next: COPY_ALL },
  invalid_callback_origin: {
    title: 'This is the address of another page',
    next: 'The right one begins with http://localhost:1455/auth/callback and belongs to the page that could not be loaded, after the sign-in.',
  },
  missing_state: { title: 'A part of the address is missing', next: COPY_ALL },
  missing_callback_result: { title: 'A part of the address is missing', next: COPY_ALL },
  duplicate_callback_param: {
    title: 'The address holds something twice',
    next: `It may have been pasted twice. Empty the field. ${COPY_ALL}`,
  },
  provider_denied: {
    title: 'ChatGPT did not allow the sign-in',
    next: 'It was cancelled, or the workspace does not allow Codex. Start again, and ask the workspace’s admin if it happens twice.',
  },
  invalid_state: {
    title: 'This address belongs to another sign-in',
    next: 'It may come from an earlier attempt. Open the link above once more and use the address it leads to.',
  },
  // any sign-in
  expired_flow: {
    title: 'The sign-in took too long',
    next: `A link or code is valid for some minutes. ${START_AGAIN}`,
  },
  stale_flow: {
    title: 'This sign-in was replaced',
    next: 'A newer one was started for the same pool, perhaps in another window. Go on there, or start again.',
  },
  flow_not_pending: {
    title: 'This sign-in is finished',
    next: 'Its address was used already. Look for the account in the list; if it is missing, start again.',
  },
  not_found: { title: 'This sign-in is not known any more', next: START_AGAIN },
  token_exchange_failed: {
    title: 'ChatGPT did not complete the sign-in',
    next: 'An address works once, and only for some minutes. Start again; if it keeps failing, look at status.openai.com.',
  },
  interrupted: {
    title: 'The sign-in was interrupted',
    next: 'Codex Pooler was restarted while it was being completed, and an address works only once. Start again.',
  },
  superseded: {
    title: 'This sign-in was replaced',
    next: 'A newer one was started for the same pool, perhaps in another window. Go on there, or start again.',
  },
  flow_unreadable: {
    title: 'The sign-in cannot go on',
    next: `The secret key of Codex Pooler has changed since it began. ${START_AGAIN}`,
  },
  login_not_stored: {
    title: 'The sign-in could not be saved',
    next: 'It succeeded, but the database was away for too long. Start again when the console says that it is back.',
  },
  access_denied: {
    title: 'The sign-in was refused',
    next: 'Somebody cancelled it on the page with the code. Start again to get a new code.',
  },
  sign_in_unavailable: {
    title: 'The sign-in server cannot be reached',
    next: 'Check the network of Codex Pooler, and the egress proxy if there is one, then try again.',
  },
  invalid_egress_proxy: {
    title: 'This is not the address of a proxy',
    next: 'It looks like http://proxy.example:3128 or socks5://user:password@proxy.example:1080.',
  },
  egress_proxy_failed: {
    title: 'The egress proxy cannot be reached',
    next: 'Check its address and password. Without the proxy nothing is sent, so the account stays where it was.',
  },
  identity_mismatch: {
    title: 'That was another account',
    next: 'Nothing was changed. Sign in with the same account and the same workspace; a private window keeps other sign-ins out of the way. To bring in the other account, add it as a new one.',
  },
  identity_conflict: {
    title: 'More than one account could be meant',
    next: 'Nothing was changed. Open the account that should get this sign-in and choose “Sign in again” there, or ask an owner if it is not in your list.',
  },
  account_deleted: {
    title: 'The account was deleted in the meantime',
    next: 'It is not in the list any more. Add it as a new one.',
  },
  database_unavailable: {
    title: 'The database cannot be reached',
    next: 'No account can be added meanwhile. What you entered stays here: try again when the notice about the database is gone.',
  },
  network_unreachable: {
    title: 'Codex Pooler cannot be reached',
    next: 'Check your own connection. What you entered stays here: try again when the notice about it is gone.',
  },
  unauthorized_pool: {
    title: 'You may not add accounts to this pool',
    next: 'Choose a pool that you manage, or ask an owner.',
  },
};

/** What is wrong with the egress proxy, to be shown beside its field. */
export function proxyProblem(error: Error | null): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  if (error.problem.code === 'invalid_egress_proxy') return error.message;
  return error.fieldError('/egress_proxy');
}

/** What went wrong, and what to do about it. */
export function problemOf(error: Error | { code: string; detail: string | null }): LinkProblem {
  if (error instanceof ApiError) return problemOfCode(error.problem.code, error.message);
  if (error instanceof Error) return { title: UNKNOWN, next: error.message };
  return problemOfCode(error.code, error.detail);
}

const UNKNOWN = 'That did not work';

export function problemOfCode(code: string, detail: string | null = null): LinkProblem {
  return PROBLEMS[code] ?? { title: UNKNOWN, next: detail || `The server says: ${code}.` };
}
