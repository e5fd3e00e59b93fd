import type { Upstream } from '@/api';
import { formatCompact, formatPercent } from '@/lib/format';
import { Panel, Stat } from '@/ui/page';
import { MiniBars } from '@/ui/sparkline';
import { upstreamStatus } from './status';

/** The whole fleet at a glance: who can serve, what is running, what the last day brought. */
export function FleetPanel({ upstreams }: { upstreams: readonly Upstream[] }) {
  const ready = upstreams.filter((upstream) => upstreamStatus(upstream).tone === 'ok').length;
  const needy = upstreams.filter((upstream) => upstreamStatus(upstream).tone === 'bad').length;
  const requests = total(upstreams, ({ usage }) => usage.requests);
  const failed = total(upstreams, ({ usage }) => usage.failed);
  const tokens = total(upstreams, ({ usage }) => usage.tokens);
  const hourly = addHours(upstreams);
  return (
    <Panel
      aria-label="Fleet"
      className="mb-4 flex flex-col justify-between gap-x-10 gap-y-4 px-4 py-3.5 lg:flex-row"
    >
      <dl className="grid shrink-0 grid-cols-2 gap-x-9 gap-y-3 sm:grid-cols-4">
        <Stat
          label="Ready to serve"
          value={
            <>
              {ready}
              <span className="text-ink-3"> / {upstreams.length}</span>
            </>
          }
          detail={needy > 0 ? `${needy} need${needy === 1 ? 's' : ''} a sign-in` : 'all signed in'}
        />
        <Stat
          label="In flight"
          value={total(upstreams, (upstream) => upstream.in_flight)}
          detail="requests now"
        />
        <Stat
          label="Requests"
          value={formatCompact(requests)}
          detail={
            requests === 0 ? 'last 24 h' : `${formatPercent((failed / requests) * 100, 1)} failed, 24 h`
          }
        />
        <Stat label="Tokens" value={formatCompact(tokens)} detail="last 24 h" />
      </dl>
      {tokens > 0 ? (
        <figure className="flex min-w-0 flex-1 flex-col gap-1 lg:max-w-xl">
          <figcaption className="text-xs text-ink-3 lg:text-right">Tokens by hour, all accounts</figcaption>
          <MiniBars values={hourly} className="h-11 w-full" />
        </figure>
      ) : null}
    </Panel>
  );
}

function total(upstreams: readonly Upstream[], of: (upstream: Upstream) => number): number {
  return upstreams.reduce((sum, upstream) => sum + of(upstream), 0);
}

function addHours(upstreams: readonly Upstream[]): number[] {
  return Array.from({ length: 24 }, (_, hour) =>
    total(upstreams, ({ usage }) => usage.tokens_hourly[hour] ?? 0),
  );
}
