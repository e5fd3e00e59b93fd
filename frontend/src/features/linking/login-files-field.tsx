import { clsx } from 'clsx';
import { FileCheck, X } from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { formatBytes } from '@/lib/format';
import { Button, IconButton } from '@/ui/button';
import { Field, TextArea } from '@/ui/field';
import { MAX_DOCUMENT_BYTES, type Source } from './documents';

/** A file with more sign-ins than this is cut, and refused for it. */
const MAX_FILE_BYTES = 200 * MAX_DOCUMENT_BYTES;
export const PASTED = 'pasted text';

export interface LoginFiles {
  pasted: string;
  files: Source[];
}

export const NO_LOGIN_FILES: LoginFiles = { pasted: '', files: [] };

export function sourcesOf({ pasted, files }: LoginFiles): Source[] {
  return pasted.trim() === '' ? files : [{ name: PASTED, text: pasted }, ...files];
}

interface LoginFilesFieldProps {
  value: LoginFiles;
  onChange: (value: LoginFiles) => void;
  error: string | undefined;
  /** Takes one sign-in only. */
  single?: boolean;
}

/** Takes auth.json files by paste, by choice or by drop. The content of a file is not shown: it is a credential. */
export function LoginFilesField({ value, onChange, error, single = false }: LoginFilesFieldProps) {
  const picker = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);

  async function take(list: FileList | null) {
    const chosen = single ? [...(list ?? [])].slice(0, 1) : [...(list ?? [])];
    if (chosen.length === 0) return;
    const read = await Promise.all(
      chosen.map(async (file) => ({ name: file.name, text: await file.slice(0, MAX_FILE_BYTES).text() })),
    );
    onChange(single ? { pasted: '', files: read } : { ...value, files: [...value.files, ...read] });
  }

  function drop(event: DragEvent) {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length > 0) void take(event.dataTransfer.files);
    else onChange({ ...value, pasted: event.dataTransfer.getData('text') });
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
      {value.files.length === 0 ? (
        <Field
          label="auth.json"
          hint={
            single
              ? 'Drop the file here, choose it, or paste its content.'
              : 'Drop files here, choose them, or paste their content: one sign-in, several in a list, or one a line.'
          }
          error={error}
        >
          <TextArea
            rows={5}
            value={value.pasted}
            onChange={(event) => onChange({ ...value, pasted: event.target.value })}
            placeholder={'{ "tokens": { … } }'}
            autoComplete="off"
            spellCheck={false}
            className="resize-y font-mono text-xs!"
          />
        </Field>
      ) : (
        <ChosenFiles
          files={value.files}
          error={error}
          onRemove={(at) => onChange({ ...value, files: value.files.filter((_, i) => i !== at) })}
        />
      )}
      <input
        ref={picker}
        type="file"
        accept=".json,.jsonl,.ndjson,.txt,application/json"
        aria-label={single ? 'Choose an auth.json' : 'Choose auth.json files'}
        multiple={!single}
        hidden
        onChange={(event) => {
          void take(event.target.files);
          event.target.value = '';
        }}
      />
      <Button size="sm" className="mt-2" onClick={() => picker.current?.click()}>
        {single ? 'Choose a file…' : value.files.length > 0 ? 'Add files…' : 'Choose files…'}
      </Button>
    </div>
  );
}

interface ChosenFilesProps {
  files: readonly Source[];
  error: string | undefined;
  onRemove: (at: number) => void;
}

function ChosenFiles({ files, error, onRemove }: ChosenFilesProps) {
  return (
    <div>
      <p className="mb-1 text-xs font-medium text-ink-2">auth.json</p>
      <ul
        className={clsx(
          'max-h-44 divide-y divide-line overflow-y-auto rounded-md border bg-sunken',
          error ? 'border-bad' : 'border-line',
        )}
      >
        {files.map((file, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two files may have the same name
          <li key={at} className="flex items-center gap-2.5 py-0.5 pr-0.5 pl-3">
            <FileCheck aria-hidden className="size-4 shrink-0 text-ink-3" />
            <span className="min-w-0 flex-1 truncate font-mono text-xs">{file.name}</span>
            <span className="tnum text-xs text-ink-3">{formatBytes(file.text.length)}</span>
            <IconButton label={`Remove ${file.name}`} onClick={() => onRemove(at)}>
              <X />
            </IconButton>
          </li>
        ))}
      </ul>
      {error ? <p className="mt-1 text-xs text-bad-ink">{error}</p> : null}
    </div>
  );
}
