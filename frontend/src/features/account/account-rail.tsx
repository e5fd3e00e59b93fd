import type { ReactNode } from 'react';
import type { Upstream, Vital } from '@/api';
import { type AccountAction, RemedyStrip, reasonOf, upstreamStatus } from '@/features/upstreams';
import { formatDate, humanise, plural } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Button } from '@/ui/button';
import { CopyButton } from '@/ui/copy';
import { Panel } from '@/ui/page';
import { PrivateEmail, PrivateName } from '@/ui/private';
import { RelativeTime } from '@/ui/relative-time';
import { Notice, Skeleton } from '@/ui/states';
import { AccountActions } from './account-actions';
import { VitalSigns } from './vital-signs';
import { ONBOARDING } from './words';

interface AccountRailProps {
  upstream: Upstream;
  vitals: readonly Vital[] | undefined;
  onAction: (action: AccountAction) => void;
}

/** Who the account is, how its sign-in is, and what can be done; stays in view beside the rest. */
export function AccountRail({ upstream, vitals, onAction }: AccountRailProps) {
  const { tone, remedy } = upstreamStatus(upstream);
  const reason = reasonOf(upstream);
  return (
    <div className="space-y-4 lg:sticky lg:top-0 lg:max-h-[calc(100dvh-1.5rem)] lg:overflow-y-auto lg:rounded-lg">
      {remedy === 'relink' ? (
        <RemedyStrip upstream={upstream} remedy={remedy} onAction={onAction} />
      ) : reason ? (
        <Notice tone={tone === 'bad' ? 'bad' : 'info'}>{reason}</Notice>
      ) : null}
      <Panel aria-label="Identity" className="px-4 py-3">
        <Identity upstream={upstream} onEdit={() => onAction('edit')} />
      </Panel>
      <Panel aria-label="Sign-in" className="px-4 py-3">
        <h2 className="mb-2 font-semibold">Sign-in</h2>
        {vitals ? (
          <VitalSigns upstream={upstream} vitals={vitals} />
        ) : (
          <Skeleton className="h-28 rounded-md" />
        )}
      </Panel>
      <AccountActions upstream={upstream} onAction={onAction} />
    </div>
  );
}

function Identity({ upstream, onEdit }: { upstream: Upstream; onEdit: () => void }) {
  const { timeZone } = usePreferences();
  const { workspace, pools } = upstream;
  return (
    <>
      <div className="mb-2 flex items-center justify-between gap-2">
        <h2 className="font-semibold">Identity</h2>
        <Button
          look="ghost"
          size="sm"
          className="-mr-2"
          disabled={!upstream.allowed_actions.some(({ action, enabled }) => action === 'rename' && enabled)}
          onClick={onEdit}
        >
          Edit
        </Button>
      </div>
      <dl className="space-y-1.5">
        {upstream.email ? (
          <Row label="E-mail">
            <PrivateEmail>{upstream.email}</PrivateEmail>
          </Row>
        ) : null}
        <Row label="Account" copy={{ text: upstream.account_ref, label: 'Copy the account’s fingerprint' }}>
          <code className="font-mono text-xs">{upstream.account_ref}</code>
        </Row>
        <Row label="Id" copy={{ text: upstream.id, label: 'Copy the account’s id' }}>
          <code className="font-mono text-xs" title={upstream.id}>
            {upstream.id.slice(0, 8)}…
          </code>
        </Row>
        {workspace?.label ? (
          <Row label="Workspace">
            <PrivateName>{workspace.label}</PrivateName>
          </Row>
        ) : null}
        {workspace?.routing_override ? (
          <Row label="Routing">
            <span title="The provider asks for this routing; it goes with every request.">
              {humanise(workspace.routing_override)}
            </span>
          </Row>
        ) : null}
        <Row label="Pools">{pools.length === 0 ? 'None' : pools.map(({ name }) => name).join(', ')}</Row>
        <Row label="Linked">
          <span title={formatDate(upstream.created_at, 'full', timeZone)}>
            {ONBOARDING[upstream.onboarding_method]}, <RelativeTime at={upstream.created_at} />
          </span>
        </Row>
        {upstream.egress_proxy ? (
          <Row label="Egress">
            <code className="font-mono text-xs [overflow-wrap:anywhere]">{upstream.egress_proxy}</code>
          </Row>
        ) : null}
        {upstream.in_flight > 0 ? <Row label="Running">{plural(upstream.in_flight, 'turn')}</Row> : null}
      </dl>
      {upstream.notes ? (
        <p className="mt-3 border-t border-line pt-2.5 whitespace-pre-wrap text-ink-2 [overflow-wrap:anywhere]">
          {upstream.notes}
        </p>
      ) : null}
    </>
  );
}

interface RowProps {
  label: string;
  copy?: { text: string; label: string };
  children: ReactNode;
}

function Row({ label, copy, children }: RowProps) {
  return (
    <div className="grid min-h-5 grid-cols-[5.25rem_minmax(0,1fr)] items-start gap-2">
      <dt className="text-ink-3">{label}</dt>
      <dd className="flex min-w-0 items-start justify-between gap-1">
        <span className="min-w-0 truncate">{children}</span>
        {copy ? (
          <span className="-my-1 -mr-1.5 shrink-0">
            <CopyButton {...copy} />
          </span>
        ) : null}
      </dd>
    </div>
  );
}
