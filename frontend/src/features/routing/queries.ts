import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from '@/api';
import type { RouteClass } from './words';

/** A request to imagine. */
export interface Imagined {
  model: string;
  route_class: RouteClass;
  /** What a client calls its session, and the key it uses; both or neither. */
  session: string;
  api_key_id: string;
}

export function explanationQuery(poolId: string, { model, route_class, session, api_key_id }: Imagined) {
  const query = {
    model,
    route_class,
    ...(session ? { session, ...(api_key_id ? { api_key_id } : {}) } : {}),
  };
  return queryOptions({
    queryKey: ['explanation', poolId, query],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/pools/{pool_id}/explain', { params: { path: { pool_id: poolId }, query }, signal })),
    // What it tells changes with every request.
    staleTime: 0,
    gcTime: 0,
  });
}

/** The models that were asked for lately, the most used first; of one pool, or of all. */
export function modelsQuery(poolId?: string) {
  const query = poolId ? { pool_id: [poolId] } : {};
  return queryOptions({
    queryKey: ['models-seen', poolId ?? 'all'],
    queryFn: async ({ signal }) => {
      const facets = await unwrap(api.GET('/request-logs/facets', { params: { query }, signal }));
      const seen = facets.model.filter(({ value }) => value !== '').toSorted((a, b) => b.count - a.count);
      return seen.map(({ value }) => value);
    },
    staleTime: 300_000,
  });
}
