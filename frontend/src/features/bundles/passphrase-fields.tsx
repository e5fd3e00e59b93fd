import { clsx } from 'clsx';
import { Field, TextInput } from '@/ui/field';
import { strengthOf } from './strength';

interface PassphraseFieldsProps {
  value: string;
  again: string;
  onChange: (value: string) => void;
  onAgain: (value: string) => void;
  error: string | undefined;
  againError: string | undefined;
}

/** A passphrase to be remembered: typed twice, with a word on how long it resists. */
export function PassphraseFields(props: PassphraseFieldsProps) {
  const { value, again, onChange, onAgain, error, againError } = props;
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <div>
        <Field label="Passphrase" hint="Four unrelated words are easy to keep." error={error}>
          <TextInput
            type="password"
            value={value}
            onChange={(event) => onChange(event.target.value)}
            autoComplete="new-password"
          />
        </Field>
        <StrengthMeter passphrase={value} />
      </div>
      <Field label="Passphrase again" error={againError}>
        <TextInput
          type="password"
          value={again}
          onChange={(event) => onAgain(event.target.value)}
          autoComplete="new-password"
        />
      </Field>
    </div>
  );
}

function StrengthMeter({ passphrase }: { passphrase: string }) {
  const { level, label } = strengthOf(passphrase);
  if (level === 0) return null;
  const tone = level >= 3 ? 'bg-ok' : level === 2 ? 'bg-warn' : 'bg-bad';
  return (
    <div className="mt-1.5">
      <div aria-hidden className="flex gap-1">
        {[1, 2, 3, 4].map((step) => (
          <span key={step} className={clsx('h-1 flex-1 rounded-full', step <= level ? tone : 'bg-line')} />
        ))}
      </div>
      <p role="status" className="mt-1 text-xs text-ink-2">
        {label}
      </p>
    </div>
  );
}
