import { useQuery } from '@tanstack/react-query';
import { clsx } from 'clsx';
import { type FormEvent, useState } from 'react';
import {
  apiKeysQuery,
  type Pool,
  type RoutingCandidate,
  type RoutingExplanation,
  type RoutingReason,
} from '@/api';
import { formatDate, formatPercent, plural, UNKNOWN } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Button } from '@/ui/button';
import { Disclosure } from '@/ui/disclosure';
import { Field, TextInput } from '@/ui/field';
import { QuotaBar } from '@/ui/quota-meter';
import { RelativeTime } from '@/ui/relative-time';
import { Select } from '@/ui/select';
import { ErrorState, Notice, Skeleton } from '@/ui/states';
import { SuggestInput } from '@/ui/suggest-input';
import { explanationQuery, type Imagined, modelsQuery } from './queries';
import { affinitySentence, QUOTA_GRADES, ROUTE_CLASSES, reasonText, STRATEGIES } from './words';

const NO_KEY = 'none';

/** Imagines a request and shows who would serve it, in which order, and what keeps the others from it. */
export function ExplainPanel({ pool }: { pool: Pool }) {
  const models = useQuery(modelsQuery(pool.id));
  const [draft, setDraft] = useState<Partial<Imagined>>({});
  const [asked, setAsked] = useState<Imagined>();
  const imagined: Imagined = {
    model: models.data?.[0] ?? '',
    route_class: 'proxy_stream',
    session: '',
    api_key_id: '',
    ...draft,
  };
  const explanation = useQuery({
    ...explanationQuery(pool.id, asked ?? imagined),
    enabled: asked !== undefined || !models.isPending,
  });
  function submit(event: FormEvent) {
    event.preventDefault();
    setAsked(imagined);
    if (JSON.stringify(asked) === JSON.stringify(imagined)) explanation.refetch();
  }
  return (
    <>
      <form onSubmit={submit} className="space-y-3">
        <div className="grid grid-cols-2 gap-3">
          <Field label="Model">
            <SuggestInput
              value={imagined.model}
              onChange={(model) => setDraft({ ...draft, model: model.trim() })}
              suggestions={models.data ?? []}
              placeholder="Any model"
            />
          </Field>
          <Field label="Kind of request">
            <Select
              value={imagined.route_class}
              onChange={(route_class) => setDraft({ ...draft, route_class })}
              options={ROUTE_CLASSES}
            />
          </Field>
        </div>
        <Disclosure title="For a session" summary={imagined.session || 'a new one'} open={false}>
          <SessionFields
            pool={pool}
            imagined={imagined}
            onChange={(patch) => setDraft({ ...draft, ...patch })}
          />
        </Disclosure>
        <div className="flex items-center justify-between gap-3">
          <p className="text-xs text-ink-3">Nothing is sent and nothing changes.</p>
          <Button type="submit" disabled={explanation.isFetching}>
            Explain
          </Button>
        </div>
      </form>
      <div
        aria-busy={explanation.isFetching}
        className={clsx(
          'mt-4 transition-opacity',
          explanation.isFetching && explanation.data && 'opacity-50',
        )}
      >
        {explanation.error ? (
          <ErrorState error={explanation.error} retry={explanation.refetch} />
        ) : explanation.data ? (
          <Explanation told={explanation.data} />
        ) : (
          <div role="status" aria-label="Loading the explanation" className="space-y-3">
            {['w-2/3', 'w-full', 'w-full', 'w-full'].map((width, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity
              <Skeleton key={i} className={`h-4 ${width}`} />
            ))}
          </div>
        )}
      </div>
    </>
  );
}

interface SessionFieldsProps {
  pool: Pool;
  imagined: Imagined;
  onChange: (patch: Partial<Imagined>) => void;
}

function SessionFields({ pool, imagined, onChange }: SessionFieldsProps) {
  const { data: keys } = useQuery(apiKeysQuery);
  const own = (keys?.items ?? []).filter((key) => key.pool.id === pool.id);
  return (
    <div className="grid grid-cols-2 gap-3">
      <Field label="Session" hint="As the client sends it in its header.">
        <TextInput
          value={imagined.session}
          onChange={(event) => onChange({ session: event.target.value.trim() })}
          autoComplete="off"
          spellCheck={false}
        />
      </Field>
      <Field label="API key" hint="A session belongs to a key.">
        <Select
          value={imagined.api_key_id || NO_KEY}
          onChange={(id) => onChange({ api_key_id: id === NO_KEY ? '' : id })}
          options={[
            { value: NO_KEY, label: 'No key' },
            ...own.map((key) => ({ value: key.id, label: key.name })),
          ]}
        />
      </Field>
    </div>
  );
}

