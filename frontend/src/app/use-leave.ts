import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useSignOut } from '@/features/session';

/** Ends the session and forgets everything it had loaded. */
export function useLeave(): () => void {
  const client = useQueryClient();
  const navigate = useNavigate();
  const signOut = useSignOut();
  return () =>
    signOut.mutate(undefined, {
      onSuccess: async () => {
        client.removeQueries({ queryKey: ['session'] });
        await navigate({ to: '/sign-in', replace: true });
        client.clear();
      },
    });
}
