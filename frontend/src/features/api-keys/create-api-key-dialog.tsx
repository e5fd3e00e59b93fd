import { useSuspenseQuery } from '@tanstack/react-query';
import { poolsQuery } from '@/api';
import { Button } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { KeyForm } from './key-form';
import { useCreateApiKey } from './queries';
import { SecretDialog } from './secret-dialog';

interface CreateApiKeyDialogProps {
  /** The pool to begin with. */
  poolId?: string | undefined;
  onClose: () => void;
}

export function CreateApiKeyDialog({ poolId, onClose }: CreateApiKeyDialogProps) {
  const { data: pools } = useSuspenseQuery(poolsQuery);
  const create = useCreateApiKey();
  if (create.data) return <SecretDialog apiKey={create.data} event="created" onClose={onClose} />;
  const pool = pools.items.find(({ id }) => id === poolId);
  return (
    <Dialog
      open
      onClose={onClose}
      title="New API key"
      description={
        pool
          ? `Clients with it use the accounts of ${pool.name}.`
          : 'Clients with it use the accounts of one pool.'
      }
    >
      <KeyForm poolId={poolId} error={create.error} onSubmit={(values) => create.mutate(values)}>
        {(fields) => (
          <>
            <DialogBody>{fields}</DialogBody>
            <DialogFooter>
              <Button onClick={onClose}>Cancel</Button>
              <Button look="primary" type="submit" disabled={create.isPending}>
                Create key
              </Button>
            </DialogFooter>
          </>
        )}
      </KeyForm>
    </Dialog>
  );
}