function Explanation({ told }: { told: RoutingExplanation }) {
  const { timeZone } = usePreferences();
  const usable = told.candidates.filter((candidate) => candidate.usable);
  const others = told.candidates.filter((candidate) => !candidate.usable);
  const affinity = affinitySentence(told.affinity);
  return (
    <div className="space-y-3">
      <p role="status" className="text-ink-2">
        <span className="font-medium text-ink">{STRATEGIES[told.strategy].label}</span>, tries at most{' '}
        {plural(told.max_attempts, 'account')}.{' '}
        <span className="tnum text-ink-3">As of {formatDate(told.evaluated_at, 'time', timeZone)}.</span>
      </p>
      {affinity ? <Notice tone="info">{affinity}</Notice> : null}
      {usable.length === 0 ? (
        <Notice tone="warn">
          {told.candidates.length === 0
            ? 'The pool has no accounts: the request would be refused.'
            : 'No account can serve it now: the request would be refused.'}
        </Notice>
      ) : (
        <ol
          aria-label="Accounts in the order they are tried"
          className="divide-y divide-line rounded-lg border border-line"
        >
          {usable.map((candidate) => (
            <Candidate key={candidate.account.id} candidate={candidate} attempts={told.max_attempts} />
          ))}
        </ol>
      )}
      {others.length > 0 ? (
        <div>
          <h3 className="mb-2 text-xs font-medium text-ink-3">Left out ({others.length})</h3>
          <ul className="space-y-2">
            {others.map(({ account, reasons }) => (
              <li key={account.id} className="flex justify-between gap-3">
                <span className="min-w-0 truncate text-ink-2">{account.name}</span>
                <Reasons reasons={reasons} className="text-right" />
              </li>
            ))}
          </ul>
        </div>
      ) : null}
    </div>
  );
}

function Candidate({ candidate, attempts }: { candidate: RoutingCandidate; attempts: number }) {
  const { account, rank, reasons, remaining_percent, quota, in_flight, priority, weight } = candidate;
  const tried = rank !== null && rank <= attempts;
  const facts = [
    QUOTA_GRADES[quota],
    `${in_flight} in flight`,
    priority === 0 ? null : `priority ${priority}`,
    weight === 1 ? null : `weight ${weight}`,
    tried ? null : 'not tried',
  ];
  return (
    <li className="flex gap-3 px-3 py-2.5">
      <span aria-hidden className={clsx('tnum w-5 text-right font-medium', !tried && 'text-ink-3')}>
        {rank}
      </span>
      <div className="min-w-0 flex-1">
        <div className="flex items-center gap-3">
          <span className={clsx('min-w-0 flex-1 truncate', tried ? 'font-medium' : 'text-ink-2')}>
            {account.name}
          </span>
          <span className="w-20">
            <QuotaBar
              label={`Left on ${account.name}`}
              reading={{
                remainingPercent: remaining_percent,
                evenPacePercent: null,
                risk: remaining_percent === null ? 'unknown' : 'fine',
                resetsInMs: null,
                runsOutInMs: null,
              }}
            />
          </span>
          <span className="tnum w-9 text-right text-xs">
            {remaining_percent === null ? UNKNOWN : formatPercent(remaining_percent)}
          </span>
        </div>
        <p className="tnum text-xs text-ink-3">{facts.filter(Boolean).join(', ')}</p>
        <Reasons reasons={reasons} />
      </div>
    </li>
  );
}

function Reasons({ reasons, className }: { reasons: readonly RoutingReason[]; className?: string }) {
  if (reasons.length === 0) return null;
  return (
    <ul className={clsx('text-xs text-warn-ink', className)}>
      {reasons.map(({ gate, code, until }) => (
        <li key={`${gate} ${code}`}>
          {reasonText(code)}
          {until ? (
            <span className="text-ink-3">
              , until <RelativeTime at={until} />
            </span>
          ) : null}
        </li>
      ))}
    </ul>
  );
}
