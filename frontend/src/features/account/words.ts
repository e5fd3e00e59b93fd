import type { AccountEvent, Gate, RouteLane, SavedResets, Upstream, Vital } from '@/api';
import { reasonText } from '@/features/routing';
import { humanise } from '@/lib/format';
import type { Tone } from '@/ui/status';

type Redemption = SavedResets['redemptions'][number];
type SavedReset = SavedResets['items'][number];

export const ONBOARDING: Record<Upstream['onboarding_method'], string> = {
  import: 'Imported',
  browser: 'Signed in with the browser',
  device: 'Signed in by a code',
  access_token: 'Access token',
  invite: 'By invite',
  bundle: 'Moved here in a bundle',
};

export const GATES: Record<Gate['gate'], string> = {
  assignment: 'Assignment',
  health: 'Health',
  quota: 'Quota',
  circuit: 'Circuit',
};

export const GATE_TONES: Record<Gate['state'], Tone> = { pass: 'ok', warn: 'warn', fail: 'bad' };

const GATE_PASSED: Record<Gate['gate'], string> = {
  assignment: 'assigned',
  health: 'healthy',
  quota: 'has quota',
  circuit: 'closed',
};

const GATE_REASONS: Record<string, string> = {
  on_credits: 'On paid credits',
  quota_unknown: 'Not known yet',
  renewal_failed: 'Renewal failed',
  pool_disabled: 'Pool disabled',
  pool_archived: 'Pool archived',
};

/** What a gate says, in few words. */
export function gateText({ gate, state, reason }: Pick<Gate, 'gate' | 'state' | 'reason'>): string {
  if (state === 'pass') return GATE_PASSED[gate];
  if (reason === null) return state === 'warn' ? 'doubtful' : 'closed';
  return GATE_REASONS[reason] ?? reasonText(reason);
}

/** The one sentence above the lanes. */
export function lanesVerdict(lanes: readonly RouteLane[]): string {
  if (lanes.length === 0) return 'It is in no pool, so no request can reach it.';
  const open = lanes.filter(({ gates }) => gates.every(({ state }) => state !== 'fail'));
  const doubtful = open.filter(({ gates }) => gates.some(({ state }) => state === 'warn'));
  const names = (some: readonly RouteLane[]) => list(some.map(({ pool }) => pool.name));
  if (open.length === 0)
    return lanes.length === 1
      ? `Requests of ${names(lanes)} do not reach it now.`
      : 'No request reaches it now.';
  const serves = `Serves ${names(open)}`;
  const closed = lanes.filter((lane) => !open.includes(lane));
  if (closed.length > 0) return `${serves}, not ${names(closed)}.`;
  return doubtful.length > 0 ? `${serves}, with a doubt.` : `${serves}.`;
}

function list(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

export const VITALS: Record<Vital['key'], string> = {
  access_token: 'Access token',
  renewal: 'Next renewal',
  workspace_check: 'Workspace checked',
  quota_evidence: 'Quota seen',
  quota_question: 'Quota asked',
  last_turn: 'Last turn',
};

/** What happened, said after the name of whoever did it, and what could not be done. */
const EVENTS: Record<string, [done: string, failed: string]> = {
  'upstream_account.import': ['imported the account', 'import the account'],
  'upstream_account.import_bundle': ['moved the account here', 'move the account here'],
  'upstream_account.export': ['exported the account', 'export the account'],
  'upstream_account.replace_credentials': ['replaced its credentials', 'replace its credentials'],
  'upstream_account.update': ['changed its details', 'change its details'],
  'upstream_account.pause': ['paused it', 'pause it'],
  'upstream_account.drain': ['began to drain it', 'drain it'],
  'upstream_account.reactivate': ['reactivated it', 'reactivate it'],
  'upstream_account.refresh': ['renewed its sign-in', 'renew its sign-in'],
  'upstream_account.probe': ['tested it', 'test it'],
  'upstream_account.tag': ['tagged it', 'tag it'],
  'upstream_account.untag': ['took tags away from it', 'take tags away from it'],
  'upstream_account.link': ['signed it in', 'sign it in'],
  'upstream_account.saved_reset_policy_update': [
    'changed how its saved resets are spent',
    'change how its saved resets are spent',
  ],
  'upstream_account.saved_reset_redeem': ['spent a saved reset', 'spend a saved reset'],
  'account.drained': ['finished its turns and paused it', 'drain it'],
  'account.reauth_required': ['found that it must be signed in again', 'keep its sign-in'],
  'saved_reset.redeemed': ['spent a saved reset', 'spend a saved reset'],
};

/** An event as a sentence without its time. */
export function eventSentence({ action, actor, outcome, reason }: AccountEvent): string {
  const who = actor === 'system' ? 'The gateway' : actor;
  const unknown = humanise(action).replaceAll('.', ' ');
  const [done, failed] = EVENTS[action] ?? [`did “${unknown}”`, `do “${unknown}”`];
  if (outcome === 'success') return `${who} ${done}`;
  return `${who} could not ${failed}${reason ? `: ${humanise(reason).toLowerCase()}` : ''}`;
}

export const RESET_STATES: Record<SavedReset['state'], { tone: Tone; label: string }> = {
  available: { tone: 'ok', label: 'Available' },
  awaiting_confirmation: { tone: 'info', label: 'Awaiting confirmation' },
  consumed: { tone: 'idle', label: 'Spent' },
  expired: { tone: 'idle', label: 'Expired' },
};

export const REDEMPTION_STATES: Record<Redemption['state'], { tone: Tone; label: string; detail: string }> = {
  awaiting_confirmation: {
    tone: 'info',
    label: 'Awaiting confirmation',
    detail: 'Sent; its effect on the windows has not been seen yet.',
  },
  confirmed: { tone: 'ok', label: 'Confirmed', detail: 'The windows were seen to begin anew.' },
  not_applied: { tone: 'idle', label: 'Not applied', detail: 'The provider spent nothing.' },
  confirmation_expired: {
    tone: 'warn',
    label: 'Not confirmed',
    detail: 'The effect was never seen. Compare the number of resets with the windows.',
  },
};

export const TRIGGERS: Record<Redemption['trigger'], string> = {
  manual: 'By hand',
  blocked: 'The quota was spent',
  threshold: 'The threshold was passed',
  expiry: 'It was about to expire',
};
