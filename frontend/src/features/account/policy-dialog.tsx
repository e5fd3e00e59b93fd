import { type FormEvent, useState } from 'react';
import type { SavedResetPolicy, Upstream } from '@/api';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { NumberInput } from '@/ui/number-input';
import { Segmented } from '@/ui/segmented';
import { Notice } from '@/ui/states';
import { SwitchRow } from '@/ui/switch';
import { useSavePolicy } from './queries';
import { policyText } from './reset-policy';

interface PolicyDialogProps {
  upstream: Upstream;
  policy: SavedResetPolicy;
  onClose: () => void;
}

/** What the account's saved resets may be spent on without a person. */
export function PolicyDialog({ upstream, policy: saved, onClose }: PolicyDialogProps) {
  const [policy, setPolicy] = useState(saved);
  const save = useSavePolicy(upstream);
  const change = (patch: Partial<SavedResetPolicy>) => setPolicy({ ...policy, ...patch });
  function submit(event: FormEvent) {
    event.preventDefault();
    save.mutate(policy, { onSuccess: onClose });
  }
  return (
    <Dialog
      open
      onClose={onClose}
      title={`Saved resets of ${upstream.label}`}
      description="A saved reset makes the windows begin anew at once. Those not spent in time expire."
    >
      <form onSubmit={submit} noValidate className="flex min-h-0 flex-col">
        <DialogBody>
          {save.error ? <Notice tone="bad">{save.error.message}</Notice> : null}
          <SwitchRow
            label="Spend by itself"
            hint="Never more than one at a time, and never on a client’s word."
            checked={policy.auto_redeem_enabled}
            onChange={(on) => change({ auto_redeem_enabled: on })}
          />
          <fieldset
            disabled={!policy.auto_redeem_enabled}
            className="space-y-3 border-t border-line pt-3 disabled:opacity-60"
          >
            <legend className="sr-only">When</legend>
            <div className="flex flex-wrap items-center justify-between gap-2">
              <span>When</span>
              <Segmented
                label="When"
                value={policy.trigger_mode}
                onChange={(trigger_mode) => change({ trigger_mode })}
                options={[
                  { value: 'blocked', label: 'Quota is spent' },
                  { value: 'threshold', label: 'Threshold is passed' },
                ]}
              />
            </div>
            {policy.trigger_mode === 'threshold' ? (
              <NumberRow
                label="Threshold"
                unit="% of a window used"
                value={policy.quota_threshold_percent}
                min={1}
                max={100}
                onCommit={(value) => change({ quota_threshold_percent: value })}
              />
            ) : null}
            <NumberRow
              label="Wait instead"
              unit="minutes or less to the next reset"
              value={policy.min_blocked_minutes}
              min={0}
              max={10_080}
              onCommit={(value) => change({ min_blocked_minutes: value })}
            />
            <NumberRow
              label="Always keep"
              unit="for spending by hand"
              value={policy.keep_credits}
              min={0}
              max={1000}
              onCommit={(value) => change({ keep_credits: value })}
            />
          </fieldset>
          <p className="mt-4 rounded-md bg-sunken px-3 py-2 text-ink-2">{policyText(policy)}</p>
        </DialogBody>
        <DialogFooter>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" disabled={save.isPending}>
            Save
          </Button>
        </DialogFooter>
      </form>
    </Dialog>
  );
}

interface NumberRowProps {
  label: string;
  unit: string;
  value: number;
  min: number;
  max: number;
  onCommit: (value: number) => void;
}

function NumberRow({ label, unit, value, min, max, onCommit }: NumberRowProps) {
  return (
    <div className="flex flex-wrap items-center justify-between gap-2">
      <span>{label}</span>
      <span className="flex items-center gap-2 text-ink-3">
        <NumberInput
          label={`${label}, ${unit}`}
          value={value}
          min={min}
          max={max}
          onCommit={(next) => next !== null && onCommit(next)}
          className="w-20 text-right"
        />
        {unit}
      </span>
    </div>
  );
}
