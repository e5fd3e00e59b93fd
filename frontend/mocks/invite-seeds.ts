import type { Invite, Ref } from '@/api';
import { Random } from './random';
import { DAY, HOUR, iso } from './time';

/** Who was invited: some open in each way, many of long ago. */
const INVITED: [name: string, status: Invite['status'], mail: Invite['email']['state'], note?: string][] = [
  ['grace', 'active', 'sent', 'Platform team'],
  ['linus', 'active', 'not_sent'],
  ['barbara', 'active', 'failed'],
  ['edsger', 'accepted', 'sent'],
  ['donald', 'accepted', 'not_sent', 'Contractor until June'],
  ['radia', 'expired', 'sent'],
  ['ken', 'revoked', 'not_sent'],
];
const INVITES = 64;

/** The first that was accepted brought the account `first`; those of the others have been deleted since. */
export function createInvites(now: number, pools: readonly Ref[], first: string | undefined): Invite[] {
  return Array.from({ length: INVITES }, (_, i) => {
    const [name, usual, sent, note] = INVITED[i % INVITED.length] ?? ['grace', 'active', 'sent'];
    const status = i >= INVITED.length && usual === 'active' ? 'expired' : usual;
    const email = i < INVITED.length ? `${name}@example.com` : `${name}.${i}@example.com`;
    const pool = pools[i % pools.length];
    if (!pool) throw new Error('an invite without a pool');
    const invite = newInvite(email, pool, i, now - (i + 1) * 3 * HOUR);
    return {
      ...invite,
      status,
      note: note ?? null,
      email: mail(sent),
      expires_at: iso(status === 'expired' ? now - (i + 1) * HOUR : now + (20 - i) * HOUR),
      result:
        status === 'accepted'
          ? {
              upstream_id: i < INVITED.length && name === 'edsger' ? (first ?? null) : null,
              accepted_email: email,
              accepted_at: iso(now - i * HOUR),
            }
          : invite.result,
    };
  });
}

export function newInvite(email: string, pool: Ref, index: number, at: number): Invite {
  return {
    id: new Random(1000 + index).uuid(),
    status: 'active',
    upstream_id: null,
    pool: { id: pool.id, name: pool.name },
    invited_email: email,
    invited_by: { id: '5f0c9f52-0000-4000-8000-000000000001', name: 'Ada Lovelace' },
    note: null,
    issue_api_key: false,
    email: mail('not_sent'),
    result: { upstream_id: null, accepted_email: null, accepted_at: null },
    created_at: iso(at),
    expires_at: iso(at + DAY),
  };
}

export function mail(state: Invite['email']['state']): Invite['email'] {
  return { state, sent_at: null, error_code: state === 'failed' ? 'smtp_connection_failed' : null };
}
