import type { ReactNode } from 'react';
import type { Upstream, Vital } from '@/api';
import { humanise } from '@/lib/format';
import { RelativeTime } from '@/ui/relative-time';
import { StatusDot, type Tone } from '@/ui/status';
import { VITALS } from './words';

const TONES: Record<Vital['tone'], Tone> = { ok: 'ok', warn: 'warn', bad: 'bad', unknown: 'idle' };

interface VitalSignsProps {
  upstream: Upstream;
  vitals: readonly Vital[];
}

/** How the sign-in is, and how fresh what is known of the account. */
export function VitalSigns({ upstream: { credential }, vitals }: VitalSignsProps) {
  const { refresh, last_refresh_at, kind } = credential;
  return (
    <>
      <dl className="space-y-1.5">
        <Line label="Kind">
          <span className="text-ink-2">{kind === 'pat' ? 'Access token' : 'ChatGPT sign-in'}</span>
        </Line>
        {vitals
          .filter(({ key }) => kind === 'oauth' || key !== 'renewal')
          .map((vital) => (
            <Line key={vital.key} label={VITALS[vital.key]}>
              <StatusDot tone={TONES[vital.tone]}>{said(vital)}</StatusDot>
            </Line>
          ))}
        {last_refresh_at ? (
          <Line label="Last renewed">
            <span className="text-ink-2">
              <RelativeTime at={last_refresh_at} />
            </span>
          </Line>
        ) : null}
      </dl>
      {refresh.last_error ? (
        <p className="mt-2.5 rounded-md bg-warn-wash px-2.5 py-1.5 text-xs text-warn-ink">
          The last renewal failed{refresh.failures > 1 ? ` ${refresh.failures} times in a row` : ''} (
          {refresh.last_error}).{' '}
          {refresh.next_attempt_at ? (
            <>
              Tried again <RelativeTime at={refresh.next_attempt_at} />.
            </>
          ) : null}
        </p>
      ) : null}
    </>
  );
}

function Line({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex items-baseline justify-between gap-3">
      <dt className="text-ink-3">{label}</dt>
      <dd className="min-w-0 truncate text-right">{children}</dd>
    </div>
  );
}

function said({ key, at, word }: Vital): ReactNode {
  if (at === null) return key === 'renewal' && word ? humanise(word) : 'never';
  const past = Date.parse(at) <= Date.now();
  if (key === 'access_token')
    return (
      <>
        {past ? 'expired ' : 'expires '}
        <RelativeTime at={at} />
      </>
    );
  return <RelativeTime at={at} />;
}
