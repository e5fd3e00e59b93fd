import type { Invite } from '@/api';
import { humanise } from '@/lib/format';
import type { Tone } from '@/ui/status';

interface Said {
  tone: Tone;
  label: string;
}

export const INVITE_STATUS: Record<Invite['status'], Said> = {
  active: { tone: 'info', label: 'Open' },
  accepted: { tone: 'ok', label: 'Accepted' },
  expired: { tone: 'idle', label: 'Expired' },
  revoked: { tone: 'idle', label: 'Revoked' },
};

export const MAIL_STATE: Record<Invite['email']['state'], Said> = {
  not_sent: { tone: 'idle', label: 'Not mailed' },
  queued: { tone: 'info', label: 'Being mailed' },
  sent: { tone: 'ok', label: 'Mailed' },
  failed: { tone: 'bad', label: 'Mail failed' },
};

/** Why a mail did not go out, as far as the server says. */
export function mailProblem({ email }: Pick<Invite, 'email'>): string | undefined {
  return email.state === 'failed' && email.error_code ? humanise(email.error_code) : undefined;
}

/** What may be done with an invite; a reason says why not. */
export function whyNot({ status }: Pick<Invite, 'status'>, action: 'renew' | 'revoke'): string | null {
  if (status === 'accepted') return 'The account is linked already.';
  if (action === 'revoke' && status !== 'active') return 'Its link leads nowhere any more.';
  return null;
}
