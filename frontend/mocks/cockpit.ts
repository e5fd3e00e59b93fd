import type {
  AccountEvent,
  AccountHealth,
  Cockpit,
  Gate,
  Pool,
  QuotaHistory,
  QuotaWindow,
  RequestLog,
  Upstream,
  Vital,
} from '@/api';
import { Random } from './random';
import { DAY, HOUR, iso } from './time';
import type { World } from './world';

const MINUTE = 60_000;

/** Everything on an account's page beside the account itself. */
export function cockpitOf(world: World, upstream: Upstream, now: number): Cockpit {
  const own = world.requests.filter(({ account }) => account?.id === upstream.id);
  return {
    vitals: vitalsOf(upstream, now),
    lanes: world.pools
      .filter((pool) => upstream.pools.some(({ id }) => id === pool.id))
      .map((pool) => ({
        pool: { id: pool.id, name: pool.name },
        verdict: upstream.readiness.state,
        label: upstream.readiness.label,
        gates: gatesOf(upstream, pool),
        requests_7d: own.filter((request) => request.pool?.id === pool.id).length * 7,
        success_rate_7d: own.length === 0 ? null : 98.6,
      })),
    health: healthOf(own, now),
    recent: { requests: own.slice(0, 5), events: eventsOf(upstream, now) },
    quota_history: historyOf(upstream, '7d', now),
  };
}

function vitalsOf({ credential, usage, quota }: Upstream, now: number): Vital[] {
  const expires = credential.access_expires_at;
  return [
    {
      key: 'access_token',
      at: expires,
      word: null,
      tone: expires === null ? 'unknown' : Date.parse(expires) > now ? 'ok' : 'bad',
    },
    {
      key: 'renewal',
      at: credential.refresh.next_attempt_at,
      word: credential.refresh.last_error ?? credential.refresh.state,
      tone: credential.refresh.state === 'failed' ? 'bad' : 'ok',
    },
    { key: 'workspace_check', at: iso(now - 3 * HOUR), word: null, tone: 'ok' },
    {
      key: 'quota_evidence',
      at: quota.observed_at,
      word: quota.freshness,
      tone: quota.freshness === 'fresh' ? 'ok' : 'unknown',
    },
    { key: 'quota_question', at: iso(now - 6 * MINUTE), word: null, tone: 'ok' },
    { key: 'last_turn', at: usage.last_used_at, word: null, tone: usage.last_used_at ? 'ok' : 'unknown' },
  ];
}

function gatesOf({ readiness, windows, label }: Upstream, pool: Pool): Gate[] {
  const gate = (name: Gate['gate'], patch: Partial<Gate> = {}): Gate => ({
    gate: name,
    state: 'pass',
    reason: null,
    until: null,
    ...patch,
  });
  const blocked = ['paused', 'draining', 'reauth_required', 'token_expired', 'disabled'].includes(
    readiness.state,
  );
  const cooling = readiness.state === 'cooling_down' || readiness.state === 'quota_blocked';
  return [
    gate(
      'assignment',
      pool.status === 'disabled'
        ? { state: 'fail', reason: 'pool_disabled' }
        : blocked
          ? { state: 'fail', reason: readiness.state }
          : {},
    ),
    gate('health', label === 'ember' ? { state: 'warn', reason: 'upstream_503' } : {}),
    gate(
      'quota',
      cooling
        ? { state: 'fail', reason: 'rate_limited', until: readiness.until }
        : windows.length === 0
          ? { state: 'warn', reason: 'quota_unknown' }
          : {},
    ),
    gate('circuit'),
  ];
}

