import { clsx } from 'clsx';
import { FileCheck, X } from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { formatBytes } from '@/lib/format';
import { Button, IconButton } from '@/ui/button';
import { Field, TextArea } from '@/ui/field';

/** The server refuses more; a sign-in has about five kilobytes. */
export const MAX_AUTH_JSON_BYTES = 64 * 1024;

export interface AuthJson {
  text: string;
  /** The file it came from; null when it was pasted. */
  fileName: string | null;
}

export const NO_AUTH_JSON: AuthJson = { text: '', fileName: null };

interface AuthJsonFieldProps {
  value: AuthJson;
  onChange: (value: AuthJson) => void;
  error: string | undefined;
}

/** Takes an auth.json by paste, by choice or by drop. The content of a file is not shown: it is a credential. */
export function AuthJsonField({ value, onChange, error }: AuthJsonFieldProps) {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);

  async function take(file: File | undefined) {
    if (file) onChange({ text: await file.slice(0, MAX_AUTH_JSON_BYTES + 1).text(), fileName: file.name });
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) void take(file);
    else onChange({ text: event.dataTransfer.getData('text'), fileName: null });
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a convenience; the button and the text box do the same
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={clsx('rounded-md', over && 'outline-2 outline-offset-4 outline-accent outline-dashed')}
    >
      {value.fileName === null ? (
        <Field label="auth.json" hint="Drop the file here, choose it, or paste its content." error={error}>
          <TextArea
            rows={5}
            value={value.text}
            onChange={(event) => onChange({ text: event.target.value, fileName: null })}
            placeholder={'{ "tokens": { … } }'}
            autoComplete="off"
            spellCheck={false}
            className="resize-y font-mono text-xs!"
          />
        </Field>
      ) : (
        <ChosenFile value={value} error={error} onRemove={() => onChange(NO_AUTH_JSON)} />
      )}
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        aria-label="Choose an auth.json"
        hidden
        onChange={(event) => {
          void take(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      <Button size="sm" className="mt-2" onClick={() => picker.current?.click()}>
        Choose a file…
      </Button>
    </div>
  );
}

function ChosenFile({
  value,
  error,
  onRemove,
}: {
  value: AuthJson;
  error: string | undefined;
  onRemove: () => void;
}) {
  return (
    <div>
      <p className="mb-1 text-xs font-medium text-ink-2">auth.json</p>
      <div
        className={clsx(
          'flex items-center gap-2.5 rounded-md border bg-sunken py-1 pr-1 pl-3',
          error ? 'border-bad' : 'border-line',
        )}
      >
        <FileCheck aria-hidden className="size-4 shrink-0 text-ink-3" />
        <span className="min-w-0 flex-1 truncate font-mono text-xs">{value.fileName}</span>
        <span className="tnum text-xs text-ink-3">{formatBytes(value.text.length)}</span>
        <IconButton label="Remove the file" onClick={onRemove}>
          <X />
        </IconButton>
      </div>
      {error ? <p className="mt-1 text-xs text-bad-ink">{error}</p> : null}
    </div>
  );
}
