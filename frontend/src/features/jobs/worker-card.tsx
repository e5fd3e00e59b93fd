import { clsx } from 'clsx';
import { Play } from 'lucide-react';
import type { JobRun, JobWorker } from '@/api';
import { formatDuration, plural, UNKNOWN } from '@/lib/format';
import { Button } from '@/ui/button';
import { Fact, Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot } from '@/ui/status';
import { useRunWorker } from './queries';
import { ATTENTION, calmText, OUTCOMES, scheduleText, worst } from './words';

interface WorkerCardProps {
  worker: JobWorker;
  chosen: boolean;
  mayRun: boolean;
  /** Narrows the list of jobs to this kind, or widens it again. */
  onChoose: () => void;
}

/** One kind of job: when it runs, how the last runs ended, and what needs attention. */
export function WorkerCard({ worker, chosen, mayRun, onChoose }: WorkerCardProps) {
  const run = useRunWorker();
  const trouble = worst(worker.attention);
  return (
    <Panel className={clsx('relative flex flex-col', chosen && 'border-accent! ring-1 ring-accent')}>
      <header className="flex items-start gap-2 pt-2.5 pr-2 pl-4">
        <div className="min-w-0 flex-1">
          <h2 className="truncate font-semibold">
            <button
              type="button"
              aria-pressed={chosen}
              onClick={onChoose}
              className="max-w-full cursor-default truncate after:absolute after:inset-0 after:rounded-lg focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-offset-2 focus-visible:after:outline-accent"
            >
              {worker.title}
            </button>
          </h2>
          <p className="truncate text-xs text-ink-3" title={worker.schedule ?? undefined}>
            {scheduleText(worker)}
          </p>
        </div>
        {worker.manual && mayRun ? (
          <Button
            size="sm"
            className="relative"
            disabled={run.isPending}
            aria-label={`Run ${worker.title} now`}
            onClick={() => run.mutate(worker)}
          >
            <Play /> Run
          </Button>
        ) : null}
      </header>
      <dl className="grid grid-cols-3 gap-3 px-4 pt-2.5">
        <Fact label="Last run">{worker.last_run ? <RelativeTime at={worker.last_run.at} /> : 'never'}</Fact>
        <Fact label="Next run">
          {worker.next_run_at ? <RelativeTime at={worker.next_run_at} /> : UNKNOWN}
        </Fact>
        <Fact label="Now">{nowText(worker)}</Fact>
      </dl>
      <div className="px-4 pt-2.5 pb-3">
        <Strip history={worker.history} />
        <p className="mt-2 min-h-4.5 text-xs">
          {trouble ? (
            <StatusDot tone={ATTENTION[trouble].tone}>
              <span title={ATTENTION[trouble].detail}>{ATTENTION[trouble].label}</span>
              {trouble === 'active_failure' && worker.counts.failed_24h > 0
                ? `, ${plural(worker.counts.failed_24h, 'time')} today`
                : null}
            </StatusDot>
          ) : (
            <span className="text-ink-3">{calmText(worker)}</span>
          )}
        </p>
      </div>
    </Panel>
  );
}

function nowText({ counts }: JobWorker): string {
  if (counts.executing > 0) return counts.executing === 1 ? 'running' : `${counts.executing} running`;
  const waiting = counts.available + counts.scheduled + counts.retryable;
  return waiting > 0 ? `${waiting} waiting` : 'idle';
}

const MARKS = 20;

const FILLS: Record<JobRun['state'], string> = {
  completed: 'bg-ok',
  retryable: 'bg-warn',
  discarded: 'bg-bad',
  cancelled: 'bg-idle',
};
/** Failures stand out by height as well as by colour. */
const HEIGHTS: Record<JobRun['state'], string> = {
  completed: 'h-2.5',
  retryable: 'h-4',
  discarded: 'h-5',
  cancelled: 'h-2.5',
};

/** How the last runs ended, the oldest first. */
function Strip({ history }: { history: readonly JobRun[] }) {
  const shown = history.slice(0, MARKS).toReversed();
  const failed = shown.filter(({ state }) => state === 'discarded' || state === 'retryable').length;
  const label =
    shown.length === 0
      ? 'No runs yet'
      : `The last ${plural(shown.length, 'run')}: ${failed === 0 ? 'none failed' : `${failed} failed`}`;
  return (
    <div role="img" aria-label={label} className="flex h-5 items-end gap-0.5">
      {Array.from({ length: MARKS - shown.length }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a mark is its position
        <span key={i} className="h-1 flex-1 rounded-[2px] bg-line" />
      ))}
      {shown.map(({ at, state, duration_ms }) => (
        <span
          key={at}
          title={`${OUTCOMES[state]} after ${formatDuration(duration_ms)}`}
          className={clsx('relative flex-1 rounded-[2px]', FILLS[state], HEIGHTS[state])}
        />
      ))}
    </div>
  );
}
