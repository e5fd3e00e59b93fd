import {
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { type ApiKey, type ApiKeyInput, type ApiKeyPatch, api, apiKeysQuery, unwrap } from '@/api';
import { toast } from '@/ui/toast';

export function clientConfigsQuery(poolId: string | undefined) {
  return queryOptions({
    queryKey: ['client-configs', poolId ?? 'any'],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/client-configs', { params: { query: poolId ? { pool_id: poolId } : {} }, signal })),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

function settle(client: QueryClient, key: ApiKey): void {
  client.setQueryData(
    apiKeysQuery.queryKey,
    (list) => list && { ...list, items: list.items.map((item) => (item.id === key.id ? key : item)) },
  );
  refresh(client);
}

function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ['api-keys'] });
  void client.invalidateQueries({ queryKey: ['pools'] });
}

export function useCreateApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ApiKeyInput) => unwrap(api.POST('/api-keys', { body })),
    onSuccess: () => refresh(client),
    meta: { handlesErrors: true },
    // The answer holds the secret: it must not stay in the cache after the dialog has gone.
    gcTime: 0,
  });
}

export function useRotateApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: ApiKey) =>
      unwrap(api.POST('/api-keys/{api_key_id}/rotate', { params: { path: { api_key_id: id } } })),
    onSuccess: () => refresh(client),
    meta: { handlesErrors: true },
    gcTime: 0,
  });
}

export function useUpdateApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ key, patch }: { key: ApiKey; patch: ApiKeyPatch }) =>
      unwrap(
        api.PATCH('/api-keys/{api_key_id}', {
          params: { path: { api_key_id: key.id }, header: { 'If-Match': `"${key.version}"` } },
          body: patch,
        }),
      ),
    onSuccess: (key) => {
      settle(client, key);
      toast.done(`${key.name} saved`);
    },
    onError: () => refresh(client),
    meta: { handlesErrors: true },
  });
}

export function useMoveApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ key, poolId }: { key: ApiKey; poolId: string }) =>
      unwrap(
        api.POST('/api-keys/{api_key_id}/move', {
          params: { path: { api_key_id: key.id } },
          body: { pool_id: poolId },
        }),
      ),
    onSuccess: (key) => {
      settle(client, key);
      toast.done(`${key.name} moved to ${key.pool.name}`);
    },
    meta: { handlesErrors: true },
  });
}

export function useSetKeyPaused() {
  const client = useQueryClient();
  const mutation = useMutation({
    mutationFn: ({ key, paused }: { key: ApiKey; paused: boolean }) => {
      const params = { path: { api_key_id: key.id } };
      return paused
        ? unwrap(api.POST('/api-keys/{api_key_id}/pause', { params }))
        : unwrap(api.POST('/api-keys/{api_key_id}/resume', { params }));
    },
    onSuccess: (updated, { paused }) => {
      settle(client, updated);
      toast.done(`${updated.name} ${paused ? 'paused' : 'resumed'}`, () =>
        mutation.mutate({ key: updated, paused: !paused }),
      );
    },
  });
  return mutation;
}

export function useRevokeApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: ApiKey) =>
      unwrap(api.POST('/api-keys/{api_key_id}/revoke', { params: { path: { api_key_id: id } } })),
    onSuccess: (key) => {
      settle(client, key);
      toast.done(`${key.name} revoked`);
    },
    meta: { handlesErrors: true },
  });
}

export function useDeleteApiKey() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: ApiKey) =>
      unwrap(api.DELETE('/api-keys/{api_key_id}', { params: { path: { api_key_id: id } } })),
    onSuccess: (_answer, { name }) => {
      refresh(client);
      toast.done(`${name} deleted`);
    },
    meta: { handlesErrors: true },
  });
}
