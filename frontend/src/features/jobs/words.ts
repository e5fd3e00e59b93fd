import type { Job, JobRun, JobWorker } from '@/api';
import type { Tone } from '@/ui/status';

export const JOB_STATES: Record<Job['state'], { tone: Tone; label: string }> = {
  available: { tone: 'info', label: 'Waiting' },
  scheduled: { tone: 'idle', label: 'Planned' },
  executing: { tone: 'info', label: 'Running' },
  retryable: { tone: 'warn', label: 'To be retried' },
  completed: { tone: 'ok', label: 'Completed' },
  discarded: { tone: 'bad', label: 'Given up' },
  cancelled: { tone: 'idle', label: 'Cancelled' },
};

export const OUTCOMES: Record<JobRun['state'], string> = {
  completed: 'completed',
  retryable: 'failed, to be retried',
  discarded: 'failed for good',
  cancelled: 'cancelled',
};

type Attention = JobWorker['attention'][number];

/** What is wrong with a kind of job, and the worst of it first. */
export const ATTENTION: Record<Attention, { tone: Tone; label: string; detail: string }> = {
  jobs_role_missing: {
    tone: 'bad',
    label: 'Nobody runs it',
    detail: 'No process with the role that runs it is alive.',
  },
  stuck_executing: {
    tone: 'bad',
    label: 'Stuck',
    detail: 'It has been running for longer than it may.',
  },
  active_failure: {
    tone: 'bad',
    label: 'Failed',
    detail: 'One was given up. Look at its error, then retry or discard it.',
  },
  backlog_pressure: {
    tone: 'warn',
    label: 'Late',
    detail: 'One has waited for more than five minutes.',
  },
  retry_pressure: {
    tone: 'warn',
    label: 'Retrying',
    detail: 'One failed and is tried again by itself.',
  },
};

/** The worst thing about a kind of job; null when all is well. */
export function worst(attention: readonly Attention[]): Attention | null {
  const order = Object.keys(ATTENTION) as Attention[];
  return order.find((name) => attention.includes(name)) ?? null;
}

export const TRIGGERS: Record<Job['trigger'], string> = {
  schedule: 'By schedule',
  manual: 'By an operator',
  event: 'By an event',
};

/** A cron line in words, for the forms that schedules take here; others are shown as they are. */
export function scheduleText({ schedule, manual }: Pick<JobWorker, 'schedule' | 'manual'>): string {
  if (schedule === null) return manual ? 'When asked for' : 'When it is needed';
  const [minute = '', hour = '', day, month, weekday] = schedule.split(' ');
  const daily = day === '*' && month === '*' && weekday === '*';
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (!daily) return schedule;
  if (hour === '*' && minute === '*') return 'Every minute';
  if (hour === '*' && step) return `Every ${step} minutes`;
  if (hour === '*' && /^\d+$/.test(minute))
    return minute === '0' ? 'Every hour' : `Every hour at :${minute.padStart(2, '0')}`;
  if (/^\d+$/.test(hour) && /^\d+$/.test(minute))
    return `Daily at ${hour.padStart(2, '0')}:${minute.padStart(2, '0')} UTC`;
  return schedule;
}

/** What to say of a kind of job that needs no attention. */
export function calmText({ schedule, manual, history }: JobWorker): string {
  if (history.length > 0) return 'All well';
  return schedule === null && manual ? 'Done all the time besides, without a job' : 'No runs yet';
}

export const ACTIONS: Record<Job['allowed_actions'][number], string> = {
  retry: 'Try again now',
  cancel: 'Cancel',
  discard: 'Discard',
};

/** What an action is called for a job in its state: a running one can only be asked. */
export function actionText(action: Job['allowed_actions'][number], { state }: Pick<Job, 'state'>): string {
  if (action === 'cancel' && state === 'executing') return 'Ask it to stop';
  if (action === 'retry' && state === 'scheduled') return 'Run now';
  return ACTIONS[action];
}
