import type { ReactNode } from 'react';
import type { InviteWithUrl } from '@/api';
import { Button } from '@/ui/button';
import { CopyField } from '@/ui/copy';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { RelativeTime } from '@/ui/relative-time';
import { Notice } from '@/ui/states';

/** The only place where an invite's link appears, and the only time. */
export function InviteLink({ invite, onClose }: { invite: InviteWithUrl; onClose: () => void }) {
  return (
    <>
      <DialogBody focusOnMount>
        <div className="space-y-3">
          <Notice tone="warn">
            Copy the link now if you need it. Only its hash is stored, so it cannot be shown again.
          </Notice>
          <CopyField label="Invite link" value={invite.url} />
          <ul className="list-disc space-y-1 pl-5 text-ink-2">
            <li>{mailText(invite)}</li>
            <li>It adds the ChatGPT account of that address, and no other, to {invite.pool.name}.</li>
            <li>
              It works once and ends <RelativeTime at={invite.expires_at} />.
            </li>
            {invite.issue_api_key ? <li>A key of the pool is shown to the person at the end.</li> : null}
          </ul>
        </div>
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </DialogFooter>
    </>
  );
}

function mailText({ email, invited_email }: InviteWithUrl): ReactNode {
  if (email.state === 'not_sent') return `Give it to ${invited_email} yourself; nothing is mailed.`;
  return `It is mailed to ${invited_email}. Whether that worked shows in the list of invites.`;
}
