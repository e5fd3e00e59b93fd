import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { useEvents } from '@/lib/events';
import { mergeHead } from './merge';
import { fetchRequests, histogramQuery, requestsQuery } from './queries';
import type { RequestFilters } from './search';

const EVERY_MS = 1_000;

interface Follow {
  /** Requests that arrived since the list was last brought up to date, whatever the filters. */
  arrived: number;
  /** Brings the list up to date now. */
  catchUp: () => void;
}

/** Keeps a list of requests current while following, and otherwise counts what it misses. */
export function useFollow(filters: RequestFilters, following: boolean): Follow {
  const client = useQueryClient();
  const [arrived, setArrived] = useState(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const load = useEffectEvent(async () => {
    const { queryKey } = requestsQuery(filters);
    const fresh = await fetchRequests(filters, '').catch(() => null);
    timer.current = undefined;
    if (!fresh) return;
    setArrived(0);
    client.setQueryData(queryKey, (shown) => shown && mergeHead(shown, fresh));
    void client.invalidateQueries({ queryKey: histogramQuery(filters).queryKey });
    void client.invalidateQueries({ queryKey: ['requests', 'facets'] });
  });

  useEvents('counters', (event) => {
    if (event.new === 0) return;
    setArrived((count) => count + event.new);
    if (following) timer.current ??= setTimeout(load, EVERY_MS);
  });

  useEffect(() => () => clearTimeout(timer.current), []);

  return { arrived, catchUp: load };
}
