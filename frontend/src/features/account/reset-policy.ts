import type { SavedResetPolicy } from '@/api';
import { formatSpan } from '@/lib/format';

/** What may be spent without a person, in a sentence. */
export function policyText(policy: SavedResetPolicy): string {
  if (!policy.auto_redeem_enabled) return 'Spent by hand only; those that are not spent expire.';
  const when =
    policy.trigger_mode === 'blocked'
      ? 'when its quota is spent'
      : `when ${policy.quota_threshold_percent}% of a window is used`;
  const unless =
    policy.min_blocked_minutes > 0
      ? `, unless the window begins anew within ${formatSpan(policy.min_blocked_minutes * 60_000)}`
      : '';
  const kept = policy.keep_credits;
  const keep = kept === 0 ? '' : kept === 1 ? ' The last one is kept.' : ` The last ${kept} are kept.`;
  return `Spent by itself ${when}${unless}.${keep}`;
}
