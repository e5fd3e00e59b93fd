import { Link } from '@tanstack/react-router';
import { Fragment } from 'react';
import type { Gate, RouteLane, Upstream } from '@/api';
import { type AccountAction, actionOf } from '@/features/upstreams';
import { formatPercent, plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot } from '@/ui/status';
import { GATE_TONES, GATES, gateText, lanesVerdict } from './words';

interface LanesPanelProps {
  upstream: Upstream;
  lanes: readonly RouteLane[];
  onAction: (action: AccountAction) => void;
}

/** The account's way into each of its pools: four gates, all of which a request must pass. */
export function LanesPanel({ upstream, lanes, onAction }: LanesPanelProps) {
  return (
    <Panel aria-labelledby="lanes" className="px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <div>
          <h2 id="lanes" className="text-base font-semibold">
            Where it can route
          </h2>
          <p className="text-ink-3">{lanesVerdict(lanes)}</p>
        </div>
        {lanes.length === 0 && actionOf(upstream, 'assign').enabled ? (
          <Button onClick={() => onAction('assign')}>Add to a pool</Button>
        ) : null}
      </div>
      {lanes.length > 0 ? (
        <ul className="mt-2 divide-y divide-line border-t border-line">
          {lanes.map((lane) => (
            <Lane key={lane.pool.id} lane={lane} />
          ))}
        </ul>
      ) : null}
    </Panel>
  );
}

function Lane({ lane: { pool, gates, requests_7d, success_rate_7d } }: { lane: RouteLane }) {
  return (
    <li className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-2 py-2.5 xl:grid-cols-[7rem_minmax(0,1fr)_8rem]">
      <Link
        to="/pools"
        search={{ pool: pool.id }}
        className="truncate font-medium hover:underline"
        title={pool.name}
      >
        {pool.name}
      </Link>
      <p className="tnum text-right text-xs text-ink-3 xl:order-last">
        {success_rate_7d === null
          ? 'no turns in 7 days'
          : `${formatPercent(success_rate_7d, success_rate_7d < 100 ? 1 : 0)} of ${plural(requests_7d, 'turn')}`}
      </p>
      <ol
        aria-label={`Gates to ${pool.name}`}
        className="col-span-full flex flex-wrap items-stretch gap-x-1 gap-y-2 sm:flex-nowrap xl:col-span-1"
      >
        {gates.map((gate, i) => (
          <Fragment key={gate.gate}>
            {i > 0 ? (
              <li
                aria-hidden
                className="hidden w-3 shrink-0 self-center border-t border-line-strong sm:block"
              />
            ) : null}
            <GateStep gate={gate} />
          </Fragment>
        ))}
      </ol>
    </li>
  );
}

const EDGES: Record<Gate['state'], string> = {
  pass: 'border-line',
  warn: 'border-warn/50 bg-warn-wash',
  fail: 'border-bad/40 bg-bad-wash',
};

function GateStep({ gate }: { gate: Gate }) {
  return (
    <li
      title={gateText(gate)}
      className={`min-w-[calc(50%-0.25rem)] flex-1 rounded-md border px-2 py-1 sm:min-w-0 ${EDGES[gate.state]}`}
    >
      <p className="text-2xs text-ink-3">{GATES[gate.gate]}</p>
      <p className="text-xs">
        <StatusDot tone={GATE_TONES[gate.state]} className="max-w-full whitespace-normal">
          {gateText(gate)}
          {gate.until ? (
            <>
              {' · '}
              <RelativeTime at={gate.until} />
            </>
          ) : null}
        </StatusDot>
      </p>
    </li>
  );
}
