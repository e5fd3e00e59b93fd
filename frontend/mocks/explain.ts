import type { Pool, RoutingCandidate, RoutingExplanation, Upstream } from '@/api';
import { Random } from './random';
import { iso } from './time';

const REASONS: Partial<Record<Upstream['readiness']['state'], [gate: string, code: string]>> = {
  paused: ['account', 'paused'],
  disabled: ['account', 'disabled'],
  reauth_required: ['account', 'reauth_required'],
  token_expired: ['credentials', 'token_expired'],
  cooling_down: ['quota', 'rate_limited'],
  quota_blocked: ['quota', 'usage_limited'],
};

/** A session that is bound to the account in the second place. */
export const BOUND_SESSION = 'bound';

interface Asked {
  model: string;
  route_class: RoutingExplanation['route_class'];
  session: string | null;
}

/** How the pool would route a request now: those that can serve by priority, then the others. */
export function explain(
  pool: Pool,
  upstreams: readonly Upstream[],
  { model, route_class, session }: Asked,
  now: number,
): RoutingExplanation {
  const candidates = pool.members.flatMap((member) => {
    const account = upstreams.find(({ id }) => id === member.account.id);
    return account ? [candidateOf(member, account)] : [];
  });
  const usable = candidates.filter((each) => each.usable).toSorted((a, b) => b.priority - a.priority);
  const bound = session === BOUND_SESSION ? usable[1] : undefined;
  const ranked = bound ? [bound, ...usable.filter((each) => each !== bound)] : usable;
  return {
    pool: { id: pool.id, name: pool.name },
    model,
    route_class,
    strategy: pool.strategy,
    max_attempts: pool.max_attempts,
    evaluated_at: iso(now),
    affinity: { kind: bound ? 'owner' : 'none', account: bound?.account ?? null, reason: null },
    candidates: [
      ...ranked.map((each, i) => ({ ...each, rank: i + 1 })),
      ...candidates.filter((each) => !each.usable),
    ],
  };
}

function candidateOf(
  member: Pool['members'][number],
  { id, readiness, in_flight }: Upstream,
): RoutingCandidate {
  const random = new Random(Number.parseInt(id.slice(0, 7), 16));
  const reasons: RoutingCandidate['reasons'] = [];
  if (!member.enabled) reasons.push({ gate: 'membership', code: 'membership_disabled', until: null });
  const [gate, code] = REASONS[readiness.state] ?? [];
  if (gate && code) reasons.push({ gate, code, until: readiness.until });
  const known = random.chance(0.8);
  return {
    account: member.account,
    rank: null,
    usable: reasons.length === 0,
    reasons,
    priority: member.priority,
    weight: member.weight,
    quota: reasons.length > 0 ? 'blocked' : known ? 'known_good' : 'unknown',
    remaining_percent: reasons.length > 0 ? 0 : known ? random.int(8, 96) : null,
    in_flight,
  };
}
