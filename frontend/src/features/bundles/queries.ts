import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type AccountBundle, api, type ExportInput, type ImportBundleInput, unwrap } from '@/api';

export function useExport() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ExportInput) => unwrap(api.POST('/upstreams/export', { body })),
    // Exported accounts may have been paused.
    onSuccess: () => client.invalidateQueries({ queryKey: ['upstreams'] }),
    meta: { handlesErrors: true },
  });
}

export function useImportBundle() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: ImportBundleInput) => unwrap(api.POST('/upstreams/import-bundle', { body })),
    onSuccess: ({ dry_run }) => {
      if (dry_run) return;
      void client.invalidateQueries({ queryKey: ['upstreams'] });
      void client.invalidateQueries({ queryKey: ['pools'] });
    },
    meta: { handlesErrors: true },
  });
}

/** Hands a bundle to the browser as a file. */
export function download(bundle: AccountBundle): string {
  const name = `codex-pooler-accounts-${bundle.created_at.slice(0, 10)}.json`;
  const address = URL.createObjectURL(new Blob([JSON.stringify(bundle)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // Not at once: the browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return name;
}
