import { useRef } from 'react';
import type { Upstream } from '@/api';
import { formatCompact, UNKNOWN } from '@/lib/format';
import { type Column, DataTable } from '@/ui/data-table';
import { Panel } from '@/ui/page';
import { PrivateEmail } from '@/ui/private';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot, Tag } from '@/ui/status';
import { upstreamStatus } from './status';
import { expiry, poolsText } from './upstream-card';
import { type AccountAction, UpstreamMenu } from './upstream-menu';

interface UpstreamsTableProps {
  upstreams: readonly Upstream[];
  onAction: (upstream: Upstream, action: AccountAction) => void;
}

export function UpstreamsTable({ upstreams, onAction }: UpstreamsTableProps) {
  const scrollRef = useRef<HTMLDivElement>(null);
  const menu: Column<Upstream> = {
    id: 'menu',
    header: 'Actions',
    headerHidden: true,
    width: 72,
    align: 'right',
    cell: (u) => <UpstreamMenu upstream={u} onAction={(action) => onAction(u, action)} />,
  };
  return (
    <Panel className="flex max-h-[max(20rem,calc(100dvh-18rem))] flex-col overflow-hidden">
      <DataTable
        label="Accounts"
        columns={[...COLUMNS, menu]}
        narrow={{ columns: [...NARROW_COLUMNS, menu], rowHeight: 56 }}
        rows={upstreams}
        total={upstreams.length}
        loading={false}
        rowHeight={40}
        empty={null}
        scrollRef={scrollRef}
      />
    </Panel>
  );
}

const COLUMNS: Column<Upstream>[] = [
  {
    id: 'label',
    header: 'Account',
    width: '2fr',
    cell: (u) => (
      <span className="flex items-center gap-2">
        <span className="truncate font-medium">{u.label}</span>
        {u.email ? (
          <span className="truncate text-ink-3">
            <PrivateEmail>{u.email}</PrivateEmail>
          </span>
        ) : null}
      </span>
    ),
  },
  { id: 'plan', header: 'Plan', width: 116, from: 720, cell: (u) => <Tag>{u.plan.label}</Tag> },
  { id: 'status', header: 'Status', width: 136, cell: (u) => <Status upstream={u} /> },
  {
    id: 'pools',
    header: 'Pools',
    width: '1fr',
    from: 980,
    cell: (u) => <span className="text-ink-2">{poolsText(u)}</span>,
  },
  { id: 'flight', header: 'In flight', width: 76, align: 'right', from: 860, cell: (u) => u.in_flight },
  {
    id: 'requests',
    header: 'Requests',
    width: 88,
    align: 'right',
    from: 640,
    cell: (u) => formatCompact(u.usage.requests),
  },
  {
    id: 'tokens',
    header: 'Tokens, 24 h',
    width: 104,
    align: 'right',
    from: 860,
    cell: (u) => formatCompact(u.usage.tokens),
  },
  { id: 'expires', header: 'Token expires', width: 112, align: 'right', from: 980, cell: (u) => expiry(u) },
  {
    id: 'used',
    header: 'Last used',
    width: 104,
    align: 'right',
    from: 760,
    cell: (u) => (u.usage.last_used_at ? <RelativeTime at={u.usage.last_used_at} /> : UNKNOWN),
  },
];

const NARROW_COLUMNS: Column<Upstream>[] = [
  {
    id: 'summary',
    header: 'Account',
    width: '1fr',
    cell: (u) => (
      <>
        <p className="truncate">
          <span className="font-medium">{u.label}</span> <span className="text-ink-3">{u.plan.label}</span>
        </p>
        <p className="truncate text-xs">
          <Status upstream={u} />
        </p>
      </>
    ),
  },
  {
    id: 'usage',
    header: 'Tokens, used',
    width: 96,
    align: 'right',
    cell: (u) => (
      <>
        <p>{formatCompact(u.usage.tokens)}</p>
        <p className="text-xs text-ink-3">
          {u.usage.last_used_at ? <RelativeTime at={u.usage.last_used_at} /> : 'never'}
        </p>
      </>
    ),
  },
];

function Status({ upstream }: { upstream: Upstream }) {
  const { tone, label } = upstreamStatus(upstream);
  return <StatusDot tone={tone}>{label}</StatusDot>;
}
