import { useQuery } from '@tanstack/react-query';
import { Link, type LinkProps } from '@tanstack/react-router';
import { clsx } from 'clsx';
import { Check } from 'lucide-react';
import { type ApiKey, apiKeysQuery, type Pool, poolsQuery, type Upstream, upstreamsQuery } from '@/api';
import { useCan } from '@/features/session';
import { buttonClass } from '@/ui/button';
import { Panel } from '@/ui/page';

export interface Step {
  key: 'pool' | 'account' | 'key' | 'client';
  done: boolean;
  title: string;
  detail: string;
  action: { label: string; link: Pick<LinkProps, 'to' | 'search'> };
}

/** The way from a fresh instance to the first answered request. */
export function setUpSteps(
  pools: readonly Pool[],
  accounts: readonly Upstream[],
  keys: readonly ApiKey[],
): Step[] {
  return [
    {
      key: 'pool',
      done: pools.length > 0,
      title: 'Create a pool',
      detail: 'A pool puts accounts behind its own keys.',
      action: { label: 'New pool', link: { to: '/pools', search: { dialog: 'new' } } },
    },
    {
      key: 'account',
      done: accounts.some((account) => account.pools.length > 0),
      title: 'Add an account',
      detail: 'Sign a ChatGPT account in.',
      action: { label: 'Add account', link: { to: '/upstreams', search: { dialog: 'add' } } },
    },
    {
      key: 'key',
      done: keys.length > 0,
      title: 'Create a key',
      detail: 'Clients sign in with it.',
      action: { label: 'New key', link: { to: '/api-keys', search: { dialog: 'new' } } },
    },
    {
      key: 'client',
      done: keys.some((key) => key.last_used_at !== null),
      title: 'Connect a client',
      detail: 'Point Codex here and send a request.',
      action: { label: 'Show how', link: { to: '/api-keys', search: { dialog: 'connect' } } },
    },
  ];
}

/** A checklist that ticks itself off and goes away when the first request was answered. */
export function GettingStarted() {
  const pools = useQuery(poolsQuery);
  const accounts = useQuery(upstreamsQuery);
  const keys = useQuery(apiKeysQuery);
  const mayWrite = useCan('pools:write');
  if (!mayWrite || !pools.data || !accounts.data || !keys.data) return null;
  const steps = setUpSteps(pools.data.items, accounts.data.items, keys.data.items);
  const next = steps.find((step) => !step.done);
  if (!next) return null;
  return (
    <Panel aria-label="Getting started" className="mb-4 overflow-hidden">
      <ol className="grid divide-line max-lg:divide-y lg:grid-cols-4 lg:divide-x">
        {steps.map((step, index) => (
          <li
            key={step.key}
            aria-current={step === next ? 'step' : undefined}
            className={clsx('flex items-start gap-3 px-4 py-3.5', step === next && 'bg-accent-wash/60')}
          >
            <Tick done={step.done} number={index + 1} current={step === next} />
            <div className="min-w-0 flex-1">
              <p className={clsx('font-medium', step.done && 'text-ink-3')}>
                {step.title}
                {step.done ? <span className="sr-only"> (done)</span> : null}
              </p>
              <p className="text-xs text-ink-3">{step.detail}</p>
              {step === next ? (
                <Link {...step.action.link} className={clsx(buttonClass('primary', 'sm'), 'mt-2.5')}>
                  {step.action.label}
                </Link>
              ) : null}
            </div>
          </li>
        ))}
      </ol>
    </Panel>
  );
}

function Tick({ done, number, current }: { done: boolean; number: number; current: boolean }) {
  return (
    <span
      aria-hidden
      className={clsx(
        'tnum mt-px grid size-5 shrink-0 place-items-center rounded-full border text-2xs font-semibold',
        done
          ? 'border-ok bg-ok-wash text-ok-ink'
          : current
            ? 'border-accent text-accent-ink'
            : 'border-line-strong text-ink-3',
      )}
    >
      {done ? <Check className="size-3" strokeWidth={3} /> : number}
    </span>
  );
}
