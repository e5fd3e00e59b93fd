import { queryOptions } from '@tanstack/react-query';
import { api, unwrap } from './client';

/** The lists that more than one feature reads. What only one feature reads stands in its own `queries.ts`. */
export const poolsQuery = queryOptions({
  queryKey: ['pools'],
  queryFn: ({ signal }) => unwrap(api.GET('/pools', { signal })),
});

export const upstreamsQuery = queryOptions({
  queryKey: ['upstreams'],
  queryFn: ({ signal }) => unwrap(api.GET('/upstreams', { signal })),
});

/** One account; what the list knows of it is shown at once. */
export function upstreamQuery(id: string) {
  return queryOptions({
    queryKey: ['upstreams', 'one', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/upstreams/{upstream_id}', { params: { path: { upstream_id: id } }, signal })),
  });
}

export const apiKeysQuery = queryOptions({
  queryKey: ['api-keys'],
  queryFn: ({ signal }) => unwrap(api.GET('/api-keys', { signal })),
});
