import * as v from 'valibot';
import type { ApiKey } from '@/api';

const list = v.optional(v.fallback(v.optional(v.array(v.string())), undefined));

export const apiKeysSearch = v.object({
  q: v.optional(v.fallback(v.optional(v.string()), undefined)),
  pool: list,
  status: list,
  /** The key whose detail is open. */
  id: v.optional(v.fallback(v.optional(v.string()), undefined)),
  dialog: v.optional(v.fallback(v.optional(v.picklist(['new', 'connect'])), undefined)),
});

export type ApiKeysSearch = v.InferOutput<typeof apiKeysSearch>;

export function matches(key: ApiKey, search: ApiKeysSearch): boolean {
  const q = search.q?.toLowerCase();
  return (
    (!q || key.name.toLowerCase().includes(q) || key.prefix.toLowerCase().includes(q)) &&
    (!search.pool?.length || search.pool.includes(key.pool.id)) &&
    (!search.status?.length || search.status.includes(key.status))
  );
}

export function isFiltered({ q, pool, status }: ApiKeysSearch): boolean {
  return Boolean(q || pool?.length || status?.length);
}
