import { Link } from '@tanstack/react-router';
import type { RecentActivity, Upstream } from '@/api';
import { useCan } from '@/features/session';
import { formatCompact, formatDuration } from '@/lib/format';
import { Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot, type Tone } from '@/ui/status';
import { eventSentence } from './words';

interface ActivityPanelProps {
  upstream: Upstream;
  recent: RecentActivity;
}

const STATUS: Record<RecentActivity['requests'][number]['status'], { tone: Tone; label: string }> = {
  succeeded: { tone: 'ok', label: 'Succeeded' },
  failed: { tone: 'bad', label: 'Failed' },
  rejected: { tone: 'warn', label: 'Rejected' },
  cancelled: { tone: 'idle', label: 'Cancelled' },
  interrupted: { tone: 'bad', label: 'Interrupted' },
};

/** The latest turns, and what people and the gateway did with the account. */
export function ActivityPanel({ upstream, recent: { requests, events } }: ActivityPanelProps) {
  const maySeeRequests = useCan('requests:read');
  const maySeeEvents = useCan('audit:read');
  if (!maySeeRequests && !maySeeEvents) return null;
  return (
    <Panel aria-labelledby="activity" className="px-4 py-3">
      <div className="flex items-center justify-between gap-2">
        <h2 id="activity" className="text-base font-semibold">
          Recent activity
        </h2>
        {requests.length > 0 ? (
          <Link
            to="/requests"
            search={{ account: [upstream.id] }}
            className="text-xs text-ink-2 hover:text-ink hover:underline"
          >
            All requests
          </Link>
        ) : null}
      </div>
      {maySeeRequests ? <Requests upstream={upstream} requests={requests} /> : null}
      {maySeeEvents ? <Events events={events} /> : null}
    </Panel>
  );
}

function Requests({ upstream, requests }: { upstream: Upstream; requests: RecentActivity['requests'] }) {
  if (requests.length === 0) return <p className="mt-2 text-ink-3">It has served no request yet.</p>;
  return (
    <ul aria-label="Latest requests" className="mt-1 divide-y divide-line/60">
      {requests.map((request) => {
        const { tone, label } = STATUS[request.status];
        return (
          <li key={request.id} className="flex flex-wrap items-baseline gap-x-3 py-1.5">
            <Link
              to="/requests"
              search={{ account: [upstream.id], id: request.id }}
              className="min-w-0 truncate font-medium hover:underline"
            >
              {request.model ?? request.route}
            </Link>
            <StatusDot tone={tone} className="min-w-0 text-xs">
              {label}
            </StatusDot>
            {request.error_code ? (
              <span className="min-w-0 truncate text-xs text-ink-3">{request.error_code}</span>
            ) : null}
            <span className="tnum ml-auto shrink-0 text-xs text-ink-3 max-sm:ml-0 max-sm:w-full">
              {request.usage ? `${formatCompact(request.usage.total)} tokens, ` : ''}
              {formatDuration(request.duration_ms)}, <RelativeTime at={request.admitted_at} />
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Events({ events }: { events: RecentActivity['events'] }) {
  if (events.length === 0) return null;
  return (
    <div className="mt-2 border-t border-line pt-2.5">
      <h3 className="mb-1 text-xs text-ink-3">What was done</h3>
      <ul className="space-y-1">
        {events.map((event) => (
          <li key={event.id} className="flex items-baseline justify-between gap-3">
            <span className={event.outcome === 'failure' ? 'text-bad-ink' : 'text-ink-2'}>
              {eventSentence(event)}
            </span>
            <span className="shrink-0 text-xs text-ink-3">
              <RelativeTime at={event.occurred_at} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
