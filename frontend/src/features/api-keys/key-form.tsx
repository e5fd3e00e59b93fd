import { useSuspenseQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Controller, FormProvider, useForm } from 'react-hook-form';
import { type ApiKey, type ApiKeyPatch, isApiError, poolsQuery } from '@/api';
import { formatDate, plural } from '@/lib/format';
import { usePreferences } from '@/lib/preferences';
import { Disclosure } from '@/ui/disclosure';
import { Field, TextArea, TextInput } from '@/ui/field';
import { Select } from '@/ui/select';
import { Notice } from '@/ui/states';
import { type KeyFormValues, problemAt } from './form-values';
import { LimitFields } from './key-limit-fields';
import { PolicyFields } from './key-policy-fields';
import {
  changesOf,
  countLimits,
  draftOf,
  EXPIRY_OPTIONS,
  type Expiry,
  expiresAt,
  hasPolicy,
} from './key-values';

export interface KeyValues extends ApiKeyPatch {
  name: string;
  pool_id: string;
}

interface KeyFormProps {
  /** The key being edited; a new one without it. */
  apiKey?: ApiKey;
  poolId?: string | undefined;
  error: Error | null;
  /** With an edited key only what differs from it is given, and the name. */
  onSubmit: (values: KeyValues) => void;
  children: (fields: ReactNode) => ReactNode;
}

/** What a refused field's pointer may begin with, so that no refusal stays unseen. */
const SHOWN = ['/name', '/notes', '/expires_at', '/models', '/enforcement', '/limits', '/allowed_networks'];

export function KeyForm({ apiKey, poolId, error, onSubmit, children }: KeyFormProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const { timeZone } = usePreferences();
  const usable = pools.items.filter((pool) => pool.status !== 'archived');
  const before = draftOf(apiKey);
  const form = useForm<KeyFormValues>({
    defaultValues: {
      ...before,
      pool_id: apiKey?.pool.id ?? poolId ?? usable[0]?.id ?? '',
      expiry: apiKey?.expires_at ? 'keep' : 'never',
      expiresOn: '',
    },
  });
  const { register, handleSubmit, control, formState, watch } = form;
  const { errors } = formState;
  const [expiry, chosenPool, networks] = watch(['expiry', 'pool_id', 'networks']);
  const submit = handleSubmit(({ pool_id, expiry: choice, expiresOn, ...draft }) => {
    const name = draft.name.trim();
    onSubmit({
      ...changesOf(before, { ...draft, name }),
      name,
      pool_id,
      ...(choice === 'keep' || (choice === 'never' && !apiKey?.expires_at)
        ? {}
        : { expires_at: momentOf(choice, expiresOn) }),
    });
  });
  const keep = apiKey?.expires_at
    ? [{ value: 'keep', label: `${formatDate(apiKey.expires_at, 'full', timeZone)} (as it is)` }]
    : [];
  const fields = (
    <div className="space-y-4">
      {error && !SHOWN.some((pointer) => problemAt(error, pointer)) ? (
        <Notice tone="bad">{explain(error)}</Notice>
      ) : null}
      <Field
        label="Name"
        hint="Where the key will be used, for example ci-runners."
        error={errors.name?.message ?? problemAt(error, '/name')}
      >
        <TextInput
          {...register('name', {
            validate: (name) => name.trim() !== '' || 'Give the key a name',
            maxLength: { value: 100, message: 'Keep it under 100 characters' },
          })}
          autoComplete="off"
        />
      </Field>
      <div className="grid gap-4 sm:grid-cols-2">
        {apiKey ? null : (
          <Controller
            control={control}
            name="pool_id"
            rules={{ required: 'Choose a pool' }}
            render={({ field }) => (
              <Field label="Pool" hint="Whose accounts the key may use." error={errors.pool_id?.message}>
                <Select
                  value={field.value || null}
                  onChange={field.onChange}
                  placeholder="Choose a pool"
                  options={usable.map((pool) => ({ value: pool.id, label: pool.name }))}
                />
              </Field>
            )}
          />
        )}
        <Controller
          control={control}
          name="expiry"
          render={({ field }) => (
            <Field label="Expires" error={expiry === 'on' ? undefined : problemAt(error, '/expires_at')}>
              <Select
                value={field.value}
                onChange={field.onChange}
                options={[...keep, ...EXPIRY_OPTIONS, { value: 'on', label: 'At a moment of choice…' }]}
              />
            </Field>
          )}
        />
        {expiry === 'on' ? (
          <Field
            label="Moment"
            hint="In the time zone of this browser."
            error={errors.expiresOn?.message ?? problemAt(error, '/expires_at')}
          >
            <TextInput
              type="datetime-local"
              {...register('expiresOn', { validate: (at) => isAhead(at) || 'Choose a moment in the future' })}
            />
          </Field>
        ) : null}
      </div>
      <div className="-mb-5">
        <Disclosure
          title="Models and effort"
          summary={hasPolicy(before) ? undefined : 'as clients ask'}
          open={
            hasPolicy(before) ||
            Boolean(errors.models || problemAt(error, '/models') || problemAt(error, '/enforcement'))
          }
        >
          <PolicyFields poolId={chosenPool} error={error} />
        </Disclosure>
        <Disclosure
          title="Limits"
          summary={countLimits(before) > 0 ? plural(countLimits(before), 'limit') : 'none'}
          open={Boolean(errors.limits || errors.perModel || problemAt(error, '/limits'))}
        >
          <LimitFields poolId={chosenPool} error={error} />
        </Disclosure>
        <Disclosure
          title="Networks and notes"
          summary={networks.trim() === '' ? 'usable from anywhere' : undefined}
          open={
            before.networks !== '' || before.notes !== '' || Boolean(problemAt(error, '/allowed_networks'))
          }
        >
          <div className="space-y-4">
            <Field
              label="Allowed networks"
              hint="Addresses or networks, one a line. Empty: from anywhere."
              error={problemAt(error, '/allowed_networks')}
            >
              <TextArea
                {...register('networks')}
                rows={3}
                spellCheck={false}
                placeholder="10.0.0.0/8"
                className="resize-y font-mono"
              />
            </Field>
            <Field label="Notes" hint="Seen by operators only." error={problemAt(error, '/notes')}>
              <TextArea {...register('notes')} rows={2} className="resize-y" />
            </Field>
          </div>
        </Disclosure>
      </div>
    </div>
  );
  return (
    <FormProvider {...form}>
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        {children(fields)}
      </form>
    </FormProvider>
  );
}

function momentOf(choice: string, expiresOn: string): string | null {
  return choice === 'on' ? new Date(expiresOn).toISOString() : expiresAt(choice as Expiry, Date.now());
}

function isAhead(at: string): boolean {
  return Date.parse(at) > Date.now();
}

function explain(error: Error): string {
  if (isApiError(error, 'version_conflict'))
    return 'Somebody else changed this key meanwhile. Close it, look at what changed, and save again.';
  return error.message;
}
