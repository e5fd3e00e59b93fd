import {
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, type QuotaHistory, type SavedResetPolicyInput, type Upstream, unwrap } from '@/api';
import { toast } from '@/ui/toast';

export type HistoryRange = QuotaHistory['window'];

const AGE_MS = 30_000;

/** Everything on the account's page beside the account itself. */
export function cockpitQuery(id: string) {
  return queryOptions({
    queryKey: ['upstreams', 'cockpit', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/upstreams/{upstream_id}/cockpit', { params: { path: { upstream_id: id } }, signal })),
    refetchInterval: AGE_MS,
  });
}

export function historyQuery(id: string, window: HistoryRange) {
  return queryOptions({
    queryKey: ['upstreams', 'history', id, window],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/upstreams/{upstream_id}/quota-history', {
          params: { path: { upstream_id: id }, query: { window } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
    staleTime: AGE_MS,
  });
}

/** Asked more often while one is being spent, since its outcome comes by itself. */
export function savedResetsQuery(id: string) {
  return queryOptions({
    queryKey: ['upstreams', 'saved-resets', id],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/upstreams/{upstream_id}/saved-resets', { params: { path: { upstream_id: id } }, signal }),
      ),
    refetchInterval: ({ state }) => (state.data?.awaiting_confirmation ? 5_000 : false),
  });
}

function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ['upstreams'] });
}

export function useSavePolicy(upstream: Upstream) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: SavedResetPolicyInput) =>
      unwrap(
        api.PUT('/upstreams/{upstream_id}/saved-reset-policy', {
          params: { path: { upstream_id: upstream.id } },
          body,
        }),
      ),
    onSuccess: () => {
      refresh(client);
      toast.done(`Saved how resets of ${upstream.label} are spent`);
    },
    meta: { handlesErrors: true },
  });
}

/** Spends one saved reset; `expected` is what the operator saw, so that nothing else is spent than was meant. */
export function useRedeem(upstream: Upstream) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (expected: number) =>
      unwrap(
        api.POST('/upstreams/{upstream_id}/saved-resets/redeem', {
          params: { path: { upstream_id: upstream.id } },
          body: { confirm: true, expected_available: expected },
        }),
      ),
    onSuccess: (resets) => client.setQueryData(savedResetsQuery(upstream.id).queryKey, resets),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}

/** Sends one tiny real turn through the account; what comes of it is shown, whatever it is. */
export function useProbe() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: Upstream) =>
      unwrap(api.POST('/upstreams/{upstream_id}/probe', { params: { path: { upstream_id: id } }, body: {} })),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}
