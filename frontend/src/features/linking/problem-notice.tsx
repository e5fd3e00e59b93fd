import { Notice } from '@/ui/states';
import type { LinkProblem } from './problems';

export function ProblemNotice({ problem }: { problem: LinkProblem }) {
  return (
    <Notice tone="bad">
      <p className="font-medium">{problem.title}</p>
      <p className="text-ink-2">{problem.next}</p>
    </Notice>
  );
}
