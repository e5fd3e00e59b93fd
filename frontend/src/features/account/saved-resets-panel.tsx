import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { lazy, Suspense, useState } from 'react';
import type { SavedResets, Upstream } from '@/api';
import { actionOf } from '@/features/upstreams';
import { formatDate, humanise, plural } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Button } from '@/ui/button';
import { Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { ErrorState, Skeleton } from '@/ui/states';
import { StatusDot } from '@/ui/status';
import { savedResetsQuery } from './queries';
import { policyText } from './reset-policy';
import { REDEMPTION_STATES, RESET_STATES, TRIGGERS } from './words';

const PolicyDialog = lazy(() => import('./policy-dialog').then((m) => ({ default: m.PolicyDialog })));
const RedeemDialog = lazy(() => import('./redeem-dialog').then((m) => ({ default: m.RedeemDialog })));

const SEGMENTS = 5;

/** What the account has saved up, what may be spent by itself, and what was spent. */
export function SavedResetsPanel({ upstream }: { upstream: Upstream }) {
  const { data, error, refetch } = useQuery(savedResetsQuery(upstream.id));
  const [dialog, setDialog] = useState<'policy' | 'redeem'>();
  const { enabled: mayChange } = actionOf(upstream, 'rename');
  return (
    <Panel aria-labelledby="resets" className="px-4 py-3">
      <header className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <div className="mr-auto min-w-0">
          <h2 id="resets" className="text-base font-semibold">
            Saved resets
          </h2>
          <p className="text-ink-3">{data ? headline(data) : <Skeleton className="mt-1 h-3.5 w-40" />}</p>
        </div>
        {data && mayChange ? (
          <span className="flex gap-2">
            <Button size="sm" onClick={() => setDialog('policy')}>
              Policy…
            </Button>
            <Button
              size="sm"
              disabled={data.redeem_refusal !== null}
              title={data.redeem_refusal ?? undefined}
              onClick={() => setDialog('redeem')}
            >
              Spend one…
            </Button>
          </span>
        ) : null}
      </header>
      {error && !data ? (
        <div className="mt-3">
          <ErrorState error={error} retry={refetch} />
        </div>
      ) : data ? (
        <Resets resets={data} />
      ) : (
        <Skeleton className="mt-3 h-12" />
      )}
      <Suspense>
        {data && dialog === 'policy' ? (
          <PolicyDialog upstream={upstream} policy={data.policy} onClose={() => setDialog(undefined)} />
        ) : null}
        {data && dialog === 'redeem' ? (
          <RedeemDialog upstream={upstream} resets={data} onClose={() => setDialog(undefined)} />
        ) : null}
      </Suspense>
    </Panel>
  );
}

function headline({ available, awaiting_confirmation, next_expires_at }: SavedResets) {
  if (available === null) return 'The provider has not said how many there are.';
  return (
    <>
      {available === 0 ? 'None' : plural(available, 'reset')}
      {available > 0 && next_expires_at ? (
        <>
          , the next expires <RelativeTime at={next_expires_at} />
        </>
      ) : null}
      {awaiting_confirmation ? ', one is being spent' : null}
    </>
  );
}

function Resets({ resets }: { resets: SavedResets }) {
  const { available, items, redemptions, policy, redeem_refusal } = resets;
  const open = items.filter(({ state }) => state === 'available' || state === 'awaiting_confirmation');
  return (
    <div className="mt-3 grid gap-x-8 gap-y-4 md:grid-cols-2">
      <div>
        {available === null ? null : <Segments filled={available} />}
        <p className="mt-2 text-xs text-ink-2">{policyText(policy)}</p>
        {redeem_refusal && available ? <p className="mt-1 text-xs text-ink-3">{redeem_refusal}</p> : null}
        {open.length > 0 ? <Items items={open} /> : null}
      </div>
      <div>
        <h3 className="mb-1 text-xs text-ink-3">Spent lately</h3>
        {redemptions.length === 0 ? (
          <p className="text-ink-3">None so far.</p>
        ) : (
          <Redemptions redemptions={redemptions} />
        )}
      </div>
    </div>
  );
}

function Segments({ filled }: { filled: number }) {
  const many = Math.max(SEGMENTS, Math.min(filled, 10));
  return (
    <div role="img" aria-label={`${plural(filled, 'saved reset')}`} className="flex max-w-60 gap-1">
      {Array.from({ length: many }, (_, i) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: a segment is its position
          key={i}
          className={clsx('h-1.5 flex-1 rounded-full', i < filled ? 'bg-ink-2' : 'bg-line')}
        />
      ))}
    </div>
  );
}

function Items({ items }: { items: SavedResets['items'] }) {
  const { timeZone } = usePreferences();
  return (
    <ul aria-label="Saved resets" className="mt-2.5 divide-y divide-line/60 border-t border-line">
      {items.map(({ id, state, banked_at, expires_at, first_seen_at }) => (
        <li key={id} className="flex items-baseline justify-between gap-3 py-1.5">
          <StatusDot tone={RESET_STATES[state].tone}>{RESET_STATES[state].label}</StatusDot>
          <span className="text-right text-xs text-ink-3">
            <span title={formatDate(banked_at ?? first_seen_at, 'full', timeZone)}>
              saved {formatDate(banked_at ?? first_seen_at, 'day', timeZone)}
            </span>
            {expires_at ? (
              <>
                , expires <RelativeTime at={expires_at} />
              </>
            ) : null}
          </span>
        </li>
      ))}
    </ul>
  );
}

const SHOWN = 5;

function Redemptions({ redemptions }: { redemptions: SavedResets['redemptions'] }) {
  return (
    <ul aria-label="Spent lately" className="divide-y divide-line/60">
      {redemptions.slice(0, SHOWN).map(({ id, state, trigger, created_at, outcome, windows_reset }) => {
        const { tone, label, detail } = REDEMPTION_STATES[state];
        return (
          <li key={id} className="py-1.5">
            <p className="flex items-baseline justify-between gap-3">
              <StatusDot tone={tone}>{label}</StatusDot>
              <span className="text-xs text-ink-3">
                {TRIGGERS[trigger]}, <RelativeTime at={created_at} />
              </span>
            </p>
            <p className="text-xs text-ink-3">
              {state === 'not_applied' && outcome ? `${humanise(outcome)}. ` : ''}
              {windows_reset ? `${plural(windows_reset, 'window')} began anew.` : detail}
            </p>
          </li>
        );
      })}
    </ul>
  );
}
