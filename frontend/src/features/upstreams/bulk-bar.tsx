import { Hourglass, Pause, Play, RefreshCw, Tag as TagIcon, X } from 'lucide-react';
import { useState } from 'react';
import type { BulkResult, Upstream, UpstreamBulkInput } from '@/api';
import { plural } from '@/lib/format';
import { Button, IconButton } from '@/ui/button';
import { Dialog, DialogBody, DialogFooter } from '@/ui/dialog';
import { Segmented } from '@/ui/segmented';
import { toast } from '@/ui/toast';
import { useBulk } from './queries';
import { TagsField } from './tags-field';

type BulkAction = UpstreamBulkInput['action'];

const DONE: Record<BulkAction, string> = {
  pause: 'paused',
  reactivate: 'reactivated',
  drain: 'draining',
  refresh: 'with a renewed sign-in',
  tag: 'tagged',
  untag: 'changed',
};

const MOST_TAGS = 20;

interface BulkBarProps {
  chosen: readonly Upstream[];
  onClear: () => void;
}

/** What can be done with several accounts at once. Those it is not possible with are told by name afterwards. */
export function BulkBar({ chosen, onClear }: BulkBarProps) {
  const bulk = useBulk();
  const [tagging, setTagging] = useState(false);
  const [refused, setRefused] = useState<{ action: BulkAction; of: number; results: BulkResult[] }>();

  function act(action: BulkAction, tags?: string[]) {
    const ids = chosen.map(({ id }) => id);
    bulk.mutate(
      { action, ids, ...(tags ? { tags } : {}) },
      {
        onSuccess: ({ results }) => {
          const failed = results.filter(({ ok }) => !ok);
          setTagging(false);
          if (failed.length > 0) setRefused({ action, of: results.length, results: failed });
          else toast.done(`${plural(results.length, 'account')} ${DONE[action]}`);
        },
      },
    );
  }

  const button = (action: BulkAction, icon: React.ReactNode, label: string) => (
    <Button size="sm" disabled={bulk.isPending} onClick={() => act(action)}>
      {icon} {label}
    </Button>
  );
  return (
    <div
      role="group"
      aria-label="With the chosen accounts"
      className="flex flex-wrap items-center gap-2 border-b border-line bg-sunken px-4 py-2"
    >
      <span role="status" className="tnum mr-1 font-medium">
        {chosen.length} chosen
      </span>
      <div className="flex flex-wrap gap-2 max-sm:order-last max-sm:w-full">
        {button('pause', <Pause />, 'Pause')}
        {button('reactivate', <Play />, 'Reactivate')}
        {button('drain', <Hourglass />, 'Drain')}
        {button('refresh', <RefreshCw />, 'Renew sign-in')}
        <Button size="sm" disabled={bulk.isPending} onClick={() => setTagging(true)}>
          <TagIcon /> Tags…
        </Button>
      </div>
      <IconButton label="Choose none" className="ml-auto" onClick={onClear}>
        <X />
      </IconButton>
      {tagging ? (
        <TagDialog
          count={chosen.length}
          pending={bulk.isPending}
          onApply={(action, tags) => act(action, tags)}
          onClose={() => setTagging(false)}
        />
      ) : null}
      {refused ? <RefusedDialog {...refused} chosen={chosen} onClose={() => setRefused(undefined)} /> : null}
    </div>
  );
}

interface TagDialogProps {
  count: number;
  pending: boolean;
  onApply: (action: 'tag' | 'untag', tags: string[]) => void;
  onClose: () => void;
}

function TagDialog({ count, pending, onApply, onClose }: TagDialogProps) {
  const [action, setAction] = useState<'tag' | 'untag'>('tag');
  const [tags, setTags] = useState<string[]>([]);
  const [missing, setMissing] = useState(false);
  return (
    <Dialog open onClose={onClose} title={`Tags of ${plural(count, 'account')}`}>
      <DialogBody>
        <div className="space-y-4">
          <Segmented
            label="What"
            value={action}
            onChange={setAction}
            options={[
              { value: 'tag', label: 'Add' },
              { value: 'untag', label: 'Take away' },
            ]}
          />
          <TagsField
            value={tags}
            onChange={(next) => {
              setTags(next);
              setMissing(false);
            }}
            error={missing ? 'Name at least one tag' : undefined}
            most={MOST_TAGS}
          />
        </div>
      </DialogBody>
      <DialogFooter>
        <Button onClick={onClose}>Cancel</Button>
        <Button
          look="primary"
          disabled={pending}
          onClick={() => (tags.length > 0 ? onApply(action, tags) : setMissing(true))}
        >
          {action === 'tag' ? 'Add tags' : 'Take tags away'}
        </Button>
      </DialogFooter>
    </Dialog>
  );
}

interface RefusedDialogProps {
  action: BulkAction;
  of: number;
  results: readonly BulkResult[];
  chosen: readonly Upstream[];
  onClose: () => void;
}

function RefusedDialog({ action, of, results, chosen, onClose }: RefusedDialogProps) {
  const done = of - results.length;
  return (
    <Dialog
      open
      onClose={onClose}
      title={`${done} of ${of} accounts ${DONE[action]}`}
      description="The others were left as they were."
    >
      <DialogBody>
        <ul className="divide-y divide-line rounded-lg border border-line">
          {results.map(({ id, problem }) => (
            <li key={id} className="px-3 py-2">
              <p className="font-medium">
                {chosen.find((upstream) => upstream.id === id)?.label ?? 'An account that is gone'}
              </p>
              <p className="text-xs text-ink-2">{problem?.detail}</p>
            </li>
          ))}
        </ul>
      </DialogBody>
      <DialogFooter>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </DialogFooter>
    </Dialog>
  );
}
