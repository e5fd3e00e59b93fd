import { useState } from 'react';
import { isApiError, type Pool } from '@/api';
import { Button } from '@/ui/button';
import { Field, TextArea } from '@/ui/field';
import { Notice } from '@/ui/states';
import { aliasLines, readAliases } from './aliases';
import { useUpdatePool } from './queries';

const HINT =
  'One a line: name = model. Tools that ask for the name get the model; an asterisk stands for any letters, and the first line that fits counts.';

/** Other names for models, for tools that know none of the pool's. */
export default function AliasesForm({ pool }: { pool: Pool }) {
  const stored = aliasLines(pool.model_aliases);
  const [lines, setLines] = useState(stored);
  const [tried, setTried] = useState(false);
  const update = useUpdatePool();
  const read = readAliases(lines);
  const problem = 'problem' in read ? read.problem : undefined;
  return (
    <form
      noValidate
      className="space-y-3"
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if ('aliases' in read) update.mutate({ pool, patch: { model_aliases: read.aliases } });
      }}
    >
      {update.error ? <Notice tone="bad">{explain(update.error)}</Notice> : null}
      <Field label="Other names for models" hint={HINT} error={tried ? problem : undefined}>
        <TextArea
          value={lines}
          onChange={(event) => setLines(event.target.value)}
          rows={Math.min(Math.max(lines.split('\n').length, 2), 8)}
          spellCheck={false}
          placeholder="claude-*haiku* = gpt-5.4-mini"
          className="resize-y font-mono text-xs"
        />
      </Field>
      <div className="flex justify-end">
        <Button type="submit" disabled={lines === stored || update.isPending}>
          Save names
        </Button>
      </div>
    </form>
  );
}

function explain(error: Error): string {
  return isApiError(error, 'version_conflict')
    ? 'Somebody else changed this pool meanwhile. Close it, look at what changed, and save again.'
    : error.message;
}
