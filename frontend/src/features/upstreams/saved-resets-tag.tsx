import type { Upstream } from '@/api';
import { plural } from '@/lib/format';
import { Tag } from '@/ui/status';

/** How many saved resets there are, where there are any. */
export function SavedResetsTag({ brief }: { brief: Upstream['saved_resets'] }) {
  if (!brief.available) return null;
  const own = brief.policy.auto_redeem_enabled ? 'spent by itself when needed' : 'spent by hand only';
  return (
    <Tag title={`${plural(brief.available, 'saved reset')}, ${own}`}>{plural(brief.available, 'reset')}</Tag>
  );
}
