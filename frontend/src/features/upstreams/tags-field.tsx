import { X } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import { Field, TextInput } from '@/ui/field';

interface TagsFieldProps {
  label?: string;
  value: readonly string[];
  onChange: (tags: string[]) => void;
  error?: string | undefined;
  most: number;
}

const LONGEST = 40;

/** Words to find accounts by. A comma, Enter or leaving the box adds what was typed; Backspace takes the last away. */
export function TagsField({ label = 'Tags', value, onChange, error, most }: TagsFieldProps) {
  const [text, setText] = useState('');
  const full = value.length >= most;

  function add(typed: string) {
    const known = new Set(value.map((tag) => tag.toLowerCase()));
    const fresh = typed
      .split(',')
      .map((tag) => tag.trim())
      .filter((tag) => tag !== '' && !known.has(tag.toLowerCase()));
    if (fresh.length > 0) onChange([...value, ...new Set(fresh)].slice(0, most));
    setText('');
  }

  function onKeyDown(event: KeyboardEvent<HTMLInputElement>) {
    if (event.key === 'Enter' && text.trim() !== '') {
      event.preventDefault();
      add(text);
    } else if (event.key === 'Backspace' && text === '' && value.length > 0) onChange(value.slice(0, -1));
  }

  return (
    <div>
      <Field
        label={label}
        hint={full ? `No more than ${most}.` : 'To filter by, such as a team. Separate them with commas.'}
        error={error}
      >
        <TextInput
          value={text}
          maxLength={LONGEST}
          disabled={full}
          onChange={(event) =>
            event.target.value.includes(',') ? add(event.target.value) : setText(event.target.value)
          }
          onBlur={() => add(text)}
          onKeyDown={onKeyDown}
          autoComplete="off"
        />
      </Field>
      {value.length > 0 ? (
        <ul aria-label={`${label} so far`} className="mt-2 flex flex-wrap gap-1.5">
          {value.map((tag) => (
            <li key={tag}>
              <button
                type="button"
                aria-label={`Remove ${tag}`}
                onClick={() => onChange(value.filter((other) => other !== tag))}
                className="inline-flex h-6 cursor-default items-center gap-1 rounded-sm border border-line pr-1 pl-2 text-xs text-ink-2 hover:bg-hover coarse:h-11"
              >
                {tag}
                <X aria-hidden className="size-3.5 text-ink-3" />
              </button>
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
