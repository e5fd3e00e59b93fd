import type { ReactNode } from 'react';

/** A part of a drawer, between hairlines. */
export function Section({ title, children }: { title?: string; children: ReactNode }) {
  return (
    <section className="px-4 py-3.5">
      {title ? <h3 className="mb-2 text-xs font-medium text-ink-3">{title}</h3> : null}
      {children}
    </section>
  );
}

export type FactRow = [label: string, value: ReactNode];

/** Labels beside values, one a line; a row that is null is left out. */
export function Facts({ rows }: { rows: (FactRow | null)[] }) {
  return (
    <dl className="mt-2 grid grid-cols-[7rem_1fr] gap-x-3 gap-y-1 first:mt-0">
      {rows
        .filter((row) => row !== null)
        .map(([label, value]) => (
          <div key={label} className="contents">
            <dt className="text-ink-3">{label}</dt>
            <dd className="tnum min-w-0 [overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
