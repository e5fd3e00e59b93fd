import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Ban, EllipsisVertical, Link2, Mail } from 'lucide-react';
import { useRef } from 'react';
import { type Invite, upstreamsQuery } from '@/api';
import { IconButton } from '@/ui/button';
import { type Column, DataTable } from '@/ui/data-table';
import { Menu, MenuItem, MenuSeparator } from '@/ui/menu';
import { PrivateEmail } from '@/ui/private';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot } from '@/ui/status';
import { INVITE_STATUS, MAIL_STATE, mailProblem, whyNot } from './status';

export type InviteAction = 'renew' | 'mail' | 'revoke';

interface InvitesTableProps {
  invites: readonly Invite[];
  loading: boolean;
  empty: React.ReactNode;
  mayWrite: boolean;
  onNearEnd: () => void;
  onAction: (invite: Invite, action: InviteAction) => void;
}

export function InvitesTable({ invites, loading, empty, mayWrite, onNearEnd, onAction }: InvitesTableProps) {
  const scrollRef = useRef<HTMLDivElement>(null);
  const menu: Column<Invite>[] = mayWrite
    ? [
        {
          id: 'menu',
          header: 'Actions',
          headerHidden: true,
          width: 72,
          align: 'right',
          cell: (invite) => <InviteMenu invite={invite} onAction={(action) => onAction(invite, action)} />,
        },
      ]
    : [];
  return (
    <DataTable
      label="Invites"
      columns={[...COLUMNS, ...menu]}
      narrow={{ columns: [...NARROW_COLUMNS, ...menu], rowHeight: 56 }}
      rows={invites}
      total={invites.length}
      loading={loading}
      rowHeight={44}
      onNearEnd={onNearEnd}
      empty={empty}
      scrollRef={scrollRef}
    />
  );
}

interface InviteMenuProps {
  invite: Invite;
  onAction: (action: InviteAction) => void;
}

/** Everything that can be done with an invite. What cannot be done now stays visible and says why. */
function InviteMenu({ invite, onAction }: InviteMenuProps) {
  const item = (reason: string | null) => ({ disabled: reason !== null, hint: reason });
  return (
    <Menu
      trigger={
        <IconButton label={`Actions for ${invite.invited_email}`}>
          <EllipsisVertical />
        </IconButton>
      }
    >
      <MenuItem icon={<Link2 />} onClick={() => onAction('renew')} {...item(whyNot(invite, 'renew'))}>
        New link…
      </MenuItem>
      <MenuItem icon={<Mail />} onClick={() => onAction('mail')} {...item(whyNot(invite, 'renew'))}>
        Mail again…
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<Ban />} danger onClick={() => onAction('revoke')} {...item(whyNot(invite, 'revoke'))}>
        Revoke…
      </MenuItem>
    </Menu>
  );
}

const COLUMNS: Column<Invite>[] = [
  {
    id: 'email',
    header: 'Invited',
    width: '1.4fr',
    cell: (invite) => (
      <span className="flex items-baseline gap-2">
        <span className="max-w-full shrink-0 truncate font-medium">
          <PrivateEmail>{invite.invited_email}</PrivateEmail>
        </span>
        {invite.note ? (
          <span className="min-w-0 truncate text-xs text-ink-3" title={invite.note}>
            {invite.note}
          </span>
        ) : null}
      </span>
    ),
  },
  { id: 'status', header: 'Status', width: 112, cell: (invite) => <Status invite={invite} /> },
  { id: 'pool', header: 'Pool', width: '0.8fr', from: 640, cell: ({ pool }) => pool.name },
  { id: 'mail', header: 'Mail', width: 124, from: 860, cell: (invite) => <MailState invite={invite} /> },
  {
    id: 'result',
    header: 'Account',
    width: '1fr',
    from: 980,
    cell: (invite) => <Accepted invite={invite} />,
  },
  {
    id: 'by',
    header: 'Invited by',
    width: 132,
    from: 1120,
    cell: ({ invited_by }) => <span className="text-ink-2">{invited_by?.name}</span>,
  },
  {
    id: 'created',
    header: 'Created',
    width: 104,
    align: 'right',
    from: 760,
    cell: ({ created_at }) => <RelativeTime at={created_at} />,
  },
  {
    id: 'expires',
    header: 'Link ends',
    width: 104,
    align: 'right',
    from: 620,
    cell: (invite) => <Ends invite={invite} />,
  },
];

const NARROW_COLUMNS: Column<Invite>[] = [
  {
    id: 'summary',
    header: 'Invited',
    width: '1fr',
    cell: (invite) => (
      <>
        <p className="truncate font-medium">
          <PrivateEmail>{invite.invited_email}</PrivateEmail>
        </p>
        <p className="truncate text-xs">
          <Status invite={invite} /> <span className="text-ink-3">· {invite.pool.name}</span>
        </p>
      </>
    ),
  },
  {
    id: 'ends',
    header: 'Link ends',
    width: 100,
    align: 'right',
    cell: (invite) => (
      <>
        <p>
          <Ends invite={invite} />
        </p>
        <p className="text-xs">
          <MailState invite={invite} />
        </p>
      </>
    ),
  },
];

function Status({ invite }: { invite: Invite }) {
  const { tone, label } = INVITE_STATUS[invite.status];
  return <StatusDot tone={tone}>{label}</StatusDot>;
}

/** The account that the invite brought, as long as there is one. */
function Accepted({ invite: { result } }: { invite: Invite }) {
  const { data: accounts } = useQuery(upstreamsQuery);
  const account = accounts?.items.find(({ id }) => id === result.upstream_id);
  if (account)
    return (
      <Link to="/upstreams" search={{ q: account.label }} className="hover:underline">
        {account.label}
      </Link>
    );
  return result.accepted_email ? (
    <span className="text-ink-3">
      <PrivateEmail>{result.accepted_email}</PrivateEmail>
    </span>
  ) : null;
}

function MailState({ invite }: { invite: Invite }) {
  const { tone, label } = MAIL_STATE[invite.email.state];
  return (
    <span title={mailProblem(invite)}>
      <StatusDot tone={tone}>{label}</StatusDot>
    </span>
  );
}

/** Only an open link has an end that matters. */
function Ends({ invite }: { invite: Invite }) {
  if (invite.status === 'revoked') return <span className="text-ink-3">revoked</span>;
  if (invite.status === 'accepted') return <span className="text-ink-3">used</span>;
  return <RelativeTime at={invite.expires_at} />;
}
