import * as v from 'valibot';

const STATUSES = ['active', 'accepted', 'expired', 'revoked'] as const;

const text = v.optional(v.fallback(v.optional(v.string()), undefined));

export const invitesSearch = v.object({
  q: text,
  pool: v.optional(v.fallback(v.optional(v.array(v.string())), undefined)),
  status: v.optional(v.fallback(v.optional(v.array(v.picklist(STATUSES))), undefined)),
  dialog: v.optional(v.fallback(v.optional(v.picklist(['new'])), undefined)),
});

export type InvitesSearch = v.InferOutput<typeof invitesSearch>;

/** The part of the search that selects rows; an open dialog does not. */
export type InviteFilters = Pick<InvitesSearch, 'q' | 'pool' | 'status'>;

export function inviteFilters({ q, pool, status }: InvitesSearch): InviteFilters {
  return {
    ...(q ? { q } : {}),
    ...(pool?.length ? { pool } : {}),
    ...(status?.length ? { status } : {}),
  };
}

export function isFiltered(filters: InviteFilters): boolean {
  return Object.keys(filters).length > 0;
}

export const NO_FILTERS: InvitesSearch = { q: undefined, pool: undefined, status: undefined };
