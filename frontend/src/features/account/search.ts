import * as v from 'valibot';

/** The page's state in the URL. */
export const accountSearch = v.object({
  /** How far the quota chart goes back; a week if absent. */
  range: v.optional(v.fallback(v.optional(v.picklist(['24h', '30d'])), undefined)),
});

export type AccountSearch = v.InferOutput<typeof accountSearch>;
