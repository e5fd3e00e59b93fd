import { type FormEvent, type ReactNode, useState } from 'react';
import { ApiError, type GroupRules, isApiError, type SettingRule } from '@/api';
import { useCan } from '@/features/session';
import { plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { Panel } from '@/ui/page';
import { RelativeTime } from '@/ui/relative-time';
import { Notice } from '@/ui/states';
import { type Draft, type Group, patchOf, pointerOf, type Raw, rawOf, sameRaw, valueAt } from './fields';
import { LeaveGuard } from './leave-guard';
import { useSaveSettings } from './queries';
import { type FieldState, SettingCell, SettingRow } from './setting-field';

interface SettingsGroupProps {
  rules: GroupRules;
  group: Group;
  /** What stands below the settings and looks at what they would become. */
  extra?: ((patch: Record<string, unknown>) => ReactNode) | undefined;
}

/** One group as a form. Only what was edited is kept and sent, so that others' changes to the rest stay. */
export function SettingsGroup({ rules, group, extra }: SettingsGroupProps) {
  const mayWrite = useCan('settings:write');
  const [draft, setDraft] = useState<Draft>({});
  const [tried, setTried] = useState(false);
  const save = useSaveSettings();
  const { patch, problems } = patchOf(rules.fields, draft);
  const edited = Object.keys(draft).length;

  function edit(rule: SettingRule, raw: Raw) {
    const { [rule.key]: _before, ...others } = draft;
    const stored = rawOf(rule, valueAt(group.values, rule.key));
    setDraft(sameRaw(raw, stored) ? others : { ...others, [rule.key]: raw });
  }

  function discard() {
    setDraft({});
    setTried(false);
    save.reset();
  }

  function submit(event: FormEvent) {
    event.preventDefault();
    setTried(true);
    if (edited === 0 || Object.keys(problems).length > 0) return;
    save.mutate({ group, title: rules.title, patch }, { onSuccess: discard });
  }

  const refused = (rule: SettingRule) =>
    save.error instanceof ApiError ? save.error.fieldError(pointerOf(rule.key)) : undefined;
  const stateOf = (rule: SettingRule): FieldState => ({
    rule,
    raw: draft[rule.key] ?? rawOf(rule, valueAt(group.values, rule.key)),
    stored: rawOf(rule, valueAt(group.values, rule.key)),
    problem: (tried ? problems[rule.key] : undefined) ?? refused(rule),
    disabled: !mayWrite,
    onEdit: (raw) => edit(rule, raw),
  });
  const within = (key: string) => rules.fields.filter((rule) => rule.key.startsWith(`${key}.`));
  const single = rules.fields.filter(
    (rule) => !rules.sections.some(({ key }) => rule.key.startsWith(`${key}.`)),
  );
  return (
    <Panel id={rules.name} aria-labelledby={`${rules.name}-title`} className="scroll-mt-4">
      <form onSubmit={submit} noValidate>
        <header className="flex flex-wrap items-baseline gap-x-3 border-b border-line px-4 py-3">
          <h2 id={`${rules.name}-title`} className="text-base font-semibold">
            {rules.title}
          </h2>
          <p className="text-ink-3">{rules.help}</p>
          {group.updated_at ? (
            <p className="ml-auto text-xs text-ink-3">
              changed <RelativeTime at={group.updated_at} />
            </p>
          ) : null}
        </header>
        {group.warnings.length > 0 ? (
          <div className="space-y-2 px-4 pt-3">
            {group.warnings.map(({ pointer, message }) => (
              <Notice key={`${pointer} ${message}`} tone="warn">
                What is stored for {pointer.replace('/values/', '')} does not count. {message}
              </Notice>
            ))}
          </div>
        ) : null}
        <div className="divide-y divide-line px-4">
          {single.map((rule) => (
            <SettingRow key={rule.key} {...stateOf(rule)} />
          ))}
          {rules.sections.map(({ key, title }) => (
            <fieldset
              key={key}
              className="grid min-w-0 gap-x-3 gap-y-1.5 py-3 sm:grid-cols-[minmax(0,1fr)_22rem]"
            >
              <legend className="sr-only">{title}</legend>
              <p aria-hidden className="font-medium sm:pt-5">
                {title}
              </p>
              <div className="grid grid-cols-3 gap-2.5">
                {within(key).map((rule) => (
                  <SettingCell key={rule.key} {...stateOf(rule)} />
                ))}
              </div>
            </fieldset>
          ))}
        </div>
        {save.error && !rules.fields.some(refused) ? (
          <div className="px-4 pb-3">
            <Notice tone="bad">{explain(save.error)}</Notice>
          </div>
        ) : null}
        {edited > 0 ? (
          <footer className="sticky bottom-0 z-10 flex flex-wrap items-center justify-end gap-2 rounded-b-lg border-t border-line bg-sunken px-4 py-2.5">
            <p role="status" className="mr-auto text-xs text-ink-2">
              {plural(edited, 'unsaved change')}
            </p>
            <Button onClick={discard}>Discard</Button>
            <Button look="primary" type="submit" disabled={save.isPending}>
              Save {rules.title.toLowerCase()}
            </Button>
          </footer>
        ) : null}
      </form>
      {edited > 0 ? <LeaveGuard title={rules.title} /> : null}
      {extra ? extra(Object.keys(problems).length > 0 ? {} : patch) : null}
    </Panel>
  );
}

function explain(error: Error): string {
  if (isApiError(error, 'version_conflict'))
    return 'Somebody else changed these settings meanwhile. Look at what they are now, and save again.';
  return error.message;
}
