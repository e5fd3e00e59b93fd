import { createOpenApiHttp } from 'openapi-msw';
import type { Job, JobRun, JobWorker, paths } from '@/api';
import { missing, problem, whole } from './answers';
import { JOB_KINDS, newJob, nextRun, withJobActions } from './job-seeds';
import { DAY, iso } from './time';
import type { World } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

const HISTORY = 20;
const OPEN: Job['state'][] = ['available', 'executing'];

export function jobHandlers(state: State, wait: Wait, now: Now) {
  const put = (job: Job): Job => {
    const next = withJobActions(job);
    state().jobs = state().jobs.map((item) => (item.id === job.id ? next : item));
    return next;
  };
  /** Puts a job into another state, with the moment of it. */
  const moved = (job: Job, next: Job['state'], patch: Partial<Job> = {}): Job =>
    put({ ...job, ...patch, state: next, timeline: [...job.timeline, { at: iso(now()), state: next }] });
  const find = (id: string) => state().jobs.find((job) => job.id === id);
  return [
    http.get('/jobs/workers', async ({ response }) => {
      await wait();
      const items = JOB_KINDS.map((kind) => workerOf(kind, state(), now()));
      return response(200).json({ items, page: whole(items) });
    }),
    http.post('/jobs/workers/{worker}/run', async ({ params, response }) => {
      await wait();
      const kind = JOB_KINDS.find(({ name }) => name === params.worker);
      if (!kind) return response.untyped(missing('job'));
      if (state().jobs.some((job) => job.worker === kind.name && OPEN.includes(job.state)))
        return response.untyped(
          problem(409, 'job_already_queued', `${kind.title}: one waits or runs already.`),
        );
      const id = String(Math.max(4000, ...state().jobs.map((job) => Number(job.id))) + 1);
      state().jobs = [withJobActions({ ...newJob(kind, now()), id, trigger: 'manual' }), ...state().jobs];
      return response(202).json({
        job: { id, worker: kind.name, state: 'available' },
        status_url: `/api/admin/v1/jobs/${id}`,
      });
    }),
    http.get('/jobs', async ({ request, response }) => {
      await wait();
      const query = new URL(request.url).searchParams;
      const among = (name: string, value: string) => {
        const chosen = query.getAll(name);
        return chosen.length === 0 || chosen.includes(value);
      };
      const rows = state().jobs.filter((job) => among('state', job.state) && among('worker', job.worker));
      const limit = Number(query.get('limit') ?? 50);
      const after = rows.findIndex((row) => row.id === query.get('cursor')) + 1;
      const items = rows.slice(after, after + limit);
      const next_cursor = after + limit < rows.length ? (items.at(-1)?.id ?? null) : null;
      return response(200).json({ items, page: { limit, next_cursor } });
    }),
    http.get('/jobs/{job}', async ({ params, response }) => {
      await wait();
      const job = find(params.job);
      return job ? response(200).json(job) : response.untyped(missing('job'));
    }),
    http.post('/jobs/{job}/retry', async ({ params, response }) => {
      await wait();
      const job = find(params.job);
      return job
        ? response(200).json(moved(job, 'available', { completed_at: null, duration_ms: null, error: null }))
        : response.untyped(missing('job'));
    }),
    http.post('/jobs/{job}/cancel', async ({ params, response }) => {
      await wait();
      const job = find(params.job);
      if (!job) return response.untyped(missing('job'));
      return response(200).json(
        job.state === 'executing'
          ? put({ ...job, stopping: true })
          : moved(job, 'cancelled', { completed_at: iso(now()) }),
      );
    }),
    http.post('/jobs/{job}/discard', async ({ params, response }) => {
      await wait();
      const job = find(params.job);
      return job
        ? response(200).json(moved(job, 'cancelled', { completed_at: iso(now()) }))
        : response.untyped(missing('job'));
    }),
  ];
}

function workerOf(
  { name, title, schedule, manual }: (typeof JOB_KINDS)[number],
  world: World,
  now: number,
): JobWorker {
  const own = world.jobs.filter((job) => job.worker === name);
  const many = (state: Job['state']) => own.filter((job) => job.state === state).length;
  const failed = own.filter(
    (job) => job.state === 'discarded' && Date.parse(job.completed_at ?? '') > now - DAY,
  ).length;
  const history = own.flatMap(({ completed_at, state, duration_ms }): JobRun[] =>
    completed_at && (state === 'completed' || state === 'discarded' || state === 'cancelled')
      ? [{ at: completed_at, state, duration_ms: duration_ms ?? 0 }]
      : [],
  );
  const attention: JobWorker['attention'] = [
    ...(world.workers ? [] : (['jobs_role_missing'] as const)),
    ...(failed > 0 ? (['active_failure'] as const) : []),
    ...(many('retryable') > 0 ? (['retry_pressure'] as const) : []),
  ];
  return {
    name,
    title,
    schedule,
    timezone: 'UTC',
    manual,
    next_run_at: nextRun(schedule, now),
    last_run: history[0] ?? null,
    history: history.slice(0, HISTORY),
    counts: {
      available: many('available'),
      executing: many('executing'),
      scheduled: many('scheduled'),
      retryable: many('retryable'),
      failed_24h: failed,
    },
    attention,
  };
}
