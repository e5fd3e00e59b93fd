import type { ApiKey, Pool, RequestLog, RequestLogDetail, Traffic, Upstream } from '@/api';
import { Random } from './random';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const REQUESTS = 4000;

const MODELS = ['gpt-5.5', 'gpt-5.5', 'gpt-5.5', 'gpt-5.5-mini', 'gpt-5.3-codex', 'gpt-5.3-codex-spark'];
const CLIENTS = [
  'codex-cli 0.140.0',
  'codex-cli 0.140.0',
  'opencode 1.4.2',
  'openai-python 2.33.0',
  'hermes 0.9.1',
  'codex-desktop 0.137.0',
];
const EFFORTS = ['low', 'medium', 'medium', 'high', 'xhigh'];

export function createRequests(
  random: Random,
  now: number,
  upstreams: readonly Upstream[],
  keys: readonly ApiKey[],
): RequestLog[] {
  let at = now - 2000;
  return Array.from({ length: REQUESTS }, () => {
    const wave = 1 + 0.8 * Math.sin(at / (40 * MINUTE));
    at -= Math.round((1200 + random.next() * 9000) / wave);
    return createRequest(random, at, upstreams, keys);
  });
}

const OUTCOMES: [below: number, status: RequestLog['status'], httpStatus: number | null][] = [
  [0.93, 'succeeded', 200],
  [0.95, 'failed', 502],
  [0.975, 'rejected', 429],
  [0.995, 'cancelled', 499],
  [1, 'interrupted', null],
];

const ERRORS: Partial<Record<RequestLog['status'], readonly string[]>> = {
  failed: ['upstream_error', 'server_is_overloaded'],
  rejected: ['usage_limit_reached', 'account_capacity_exhausted'],
  interrupted: ['gateway_restarted'],
};

/** One settled turn of a key, served by an account of the key's pool. */
export function createRequest(
  random: Random,
  at: number,
  upstreams: readonly Upstream[],
  keys: readonly ApiKey[],
): RequestLog {
  const roll = random.next();
  const [, status, http_status] = OUTCOMES.find(([below]) => roll < below) ?? [1, 'succeeded' as const, 200];
  const key = random.pick(keys.filter((candidate) => candidate.usage.tokens > 0));
  const account = random.pick(
    upstreams.filter(
      (upstream) => upstream.usage.tokens > 0 && upstream.pools.some((pool) => pool.id === key.pool.id),
    ),
  );
  const codex = random.chance(0.7);
  const ttft = random.int(350, 3_800);
  const duration = status === 'rejected' ? random.int(2, 12) : ttft + random.int(900, 42_000);
  const errors = ERRORS[status];
  const usage = status === 'succeeded' ? createUsage(random) : null;
  const row: Omit<RequestLog, 'cost'> = {
    id: random.uuid(),
    admitted_at: new Date(at).toISOString(),
    completed_at: new Date(at + duration).toISOString(),
    status,
    http_status,
    error_code: errors ? random.pick(errors) : null,
    ...modelsOf(random.pick(MODELS), key),
    effort: random.pick(EFFORTS),
    service_tier: random.chance(0.1) ? 'priority' : null,
    route: codex ? '/backend-api/codex/responses' : '/v1/responses',
    transport: random.pick(
      codex
        ? (['websocket', 'websocket', 'http_sse'] as const)
        : (['http_sse', 'http_sse', 'http_json'] as const),
    ),
    client: random.pick(CLIENTS),
    pool: key.pool,
    api_key: { id: key.id, name: key.name },
    account: status === 'rejected' ? null : { id: account.id, name: account.label },
    attempts: status === 'rejected' ? 0 : status === 'failed' ? 3 : usage && random.chance(0.04) ? 2 : 1,
    ttft_ms: usage ? ttft : null,
    duration_ms: duration,
    usage,
  };
  return { ...row, cost: status === 'rejected' ? null : costOf(row) };
}

/** A key that enforces a model gets it whatever is asked for. */
function modelsOf(asked: string, { enforcement: { model } }: ApiKey) {
  return model && model !== asked
    ? { model, requested_model: asked, served_model: null }
    : { model: asked, requested_model: null, served_model: null };
}

function createUsage(random: Random): NonNullable<RequestLog['usage']> {
  const input = random.int(2_000, 140_000);
  const output = random.int(80, 4_000);
  const cached_input = Math.round(input * (random.chance(0.8) ? 0.6 + random.next() * 0.38 : 0));
  const reasoning = Math.round(output * random.next() * 0.7);
  return { state: 'final', input, cached_input, cache_write: 0, output, reasoning, total: input + output };
}

const WITHOUT_PRICE = 'gpt-5.3-codex-spark';

function costOf({ usage, model }: Omit<RequestLog, 'cost'>): NonNullable<RequestLog['cost']> {
  if (usage !== null && model === WITHOUT_PRICE)
    return { usd: null, state: 'unpriced', pricing_status: 'unpriced_missing_model' };
  if (usage === null) return { usd: null, state: 'unknown', pricing_status: 'usage_unknown' };
  const { input, cached_input, output } = usage;
  const usd = (input - cached_input) * 0.000005 + cached_input * 0.0000005 + output * 0.00003;
  return { usd: usd.toFixed(6), state: 'priced', pricing_status: 'priced' };
}

const FAILURES = [
  { http_status: 429, error_code: 'usage_limit_reached', reason: 'The account has spent its quota.' },
  { http_status: 500, error_code: 'upstream_error', reason: 'The provider failed before any output.' },
  {
    http_status: null,
    error_code: 'connection_reset',
    reason: 'The connection broke before an answer began.',
  },
  {
    http_status: 200,
    error_code: 'server_is_overloaded',
    reason: 'The provider reported overload inside the stream.',
  },
];

