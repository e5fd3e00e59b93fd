import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ChevronDown, ChevronUp } from 'lucide-react';
import type { Job } from '@/api';
import { useCan } from '@/features/session';
import { formatDate, formatDuration, formatSpan } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Button, IconButton } from '@/ui/button';
import { Facts, Section } from '@/ui/detail';
import { Drawer } from '@/ui/drawer';
import { RelativeTime } from '@/ui/relative-time';
import { ErrorState, Notice, Skeleton } from '@/ui/states';
import { StatusDot } from '@/ui/status';
import { jobQuery, useSteerJob } from './queries';
import { ATTENTION, actionText, JOB_STATES, TRIGGERS } from './words';

interface JobDrawerProps {
  id: string | undefined;
  onClose: () => void;
  onStep: (by: 1 | -1) => void;
}

/** One job beside the list: what became of it, and what can be done about it. */
export function JobDrawer({ id, onClose, onStep }: JobDrawerProps) {
  return (
    <Drawer
      open={id !== undefined}
      onClose={onClose}
      modal={false}
      title={id ? `Job ${id}` : 'Job'}
      actions={
        <>
          <IconButton label="Previous job" onClick={() => onStep(-1)}>
            <ChevronUp />
          </IconButton>
          <IconButton label="Next job" onClick={() => onStep(1)}>
            <ChevronDown />
          </IconButton>
        </>
      }
    >
      {id ? <JobDetail id={id} /> : null}
    </Drawer>
  );
}

function JobDetail({ id }: { id: string }) {
  const { data: job, error, refetch } = useQuery(jobQuery(id));
  if (error && !job)
    return (
      <div className="p-4">
        <ErrorState error={error} retry={refetch} />
      </div>
    );
  if (!job)
    return (
      <div role="status" aria-label="Loading the job" className="space-y-3 p-4">
        {['w-1/3', 'w-2/3', 'w-1/2', 'w-3/5'].map((width) => (
          <Skeleton key={width} className={`h-4 ${width}`} />
        ))}
      </div>
    );
  return (
    <div className="divide-y divide-line">
      <Section>
        <Summary job={job} />
      </Section>
      {job.error ? (
        <Section title="Latest error">
          <Notice tone="bad">
            <p>{job.error.message || 'No message was given.'}</p>
            <p className="text-xs">
              <code className="font-mono">{job.error.code}</code>, <RelativeTime at={job.error.at} />
            </p>
          </Notice>
        </Section>
      ) : null}
      <Section title="What happened">
        <Timeline job={job} />
      </Section>
    </div>
  );
}

function Summary({ job }: { job: Job }) {
  const steer = useSteerJob();
  const mayWrite = useCan('jobs:write');
  const { tone, label } = JOB_STATES[job.state];
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        <h2 className="mr-auto text-base font-semibold">{job.title}</h2>
        <StatusDot tone={tone}>{job.stopping ? `${label}, asked to stop` : label}</StatusDot>
      </div>
      {job.attention ? <p className="mt-1 text-ink-2">{ATTENTION[job.attention].detail}</p> : null}
      <Facts
        rows={[
          ['For', <Target key="target" job={job} />],
          ['Begun', TRIGGERS[job.trigger]],
          ['Attempts', `${job.attempt} of ${job.max_attempts}`],
          job.scheduled_at && job.state !== 'completed'
            ? ['Due', <RelativeTime key="due" at={job.scheduled_at} />]
            : null,
          job.attempted_at ? ['Last attempt', <RelativeTime key="attempt" at={job.attempted_at} />] : null,
          job.duration_ms === null ? null : ['Took', formatDuration(job.duration_ms)],
        ]}
      />
      {mayWrite && job.allowed_actions.length > 0 ? (
        <div className="mt-3 flex flex-wrap gap-2">
          {job.allowed_actions.map((action) => (
            <Button
              key={action}
              size="sm"
              disabled={steer.isPending}
              onClick={() => steer.mutate({ job, action })}
            >
              {actionText(action, job)}
            </Button>
          ))}
        </div>
      ) : null}
    </>
  );
}

function Target({ job: { target } }: { job: Job }) {
  if (target.type === 'account' && target.id)
    return (
      <Link to="/upstreams/$id" params={{ id: target.id }} className="underline">
        {target.label ?? 'an account'}
      </Link>
    );
  if (target.type === 'pool' && target.id)
    return (
      <Link to="/pools" search={{ pool: target.id }} className="underline">
        {target.label ?? 'a pool'}
      </Link>
    );
  return target.label ?? 'everything';
}

function Timeline({ job }: { job: Job }) {
  const { timeZone } = usePreferences();
  if (job.timeline.length === 0) return <p className="text-ink-3">Nothing yet.</p>;
  return (
    <ol className="space-y-2.5">
      {job.timeline.map(({ at, state }, i) => {
        const before = job.timeline[i - 1];
        const after = before ? Date.parse(at) - Date.parse(before.at) : null;
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: a moment is its position
          <li key={i} className="flex items-baseline gap-3">
            <StatusDot tone={JOB_STATES[state].tone} className="w-28">
              {JOB_STATES[state].label}
            </StatusDot>
            <span className="tnum text-ink-2">{formatDate(at, 'day-time', timeZone)}</span>
            {after === null ? null : (
              <span className="tnum ml-auto text-xs text-ink-3">
                {after < 60_000 ? formatDuration(after) : formatSpan(after)} later
              </span>
            )}
          </li>
        );
      })}
    </ol>
  );
}
