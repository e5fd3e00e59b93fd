import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouter } from '@tanstack/react-router';
import {
  Eye,
  EyeOff,
  Keyboard,
  Layers,
  LogOut,
  MailPlus,
  Menu as MenuIcon,
  Moon,
  Plus,
  RotateCw,
  Search,
  Sun,
  SunMoon,
  UserRound,
} from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { poolsQuery, upstreamsQuery } from '@/api';
import type { CommandGroup } from '@/features/command-palette';
import { sessionQuery } from '@/features/session';
import { useEventsStatus } from '@/lib/events';
import { type Preferences, setPreference, usePreferences } from '@/lib/preferences';
import { useShortcuts } from '@/lib/use-shortcuts';
import { IconButton } from '@/ui/button';
import { Drawer } from '@/ui/drawer';
import { Kbd } from '@/ui/kbd';
import { StatusDot } from '@/ui/status';
import { Tooltip } from '@/ui/tooltip';
import { Wordmark } from '@/ui/wordmark';
import { AccountButton } from './account-button';
import { useNavigation } from './navigation';
import { ReachBanner } from './reach-banner';
import { useLeave } from './use-leave';

const CommandPalette = lazy(() =>
  import('@/features/command-palette').then((m) => ({ default: m.CommandPalette })),
);

const AccountMenu = lazy(() => import('./account-menu').then((m) => ({ default: m.AccountMenu })));
const ShortcutsDialog = lazy(() =>
  import('./shortcuts-dialog').then((m) => ({ default: m.ShortcutsDialog })),
);

