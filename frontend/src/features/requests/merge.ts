import type { InfiniteData } from '@tanstack/react-query';
import type { RequestLogPage } from '@/api';

type Pages = InfiniteData<RequestLogPage, unknown>;

/**
 * Puts a freshly fetched first page over the pages at hand. Rows already shown keep their place, new ones come
 * before them. When the fresh page does not reach the rows at hand, there is a gap and only the fresh page stands.
 */
export function mergeHead(shown: Pages, fresh: RequestLogPage): Pages {
  const known = new Set(shown.pages.flatMap((page) => page.items.map((row) => row.id)));
  const added = fresh.items.filter((row) => !known.has(row.id));
  if (added.length === 0) return shown;
  const [head, ...rest] = shown.pages;
  if (!head || added.length === fresh.items.length) return { pages: [fresh], pageParams: [''] };
  const page = { ...head.page, total_estimate: fresh.page.total_estimate };
  return { ...shown, pages: [{ items: [...added, ...head.items], page }, ...rest] };
}
