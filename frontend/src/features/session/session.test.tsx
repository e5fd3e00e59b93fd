import { createHandlers, SETUP_TOKEN, WRONG_PASSWORD } from '@mocks/handlers';
import { server } from '@mocks/server';
import { createFreshWorld, createWorld, signedOut } from '@mocks/world';
import { screen, waitFor, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

function useWorld(world: ReturnType<typeof createWorld>) {
  server.use(...createHandlers({ latency: 0, live: false, world }));
}

it('asks for a sign-in and then leads to where the visitor was going', async () => {
  useWorld({ ...createWorld(Date.now()), session: signedOut() });
  const { user, router } = await renderApp('/api-keys?q=ci');
  expect(screen.getByRole('heading', { level: 1, name: 'Sign in' })).toBeInTheDocument();
  await user.type(screen.getByLabelText('E-mail'), 'ada@example.com');
  await user.type(screen.getByLabelText('Password'), WRONG_PASSWORD);
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('The e-mail or the password is wrong.');
  expect(screen.getByLabelText('Password')).toHaveValue('');
  await user.type(screen.getByLabelText('Password'), 'correct horse battery');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('heading', { level: 1, name: 'API keys' })).toBeInTheDocument();
  expect(router.state.location.search).toEqual({ q: 'ci' });
});

it('says how long to wait after too many attempts', async () => {
  useWorld({ ...createWorld(Date.now()), session: signedOut() });
  server.use(
    http.post('*/api/admin/v1/auth/login', () =>
      HttpResponse.json(
        { code: 'login_throttled', title: 'Too many attempts' },
        { status: 429, headers: { 'Retry-After': '8' } },
      ),
    ),
  );
  const { user } = await renderApp('/sign-in');
  await user.type(screen.getByLabelText('E-mail'), 'ada@example.com');
  await user.type(screen.getByLabelText('Password'), 'x');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('Try again in 8 s.');
});

it('leads a fresh instance through its first set-up', async () => {
  useWorld(createFreshWorld(Date.now()));
  const { user } = await renderApp('/');
  expect(screen.getByRole('heading', { level: 1, name: 'Set up Codex Pooler' })).toBeInTheDocument();
  await user.type(screen.getByLabelText('Set-up token'), 'guess');
  await user.type(screen.getByLabelText('E-mail'), 'ada@example.com');
  await user.type(screen.getByLabelText('Name'), 'Ada');
  await user.type(screen.getByLabelText('Password'), 'short');
  await user.click(screen.getByRole('button', { name: 'Create owner' }));
  expect(await screen.findByText('Use at least 12 characters')).toBeVisible();
  await user.type(screen.getByLabelText('Password'), ' but long enough');
  await user.click(screen.getByRole('button', { name: 'Create owner' }));
  expect(await screen.findByText('This is not the token of this instance')).toBeVisible();
  await user.clear(screen.getByLabelText('Set-up token'));
  await user.type(screen.getByLabelText('Set-up token'), SETUP_TOKEN);
  await user.click(screen.getByRole('button', { name: 'Create owner' }));
  const steps = within(await screen.findByRole('region', { name: 'Getting started' }));
  expect(steps.getByRole('link', { name: 'New pool' })).toBeInTheDocument();
});

it('asks for no token where none is needed', async () => {
  const world = createFreshWorld(Date.now());
  useWorld({ ...world, bootstrap: { ...world.bootstrap, token_required: false } });
  await renderApp('/setup');
  expect(screen.queryByLabelText('Set-up token')).not.toBeInTheDocument();
});

it('signs out from the account menu', async () => {
  useWorld(createWorld(Date.now()));
  const { user } = await renderApp('/pools');
  await user.click(await screen.findByRole('button', { name: 'Account of Ada Lovelace' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
  expect(await screen.findByRole('heading', { level: 1, name: 'Sign in' })).toBeInTheDocument();
});

it('sends the token of the session with every change, and none before there is one', async () => {
  const tokens: (string | null)[] = [];
  useWorld(createWorld(Date.now()));
  server.events.on('request:start', ({ request }) => {
    if (request.method === 'POST') tokens.push(request.headers.get('X-CSRF-Token'));
  });
  const { user } = await renderApp('/upstreams?q=atlas');
  await user.click(screen.getByRole('button', { name: 'Actions for atlas' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Pause' }));
  await waitFor(() => expect(tokens).toEqual(['mock']));
  server.events.removeAllListeners();
});

it('goes to the sign-in when the session ends, and comes back to the same page', async () => {
  const world = createWorld(Date.now());
  useWorld(world);
  const { user, client, router } = await renderApp('/pools?range=7d');
  world.session = signedOut();
  server.use(
    http.get(
      '*/api/admin/v1/pools',
      () => HttpResponse.json({ code: 'session_expired', title: 'The session is over' }, { status: 401 }),
      { once: true },
    ),
  );
  await client.invalidateQueries({ queryKey: ['pools'] });
  expect(await screen.findByText('Sign in to continue where you were.')).toBeInTheDocument();
  await user.type(screen.getByLabelText('E-mail'), 'ada@example.com');
  await user.type(screen.getByLabelText('Password'), 'correct horse battery');
  await user.click(screen.getByRole('button', { name: 'Sign in' }));
  expect(await screen.findByRole('heading', { level: 1, name: 'Pools' })).toBeInTheDocument();
  expect(router.state.location.search).toEqual({ range: '7d' });
});
