import { ApiError } from '@/api';
import type { KeyDraft } from './key-values';

export interface KeyFormValues extends KeyDraft {
  pool_id: string;
  /** A choice of EXPIRY_OPTIONS, 'keep' for as it is, or 'on' for `expiresOn`. */
  expiry: string;
  expiresOn: string;
}

/** What the server says about a field or anything within it. */
export function problemAt(error: Error | null, pointer: string): string | undefined {
  if (!(error instanceof ApiError)) return undefined;
  return error.problem.errors?.find(
    (each) => each.pointer === pointer || each.pointer.startsWith(`${pointer}/`),
  )?.message;
}
