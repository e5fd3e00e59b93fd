import { createFileRoute } from '@tanstack/react-router';
import { PageMissing } from '@/app/page-states';

/** Every address no other page claims. */
export const Route = createFileRoute('/_app/$')({ component: PageMissing });
