import type { QueryClient } from '@tanstack/react-query';
import { ApiError } from '@/api';
import { sessionQuery } from '@/features/session';
import type { createAppRouter } from './router';

const QUIET_MS = 3_000;

/**
 * Follows the end of the session, wherever it is noticed: the session is asked for again and the routes decide
 * anew, which leads to the sign-in page and, after it, back to where the operator was.
 */
export function watchSession(client: QueryClient, router: ReturnType<typeof createAppRouter>): () => void {
  let handledAt = 0;
  function onError(error: unknown): void {
    if (!(error instanceof ApiError) || error.status !== 401) return;
    if (router.state.location.pathname === '/sign-in' || Date.now() - handledAt < QUIET_MS) return;
    handledAt = Date.now();
    client.removeQueries({ queryKey: sessionQuery.queryKey });
    void router.invalidate();
  }
  const stops = [client.getQueryCache(), client.getMutationCache()].map((cache) =>
    cache.subscribe((event) => {
      if (event.type === 'updated' && event.action.type === 'error') onError(event.action.error);
    }),
  );
  return () => {
    for (const stop of stops) stop();
  };
}
