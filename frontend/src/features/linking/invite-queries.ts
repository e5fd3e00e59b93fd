import { type QueryClient, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, type Invite, type InviteInput, type Upstream, unwrap } from '@/api';
import { toast } from '@/ui/toast';

function refresh(client: QueryClient): void {
  void client.invalidateQueries({ queryKey: ['invites'] });
}

export function useCreateInvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: InviteInput) => unwrap(api.POST('/invites', { body })),
    onSuccess: () => refresh(client),
    meta: { handlesErrors: true },
    // The answer holds the link: it must not stay in the cache after the dialog has gone.
    gcTime: 0,
  });
}

/** A new link for an invite; the one before stops working. */
export function useRenewInvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ invite, send }: { invite: Invite; send: boolean }) => {
      const params = { path: { invite_id: invite.id } };
      return send
        ? unwrap(api.POST('/invites/{invite_id}/resend', { params }))
        : unwrap(api.POST('/invites/{invite_id}/reissue', { params, body: { send_email: false } }));
    },
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
    gcTime: 0,
  });
}

/** An invite for the owner of an account that has to sign in again. */
export function useReinvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ upstream, send }: { upstream: Upstream; send: boolean }) =>
      unwrap(
        api.POST('/upstreams/{upstream_id}/reinvite', {
          params: { path: { upstream_id: upstream.id } },
          body: { send_email: send },
        }),
      ),
    onSuccess: () => refresh(client),
    meta: { handlesErrors: true },
    gcTime: 0,
  });
}

export function useRevokeInvite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: Invite) =>
      unwrap(api.POST('/invites/{invite_id}/revoke', { params: { path: { invite_id: id } } })),
    onSuccess: ({ invited_email }) => toast.done(`The invite for ${invited_email} is revoked`),
    onSettled: () => refresh(client),
    meta: { handlesErrors: true },
  });
}
