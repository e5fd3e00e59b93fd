import { Link } from '@tanstack/react-router';
import { useRef } from 'react';
import type { Job } from '@/api';
import { formatDuration, UNKNOWN } from '@/lib/format';
import { type Column, DataTable } from '@/ui/data-table';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot } from '@/ui/status';
import { ATTENTION, JOB_STATES, TRIGGERS } from './words';

interface JobsTableProps {
  jobs: readonly Job[];
  loading: boolean;
  selectedId: string | undefined;
  empty: React.ReactNode;
  onSelect: (job: Job) => void;
  onNearEnd: () => void;
}

export function JobsTable({ jobs, loading, selectedId, empty, onSelect, onNearEnd }: JobsTableProps) {
  const scrollRef = useRef<HTMLDivElement>(null);
  return (
    <DataTable
      label="Jobs"
      columns={COLUMNS}
      narrow={{ columns: NARROW_COLUMNS, rowHeight: 56 }}
      rows={jobs}
      total={jobs.length}
      loading={loading}
      selectedId={selectedId}
      onSelect={onSelect}
      onNearEnd={onNearEnd}
      empty={empty}
      scrollRef={scrollRef}
    />
  );
}

const COLUMNS: Column<Job>[] = [
  { id: 'id', header: 'Job', width: 84, cell: (job) => <JobLink job={job}>{job.id}</JobLink> },
  {
    id: 'title',
    header: 'Kind',
    width: '1fr',
    cell: (job) => <span className="font-medium">{job.title}</span>,
  },
  { id: 'state', header: 'State', width: '1.4fr', cell: (job) => <State job={job} /> },
  {
    id: 'target',
    header: 'For',
    width: '0.8fr',
    from: 760,
    cell: ({ target }) => <span className="text-ink-2">{target.label ?? 'everything'}</span>,
  },
  {
    id: 'trigger',
    header: 'Begun',
    width: 116,
    from: 980,
    cell: ({ trigger }) => <span className="text-ink-2">{TRIGGERS[trigger]}</span>,
  },
  {
    id: 'attempts',
    header: 'Attempts',
    width: 84,
    align: 'right',
    from: 860,
    cell: (job) => `${job.attempt} of ${job.max_attempts}`,
  },
  {
    id: 'duration',
    header: 'Took',
    width: 84,
    align: 'right',
    from: 640,
    cell: ({ duration_ms }) => (duration_ms === null ? UNKNOWN : formatDuration(duration_ms)),
  },
  { id: 'at', header: 'Last event', width: 108, align: 'right', cell: (job) => <LastEvent job={job} /> },
];

const NARROW_COLUMNS: Column<Job>[] = [
  {
    id: 'summary',
    header: 'Job',
    width: '1fr',
    cell: (job) => (
      <>
        <p className="truncate">
          <JobLink job={job}>
            <span className="font-medium">{job.title}</span>
          </JobLink>
          {job.target.label ? <span className="text-ink-3"> {job.target.label}</span> : null}
        </p>
        <p className="truncate text-xs">
          <State job={job} />
        </p>
      </>
    ),
  },
  { id: 'at', header: 'Last event', width: 92, align: 'right', cell: (job) => <LastEvent job={job} /> },
];

function JobLink({ job, children }: { job: Job; children: React.ReactNode }) {
  return (
    <Link
      from="/jobs"
      search={(search) => ({ ...search, id: job.id })}
      className="text-ink-2 group-hover:text-ink"
    >
      {children}
    </Link>
  );
}

function State({ job }: { job: Job }) {
  const { tone, label } = JOB_STATES[job.state];
  const late = job.attention === 'stuck_executing' || job.attention === 'backlog_pressure';
  const note = job.stopping
    ? 'stopping'
    : late && job.attention
      ? ATTENTION[job.attention].label.toLowerCase()
      : job.error?.code;
  return (
    <span className="flex min-w-0 items-center gap-1.5">
      <StatusDot tone={late ? 'bad' : tone}>{label}</StatusDot>
      {note ? <span className="truncate text-ink-3">{note}</span> : null}
    </span>
  );
}

function LastEvent({ job: { timeline, scheduled_at } }: { job: Job }) {
  const at = timeline.at(-1)?.at ?? scheduled_at;
  return at ? <RelativeTime at={at} /> : UNKNOWN;
}