export function createDetail(request: RequestLog, upstreams: readonly Upstream[]): RequestLogDetail {
  const random = new Random(Number.parseInt(request.id.slice(0, 7), 16));
  const spare = upstreams.filter(({ id }) => id !== request.account?.id);
  const step = Math.round(request.duration_ms * 0.12);
  return {
    ...request,
    attempt_log: Array.from({ length: request.attempts }, (_, i) => {
      const last = i === request.attempts - 1;
      const account = last ? request.account : refOf(random.pick(spare));
      const base = {
        number: i + 1,
        account,
        started_ms: step * i,
        duration_ms: last ? request.duration_ms - step * i : step,
      };
      if (last && request.status === 'succeeded')
        return { ...base, outcome: 'served' as const, http_status: 200, error_code: null, reason: null };
      if (last && request.status !== 'failed')
        return { ...base, outcome: 'cancelled' as const, http_status: null, error_code: null, reason: null };
      return {
        ...base,
        outcome: last ? ('failed' as const) : ('failed_over' as const),
        ...random.pick(FAILURES),
      };
    }),
    excluded: countReasons(spare),
    routing: createRouting(request, spare),
    session: `${request.id.slice(0, 8)}${request.id.slice(9, 13)}`,
    client_ip: `192.0.2.${random.int(1, 254)}`,
    request_bytes: random.int(4_000, 900_000),
    response_bytes: request.status === 'rejected' ? 240 : random.int(9_000, 300_000),
  };
}

function createRouting(request: RequestLog, spare: readonly Upstream[]): RequestLogDetail['routing'] {
  const usable = spare.filter(({ readiness }) => readiness.state === 'ready').slice(0, 3);
  const others = spare.filter(({ readiness }) => !['ready', 'no_pool'].includes(readiness.state));
  return {
    strategy: 'capacity_weighted',
    affinity: request.attempts === 1 ? 'owner' : 'none',
    ranked: [
      ...(request.account?.id ? [{ ...request.account, id: request.account.id }] : []),
      ...usable.map(refOf),
    ],
    left_out: others.map((upstream) => ({ ...refOf(upstream), code: upstream.readiness.state, until: null })),
    more_left_out: 0,
  };
}

function refOf({ id, label }: Upstream) {
  return { id, name: label };
}

function countReasons(upstreams: readonly Upstream[]): RequestLogDetail['excluded'] {
  const reasons = new Map<string, number>();
  for (const { readiness } of upstreams)
    if (readiness.state !== 'ready' && readiness.state !== 'no_pool')
      reasons.set(readiness.state, (reasons.get(readiness.state) ?? 0) + 1);
  return [...reasons].map(([reason, accounts]) => ({ reason, accounts }));
}

const RANGES: Record<Traffic['range'], { span: number; step: number }> = {
  '1h': { span: HOUR, step: MINUTE },
  '6h': { span: 6 * HOUR, step: 5 * MINUTE },
  '24h': { span: DAY, step: 15 * MINUTE },
  '7d': { span: 7 * DAY, step: 2 * HOUR },
  '30d': { span: 30 * DAY, step: 6 * HOUR },
};

export function createTraffic(
  range: Traffic['range'],
  poolId: string | null,
  pools: readonly Pool[],
  now: number,
): Traffic {
  const { span, step } = RANGES[range];
  const random = new Random(span + (poolId?.length ?? 0));
  const chosen = poolId ? pools.filter((pool) => pool.id === poolId) : pools;
  const scale = chosen.reduce((total, pool) => total + pool.usage.tokens, 0) / DAY;
  const end = Math.floor(now / step) * step;
  const traffic: Traffic = {
    range,
    step_seconds: step / 1000,
    pool_id: poolId,
    t: [],
    requests: [],
    errors: [],
    input_tokens: [],
    cached_tokens: [],
    cache_write_tokens: [],
    output_tokens: [],
    reasoning_tokens: [],
    cost_micros: [],
    unpriced: [],
    ttft_avg_ms: [],
  };
  for (let at = end - span + step; at <= end; at += step) {
    const hour = (at % DAY) / HOUR;
    const weekend = [0, 6].includes(new Date(at).getUTCDay()) ? 0.45 : 1;
    const daily = step >= 6 * HOUR ? 1 : Math.max(0.06, Math.sin(((hour - 5) / 24) * 2 * Math.PI) + 0.4);
    const total = scale * step * daily * weekend * (0.7 + 0.6 * random.next());
    const input = Math.round(total * 0.94);
    const output = Math.round(total * 0.06);
    const requests = Math.round(total / 61_000);
    traffic.t.push(at / 1000);
    traffic.requests.push(requests);
    traffic.errors.push(Math.round(requests * (random.chance(0.06) ? 0.2 : 0.012)));
    traffic.input_tokens.push(input);
    traffic.cached_tokens.push(Math.round(input * (0.72 + 0.16 * random.next())));
    traffic.cache_write_tokens.push(0);
    traffic.output_tokens.push(output);
    traffic.reasoning_tokens.push(Math.round(output * 0.45));
    traffic.cost_micros.push(Math.round(total * 2.4));
    traffic.unpriced.push(0);
    traffic.ttft_avg_ms.push(requests === 0 ? null : Math.round(700 + 500 * daily + random.int(0, 200)));
  }
  return traffic;
}
