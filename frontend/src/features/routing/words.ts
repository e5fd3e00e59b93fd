import type { Pool, RoutingAffinity, RoutingCandidate, RoutingExplanation } from '@/api';
import { humanise } from '@/lib/format';

export const STRATEGIES: Record<Pool['strategy'], { label: string; detail: string }> = {
  capacity_weighted: {
    label: 'Capacity weighted',
    detail: 'Spreads sessions by how much each account has left, and by the size of its plan.',
  },
  bridge_ring: {
    label: 'Bridge ring',
    detail: 'Spreads sessions evenly, whatever the plan; few move when accounts come and go.',
  },
  deterministic_rotation: {
    label: 'Rotation',
    detail: 'Takes the accounts in turn.',
  },
  least_recent_success: {
    label: 'Least recent success',
    detail: 'Prefers the account whose last served request is longest ago.',
  },
  quota_first: {
    label: 'Most quota first',
    detail: 'Prefers the account with the most of its quota left.',
  },
  soonest_reset: {
    label: 'Soonest reset',
    detail: 'Uses up what is renewed first, so that nothing expires unused.',
  },
  fill_first: {
    label: 'Fill first',
    detail: 'Uses one account up before it turns to the next.',
  },
};

/** A strategy as the log has it, which may be of another version than this console. */
export function strategyLabel(strategy: string): string {
  return strategy in STRATEGIES ? STRATEGIES[strategy as Pool['strategy']].label : humanise(strategy);
}

const REASONS: Record<string, string> = {
  membership_disabled: 'Off in this pool',
  paused: 'Paused',
  disabled: 'Disabled',
  pending: 'Not signed in yet',
  reauth_required: 'Sign-in expired',
  credentials_unreadable: 'Login cannot be decrypted',
  egress_unreadable: 'Egress proxy cannot be decrypted',
  draining: 'Draining',
  token_expired: 'Token expired',
  model_not_offered: 'Does not offer the model',
  usage_limited: 'Quota spent',
  rate_limited: 'Rate limited',
  login_refused: 'Login refused',
  not_included: 'Plan does not include it',
  spend_limited: 'Spending limit reached',
  model_unavailable: 'Model refused lately',
  headroom_reserved: 'Headroom kept for its owner',
  failing: 'Failing, left alone',
  demoted: 'Failed lately, goes last',
  busy: 'Busy',
  not_the_owner: 'Does not hold what the request refers to',
  near_its_limit: 'near its limit',
  left_the_pool: 'no longer in the pool',
  sticky_sessions_off: 'sessions are not kept together in this pool',
};

/** Why an account is left out or goes last. */
export function reasonText(code: string): string {
  return REASONS[code] ?? humanise(code);
}

const AFFINITIES: Record<RoutingAffinity['kind'], string> = {
  none: 'No session bound to an account',
  owner: 'Stayed with the account of its session',
  owner_passed_over: 'The account of its session was passed over',
  pinned: 'Only the account that holds its file or response',
};

/** What became of the account a session was bound to, as the log has it. */
export function affinityText(kind: string): string {
  return kind in AFFINITIES ? AFFINITIES[kind as RoutingAffinity['kind']] : humanise(kind);
}

/** The same for an explanation, which knows the account; null when there is nothing to tell. */
export function affinitySentence({ kind, account, reason }: RoutingAffinity): string | null {
  const name = account?.name ?? 'an account that is no longer here';
  const why = reason ? `: ${lowerFirst(reasonText(reason))}` : '';
  switch (kind) {
    case 'none':
      return null;
    case 'owner':
      return `The session is bound to ${name}, which goes first.`;
    case 'owner_passed_over':
      return `The session is bound to ${name}, which is passed over${why}.`;
    case 'pinned':
      return `Only ${name} can serve it.`;
  }
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

export const QUOTA_GRADES: Record<RoutingCandidate['quota'], string> = {
  known_good: 'quota confirmed',
  unknown: 'quota not known yet',
  on_credits: 'on credits',
  blocked: 'no quota',
};

export type RouteClass = RoutingExplanation['route_class'];

export const ROUTE_CLASSES: { value: RouteClass; label: string }[] = [
  { value: 'proxy_stream', label: 'Turn, streamed' },
  { value: 'proxy_websocket', label: 'Turn, websocket' },
  { value: 'proxy_http', label: 'Turn, one answer' },
  { value: 'proxy_compact', label: 'Compaction' },
  { value: 'proxy_control', label: 'Models, usage, helper routes' },
  { value: 'file_upload', label: 'File upload' },
  { value: 'audio_transcription', label: 'Transcription' },
  { value: 'images', label: 'Image' },
];
