import type { ReactNode } from 'react';

/** What a person does one after the other. */
export function Steps({ children }: { children: ReactNode }) {
  return <ol className="space-y-4 [counter-reset:step]">{children}</ol>;
}

interface StepProps {
  title: ReactNode;
  children?: ReactNode;
}

export function Step({ title, children }: StepProps) {
  return (
    <li className="relative pl-8 [counter-increment:step] before:tnum before:absolute before:top-0 before:left-0 before:grid before:size-5 before:place-items-center before:rounded-full before:border before:border-line-strong before:text-2xs before:font-semibold before:text-ink-3 before:content-[counter(step)]">
      <p className="font-medium">{title}</p>
      {children ? <div className="mt-1.5 space-y-2">{children}</div> : null}
    </li>
  );
}
