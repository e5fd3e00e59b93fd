import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from '@tanstack/react-query';
import { api, isApiError, type Job, type JobWorker, unwrap } from '@/api';
import { toast } from '@/ui/toast';
import type { JobFilters } from './search';

const PAGE_SIZE = 50;
/** Jobs go on by themselves, and only what people do is pushed. */
const EVERY_MS = 5_000;

export const workersQuery = queryOptions({
  queryKey: ['jobs', 'workers'],
  queryFn: ({ signal }) => unwrap(api.GET('/jobs/workers', { signal })),
  refetchInterval: EVERY_MS,
});

export function jobsQuery(filters: JobFilters) {
  return infiniteQueryOptions({
    queryKey: ['jobs', 'list', filters],
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/jobs', {
          params: { query: { ...filters, limit: PAGE_SIZE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: ({ page }) => page.next_cursor,
    placeholderData: keepPreviousData,
    refetchInterval: EVERY_MS,
  });
}

export function jobQuery(id: string) {
  return queryOptions({
    queryKey: ['jobs', 'one', id],
    queryFn: ({ signal }) => unwrap(api.GET('/jobs/{job}', { params: { path: { job: id } }, signal })),
    refetchInterval: ({ state }) => (state.data && isOver(state.data) ? false : 2_000),
  });
}

export function isOver({ state }: Pick<Job, 'state'>): boolean {
  return state === 'completed' || state === 'discarded' || state === 'cancelled';
}

/** Queues one of a kind now; that one is there already is no failure. */
export function useRunWorker() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ name }: JobWorker) =>
      unwrap(api.POST('/jobs/workers/{worker}/run', { params: { path: { worker: name } } })),
    onSuccess: (_queued, { title }) => toast.done(`${title}: queued`),
    onError: (error, { title }) => {
      if (isApiError(error, 'job_already_queued')) toast.done(`${title}: already queued or running`);
      else toast.failed(error);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['jobs'] }),
    meta: { handlesErrors: true },
  });
}

export type JobAction = Job['allowed_actions'][number];

const DONE: Record<JobAction, string> = {
  retry: 'is tried again',
  cancel: 'is cancelled',
  discard: 'is let go of',
};

export function useSteerJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ job: { id }, action }: { job: Job; action: JobAction }) => {
      const params = { path: { job: id } };
      switch (action) {
        case 'retry':
          return unwrap(api.POST('/jobs/{job}/retry', { params }));
        case 'cancel':
          return unwrap(api.POST('/jobs/{job}/cancel', { params }));
        case 'discard':
          return unwrap(api.POST('/jobs/{job}/discard', { params }));
      }
    },
    onSuccess: (job, { action }) => {
      client.setQueryData(jobQuery(job.id).queryKey, job);
      toast.done(`Job ${job.id} ${job.stopping ? 'is asked to stop' : DONE[action]}`);
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
}
