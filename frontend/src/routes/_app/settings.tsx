import { createFileRoute } from '@tanstack/react-router';
import { sessionQuery } from '@/features/session';
import { SettingsPage, settingsQuery, settingsSchemaQuery } from '@/features/settings';

export const Route = createFileRoute('/_app/settings')({
  loader: ({ context }) => {
    const session = context.queryClient.getQueryData(sessionQuery.queryKey);
    if (!session?.capabilities.includes('settings:read')) return;
    context.queryClient.prefetchQuery(settingsQuery);
    context.queryClient.prefetchQuery(settingsSchemaQuery);
  },
  component: SettingsPage,
});
