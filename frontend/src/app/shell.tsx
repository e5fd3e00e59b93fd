import { useSuspenseQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useRouter } from '@tanstack/react-router';
import { Eye, EyeOff, Menu as MenuIcon, Moon, Search, Sun, SunMoon } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import type { CommandGroup } from '@/features/command-palette';
import { poolsQuery } from '@/features/pools';
import { upstreamsQuery } from '@/features/upstreams';
import { useEventsStatus } from '@/lib/events';
import { type Preferences, setPreference, usePreferences } from '@/lib/preferences';
import { useShortcuts } from '@/lib/use-shortcuts';
import { IconButton } from '@/ui/button';
import { Drawer } from '@/ui/drawer';
import { Kbd } from '@/ui/kbd';
import { PrivateEmail } from '@/ui/private';
import { StatusDot } from '@/ui/status';
import { Tooltip } from '@/ui/tooltip';
import { NAVIGATION } from './navigation';
import { sessionQuery } from './session';

const CommandPalette = lazy(() =>
  import('@/features/command-palette').then((m) => ({ default: m.CommandPalette })),
);

export function Shell() {
  const [menuOpen, setMenuOpen] = useState(false);
  const [paletteOpen, setPaletteOpen] = useState(false);
  const [paletteUsed, setPaletteUsed] = useState(false);
  const { privacy } = usePreferences();
  const navigate = useNavigate();

  function openPalette() {
    setPaletteUsed(true);
    setPaletteOpen(true);
  }

  useShortcuts({
    'mod+k': openPalette,
    'mod+.': () => setPreference('privacy', !privacy),
    ...Object.fromEntries(
      NAVIGATION.flatMap((group) => group.items).flatMap((item) =>
        item.shortcut ? [[item.shortcut, () => navigate(item.link)]] : [],
      ),
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
        <Sidebar onSearch={openPalette} />
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
        <Sidebar onSearch={openPalette} onNavigate={() => setMenuOpen(false)} bare />
      </Drawer>
      <main id="main" tabIndex={-1} className="min-h-0 min-w-0 flex-1 overflow-y-auto outline-none">
        <div className="mx-auto h-full max-w-[100rem] px-4 pt-5 pb-6 sm:px-6">
          <Outlet />
        </div>
      </main>
      {paletteUsed ? (
        <Suspense>
          <PaletteWithCommands open={paletteOpen} onClose={() => setPaletteOpen(false)} />
        </Suspense>
      ) : null}
    </div>
  );
}

function Sidebar({
  onSearch,
  onNavigate,
  bare = false,
}: {
  onSearch: () => void;
  onNavigate?: () => void;
  bare?: boolean;
}) {
  const { data: session } = useSuspenseQuery(sessionQuery);
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
        {NAVIGATION.map((group) => (
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
        <p className="truncate px-2 pt-1 text-xs text-ink-3">
          <PrivateEmail>{session.operator.email}</PrivateEmail>
        </p>
      </footer>
    </div>
  );
}

function Wordmark() {
  return (
    <span className="flex items-center gap-2">
      <svg aria-hidden viewBox="0 0 32 32" className="size-5.5">
        <rect width="32" height="32" rx="8" fill="var(--ink)" />
        <path d="M8 10h16M8 16h11M8 22h6" stroke="var(--on-ink)" strokeWidth="3.2" strokeLinecap="round" />
        <circle cx="23" cy="22" r="3" fill="var(--accent)" />
      </svg>
      <span className="text-base font-semibold tracking-[-0.012em]">Codex Pooler</span>
    </span>
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

function PaletteWithCommands({ open, onClose }: { open: boolean; onClose: () => void }) {
  const navigate = useNavigate();
  const router = useRouter();
  const { privacy } = usePreferences();
  return (
    <CommandPalette
      open={open}
      onClose={onClose}
      commands={(client): CommandGroup[] =>
        [
          {
            value: 'Go to',
            items: NAVIGATION.flatMap((group) => group.items).map((item) => ({
              id: item.label,
              label: item.label,
              icon: item.icon,
              run: () => navigate(item.link),
              ...(item.shortcut ? { shortcut: item.shortcut } : {}),
            })),
          },
          {
            value: 'Accounts',
            items: (client.getQueryData(upstreamsQuery.queryKey)?.items ?? []).map((upstream) => ({
              id: upstream.id,
              label: upstream.label,
              hint: privacy ? '' : upstream.email,
              icon: <Search />,
              run: () => navigate({ to: '/upstreams', search: { q: upstream.label } }),
            })),
          },
          {
            value: 'Pools',
            items: (client.getQueryData(poolsQuery.queryKey)?.items ?? []).map((pool) => ({
              id: pool.id,
              label: pool.name,
              icon: <Search />,
              run: () => navigate({ to: '/pools', search: { pool: pool.id } }),
            })),
          },
          {
            value: 'Actions',
            items: [
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
                id: 'reload',
                label: 'Reload everything on this page',
                icon: <SunMoon />,
                run: () => router.invalidate().then(() => client.invalidateQueries()),
              },
            ],
          },
        ].filter((group) => group.items.length > 0)
      }
    />
  );
}
