/** The server refuses more; a sign-in has about five kilobytes. */
export const MAX_DOCUMENT_BYTES = 64 * 1024;

/** A text somebody brought, from a file or pasted. */
export interface Source {
  name: string;
  text: string;
}

/** One sign-in to import, and where it came from. */
export interface LoginDocument {
  source: string;
  text: string;
}

/**
 * The sign-ins in what was brought: each file holds one, or a JSON array of them, or one a line. What cannot be read
 * counts as one, so that its refusal says so.
 */
export function documentsOf(sources: readonly Source[]): LoginDocument[] {
  return sources.flatMap(({ name, text }) => {
    const parts = partsOf(text);
    return parts.map((part, i) => ({
      source: parts.length === 1 ? name : `${name}, no. ${i + 1}`,
      text: part,
    }));
  });
}

function partsOf(text: string): string[] {
  const clean = text.replace(/^\ufeff/, '');
  const whole = parsed(clean);
  if (Array.isArray(whole) && whole.length > 0) return whole.map((entry) => JSON.stringify(entry));
  if (whole !== undefined) return [clean];
  const lines = clean.split('\n').filter((line) => line.trim() !== '');
  const isLog = lines.length > 1 && lines.some((line) => parsed(line) !== undefined);
  return isLog ? lines : [clean];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Why a text cannot be sent at all. */
export function documentProblem({ text }: LoginDocument): 'body_too_large' | null {
  return text.length > MAX_DOCUMENT_BYTES ? 'body_too_large' : null;
}
