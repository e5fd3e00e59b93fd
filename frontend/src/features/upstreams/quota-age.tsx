import type { Upstream } from '@/api';
import { RelativeTime } from '@/ui/relative-time';

/** Says so when what is shown of the quota is old. */
export function QuotaAge({ quota: { freshness, observed_at } }: Pick<Upstream, 'quota'>) {
  if (freshness !== 'stale' || observed_at === null) return null;
  return (
    <p className="mt-1.5 text-2xs text-warn-ink">
      Seen <RelativeTime at={observed_at} />; the provider has not said since.
    </p>
  );
}
