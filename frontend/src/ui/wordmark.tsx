/** The mark: several accounts flowing into one. */
export function Mark({ className }: { className?: string }) {
  return (
    <svg aria-hidden viewBox="0 0 32 32" className={className}>
      <rect width="32" height="32" rx="8" fill="var(--ink)" />
      <g fill="none" stroke="var(--on-ink)" strokeWidth="2.8" strokeLinecap="round">
        <path d="M7.5 9c6.5 0 6 7 12 7" />
        <path d="M7.5 16h12" />
        <path d="M7.5 23c6.5 0 6-7 12-7" />
      </g>
      <circle cx="22.5" cy="16" r="3.4" fill="var(--mark)" />
    </svg>
  );
}

export function Wordmark() {
  return (
    <span className="flex items-center gap-2">
      <Mark className="size-5.5" />
      <span className="text-base font-semibold tracking-[-0.012em]">Codex Pooler</span>
    </span>
  );
}