function healthOf(own: readonly RequestLog[], now: number): AccountHealth {
  const judged = own.filter(({ status }) => status === 'succeeded' || status === 'failed');
  const failed = judged.filter(({ status }) => status === 'failed');
  const durations = judged.map(({ duration_ms }) => duration_ms).toSorted((a, b) => a - b);
  const firsts = judged.flatMap(({ ttft_ms }) => ttft_ms ?? []).toSorted((a, b) => a - b);
  const at = (sorted: readonly number[], share: number) => sorted[Math.floor(sorted.length * share)] ?? null;
  const random = new Random(own.length + 1);
  const daily = Array.from({ length: 7 }, (_, i) => ({
    date: iso(now - (6 - i) * DAY).slice(0, 10),
    ok: own.length === 0 ? 0 : Math.round((own.length - failed.length) * (0.5 + random.next() * 0.7)),
    failed: own.length === 0 ? 0 : Math.round(failed.length * random.next() * 1.6),
  }));
  const codes = [...new Set(failed.flatMap(({ error_code }) => error_code ?? []))];
  const rate = judged.length === 0 ? null : Math.round((failed.length / judged.length) * 1000) / 10;
  return {
    requests_24h: own.length,
    failed_24h: failed.length,
    failure_rate_24h: rate,
    requests_7d: daily.reduce((sum, day) => sum + day.ok + day.failed, 0),
    failed_7d: daily.reduce((sum, day) => sum + day.failed, 0),
    failure_rate_7d: rate,
    p50_ms: at(durations, 0.5),
    p95_ms: at(durations, 0.95),
    p95_ttft_ms: at(firsts, 0.95),
    daily,
    errors_24h: codes.map((code) => ({
      code,
      turns: failed.filter(({ error_code }) => error_code === code).length,
    })),
  };
}

function eventsOf({ status, label }: Upstream, now: number): AccountEvent[] {
  const random = new Random(label.length);
  const event = (hours: number, action: string, patch: Partial<AccountEvent> = {}): AccountEvent => ({
    id: random.uuid(),
    occurred_at: iso(now - hours * HOUR),
    action,
    actor: 'Ada Lovelace',
    outcome: 'success',
    reason: null,
    ...patch,
  });
  return [
    ...(status === 'reauth_required' ? [event(2, 'account.reauth_required', { actor: 'system' })] : []),
    ...(status === 'draining' ? [event(0.1, 'upstream_account.drain')] : []),
    event(9, 'upstream_account.update'),
    event(31, 'upstream_account.refresh', { outcome: 'failure', reason: 'sign_in_503' }),
    event(146, 'upstream_account.import', { actor: 'Grace Hopper' }),
  ];
}

const SPANS: Record<QuotaHistory['window'], number> = { '24h': DAY, '7d': 7 * DAY, '30d': 30 * DAY };
const BUCKETS = 119;

/** A saw for every window: it fills until its reset, over and over, and ends at what is used now. */
export function historyOf({ windows }: Upstream, range: QuotaHistory['window'], now: number): QuotaHistory {
  const step = Math.floor(SPANS[range] / 1000 / (BUCKETS + 1));
  const start = Math.floor((now - SPANS[range]) / 1000 / step) * step;
  return {
    window: range,
    from: iso(start * 1000),
    to: iso(now),
    bucket_seconds: step,
    series: windows.map((window, i) => sawOf(window, i, start, step, now)),
  };
}

function sawOf(window: QuotaWindow, index: number, start: number, step: number, now: number) {
  const random = new Random(window.label.length * 7 + index);
  const length = window.window_seconds;
  const reset = window.resets_at === null ? now / 1000 : Date.parse(window.resets_at) / 1000;
  const elapsed = Math.max(1 - (reset - now / 1000) / length, 0.05);
  const t: number[] = [];
  const used_percent: number[] = [];
  const resets: number[] = [];
  const peaks = new Map<number, number>();
  for (let at = start; at <= now / 1000; at += step) {
    const turn = Math.floor((at - reset) / length);
    const done = (at - reset) / length - turn;
    if (!peaks.has(turn)) {
      peaks.set(turn, turn === -1 ? window.used_percent / elapsed : 35 + random.next() * 60);
      if (turn < 0 && reset + turn * length > start) resets.push(Math.round(reset + turn * length));
    }
    t.push(at);
    used_percent.push(
      Math.min(Math.round((peaks.get(turn) ?? 0) * done * (0.97 + random.next() * 0.06)), 100),
    );
  }
  return { key: window.key, label: window.label, t, used_percent, resets };
}
