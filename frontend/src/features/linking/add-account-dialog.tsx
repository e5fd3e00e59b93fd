import { FileJson, Globe, KeySquare, MailPlus, MonitorSmartphone } from 'lucide-react';
import { type ReactNode, Suspense, useState } from 'react';
import { ChoiceList } from '@/ui/choice-list';
import { Dialog, DialogBody } from '@/ui/dialog';
import { Skeleton } from '@/ui/states';
import { ImportForm } from './import-form';
import { InviteForm } from './invite-form';
import { LinkForm } from './link-form';
import { TokenForm } from './token-form';
import type { Way } from './ways';

const WAYS: Record<Way, { icon: ReactNode; title: string; detail: string }> = {
  browser: {
    icon: <Globe />,
    title: 'Sign in with the browser',
    detail: 'Works for every account. An address is pasted back at the end.',
  },
  device: {
    icon: <MonitorSmartphone />,
    title: 'Device code',
    detail: 'Enter a code on any computer or phone. Must be allowed in ChatGPT.',
  },
  file: {
    icon: <FileJson />,
    title: 'auth.json',
    detail: 'From Codex installations that are signed in: one file or many.',
  },
  token: {
    icon: <KeySquare />,
    title: 'Access token',
    detail: 'Begins with at-, issued by a Business or Enterprise workspace.',
  },
  invite: {
    icon: <MailPlus />,
    title: 'Invite someone',
    detail: 'A link with which its owner signs the account in.',
  },
};

interface AddAccountDialogProps {
  way: Way | undefined;
  /** The ways this operator may take. */
  offered: readonly Way[];
  onWay: (way: Way | undefined) => void;
  onClose: () => void;
}

/** Every way an account comes in. */
export function AddAccountDialog({ way, offered, onWay, onClose }: AddAccountDialogProps) {
  // A fresh form for each account that is added in a row.
  const [round, setRound] = useState(0);
  const again = () => setRound(round + 1);
  const back = () => onWay(undefined);
  const taken = way !== undefined && offered.includes(way) ? way : undefined;
  return (
    <Dialog
      open
      onClose={onClose}
      dismissable={taken === undefined}
      title={taken ? WAYS[taken].title : 'Add an account'}
      description={taken ? undefined : 'How do you want to bring in the ChatGPT account?'}
    >
      {taken ? (
        <Suspense
          fallback={
            <DialogBody>
              <Skeleton className="h-40 rounded-md" />
            </DialogBody>
          }
        >
          <Form key={`${taken} ${round}`} way={taken} onBack={back} onAgain={again} onClose={onClose} />
        </Suspense>
      ) : (
        <DialogBody>
          <ChoiceList
            label="Ways to add an account"
            choices={offered.map((value) => ({ value, ...WAYS[value] }))}
            onChoose={onWay}
          />
        </DialogBody>
      )}
    </Dialog>
  );
}

interface FormProps {
  way: Way;
  onBack: () => void;
  onAgain: () => void;
  onClose: () => void;
}

function Form({ way, onBack, onAgain, onClose }: FormProps) {
  switch (way) {
    case 'browser':
    case 'device':
      return <LinkForm kind={way} onBack={onBack} onAgain={onAgain} onClose={onClose} />;
    case 'file':
      return <ImportForm onBack={onBack} onClose={onClose} />;
    case 'token':
      return <TokenForm onBack={onBack} onClose={onClose} />;
    case 'invite':
      return <InviteForm onBack={onBack} onClose={onClose} />;
  }
}
