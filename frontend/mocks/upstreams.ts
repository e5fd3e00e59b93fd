import { createOpenApiHttp } from 'openapi-msw';
import type { BulkResult, ProbeResult, paths, Upstream, UpstreamBulkInput } from '@/api';
import { changeAccount } from './accounts';
import { invalid, missing, whole } from './answers';
import { cockpitOf, historyOf } from './cockpit';
import { savedResetHandlers } from './saved-resets';
import type { World } from './world';
import { withHealth } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

const READY = { state: 'ready', label: 'Ready', until: null } as const;
const PAUSED = { state: 'paused', label: 'Paused', until: null } as const;
const DRAINING = { state: 'draining', label: 'Draining', until: null } as const;

/** What becomes of an account by each action. */
const MOVES: Partial<Record<UpstreamBulkInput['action'], (upstream: Upstream) => Partial<Upstream>>> = {
  pause: () => ({ status: 'paused', readiness: PAUSED, in_flight: 0, drain: null }),
  drain: ({ in_flight }) => ({ status: 'draining', readiness: DRAINING, drain: { in_flight } }),
  reactivate: () => ({ status: 'active', readiness: READY, drain: null }),
  refresh: () => ({}),
};

/** Accounts one by one and together, and all that is shown on an account's page. */
export function upstreamHandlers(state: State, wait: Wait, now: Now) {
  const find = (id: string) => state().upstreams.find((upstream) => upstream.id === id);
  const change = (id: string, patch: Partial<Upstream>) => changeAccount(state(), id, patch);
  const move = (id: string, action: UpstreamBulkInput['action']) => {
    const upstream = find(id);
    return upstream && change(id, MOVES[action]?.(upstream) ?? {});
  };
  return [
    ...savedResetHandlers(state, wait, now),
    http.get('/upstreams', async ({ response }) => {
      await wait();
      return response(200).json({ items: state().upstreams, page: whole(state().upstreams) });
    }),
    http.post('/upstreams/bulk', async ({ request, response }) => {
      await wait();
      const { action, ids, tags = [] } = await request.json();
      const results = ids.map((id): BulkResult => {
        const upstream = find(id);
        const allowed = upstream?.allowed_actions.find((entry) => entry.action === action);
        if (allowed && !allowed.enabled)
          return {
            id,
            ok: false,
            problem: { code: 'invalid_state_transition', detail: allowed.reason ?? '' },
          };
        if (upstream && (action === 'tag' || action === 'untag'))
          change(id, { tags: retagged(upstream.tags, tags, action) });
        else move(id, action);
        return { id, ok: true, problem: null };
      });
      return response(200).json({ results });
    }),
    http.get('/upstreams/{upstream_id}', async ({ params, response }) => {
      await wait();
      const upstream = find(params.upstream_id);
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
    http.get('/upstreams/{upstream_id}/cockpit', async ({ params, response }) => {
      await wait();
      const upstream = find(params.upstream_id);
      return upstream
        ? response(200).json(cockpitOf(state(), upstream, now()))
        : response.untyped(missing('account'));
    }),
    http.get('/upstreams/{upstream_id}/quota-history', async ({ params, query, response }) => {
      await wait();
      const upstream = find(params.upstream_id);
      return upstream
        ? response(200).json(historyOf(upstream, query.get('window') ?? '7d', now()))
        : response.untyped(missing('account'));
    }),
    http.post('/upstreams/{upstream_id}/probe', async ({ params, response }) => {
      await wait();
      const upstream = find(params.upstream_id);
      return upstream ? response(200).json(probeOf(upstream)) : response.untyped(missing('account'));
    }),
    http.patch('/upstreams/{upstream_id}', async ({ params, request, response }) => {
      await wait();
      const { egress_proxy: proxy, ...patch } = await request.json();
      if (proxy && !/^(https?|socks5h?):\/\//.test(proxy))
        return response.untyped(
          invalid('/egress_proxy', 'Send an address such as socks5://user:password@proxy.example:1080.'),
        );
      const masked = proxy?.replace(/:[^:@/]*@/, ':***@');
      const upstream = change(params.upstream_id, {
        ...patch,
        ...(proxy === undefined ? {} : { egress_proxy: masked ?? null }),
      });
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
    http.delete('/upstreams/{upstream_id}', async ({ params, response }) => {
      await wait();
      const id = params.upstream_id;
      state().upstreams = state().upstreams.filter((upstream) => upstream.id !== id);
      state().pools = state().pools.map((pool) =>
        withHealth(
          { ...pool, members: pool.members.filter(({ account }) => account.id !== id) },
          state().upstreams,
        ),
      );
      return response(204).empty();
    }),
    http.post('/upstreams/{upstream_id}/pause', async ({ params, response }) => {
      await wait();
      const upstream = move(params.upstream_id, 'pause');
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
    http.post('/upstreams/{upstream_id}/drain', async ({ params, response }) => {
      await wait();
      const upstream = move(params.upstream_id, 'drain');
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
    http.post('/upstreams/{upstream_id}/refresh', async ({ params, response }) => {
      await wait();
      const upstream = move(params.upstream_id, 'refresh');
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
    http.post('/upstreams/{upstream_id}/reactivate', async ({ params, response }) => {
      await wait();
      const upstream = move(params.upstream_id, 'reactivate');
      return upstream ? response(200).json(upstream) : response.untyped(missing('account'));
    }),
  ];
}

function retagged(tags: readonly string[], named: readonly string[], action: 'tag' | 'untag'): string[] {
  if (action === 'tag') return [...new Set([...tags, ...named])].toSorted();
  return tags.filter((tag) => !named.includes(tag));
}

/** An account behind a proxy that is away does not answer; the others do. */
function probeOf({ egress_proxy }: Upstream): ProbeResult {
  if (egress_proxy?.includes('away'))
    return {
      ok: false,
      status: null,
      latency_ms: 30_000,
      ttft_ms: null,
      model: 'gpt-5.5-mini',
      error: { code: 'egress_proxy_failed', detail: 'The egress proxy did not answer.' },
    };
  return { ok: true, status: 200, latency_ms: 1840, ttft_ms: 620, model: 'gpt-5.5-mini', error: null };
}
