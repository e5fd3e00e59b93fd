import { createHandlers } from '@mocks/handlers';
import { server } from '@mocks/server';
import { createEmptyWorld, createWorld, type World } from '@mocks/world';
import { screen, waitFor, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it, vi } from 'vitest';
import { renderApp } from '../../../tests/render-app';

function useWorld(change: Partial<World>) {
  const world = { ...createWorld(Date.now()), ...change };
  server.use(...createHandlers({ latency: 0, live: false, world }));
}

const table = () => within(screen.getByRole('table', { name: 'Invites' }));

/** The table comes a moment after the page. */
async function openInvites() {
  const app = await renderApp('/invites');
  await screen.findByRole('table', { name: 'Invites' });
  return app;
}

async function choose(user: Awaited<ReturnType<typeof renderApp>>['user'], email: string, item: string) {
  await user.click(await screen.findByRole('button', { name: `Actions for ${email}` }));
  await user.click(await screen.findByRole('menuitem', { name: item }));
}

it('lists who was invited and what became of it', async () => {
  await openInvites();
  const grace = (await table().findByText('grace@example.com')).closest('tr');
  expect(grace).toHaveTextContent('Open');
  expect(grace).toHaveTextContent('Platform team');
  expect(grace).toHaveTextContent('Mailed');
  expect(table().getByText('barbara@example.com').closest('tr')).toHaveTextContent('Mail failed');
  expect(await table().findByRole('link', { name: 'atlas' })).toBeVisible();
  expect(table().getByText('donald@example.com', { selector: 'td:nth-child(5) span' })).toBeVisible();
});

it('loads on when the end comes near', async () => {
  const asked = vi.fn();
  server.events.on('request:start', ({ request }) => {
    const url = new URL(request.url);
    if (url.pathname.endsWith('/invites')) asked(url.searchParams.get('cursor'));
  });
  await renderApp('/invites');
  expect(await screen.findByText('64 invites')).toBeInTheDocument();
  expect(asked).toHaveBeenCalledTimes(2);
  server.events.removeAllListeners();
});

it('keeps filters in the address and asks the server for them', async () => {
  const { user, router } = await openInvites();
  await table().findByText('grace@example.com');
  await user.type(screen.getByRole('searchbox', { name: 'Find an address or note' }), 'platform');
  await waitFor(() => expect(table().queryByText('linus@example.com')).not.toBeInTheDocument());
  expect(table().getByText('grace@example.com')).toBeVisible();
  expect(router.state.location.search).toEqual({ q: 'platform' });
  await user.click(screen.getByRole('button', { name: 'Clear' }));
  expect(await table().findByText('linus@example.com')).toBeVisible();
});

it('shows a new link once', async () => {
  const { user } = await openInvites();
  await user.click(screen.getByRole('button', { name: 'Invite someone' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Invite someone' }));
  await user.click(await dialog.findByRole('button', { name: 'Create the link' }));
  expect(dialog.getByText('Enter the address of one person')).toBeVisible();
  await user.type(dialog.getByLabelText('E-mail'), 'Hedy@example.com');
  await user.click(dialog.getByRole('switch', { name: 'Give a key' }));
  await user.click(dialog.getByRole('button', { name: 'Create the link' }));
  expect(await dialog.findByText(/cannot be shown again/)).toBeVisible();
  expect(dialog.getByRole('group', { name: 'Invite link' })).toHaveTextContent(
    'https://pooler.example.com/onboarding/invites/',
  );
  expect(dialog.getByText(/nothing is mailed/)).toBeVisible();
  expect(dialog.getByText(/A key of the pool is shown/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Done' }));
  expect(await table().findByText('hedy@example.com')).toBeVisible();
});

it('says what to do when the address is invited already, or mail is not set up', async () => {
  useWorld({ mail: false });
  const { user } = await renderApp('/invites?dialog=new');
  const dialog = within(await screen.findByRole('dialog', { name: 'Invite someone' }));
  await user.type(await dialog.findByLabelText('E-mail'), 'grace@example.com');
  await user.click(dialog.getByRole('button', { name: 'Create the link' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('has an open invite for the pool already');
  await user.type(dialog.getByLabelText('E-mail'), '.org');
  await user.click(dialog.getByRole('switch', { name: 'Mail the link' }));
  await user.click(dialog.getByRole('button', { name: 'Send the invite' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('Mail is not set up');
});

it('replaces a link, and revokes one after asking', async () => {
  const { user } = await renderApp('/invites');
  await choose(user, 'linus@example.com', 'New link…');
  const dialog = within(await screen.findByRole('dialog', { name: 'New link for linus@example.com' }));
  expect(dialog.getByText(/stops working/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Make a new link' }));
  expect(await dialog.findByRole('group', { name: 'Invite link' })).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Done' }));
  await choose(user, 'linus@example.com', 'Revoke…');
  await user.click(within(await screen.findByRole('alertdialog')).getByRole('button', { name: 'Revoke' }));
  expect(await screen.findByText('The invite for linus@example.com is revoked')).toBeInTheDocument();
});

it('says why an invite cannot be changed any more', async () => {
  const { user } = await renderApp('/invites');
  await user.click(await screen.findByRole('button', { name: 'Actions for edsger@example.com' }));
  const item = await screen.findByRole('menuitem', { name: /Revoke/ });
  expect(item).toHaveAttribute('aria-disabled', 'true');
  expect(item).toHaveTextContent('The account is linked already.');
});

it('invites the owner of an account to sign in again', async () => {
  const { user } = await renderApp('/upstreams?q=cinder');
  await user.click(screen.getByRole('button', { name: 'Actions for cinder' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Invite its owner…' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Invite the owner of cinder' }));
  await user.click(dialog.getByRole('button', { name: 'Make a new link' }));
  expect(await dialog.findByRole('group', { name: 'Invite link' })).toBeVisible();
});

it('offers an invite among the ways to add an account', async () => {
  const { user } = await renderApp('/upstreams?dialog=add');
  await user.click(await screen.findByRole('button', { name: /Invite someone/ }));
  expect(await screen.findByLabelText('E-mail')).toBeVisible();
});

it('explains itself while nobody was invited', async () => {
  useWorld(createEmptyWorld(Date.now()));
  await renderApp('/invites');
  expect(await screen.findByText('No invites yet')).toBeVisible();
});

it('is not for those who may not see invites', async () => {
  const { session } = createWorld(Date.now());
  const capabilities = session.capabilities.filter((name) => !name.startsWith('invites:'));
  useWorld({ session: { ...session, capabilities } });
  await renderApp('/invites');
  expect(screen.getByText('Not for your role')).toBeVisible();
  expect(screen.queryByRole('link', { name: 'Invites' })).not.toBeInTheDocument();
});

it('replaces only the table when the list cannot be had', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  server.use(
    http.get('*/api/admin/v1/invites', () =>
      HttpResponse.json({ code: 'internal_error', title: 'Something broke' }, { status: 500 }),
    ),
  );
  const { user } = await renderApp('/invites');
  expect(await screen.findByRole('alert')).toHaveTextContent('Something broke');
  server.resetHandlers();
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  expect(await screen.findByText('grace@example.com')).toBeVisible();
});
