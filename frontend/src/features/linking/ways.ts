/** How an account can come in, the usual way first. */
export const ALL_WAYS = ['browser', 'device', 'file', 'token', 'invite'] as const;

export type Way = (typeof ALL_WAYS)[number];
