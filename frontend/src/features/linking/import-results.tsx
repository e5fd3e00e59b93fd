import { plural } from '@/lib/format';
import { Button } from '@/ui/button';
import { DialogBody, DialogFooter } from '@/ui/dialog';
import { StatusDot, type Tone } from '@/ui/status';
import type { LoginDocument } from './documents';
import { problemOfCode } from './problems';
import type { ImportOutcome } from './queries';

interface ImportResultsProps {
  outcomes: readonly ImportOutcome[];
  /** Goes back with what was refused. */
  onRetry: (left: LoginDocument[]) => void;
  onClose: () => void;
}

const RESULTS = {
  created: { tone: 'ok', label: 'Added' },
  updated: { tone: 'info', label: 'Renewed' },
  failed: { tone: 'bad', label: 'Refused' },
} as const satisfies Record<string, { tone: Tone; label: string }>;

/** What became of each sign-in, and what helps those that were refused. */
export function ImportResults({ outcomes, onRetry, onClose }: ImportResultsProps) {
  const failed = outcomes.filter(({ item }) => item.result === 'failed');
  return (
    <>
      <DialogBody focusOnMount>
        <p role="status" className="mb-2 font-medium">
          {summary(outcomes)}
        </p>
        <div className="overflow-hidden rounded-lg border border-line">
          <table className="w-full table-fixed">
            <colgroup>
              <col className="w-24" />
              <col />
            </colgroup>
            <thead className="sr-only">
              <tr>
                <th scope="col">Result</th>
                <th scope="col">Sign-in</th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {failed.concat(outcomes.filter(({ item }) => item.result !== 'failed')).map((outcome) => (
                <Row key={outcome.document.source + outcome.item.index} outcome={outcome} />
              ))}
            </tbody>
          </table>
        </div>
      </DialogBody>
      <DialogFooter>
        {failed.length > 0 ? (
          <Button onClick={() => onRetry(failed.map(({ document }) => document))}>
            Go on with the {plural(failed.length, 'refused one')}
          </Button>
        ) : null}
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </DialogFooter>
    </>
  );
}

function Row({ outcome: { document, item } }: { outcome: ImportOutcome }) {
  const { tone, label } = RESULTS[item.result];
  const problem = item.problem
    ? problemOfCode(item.problem.code, item.problem.detail || item.problem.title)
    : null;
  return (
    <tr>
      <td className="px-3 py-2 align-top">
        <StatusDot tone={tone}>{label}</StatusDot>
      </td>
      <td className="py-2 pr-3">
        <p className="truncate">
          {item.account ? <span className="font-medium">{item.account.label} </span> : null}
          <span className="font-mono text-xs text-ink-3">{document.source}</span>
        </p>
        {problem ? (
          <>
            <p>{problem.title}</p>
            <p className="text-xs text-ink-2">{problem.next}</p>
          </>
        ) : null}
      </td>
    </tr>
  );
}

function summary(outcomes: readonly ImportOutcome[]): string {
  const count = (result: string) => outcomes.filter(({ item }) => item.result === result).length;
  return [
    [count('created'), 'added'],
    [count('updated'), 'renewed'],
    [count('failed'), 'refused'],
  ]
    .filter(([amount]) => amount !== 0)
    .map(([amount, what]) => `${amount} ${what}`)
    .join(', ');
}
