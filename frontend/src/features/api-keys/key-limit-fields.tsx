import { useQuery } from '@tanstack/react-query';
import { Plus, Trash2 } from 'lucide-react';
import { Controller, useFieldArray, useFormContext } from 'react-hook-form';
import { modelsQuery } from '@/features/routing';
import { Button, IconButton } from '@/ui/button';
import { Field, TextInput } from '@/ui/field';
import { Notice } from '@/ui/states';
import { SuggestInput } from '@/ui/suggest-input';
import { type KeyFormValues, problemAt } from './form-values';
import { emptyModelLimits, LIMIT_GRID, type LimitName, limitProblem, REQUEST_LIMITS } from './key-values';

interface LimitFieldsProps {
  poolId: string;
  error: Error | null;
}

/** The limits of a key in general, and of single models. An empty field is no limit. */
export function LimitFields({ poolId, error }: LimitFieldsProps) {
  const { data: models } = useQuery(modelsQuery(poolId));
  const { control, register, formState } = useFormContext<KeyFormValues>();
  const ofModel = problemAt(error, '/limits/per_model');
  const { fields, append, remove } = useFieldArray({ control, name: 'perModel' });
  return (
    <div className="space-y-4">
      {ofModel ? <Notice tone="bad">{ofModel}</Notice> : null}
      <p className="text-xs text-ink-3">Empty is no limit. 20M is short for 20,000,000.</p>
      <Grid path="limits" error={error} pointer="/limits/default" />
      <fieldset className="min-w-0">
        <legend className="mb-1 font-medium">Running and size</legend>
        <div className="grid grid-cols-2 gap-2.5 sm:grid-cols-3">
          {REQUEST_LIMITS.map(({ name, label }) => (
            <Field
              key={name}
              label={label}
              error={formState.errors.limits?.[name]?.message ?? problemAt(error, `/limits/default/${name}`)}
            >
              <TextInput {...register(`limits.${name}`, ruleOf(name))} {...INPUT} />
            </Field>
          ))}
        </div>
      </fieldset>
      {fields.map(({ id }, i) => (
        <div key={id} className="rounded-lg border border-line p-3">
          <div className="mb-3 flex items-end gap-2">
            <div className="min-w-0 flex-1">
              <Controller
                control={control}
                name={`perModel.${i}.model`}
                rules={{ validate: (model) => model.trim() !== '' || 'Which model?' }}
                render={({ field, fieldState }) => (
                  <Field label="Limits of the model" error={fieldState.error?.message}>
                    <SuggestInput value={field.value} onChange={field.onChange} suggestions={models ?? []} />
                  </Field>
                )}
              />
            </div>
            <IconButton label="Remove the limits of this model" onClick={() => remove(i)}>
              <Trash2 />
            </IconButton>
          </div>
          <Grid path={`perModel.${i}.limits`} error={error} pointer={undefined} />
        </div>
      ))}
      <div className="flex items-center gap-3">
        <Button size="sm" onClick={() => append({ model: models?.[0] ?? '', limits: emptyModelLimits() })}>
          <Plus /> Limit a model
        </Button>
        <p className="text-xs text-ink-3">Its own limits then replace the general ones for it.</p>
      </div>
    </div>
  );
}

const INPUT = { inputMode: 'decimal', autoComplete: 'off', placeholder: 'none', className: 'tnum' } as const;

interface GridProps {
  path: 'limits' | `perModel.${number}.limits`;
  error: Error | null;
  /** Where the server names these limits; undefined where it names the model. */
  pointer: string | undefined;
}

function Grid({ path, error, pointer }: GridProps) {
  const { register, getFieldState, formState } = useFormContext<KeyFormValues>();
  return (
    <div className="space-y-3">
      {LIMIT_GRID.map(({ metric, limits }) => (
        <fieldset key={metric} className="min-w-0">
          <legend className="mb-1 font-medium">{metric}</legend>
          <div className="grid grid-cols-2 gap-2.5 sm:grid-cols-4">
            {limits.map(({ name, window }) => (
              <Field
                key={name}
                label={`per ${window}`}
                error={
                  getFieldState(`${path}.${name}`, formState).error?.message ??
                  (pointer ? problemAt(error, `${pointer}/${name}`) : undefined)
                }
              >
                <TextInput {...register(`${path}.${name}`, ruleOf(name))} {...INPUT} />
              </Field>
            ))}
          </div>
        </fieldset>
      ))}
    </div>
  );
}

function ruleOf(name: LimitName) {
  return { validate: (text: string) => limitProblem(name, text) };
}
