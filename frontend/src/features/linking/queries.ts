import { type QueryClient, queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import {
  api,
  type CredentialsInput,
  type FlowInput,
  type ImportedItem,
  type OAuthFlow,
  type Pool,
  type Upstream,
  unwrap,
} from '@/api';
import { toast } from '@/ui/toast';
import type { LoginDocument } from './documents';
import type { PoolTarget } from './pool-field';

function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ['upstreams'] });
  void client.invalidateQueries({ queryKey: ['pools'] });
}

async function idOf(pool: PoolTarget): Promise<string> {
  if ('id' in pool) return pool.id;
  const created: Pool = await unwrap(api.POST('/pools', { body: { name: pool.name } }));
  return created.id;
}

interface StartValues {
  kind: OAuthFlow['kind'];
  pool: PoolTarget;
  upstreamId?: string | undefined;
  egressProxy: string;
}

export function useStartFlow() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ kind, pool, upstreamId, egressProxy }: StartValues) => {
      const body: FlowInput = {
        kind,
        pool_id: await idOf(pool),
        ...(upstreamId ? { upstream_id: upstreamId } : {}),
        ...(egressProxy ? { egress_proxy: egressProxy } : {}),
      };
      return unwrap(api.POST('/oauth-flows', { body }));
    },
    onSuccess: (flow) => client.setQueryData(flowKey(flow.id), flow),
    onSettled: (_flow, _error, { pool }) => {
      if ('name' in pool) refresh(client);
    },
    meta: { handlesErrors: true },
  });
}

function flowKey(id: string) {
  return ['oauth-flows', id] as const;
}

/** Whether something may still come of it. */
export function isOpen({ state }: Pick<OAuthFlow, 'state'>): boolean {
  return state === 'pending' || state === 'authorizing';
}

const COMPLETING_MS = 2_000;
/** A browser sign-in waits for a person; asking only tells that it has expired or was replaced. */
const WATCHING_MS = 15_000;
const USUAL_INTERVAL_S = 5;

/** How long to wait before asking again; false when nothing more will come. */
export function pace(flow: OAuthFlow | undefined): number | false {
  if (!flow || !isOpen(flow)) return false;
  if (flow.state === 'authorizing') return COMPLETING_MS;
  return flow.kind === 'device' ? (flow.interval_s ?? USUAL_INTERVAL_S) * 1000 : WATCHING_MS;
}

function flowQuery(id: string) {
  return queryOptions({
    queryKey: flowKey(id),
    queryFn: async ({ signal, client }) => {
      const flow = await unwrap(
        api.GET('/oauth-flows/{flow_id}', { params: { path: { flow_id: id } }, signal }),
      );
      if (flow.state === 'completed') refresh(client);
      return flow;
    },
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
}

/** Follows a sign-in to its end, also while the person is in another tab to enter the code. */
export function useFlow(started: OAuthFlow | undefined) {
  return useQuery({
    ...flowQuery(started?.id ?? ''),
    enabled: started !== undefined,
    ...(started ? { initialData: started } : {}),
    refetchInterval: ({ state }) => pace(state.data),
    refetchIntervalInBackground: true,
    refetchOnWindowFocus: ({ state }) => (state.data && isOpen(state.data) ? 'always' : false),
  });
}

const callbackKey = (id: string) => ['oauth-callback', id];

export function usePasteCallback(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationKey: callbackKey(id),
    mutationFn: (url: string) =>
      unwrap(
        api.POST('/oauth-flows/{flow_id}/callback', {
          params: { path: { flow_id: id } },
          body: { callback_url: url },
        }),
      ),
    onSuccess: (flow) => {
      client.setQueryData(flowKey(id), flow);
      refresh(client);
    },
    onError: () => client.invalidateQueries({ queryKey: flowKey(id) }),
    meta: { handlesErrors: true },
  });
}

/** Ends a sign-in that nobody waits for any more, so that its link or code leads nowhere. */
export function useCancelOnLeave(id: string | undefined): void {
  const client = useQueryClient();
  useEffect(() => {
    if (id === undefined) return;
    return () => {
      const left = client.getQueryData<OAuthFlow>(flowKey(id));
      if (left?.state !== 'pending' || client.isMutating({ mutationKey: callbackKey(id) }) > 0) return;
      // It would expire by itself; a failure needs nobody's attention.
      api.DELETE('/oauth-flows/{flow_id}', { params: { path: { flow_id: id } } }).catch(() => undefined);
    };
  }, [client, id]);
}

interface ImportValues {
  pool: PoolTarget;
  login: CredentialsInput;
  label: string;
  egressProxy: string;
  expiresAt?: string | undefined;
}

export function useImportLogin() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ pool, login, label, egressProxy, expiresAt }: ImportValues) => {
      const body = {
        pool_id: await idOf(pool),
        ...login,
        ...(label ? { label } : {}),
        ...(egressProxy ? { egress_proxy: egressProxy } : {}),
        ...(expiresAt ? { expires_at: expiresAt } : {}),
      };
      return unwrap(api.POST('/upstreams/import', { body }));
    },
    onSuccess: ({ result, account }) =>
      toast.done(result === 'created' ? `${account.label} imported` : `${account.label} has a new sign-in`),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}

export interface ImportOutcome {
  document: LoginDocument;
  item: ImportedItem;
}

interface ImportManyValues {
  pool: PoolTarget;
  documents: LoginDocument[];
  egressProxy: string;
  onProgress: (done: number) => void;
}

const BATCH = 20;

/** Imports many sign-ins, some at a time; each is accepted or refused by itself. */
export function useImportMany() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ pool, documents, egressProxy, onProgress }: ImportManyValues) => {
      const pool_id = await idOf(pool);
      const outcomes: ImportOutcome[] = [];
      while (outcomes.length < documents.length) {
        const batch = documents.slice(outcomes.length, outcomes.length + BATCH);
        const body = {
          pool_id,
          documents: batch.map(({ text }) => text),
          ...(egressProxy ? { egress_proxy: egressProxy } : {}),
        };
        const { items } = await unwrap(api.POST('/upstreams/import-many', { body }));
        for (const [i, document] of batch.entries()) {
          const item = items.find(({ index }) => index === i);
          outcomes.push({ document, item: item ?? unanswered(i) });
        }
        onProgress(outcomes.length);
      }
      return outcomes;
    },
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}

function unanswered(index: number): ImportedItem {
  const problem = { code: 'unexpected_response', title: 'No answer for this one', detail: '' };
  return { index, position: 0, result: 'failed', account: null, problem };
}

export function useReplaceCredentials() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ upstream, login }: { upstream: Upstream; login: CredentialsInput }) =>
      unwrap(
        api.PUT('/upstreams/{upstream_id}/credentials', {
          params: { path: { upstream_id: upstream.id } },
          body: login,
        }),
      ),
    onSuccess: ({ label }) => toast.done(`${label} has a new sign-in`),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}

export function useNameAccount() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, label }: { id: string; label: string }) =>
      unwrap(
        api.PATCH('/upstreams/{upstream_id}', { params: { path: { upstream_id: id } }, body: { label } }),
      ),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}
