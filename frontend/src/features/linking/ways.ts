/** How an account can come in. */
export type Way = 'browser' | 'device' | 'file' | 'token' | 'invite';
