import { useState } from 'react';
import type { Invite, InviteWithUrl, Upstream } from '@/api';
import { Button } from '@/ui/button';
import { ConfirmDialog } from '@/ui/confirm-dialog';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { PrivateEmail } from '@/ui/private';
import { Notice } from '@/ui/states';
import { SwitchRow } from '@/ui/switch';
import { explain, InviteForm } from './invite-form';
import { InviteLink } from './invite-link';
import { useReinvite, useRenewInvite, useRevokeInvite } from './invite-queries';

interface NewInviteDialogProps {
  poolId: string | undefined;
  onClose: () => void;
}

export function NewInviteDialog({ poolId, onClose }: NewInviteDialogProps) {
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={false}
      title="Invite someone"
      description="A link with which they sign their ChatGPT account in."
    >
      <InviteForm poolId={poolId} onClose={onClose} />
    </Dialog>
  );
}

interface InviteDialogProps {
  invite: Invite;
  onClose: () => void;
}

export function RenewInviteDialog({ invite, send, onClose }: InviteDialogProps & { send: boolean }) {
  const renew = useRenewInvite();
  return (
    <LinkDialog
      title={`New link for ${invite.invited_email}`}
      made={renew.data}
      pending={renew.isPending}
      error={renew.error}
      send={send}
      onMake={(mailed) => renew.mutate({ invite, send: mailed })}
      onClose={onClose}
    >
      <p className="text-ink-2">
        {invite.status === 'active'
          ? 'The link that was given out stops working; a new one takes its place.'
          : `The old link has ended (${invite.status}). A new one opens the invite again.`}
      </p>
    </LinkDialog>
  );
}

interface ReinviteDialogProps {
  upstream: Upstream;
  onClose: () => void;
}

/** Asks the owner of an account to sign it in again. */
export function ReinviteDialog({ upstream, onClose }: ReinviteDialogProps) {
  const reinvite = useReinvite();
  return (
    <LinkDialog
      title={`Invite the owner of ${upstream.label}`}
      made={reinvite.data}
      pending={reinvite.isPending}
      error={reinvite.error}
      send={false}
      onMake={(send) => reinvite.mutate({ upstream, send })}
      onClose={onClose}
    >
      <p className="text-ink-2">
        The link lets {upstream.email ? <PrivateEmail>{upstream.email}</PrivateEmail> : 'the owner'} sign this
        account in again. It keeps its label, its pools and its history.
      </p>
    </LinkDialog>
  );
}

interface LinkDialogProps {
  title: string;
  made: InviteWithUrl | undefined;
  pending: boolean;
  error: Error | null;
  /** Whether mailing it is chosen to begin with. */
  send: boolean;
  onMake: (send: boolean) => void;
  onClose: () => void;
  children: React.ReactNode;
}

function LinkDialog({
  title,
  made,
  pending,
  error,
  send: sends,
  onMake,
  onClose,
  children,
}: LinkDialogProps) {
  const [send, setSend] = useState(sends);
  return (
    <Dialog open onClose={onClose} dismissable={made === undefined} title={title}>
      {made ? (
        <InviteLink invite={made} onClose={onClose} />
      ) : (
        <>
          <DialogBody>
            <div className="space-y-3">
              {error ? <Notice tone="bad">{explain(error)}</Notice> : null}
              {children}
              <SwitchRow
                label="Mail the link"
                hint="Otherwise you copy it and hand it over yourself."
                checked={send}
                onChange={setSend}
              />
            </div>
          </DialogBody>
          <DialogFooter>
            <Button onClick={onClose}>Cancel</Button>
            <Button look="primary" disabled={pending} onClick={() => onMake(send)}>
              {send ? 'Send a new link' : 'Make a new link'}
            </Button>
          </DialogFooter>
        </>
      )}
    </Dialog>
  );
}

export function RevokeInviteDialog({ invite, onClose }: InviteDialogProps) {
  const revoke = useRevokeInvite();
  return (
    <ConfirmDialog
      title={`Revoke the invite for ${invite.invited_email}?`}
      verb="Revoke"
      pending={revoke.isPending}
      error={revoke.error}
      onConfirm={() => revoke.mutate(invite, { onSuccess: onClose })}
      onClose={onClose}
    >
      <p>
        The link stops working at once, also for somebody who has it open. An account that was linked with it
        already stays.
      </p>
    </ConfirmDialog>
  );
}
