import { queryOptions, useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import { api, type BootstrapInput, type LoginInput, type Session, setCsrfToken, unwrap } from '@/api';

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async ({ signal }) => adopt(await unwrap(api.GET('/session', { signal }))),
  staleTime: Number.POSITIVE_INFINITY,
});

export const bootstrapQuery = queryOptions({
  queryKey: ['bootstrap'],
  queryFn: ({ signal }) => unwrap(api.GET('/bootstrap', { signal })),
  staleTime: 0,
});

/** Every unsafe call must carry the token of the session at hand. */
function adopt(session: Session): Session {
  setCsrfToken(session.csrf_token);
  return session;
}

export function useSignIn() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: LoginInput) => unwrap(api.POST('/auth/login', { body })),
    onSuccess: (session) => client.setQueryData(sessionQuery.queryKey, adopt(session)),
    meta: { handlesErrors: true },
  });
}

export function useSetUp() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: BootstrapInput) => unwrap(api.POST('/bootstrap', { body })),
    onSuccess: (session) => client.setQueryData(sessionQuery.queryKey, adopt(session)),
    meta: { handlesErrors: true },
  });
}

export function useSignOut() {
  return useMutation({ mutationFn: () => unwrap(api.POST('/auth/logout')) });
}

/** Whether the operator may do something; the server decides again on every call. */
export function useCan(capability: string): boolean {
  const { data } = useSuspenseQuery(sessionQuery);
  return data.capabilities.includes(capability);
}

/** The signed-in operator. Only inside the shell, which nobody sees without one. */
export function useOperator(): NonNullable<Session['operator']> {
  const { data } = useSuspenseQuery(sessionQuery);
  if (!data.operator) throw new Error('There is no operator before sign-in');
  return data.operator;
}
