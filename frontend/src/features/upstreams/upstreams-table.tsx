import { Link } from '@tanstack/react-router';
import { useRef, useState } from 'react';
import type { Upstream } from '@/api';
import { useCan } from '@/features/session';
import { formatCompact, formatPercent, formatSpan, UNKNOWN } from '@/lib/format';
import { useNow } from '@/lib/use-now';
import { Checkbox } from '@/ui/checkbox';
import { type Column, DataTable } from '@/ui/data-table';
import { Panel } from '@/ui/page';
import { PrivateEmail } from '@/ui/private';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot, Tag } from '@/ui/status';
import type { AccountAction } from './account-dialog';
import { BulkBar } from './bulk-bar';
import { Burn } from './burn';
import { forecastText, readQuota } from './quota';
import { SavedResetsTag } from './saved-resets-tag';
import { serves, upstreamStatus } from './status';
import { expiry, poolsText } from './upstream-card';
import { UpstreamMenu } from './upstream-menu';

interface UpstreamsTableProps {
  upstreams: readonly Upstream[];
  onAction: (upstream: Upstream, action: AccountAction) => void;
}

export function UpstreamsTable({ upstreams, onAction }: UpstreamsTableProps) {
  const scrollRef = useRef<HTMLDivElement>(null);
  const mayWrite = useCan('upstreams:write');
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  // What a filter hides is not acted on.
  const shown = upstreams.filter(({ id }) => chosen.has(id));
  const choose = (id: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const menu: Column<Upstream> = {
    id: 'menu',
    header: 'Actions',
    headerHidden: true,
    width: 72,
    align: 'right',
    cell: (u) => <UpstreamMenu upstream={u} onAction={(action) => onAction(u, action)} />,
  };
  const select: Column<Upstream> = {
    id: 'select',
    header: 'Chosen',
    headerCell: (
      <Checkbox
        label="Choose all"
        labelHidden
        checked={shown.length > 0 && shown.length === upstreams.length}
        onChange={(on) => setChosen(new Set(on ? upstreams.map(({ id }) => id) : []))}
      />
    ),
    width: 44,
    cell: (u) => (
      <Checkbox
        label={`Choose ${u.label}`}
        labelHidden
        checked={chosen.has(u.id)}
        onChange={(on) => choose(u.id, on)}
      />
    ),
  };
  const around = (columns: Column<Upstream>[]) => [...(mayWrite ? [select] : []), ...columns, menu];
  return (
    <Panel className="flex max-h-[max(20rem,calc(100dvh-18rem))] flex-col overflow-hidden">
      {shown.length > 0 ? <BulkBar chosen={shown} onClear={() => setChosen(new Set())} /> : null}
      <DataTable
        label="Accounts"
        columns={around(COLUMNS)}
        narrow={{ columns: around(NARROW_COLUMNS), rowHeight: 56 }}
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
        <AccountLink upstream={u} />
        <SavedResetsTag brief={u.saved_resets} />
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
    from: 1440,
    cell: (u) => <span className="text-ink-2">{poolsText(u)}</span>,
  },
  { id: 'left', header: 'Left', width: 124, from: 900, cell: (u) => <Left upstream={u} /> },
  {
    id: 'burn',
    header: 'Burn',
    width: 60,
    align: 'right',
    from: 980,
    cell: (u) => <Burn burn={u.burn} />,
  },
  { id: 'flight', header: 'In flight', width: 76, align: 'right', from: 1240, cell: (u) => u.in_flight },
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
  { id: 'expires', header: 'Token expires', width: 112, align: 'right', from: 1340, cell: (u) => expiry(u) },
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
          <AccountLink upstream={u} /> <span className="text-ink-3">{u.plan.label}</span>
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

function AccountLink({ upstream: { id, label } }: { upstream: Upstream }) {
  return (
    <Link
      to="/upstreams/$id"
      params={{ id }}
      className="max-w-full shrink-0 truncate font-medium hover:underline"
    >
      {label}
    </Link>
  );
}

/** What is left of each of the account's own windows, the shortest first. */
function Left({ upstream }: { upstream: Upstream }) {
  const now = useNow();
  const own = upstream.windows.filter(({ scope }) => scope === 'account');
  if (own.length === 0) return <span className="text-ink-3">{UNKNOWN}</span>;
  return (
    <span
      className="flex gap-1.5"
      title={own.map((window) => `${window.label}: ${forecastText(window, now)}`).join('\n')}
    >
      {own.map((window) => {
        const { remainingPercent, risk } = readQuota(window, now);
        const ink = !serves(upstream)
          ? 'text-ink-3'
          : risk === 'fine'
            ? ''
            : risk === 'fast'
              ? 'text-warn-ink'
              : 'text-bad-ink';
        return (
          <span key={window.key} className={ink}>
            {remainingPercent === null ? UNKNOWN : formatPercent(remainingPercent)}
            <span className="text-ink-3"> {formatSpan(window.window_seconds * 1000)}</span>
          </span>
        );
      })}
    </span>
  );
}

function Status({ upstream }: { upstream: Upstream }) {
  const { tone, label } = upstreamStatus(upstream);
  return <StatusDot tone={tone}>{label}</StatusDot>;
}
