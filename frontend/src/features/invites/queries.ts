import { infiniteQueryOptions, keepPreviousData } from '@tanstack/react-query';
import { api, unwrap } from '@/api';
import type { InviteFilters } from './search';

const PAGE_SIZE = 50;

export function invitesQuery({ q, pool, status }: InviteFilters) {
  return infiniteQueryOptions({
    queryKey: ['invites', { q, pool, status }],
    queryFn: ({ pageParam, signal }) => {
      const query = {
        limit: PAGE_SIZE,
        ...(q ? { q } : {}),
        ...(pool ? { pool_id: pool } : {}),
        ...(status ? { status } : {}),
        ...(pageParam ? { cursor: pageParam } : {}),
      };
      return unwrap(api.GET('/invites', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: ({ page }) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}
