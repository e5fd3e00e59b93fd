import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import {
  type AllSettings,
  api,
  type FirewallCheck,
  type GatewayGroupPatch,
  type MailTrial,
  unwrap,
} from '@/api';
import { toast } from '@/ui/toast';
import type { Group } from './fields';

export const settingsQuery = queryOptions({
  queryKey: ['settings', 'values'],
  queryFn: ({ signal }) => unwrap(api.GET('/settings', { signal })),
});

export const settingsSchemaQuery = queryOptions({
  queryKey: ['settings-schema'],
  queryFn: ({ signal }) => unwrap(api.GET('/settings/schema', { signal })),
  staleTime: Number.POSITIVE_INFINITY,
});

interface Change {
  group: Group;
  title: string;
  patch: Record<string, unknown>;
}

export function useSaveSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ group, patch }: Change): Promise<Group> =>
      unwrap(
        // Every group has a path and a shape of its own; the form is made from their rules, so it knows neither.
        api.PATCH(`/settings/${group.group}` as '/settings/gateway', {
          params: { header: { 'If-Match': `"${group.version}"` } },
          body: { values: patch } as GatewayGroupPatch,
        }),
      ),
    onSuccess: (saved, { title }) => {
      client.setQueryData(
        settingsQuery.queryKey,
        (all): AllSettings | undefined => all && { ...all, [saved.group]: saved },
      );
      toast.done(`${title} saved`);
    },
    onError: () => client.invalidateQueries({ queryKey: settingsQuery.queryKey }),
    meta: { handlesErrors: true },
  });
}

export function useTryMail() {
  return useMutation({
    mutationFn: (body: MailTrial) => unwrap(api.POST('/settings/smtp/test', { body })),
    meta: { handlesErrors: true },
  });
}

export function useCheckFirewall() {
  return useMutation({
    mutationFn: (body: FirewallCheck) => unwrap(api.POST('/settings/firewall/check', { body })),
    meta: { handlesErrors: true },
  });
}
