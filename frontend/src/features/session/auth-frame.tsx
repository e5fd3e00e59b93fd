import { clsx } from 'clsx';
import { type ReactNode, useEffect } from 'react';
import { Wordmark } from '@/ui/wordmark';

interface AuthFrameProps {
  title: string;
  lead: ReactNode;
  /** With room for a snippet of code. */
  wide?: boolean;
  children: ReactNode;
}

/** The page of those who are not signed in: one panel, no shell. */
export function AuthFrame({ title, lead, wide = false, children }: AuthFrameProps) {
  useEffect(() => {
    document.title = `${title} · Codex Pooler`;
  }, [title]);
  return (
    <main className="grid min-h-dvh grid-cols-[minmax(0,1fr)] grid-rows-[1fr_auto_1.6fr] px-4 py-8">
      <div className={clsx('row-start-2 mx-auto w-full', wide ? 'max-w-xl' : 'max-w-[23rem]')}>
        <div className="mb-7">
          <Wordmark />
        </div>
        <h1 className="text-xl font-semibold tracking-[-0.014em]">{title}</h1>
        <p className="mt-1 mb-5 text-ink-3">{lead}</p>
        {children}
      </div>
    </main>
  );
}
