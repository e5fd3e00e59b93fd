const CALLBACK = { hosts: ['localhost', '127.0.0.1'], port: '1455', path: '/auth/callback' };

/** An address as browsers show it, which may leave the scheme out. */
export function callbackUrl(text: string): string {
  const bare = text.trim();
  return /^(localhost|127\.0\.0\.1)[:/]/.test(bare) ? `http://${bare}` : bare;
}

/**
 * What is wrong with a pasted callback address, under the code the server would refuse it with; null when it may be
 * sent. The server decides again.
 */
export function callbackProblem(text: string): string | null {
  const url = parsed(callbackUrl(text));
  if (!url) return 'invalid_callback_url';
  const { hosts, port, path } = CALLBACK;
  if (url.protocol !== 'http:' || !hosts.includes(url.hostname) || url.port !== port || url.pathname !== path)
    return 'invalid_callback_origin';
  const { searchParams: query } = url;
  if (['code', 'state', 'error'].some((name) => query.getAll(name).length > 1))
    return 'duplicate_callback_param';
  if (!query.get('state')) return 'missing_state';
  // A refusal by ChatGPT is news too: the server ends the sign-in with it.
  return query.get('code') || query.get('error') ? null : 'missing_callback_result';
}

function parsed(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
