import * as v from 'valibot';
import type { Job } from '@/api';

const STATES = [
  'available',
  'scheduled',
  'executing',
  'retryable',
  'completed',
  'discarded',
  'cancelled',
] as const satisfies readonly Job['state'][];

/** A hand-edited address must never break the page: what does not parse falls back to absent. */
export const jobsSearch = v.object({
  state: v.optional(v.fallback(v.optional(v.array(v.picklist(STATES))), undefined)),
  worker: v.optional(v.fallback(v.optional(v.array(v.string())), undefined)),
  /** The job whose detail is open. */
  id: v.optional(
    v.fallback(v.optional(v.pipe(v.union([v.string(), v.number()]), v.transform(String))), undefined),
  ),
});

export type JobsSearch = v.InferOutput<typeof jobsSearch>;

export type JobFilters = { [K in 'state' | 'worker']?: NonNullable<JobsSearch[K]> };

/** The part of the search that selects rows. */
export function jobFilters({ state, worker }: JobsSearch): JobFilters {
  return { ...(state?.length ? { state } : {}), ...(worker?.length ? { worker } : {}) };
}

export const NO_FILTERS: JobsSearch = { state: undefined, worker: undefined };

export function isFiltered(filters: JobFilters): boolean {
  return Object.keys(filters).length > 0;
}
