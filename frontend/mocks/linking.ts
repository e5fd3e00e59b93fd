import { createOpenApiHttp } from 'openapi-msw';
import type { CredentialsInput, ImportedItem, OAuthFlow, paths } from '@/api';
import { addAccount, signInAgain } from './accounts';
import { invalid, missing, problem } from './answers';
import { Random } from './random';
import { iso } from './time';
import type { World } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

const FLOW_MS = 600_000;
/** How often a device code is asked for until somebody has entered it. */
const POLLS_UNTIL_ENTERED = 2;

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

/** Sign-ins, imports and what stands in their way; each refusal is provoked by what is sent. */
export function linkingHandlers(state: State, wait: Wait, now: Now) {
  const find = (id: string) => state().flows.find((flow) => flow.id === id);
  const put = (flow: OAuthFlow): OAuthFlow => {
    state().flows = [...state().flows.filter(({ id }) => id !== flow.id), flow];
    return flow;
  };
  const complete = (flow: OAuthFlow): OAuthFlow => {
    const pool = state().pools.find(({ id }) => id === flow.pool.id);
    const account = flow.upstream_id
      ? signInAgain(state(), flow.upstream_id)
      : pool && addAccount(state(), pool, undefined, now());
    if (!account) return put(failed(flow, 'account_deleted'));
    return put({
      ...ended(flow, 'completed'),
      result: { upstream_id: account.id, created: !flow.upstream_id },
    });
  };
  let polls = 0;
  const polled = (flow: OAuthFlow): OAuthFlow => {
    if (flow.kind === 'browser' || flow.state !== 'pending') return flow;
    polls += 1;
    if (polls < POLLS_UNTIL_ENTERED) return flow;
    switch (state().device.outcome) {
      case 'waiting':
        return flow;
      case 'slow':
        return put({ ...flow, interval_s: (flow.interval_s ?? 0) + 5 });
      case 'entered':
        return complete(flow);
      case 'denied':
        return put(failed(flow, 'access_denied'));
      case 'mismatch':
        return put(failed(flow, 'identity_mismatch'));
      case 'expired':
        return put(ended(flow, 'expired'));
    }
  };
  return [
    http.post('/oauth-flows', async ({ request, response }) => {
      await wait();
      const { kind, pool_id, upstream_id, egress_proxy } = await request.json();
      const pool = state().pools.find(({ id }) => id === pool_id);
      if (!pool) return response.untyped(problem(403, 'unauthorized_pool', 'There is no such pool'));
      const wrong = wrongProxy(egress_proxy);
      if (wrong) return response.untyped(wrong);
      polls = 0;
      const flow = newFlow(kind, { id: pool.id, name: pool.name }, state(), now());
      return response(201).json(put({ ...flow, upstream_id: upstream_id ?? null }));
    }),
    http.get('/oauth-flows/{flow_id}', async ({ params, response }) => {
      await wait();
      const flow = find(params.flow_id);
      return flow ? response(200).json(polled(flow)) : response.untyped(missing('sign-in'));
    }),
    http.delete('/oauth-flows/{flow_id}', async ({ params, response }) => {
      await wait();
      const flow = find(params.flow_id);
      if (flow) put(ended(flow, 'cancelled'));
      return response(204).empty();
    }),
    http.post('/oauth-flows/{flow_id}/callback', async ({ params, request, response }) => {
      await wait();
      const flow = find(params.flow_id);
      if (!flow) return response.untyped(missing('sign-in'));
      if (flow.state !== 'pending')
        return response.untyped(problem(409, 'flow_not_pending', 'This sign-in has already ended.'));
      const query = new URL((await request.json()).callback_url).searchParams;
      if (query.get('state') === 'other')
        return response.untyped(problem(400, 'invalid_state', 'This address belongs to another sign-in.'));
      const refusal = query.get('error') ? 'provider_denied' : REFUSED_CODES[query.get('code') ?? ''];
      if (!refusal) return response(200).json(complete(flow));
      put(failed(flow, refusal));
      return response.untyped(problem(refusal === 'identity_mismatch' ? 409 : 502, refusal, refusal));
    }),
    http.post('/upstreams/import', async ({ request, response }) => {
      await wait();
      const { pool_id, label, egress_proxy, ...login } = await request.json();
      const pool = state().pools.find(({ id }) => id === pool_id);
      if (!pool) return response.untyped(missing('pool'));
      const refusal = refuseLogin(login);
      if (refusal) return response.untyped(problem(422, refusal, 'The sign-in was refused'));
      const wrong = wrongProxy(egress_proxy);
      if (wrong) return response.untyped(wrong);
      return response(201).json({ result: 'created', account: addAccount(state(), pool, label, now()) });
    }),
    http.post('/upstreams/import-many', async ({ request, response }) => {
      await wait();
      const { pool_id, documents } = await request.json();
      const pool = state().pools.find(({ id }) => id === pool_id);
      if (!pool) return response.untyped(missing('pool'));
      const items = documents.map((text, index): ImportedItem => {
        const code = refuseLogin({ auth_json: text });
        if (code)
          return {
            index,
            position: 0,
            result: 'failed',
            account: null,
            problem: { code, title: code, detail: '' },
          };
        return {
          index,
          position: 0,
          result: 'created',
          account: addAccount(state(), pool, undefined, now()),
          problem: null,
        };
      });
      return response(200).json({ items });
    }),
    http.put('/upstreams/{upstream_id}/credentials', async ({ params, request, response }) => {
      await wait();
      const login = await request.json();
      const refusal = refuseLogin(login);
      if (refusal) return response.untyped(problem(422, refusal, 'The sign-in was refused'));
      if (/other/.test(String(login.auth_json ?? login.access_token)))
        return response.untyped(problem(409, 'identity_mismatch', 'The login belongs to another account.'));
      const account = signInAgain(state(), params.upstream_id);
      return account ? response(200).json(account) : response.untyped(missing('account'));
    }),
  ];
}

