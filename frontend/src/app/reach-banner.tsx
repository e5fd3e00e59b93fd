import { useQuery, useQueryClient } from '@tanstack/react-query';
import { DatabaseZap, WifiOff } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { api, type Reach, setReach, unwrap, useReach } from '@/api';

const RETRY_MS = 5_000;

const TELLS: Record<Exclude<Reach, 'ok'>, { icon: ReactNode; title: string; detail: string }> = {
  'no-database': {
    icon: <DatabaseZap />,
    title: 'The database cannot be reached.',
    detail:
      'Clients are still served. What you see may be out of date and nothing can be changed until it is back.',
  },
  unreachable: {
    icon: <WifiOff />,
    title: 'Codex Pooler cannot be reached.',
    detail: 'What you see may be out of date. Trying again every few seconds.',
  },
};

/** Says plainly that the console is cut off, keeps trying, and brings everything up to date afterwards. */
export function ReachBanner() {
  const reach = useReach();
  if (reach === 'ok') return null;
  const { icon, title, detail } = TELLS[reach];
  return (
    <div
      role="alert"
      className="flex gap-2.5 border-b border-warn/40 bg-warn-wash px-4 py-2 text-warn-ink sm:px-6 [&>svg]:mt-0.5 [&>svg]:size-4 [&>svg]:shrink-0"
    >
      {icon}
      <p>
        <strong className="font-semibold">{title}</strong> {detail}
      </p>
      <Recovery />
    </div>
  );
}

/** Mounted while cut off: asks for the pools, which the database must answer, until it is answered, then has everything fetched again. */
function Recovery() {
  const client = useQueryClient();
  useQuery({
    queryKey: ['reach'],
    queryFn: async ({ signal }) => {
      await unwrap(api.GET('/pools', { signal }));
      setReach('ok');
      return true;
    },
    refetchInterval: RETRY_MS,
    retry: false,
    gcTime: 0,
  });
  useEffect(() => {
    return () => {
      void client.invalidateQueries();
    };
  }, [client]);
  return null;
}
