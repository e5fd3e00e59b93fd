import { Pencil } from 'lucide-react';
import type { ReactNode } from 'react';
import type { ApiKey, LimitConsumption } from '@/api';
import { amountText } from '@/lib/amounts';
import { formatCompact, formatDate, formatUsd } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { IconButton } from '@/ui/button';
import { Facts, Section } from '@/ui/detail';
import { Drawer } from '@/ui/drawer';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot } from '@/ui/status';
import { Tooltip } from '@/ui/tooltip';
import { UsageRow } from '@/ui/usage-meter';
import { type KeyAction, KeyMenu } from './key-menu';
import { limitLabel, REQUEST_LIMITS } from './key-values';
import { actionOf, byUse, KEY_STATUS, modelsText } from './status';

interface KeyDrawerProps {
  apiKey: ApiKey | undefined;
  onAction: (action: KeyAction) => void;
  onClose: () => void;
}

/** What a key may do and how far its limits are used up, beside the list. */
export function KeyDrawer({ apiKey, onAction, onClose }: KeyDrawerProps) {
  return (
    <Drawer
      open={apiKey !== undefined}
      onClose={onClose}
      modal={false}
      title={apiKey?.name ?? 'API key'}
      actions={apiKey ? <Actions apiKey={apiKey} onAction={onAction} /> : null}
    >
      {apiKey ? (
        <div className="divide-y divide-line">
          <Identity apiKey={apiKey} />
          <Section title="Limits">
            <Limits apiKey={apiKey} />
          </Section>
          <Section title="Policy">
            <Policy apiKey={apiKey} />
          </Section>
        </div>
      ) : null}
    </Drawer>
  );
}

function Actions({ apiKey, onAction }: { apiKey: ApiKey; onAction: (action: KeyAction) => void }) {
  return (
    <>
      {actionOf(apiKey, 'edit').enabled ? (
        <Tooltip content="Edit">
          <IconButton label={`Edit ${apiKey.name}`} onClick={() => onAction('edit')}>
            <Pencil />
          </IconButton>
        </Tooltip>
      ) : null}
      <KeyMenu apiKey={apiKey} onAction={onAction} />
    </>
  );
}

function Identity({ apiKey }: { apiKey: ApiKey }) {
  const { timeZone } = usePreferences();
  const { tone, label } = KEY_STATUS[apiKey.status];
  const { usage } = apiKey;
  const cost = Number(usage.cost_usd);
  const figures = [
    `${formatCompact(usage.requests)} requests`,
    `${formatCompact(usage.tokens)} tokens`,
    usage.unpriced > 0 ? `${formatUsd(cost)}+` : formatUsd(cost),
  ];
  return (
    <Section>
      <StatusDot tone={tone}>{label}</StatusDot>
      <Facts
        rows={[
          [
            'Key',
            <code key="prefix" className="font-mono text-xs">
              {apiKey.prefix}…
            </code>,
          ],
          ['Pool', apiKey.pool.name],
          ['Last 24 hours', figures.join(', ')],
          ['Last used', <Moment key="used" at={apiKey.last_used_at} />],
          [
            'Expires',
            apiKey.expires_at ? (
              <span key="expires">
                {formatDate(apiKey.expires_at, 'full', timeZone)} (<RelativeTime at={apiKey.expires_at} />)
              </span>
            ) : (
              'never'
            ),
          ],
          ['Created', <Moment key="created" at={apiKey.created_at} />],
          apiKey.notes ? ['Notes', apiKey.notes] : null,
        ]}
      />
    </Section>
  );
}

function Moment({ at }: { at: string | null }): ReactNode {
  return at ? <RelativeTime at={at} /> : 'never';
}

function Limits({ apiKey }: { apiKey: ApiKey }) {
  const each = REQUEST_LIMITS.map(({ name, label }) => [label, apiKey.limits.default[name]] as const).filter(
    ([, value]) => value !== null,
  );
  if (apiKey.consumption.length === 0 && each.length === 0)
    return <p className="text-ink-3">No limit: it may use whatever its pool has.</p>;
  return (
    <div className="space-y-4">
      {apiKey.consumption.length > 0 ? (
        <ul className="space-y-3.5">
          {byUse(apiKey.consumption).map((limit) => (
            <li key={`${limit.model} ${limit.limit}`}>
              <Consumption limit={limit} />
            </li>
          ))}
        </ul>
      ) : null}
      {each.length > 0 ? (
        <Facts rows={each.map(([label, value]) => [label, `at most ${amountText(Number(value))}`])} />
      ) : null}
    </div>
  );
}

const MICROS = 1_000_000;

function Consumption({ limit }: { limit: LimitConsumption }) {
  const amount = (value: number) =>
    limit.metric === 'cost_micros' ? formatUsd(value / MICROS) : formatCompact(value);
  return (
    <UsageRow
      label={[limitLabel(limit.limit), limit.model].filter(Boolean).join(', ')}
      percent={limit.percent}
      amount={`${amount(limit.used)} of ${amount(limit.max)}`}
      note={
        limit.resets_at ? (
          <>
            resets <RelativeTime at={limit.resets_at} />
          </>
        ) : (
          'nothing used yet'
        )
      }
    />
  );
}

function Policy({ apiKey }: { apiKey: ApiKey }) {
  const { enforcement, allowed_networks } = apiKey;
  return (
    <Facts
      rows={[
        ['Models', modelsText(apiKey)],
        ['Enforced model', enforcement.model ?? <AsAsked key="model" />],
        ['Effort', effortText(enforcement.reasoning) ?? <AsAsked key="effort" />],
        ['Service tier', enforcement.service_tier ?? <AsAsked key="tier" />],
        ['Usable from', allowed_networks?.join(', ') ?? 'anywhere'],
      ]}
    />
  );
}

function AsAsked() {
  return <span className="text-ink-3">as asked for</span>;
}

function effortText({ mode, effort }: ApiKey['enforcement']['reasoning']): string | null {
  if (mode === 'unrestricted') return null;
  return mode === 'max' ? `at most ${effort}` : `always ${effort}`;
}
