import type { Job, JobWorker, Upstream } from '@/api';
import { Random } from './random';
import { DAY, HOUR, iso } from './time';

const MINUTE = 60_000;

type Kind = Pick<JobWorker, 'name' | 'title' | 'schedule' | 'manual'> & {
  target: Job['target']['type'];
  most: number;
  /** Minutes between its runs in the past. */
  every: number;
};

export const JOB_KINDS: Kind[] = [
  {
    name: 'usage_poll',
    title: 'Usage of accounts',
    schedule: null,
    manual: true,
    target: 'account',
    most: 1,
    every: 170,
  },
  {
    name: 'catalog_sync',
    title: 'Model catalogues',
    schedule: null,
    manual: true,
    target: 'account',
    most: 3,
    every: 260,
  },
  {
    name: 'token_refresh',
    title: 'Renewal of logins',
    schedule: null,
    manual: true,
    target: 'account',
    most: 1,
    every: 340,
  },
  {
    name: 'saved_resets',
    title: 'Saved resets',
    schedule: null,
    manual: true,
    target: 'account',
    most: 1,
    every: 520,
  },
  {
    name: 'invite_mail',
    title: 'Invites by mail',
    schedule: null,
    manual: false,
    target: 'invite',
    most: 5,
    every: 700,
  },
  {
    name: 'pricing_import',
    title: 'Prices',
    schedule: '0 * * * *',
    manual: true,
    target: 'system',
    most: 3,
    every: 60,
  },
  {
    name: 'retention',
    title: 'Old history',
    schedule: '25 3 * * *',
    manual: true,
    target: 'system',
    most: 5,
    every: 1440,
  },
  {
    name: 'runtime_cleanup',
    title: 'Clean-up',
    schedule: '*/15 * * * *',
    manual: true,
    target: 'system',
    most: 3,
    every: 15,
  },
];

const ACTIONS: Partial<Record<Job['state'], Job['allowed_actions']>> = {
  available: ['cancel'],
  scheduled: ['retry', 'cancel'],
  executing: ['cancel'],
  retryable: ['retry', 'discard'],
  discarded: ['retry', 'discard'],
};

const ATTENTION: Partial<Record<Job['state'], NonNullable<Job['attention']>>> = {
  retryable: 'retry_pressure',
  discarded: 'active_failure',
};

/** What the server would allow with a job in its present state. */
export function withJobActions(job: Job): Job {
  return {
    ...job,
    attention: ATTENTION[job.state] ?? null,
    allowed_actions: job.stopping ? [] : (ACTIONS[job.state] ?? []),
  };
}

/** The jobs of the last days, the newest first. */
export function createJobs(now: number, upstreams: readonly Upstream[]): Job[] {
  const random = new Random(21);
  const jobs = JOB_KINDS.flatMap((kind) =>
    Array.from({ length: Math.min(Math.floor((2 * DAY) / (kind.every * MINUTE)), 60) }, (_, i) => {
      const at = now - (i + 0.2) * kind.every * MINUTE;
      const account = kind.target === 'account' ? upstreams[random.int(0, 6)] : undefined;
      return ended(random, kind, at, account);
    }),
  );
  return [...waiting(random, now), ...jobs]
    .toSorted((a, b) => (b.scheduled_at ?? '').localeCompare(a.scheduled_at ?? ''))
    .map((job, i, all) => withJobActions({ ...job, id: String(4200 + all.length - i) }));
}

function ended(random: Random, kind: Kind, at: number, account: Upstream | undefined): Job {
  const failed = random.chance(kind.name === 'invite_mail' ? 0.5 : 0.04);
  const duration = random.int(140, 42_000);
  const state = failed ? 'discarded' : 'completed';
  return {
    ...newJob(kind, at),
    state,
    attempt: failed ? kind.most : 1,
    attempted_at: iso(at + 900),
    completed_at: iso(at + 900 + duration),
    duration_ms: duration,
    target: account ? { type: 'account', id: account.id, label: account.label } : targetOf(kind),
    error: failed
      ? {
          at: iso(at + 900 + duration),
          code: kind.name === 'invite_mail' ? 'smtp_refused' : 'usage_unavailable',
          message:
            kind.name === 'invite_mail'
              ? 'The mail server refused the sender’s address.'
              : 'The backend told the usage of none of the accounts asked about.',
        }
      : null,
    timeline: [
      { at: iso(at), state: 'available' },
      { at: iso(at + 900), state: 'executing' },
      { at: iso(at + 900 + duration), state },
    ],
  };
}

/** One that runs, one that waits for its next attempt. */
function waiting(random: Random, now: number): Job[] {
  const [usage, catalog] = JOB_KINDS;
  if (!usage || !catalog) return [];
  const began = now - random.int(4, 9) * 1000;
  return [
    {
      ...newJob(usage, began - 800),
      state: 'executing',
      attempt: 1,
      attempted_at: iso(began),
      trigger: 'manual',
      timeline: [
        { at: iso(began - 800), state: 'available' },
        { at: iso(began), state: 'executing' },
      ],
    },
    {
      ...newJob(catalog, now - 12 * MINUTE),
      state: 'retryable',
      attempt: 1,
      scheduled_at: iso(now + 40_000),
      attempted_at: iso(now - 11 * MINUTE),
      error: {
        at: iso(now - 10 * MINUTE),
        code: 'models_unavailable',
        message: 'The models of 1 account(s) could not be fetched.',
      },
      timeline: [
        { at: iso(now - 12 * MINUTE), state: 'available' },
        { at: iso(now - 11 * MINUTE), state: 'executing' },
        { at: iso(now - 10 * MINUTE), state: 'retryable' },
      ],
    },
  ];
}

export function newJob(kind: Kind, at: number): Job {
  return {
    id: '0',
    worker: kind.name,
    title: kind.title,
    state: 'available',
    attention: null,
    stopping: false,
    attempt: 0,
    max_attempts: kind.most,
    priority: 0,
    target: targetOf(kind),
    scheduled_at: iso(at),
    attempted_at: null,
    completed_at: null,
    duration_ms: null,
    error: null,
    trigger: kind.schedule ? 'schedule' : kind.target === 'invite' ? 'event' : 'manual',
    timeline: [{ at: iso(at), state: 'available' }],
    allowed_actions: ['cancel'],
  };
}

function targetOf({ target }: Kind): Job['target'] {
  return { type: target === 'account' || target === 'invite' ? 'system' : target, id: null, label: null };
}

/** The next round moment of a schedule; the mock gateway knows the three it has. */
export function nextRun(schedule: string | null, now: number): string | null {
  if (schedule === null) return null;
  const step = schedule.startsWith('*/15') ? 15 * MINUTE : schedule.startsWith('0 *') ? HOUR : DAY;
  const offset = step === DAY ? 3 * HOUR + 25 * MINUTE : 0;
  return iso(Math.ceil((now - offset) / step) * step + offset);
}