export function Shell() {
  const [menuOpen, setMenuOpen] = useState(false);
  const [paletteOpen, setPaletteOpen] = useState(false);
  const [paletteUsed, setPaletteUsed] = useState(false);
  const [shortcutsOpen, setShortcutsOpen] = useState(false);
  const { privacy } = usePreferences();
  const navigate = useNavigate();
  const navigation = useNavigation();

  function openPalette() {
    setPaletteUsed(true);
    setPaletteOpen(true);
  }

  function openShortcuts() {
    setMenuOpen(false);
    setShortcutsOpen(true);
  }

  useShortcuts({
    '?': openShortcuts,
    'mod+k': openPalette,
    'mod+.': () => setPreference('privacy', !privacy),
    ...Object.fromEntries(
      navigation.flatMap((group) => group.items).map((item) => [item.shortcut, () => navigate(item.link)]),
    ),
  });

  return (
    <div className="flex h-dvh max-lg:flex-col">
      <a
        href="#main"
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-ink focus:px-3 focus:py-2 focus:text-on-ink"
      >
        Skip to content
      </a>
      <aside className="flex w-56 shrink-0 flex-col border-r border-line max-lg:hidden">
        <Sidebar onSearch={openPalette} onShortcuts={openShortcuts} />
      </aside>
      <header className="flex h-12 shrink-0 items-center gap-1 border-b border-line bg-canvas px-2 lg:hidden">
        <IconButton label="Open navigation" onClick={() => setMenuOpen(true)}>
          <MenuIcon />
        </IconButton>
        <Wordmark />
        <IconButton label="Search" className="ml-auto" onClick={openPalette}>
          <Search />
        </IconButton>
      </header>
      <Drawer open={menuOpen} onClose={() => setMenuOpen(false)} side="left" title={<Wordmark />}>
        <Sidebar
          onSearch={openPalette}
          onShortcuts={openShortcuts}
          onNavigate={() => setMenuOpen(false)}
          bare
        />
      </Drawer>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <ReachBanner />
        <main id="main" tabIndex={-1} className="min-h-0 flex-1 overflow-y-auto outline-none">
          <div className="mx-auto h-full max-w-[100rem] px-4 pt-5 pb-6 sm:px-6">
            <Outlet />
          </div>
        </main>
      </div>
      {paletteUsed ? (
        <Suspense>
          <PaletteWithCommands
            open={paletteOpen}
            onClose={() => setPaletteOpen(false)}
            onShortcuts={openShortcuts}
          />
        </Suspense>
      ) : null}
      {shortcutsOpen ? (
        <Suspense>
          <ShortcutsDialog onClose={() => setShortcutsOpen(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}

interface SidebarProps {
  onSearch: () => void;
  onShortcuts: () => void;
  onNavigate?: () => void;
  /** Without the wordmark, where the drawer's title shows it. */
  bare?: boolean;
}

function Sidebar({ onSearch, onShortcuts, onNavigate, bare = false }: SidebarProps) {
  const [menuWanted, setMenuWanted] = useState(false);
  const navigation = useNavigation();
  return (
    <div className="flex h-full flex-col">
      {bare ? null : (
        <div className="px-4 pt-4 pb-3">
          <Wordmark />
        </div>
      )}
      <div className="px-3 pt-1 pb-2">
        <button
          type="button"
          onClick={onSearch}
          className="flex h-8 w-full cursor-default items-center gap-2 rounded-md border border-line bg-surface px-2 text-ink-3 shadow-card hover:border-line-strong coarse:h-11"
        >
          <Search className="size-4" />
          <span className="flex-1 text-left">Search</span>
          <Kbd keys="mod+k" />
        </button>
      </div>
      <nav aria-label="Main" className="min-h-0 flex-1 overflow-y-auto px-3 pb-3">
        {navigation.map((group) => (
          <div key={group.label} role="group" aria-label={group.label} className="mt-3">
            <p aria-hidden className="px-2 pb-1 text-2xs font-medium text-ink-3">
              {group.label}
            </p>
            <ul>
              {group.items.map((item) => (
                <li key={item.label}>
                  <Link
                    {...item.link}
                    {...(onNavigate ? { onClick: onNavigate } : {})}
                    className="flex h-7.5 cursor-default items-center gap-2.5 rounded-md px-2 text-ink-2 hover:bg-hover hover:text-ink data-[status=active]:bg-hover data-[status=active]:font-medium data-[status=active]:text-ink coarse:h-11 [&_svg]:size-4 [&_svg]:text-ink-3 data-[status=active]:[&_svg]:text-ink"
                  >
                    {item.icon}
                    {item.label}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <footer className="border-t border-line px-3 py-2">
        <div className="flex items-center gap-1 px-1">
          <LiveStatus />
          <PrivacyToggle />
          <ThemeToggle />
        </div>
        <Suspense fallback={<AccountButton onClick={() => setMenuWanted(true)} />}>
          <AccountMenu onShortcuts={onShortcuts} defaultOpen={menuWanted} />
        </Suspense>
      </footer>
    </div>
  );
}

function LiveStatus() {
  const status = useEventsStatus();
  const shown = {
    live: { tone: 'ok', label: 'Live' },
    connecting: { tone: 'warn', label: 'Reconnecting' },
    offline: { tone: 'bad', label: 'Offline' },
  } as const;
  return (
    <span role="status" className="flex-1 text-xs">
      <StatusDot tone={shown[status].tone}>{shown[status].label}</StatusDot>
    </span>
  );
}

function PrivacyToggle() {
  const { privacy } = usePreferences();
  return (
    <Tooltip content={privacy ? 'Show e-mail addresses' : 'Hide e-mail addresses'} shortcut="mod+.">
      <IconButton
        label="Hide e-mail addresses"
        aria-pressed={privacy}
        onClick={() => setPreference('privacy', !privacy)}
      >
        {privacy ? <EyeOff /> : <Eye />}
      </IconButton>
    </Tooltip>
  );
}

const NEXT_THEME: Record<Preferences['theme'], Preferences['theme']> = {
  system: 'light',
  light: 'dark',
  dark: 'system',
};

function ThemeToggle() {
  const { theme } = usePreferences();
  return (
    <Tooltip content={`Theme: ${theme}`}>
      <IconButton label={`Theme: ${theme}`} onClick={() => setPreference('theme', NEXT_THEME[theme])}>
        {theme === 'system' ? <SunMoon /> : theme === 'light' ? <Sun /> : <Moon />}
      </IconButton>
    </Tooltip>
  );
}

interface PaletteProps {
  open: boolean;
  onClose: () => void;
  onShortcuts: () => void;
}

function PaletteWithCommands({ open, onClose, onShortcuts }: PaletteProps) {
  const leave = useLeave();
  const navigate = useNavigate();
  const router = useRouter();
  const { data: session } = useSuspenseQuery(sessionQuery);
  const writes = new Set(session.capabilities);
  const navigation = useNavigation();
  const { privacy } = usePreferences();
  return (
    <CommandPalette
      open={open}
      onClose={onClose}
      commands={(client): CommandGroup[] =>
        [
          {
            value: 'Go to',
            items: navigation
              .flatMap((group) => group.items)
              .map((item) => ({
                id: item.label,
                label: item.label,
                icon: item.icon,
                run: () => navigate(item.link),
                shortcut: item.shortcut,
              })),
          },
          {
            value: 'Accounts',
            items: (client.getQueryData(upstreamsQuery.queryKey)?.items ?? []).map((upstream) => ({
              id: upstream.id,
              label: upstream.label,
              hint: privacy ? '' : (upstream.email ?? ''),
              icon: <UserRound />,
              run: () => navigate({ to: '/upstreams/$id', params: { id: upstream.id } }),
            })),
          },
          {
            value: 'Pools',
            items: (client.getQueryData(poolsQuery.queryKey)?.items ?? []).map((pool) => ({
              id: pool.id,
              label: pool.name,
              icon: <Layers />,
              run: () => navigate({ to: '/pools', search: { pool: pool.id } }),
            })),
          },
          {
            value: 'Actions',
            items: [
              ...(writes.has('upstreams:write')
                ? [
                    {
                      id: 'add',
                      label: 'Add an account',
                      icon: <Plus />,
                      run: () => navigate({ to: '/upstreams', search: { dialog: 'add' } }),
                    },
                  ]
                : []),
              ...(writes.has('invites:write')
                ? [
                    {
                      id: 'invite',
                      label: 'Invite someone',
                      icon: <MailPlus />,
                      run: () => navigate({ to: '/invites', search: { dialog: 'new' } }),
                    },
                  ]
                : []),
              ...(writes.has('pools:write')
                ? [
                    {
                      id: 'new-pool',
                      label: 'Create a pool',
                      icon: <Plus />,
                      run: () => navigate({ to: '/pools', search: { dialog: 'new' } }),
                    },
                  ]
                : []),
              ...(writes.has('keys:write')
                ? [
                    {
                      id: 'new-key',
                      label: 'Create an API key',
                      icon: <Plus />,
                      run: () => navigate({ to: '/api-keys', search: { dialog: 'new' } }),
                    },
                  ]
                : []),
              {
                id: 'privacy',
                label: privacy ? 'Show e-mail addresses' : 'Hide e-mail addresses',
                icon: <EyeOff />,
                shortcut: 'mod+.',
                run: () => setPreference('privacy', !privacy),
              },
              {
                id: 'dark',
                label: 'Use the dark theme',
                icon: <Moon />,
                run: () => setPreference('theme', 'dark'),
              },
              {
                id: 'light',
                label: 'Use the light theme',
                icon: <Sun />,
                run: () => setPreference('theme', 'light'),
              },
              {
                id: 'system',
                label: 'Follow the theme of the system',
                icon: <SunMoon />,
                run: () => setPreference('theme', 'system'),
              },
              {
                id: 'reload',
                label: 'Reload everything on this page',
                icon: <RotateCw />,
                run: () => router.invalidate().then(() => client.invalidateQueries()),
              },
              {
                id: 'shortcuts',
                label: 'Show the keyboard shortcuts',
                icon: <Keyboard />,
                shortcut: '?',
                run: onShortcuts,
              },
              { id: 'sign-out', label: 'Sign out', icon: <LogOut />, run: leave },
            ],
          },
        ].filter((group) => group.items.length > 0)
      }
    />
  );
}
