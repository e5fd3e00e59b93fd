import { useSyncExternalStore } from 'react';

/** How far the last call got: to the data, to the server but not its database, or not at all. */
export type Reach = 'ok' | 'no-database' | 'unreachable';

const listeners = new Set<() => void>();
let current: Reach = 'ok';

export function setReach(next: Reach): void {
  if (next === current) return;
  current = next;
  for (const notify of listeners) notify();
}

/** Any answer proves that the server is there, though not that it has its database. */
export function noteAnswer(): void {
  if (current === 'unreachable') setReach('ok');
}

export function useReach(): Reach {
  return useSyncExternalStore(subscribe, () => current);
}

function subscribe(notify: () => void): () => void {
  listeners.add(notify);
  return () => listeners.delete(notify);
}