/** Codes that the mock sign-in server answers with something else than a login. */
const REFUSED_CODES: Record<string, string> = {
  spent: 'token_exchange_failed',
  somebody: 'identity_mismatch',
};

function newFlow(kind: OAuthFlow['kind'], pool: OAuthFlow['pool'], world: World, now: number): OAuthFlow {
  const random = new Random(world.flows.length + 1);
  const address = `https://auth.openai.com/oauth/authorize?response_type=code&state=${random.hex(32)}`;
  return {
    id: random.uuid(),
    kind,
    state: 'pending',
    pool,
    upstream_id: null,
    authorize_url: kind === 'browser' ? address : null,
    user_code: kind === 'device' ? 'WDJB-MJHT4' : null,
    verification_url: kind === 'device' ? 'https://auth.openai.com/codex/device' : null,
    interval_s: kind === 'device' ? world.device.interval_s : null,
    expires_at: iso(now + FLOW_MS),
    error: null,
    result: null,
  };
}

function ended(flow: OAuthFlow, state: OAuthFlow['state']): OAuthFlow {
  return { ...flow, state, authorize_url: null, user_code: null };
}

function failed(flow: OAuthFlow, code: string): OAuthFlow {
  return { ...ended(flow, 'failed'), error: { code, detail: code } };
}

function wrongProxy(address: string | null | undefined): Response | null {
  if (!address || /^(https?|socks5h?):\/\//.test(address)) return null;
  return invalid('/egress_proxy', 'Send an address such as socks5://user:password@proxy.example:1080.');
}

/** The refusals of an import, each provoked by what such a login looks like. */
export function refuseLogin({ auth_json, access_token }: CredentialsInput): string | null {
  if (access_token !== undefined) return access_token === 'at-revoked' ? 'access_token_refused' : null;
  let file: unknown;
  try {
    file = typeof auth_json === 'string' ? JSON.parse(auth_json) : auth_json;
  } catch {
    return 'invalid_auth_json';
  }
  if (typeof file !== 'object' || file === null) return 'invalid_auth_json';
  if ('OPENAI_API_KEY' in file && file.OPENAI_API_KEY) return 'unsupported_auth_json';
  if (!('tokens' in file) || typeof file.tokens !== 'object' || file.tokens === null) return 'missing_tokens';
  if (!('access_token' in file.tokens)) return 'missing_token';
  if (file.tokens.access_token === 'expired') return 'expired_token';
  return 'refresh_token' in file.tokens ? null : 'missing_refresh_token';
}
