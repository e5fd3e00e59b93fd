import * as v from 'valibot';

/** Where to go after signing in. */
export const signInSearch = v.object({
  next: v.optional(v.fallback(v.optional(v.string()), undefined)),
});

export type SignInSearch = v.InferOutput<typeof signInSearch>;

const HOME = '/upstreams';

/** A return path is a path of this site and nothing else: a link must not lead an operator elsewhere. */
export function safeReturnPath(next: string | undefined): string {
  if (!next || !/^\/(?![/\\])/.test(next)) return HOME;
  const url = new URL(next, 'http://console.invalid');
  const leavesAuthentication = !/^\/(sign-in|setup)\b/.test(url.pathname);
  return url.host === 'console.invalid' && leavesAuthentication ? `${url.pathname}${url.search}` : HOME;
}
