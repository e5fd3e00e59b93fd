import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ApiError, type Onboarding, pollDeviceFlow, readInvite, startDeviceFlow } from '@/api';

const key = (token: string) => ['onboarding', token] as const;

export function inviteQuery(token: string) {
  return queryOptions({
    queryKey: key(token),
    queryFn: ({ signal }) => readInvite(token, signal),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    retry: (failures, error) => failures < 2 && isTransient(error),
  });
}

function isTransient(error: Error): boolean {
  return error instanceof ApiError && (error.status === 0 || error.status >= 500);
}

const USUAL_INTERVAL_S = 5;

/**
 * An invite as far as it has come. While a code waits to be entered the server is asked at the pace it names; what it
 * answers replaces what is known, so a key that is told once stays on the page.
 */
export function useOnboarding(token: string) {
  const client = useQueryClient();
  const invite = useQuery(inviteQuery(token));
  const state = invite.data?.state;
  const poll = useQuery({
    queryKey: ['onboarding-poll', token],
    queryFn: async ({ signal }) => {
      const next = await pollDeviceFlow(token, signal);
      client.setQueryData<Onboarding>(key(token), next);
      return next.state;
    },
    enabled: state === 'device_pending',
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
    refetchInterval: ({ state: { error } }) => pauseMs(invite.data, error),
    refetchIntervalInBackground: true,
    refetchOnWindowFocus: 'always',
  });
  return { ...invite, pollError: state === 'device_pending' ? poll.error : null };
}

function pauseMs(invite: Onboarding | undefined, error: Error | null): number {
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;
  return Math.max(invite?.flow?.interval_s ?? USUAL_INTERVAL_S, asked) * 1000;
}

export function useStartDevice(token: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => startDeviceFlow(token),
    onSuccess: (invite) => client.setQueryData(key(token), invite),
    meta: { handlesErrors: true },
  });
}
