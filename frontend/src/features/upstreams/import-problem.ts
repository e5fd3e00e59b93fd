import { ApiError } from '@/api';

export interface ImportProblem {
  title: string;
  /** What to do next. */
  next: string;
}

const LOGIN_AGAIN = 'Run codex logout, then codex login, and import the new auth.json.';

/** Every refusal of an auth.json, answered by the next step. */
const PROBLEMS: Record<string, ImportProblem> = {
  invalid_auth_json: {
    title: 'This is not an auth.json',
    next: 'Take the whole file from ~/.codex/auth.json, from the first brace to the last.',
  },
  unsupported_auth_json: {
    title: 'This sign-in is an API key or a personal access token',
    next: 'Run codex login and choose “Sign in with ChatGPT”, then import the auth.json it writes.',
  },
  missing_tokens: { title: 'The file has no tokens', next: LOGIN_AGAIN },
  missing_token: { title: 'The access token or the id token is missing', next: LOGIN_AGAIN },
  invalid_token: {
    title: 'A token in the file cannot be read',
    next: 'It may have been cut while copying. Choose the file instead of pasting it.',
  },
  expired_token: {
    title: 'The access token has expired',
    next: 'Use Codex once on that machine, which renews the file, then import it again.',
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
};

/** What went wrong with an import, and what to do about it. */
export function importProblem(error: Error): ImportProblem {
  const known = error instanceof ApiError ? PROBLEMS[error.problem.code] : undefined;
  return known ?? { title: 'The account was not imported', next: error.message };
}
