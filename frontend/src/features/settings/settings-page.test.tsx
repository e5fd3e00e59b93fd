import { server } from '@mocks/server';
import { signedIn } from '@mocks/world';
import { screen, waitFor, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

async function openGroup(name: string) {
  const { user } = await renderApp('/settings');
  return { user, group: within(await screen.findByRole('region', { name })) };
}

it('saves only what was edited, and offers the way back to the default', async () => {
  const sent: unknown[] = [];
  server.events.on('request:start', async ({ request }) => {
    if (request.method === 'PATCH')
      sent.push([request.headers.get('If-Match'), await request.clone().json()]);
  });
  const { user, group } = await openGroup('Gateway');
  const keepalive = group.getByLabelText('Keepalive');
  expect(keepalive).toHaveAccessibleDescription(/In ms; default 10 s; 0 to 4 min/);
  expect(group.queryByRole('button', { name: 'Save gateway' })).not.toBeInTheDocument();
  await user.clear(keepalive);
  await user.type(keepalive, '300k');
  await user.click(group.getByRole('button', { name: 'Save gateway' }));
  expect(group.getByText('A whole number from 0 to 240,000')).toBeVisible();
  await user.clear(keepalive);
  await user.type(keepalive, '15000');
  const images = within(group.getByRole('group', { name: 'Images' }));
  await user.clear(images.getByLabelText('Waiting'));
  await user.type(images.getByLabelText('Waiting'), '80');
  expect(group.getByText('2 unsaved changes')).toBeVisible();
  await user.click(group.getByRole('button', { name: 'Save gateway' }));
  expect(await screen.findByText('Gateway saved')).toBeInTheDocument();
  expect(sent).toEqual([
    ['"1"', { values: { sse_keepalive_interval_ms: 15_000, bulkheads: { images: { queue_limit: 80 } } } }],
  ]);
  await waitFor(() => expect(group.queryByRole('button', { name: 'Save gateway' })).not.toBeInTheDocument());
  await user.click(group.getByRole('button', { name: 'Keepalive: back to the default' }));
  expect(keepalive).toHaveValue('10000');
});

it('tells beside the field what the server refuses', async () => {
  const { user, group } = await openGroup('Ingress');
  await user.type(group.getByLabelText('Allowed networks'), 'home');
  await user.click(group.getByRole('button', { name: 'Save ingress' }));
  expect(await group.findByText(/home is no address or network/)).toBeVisible();
  await user.click(group.getByRole('button', { name: 'Discard' }));
  expect(group.getByLabelText('Allowed networks')).toHaveValue('');
});

it('says whether a client would be let in before the rules are saved', async () => {
  const { user, group } = await openGroup('Ingress');
  await user.type(group.getByLabelText('Address of the connection'), '203.0.113.7');
  await user.click(group.getByRole('button', { name: 'Check' }));
  expect(await group.findByText('Let in, as 203.0.113.7.')).toBeVisible();
  await user.type(group.getByLabelText('Allowed networks'), '10.0.0.0/8');
  expect(group.getByText(/Tried with your changes/)).toBeVisible();
  await user.click(group.getByRole('button', { name: 'Check' }));
  expect(await group.findByText('203.0.113.7 is kept out: the address is not on the list.')).toBeVisible();
});

it('takes a secret, never shows it, and takes it away again', async () => {
  const sent: unknown[] = [];
  server.events.on('request:start', async ({ request }) => {
    if (request.method === 'PATCH') sent.push(await request.clone().json());
  });
  const { user, group } = await openGroup('Mail');
  const password = group.getByLabelText('Password');
  expect(password).toHaveAttribute('type', 'password');
  expect(password).toHaveAttribute('placeholder', 'None');
  await user.type(password, 'a secret');
  await user.click(group.getByRole('button', { name: 'Save mail' }));
  expect(await screen.findByText('Mail saved')).toBeInTheDocument();
  await waitFor(() => expect(password).toHaveAttribute('placeholder', 'Set; type to replace it'));
  expect(password).toHaveValue('');
  await user.type(password, 'x');
  await user.clear(password);
  expect(group.queryByText(/unsaved/)).not.toBeInTheDocument();
  await user.click(group.getByRole('button', { name: 'Password: back to the default' }));
  expect(password).toHaveAttribute('placeholder', 'Taken away');
  await user.click(group.getByRole('button', { name: 'Save mail' }));
  await waitFor(() => expect(password).toHaveAttribute('placeholder', 'None'));
  expect(sent).toEqual([{ values: { password: 'a secret' } }, { values: { password: null } }]);
});

it('sends a mail to try the settings, and says what is in the way', async () => {
  const { user, group } = await openGroup('Mail');
  await user.type(group.getByLabelText('Send a test mail to'), 'me@example.com');
  await user.click(group.getByRole('button', { name: 'Send' }));
  expect(await group.findByText(/No mail server is set/)).toBeVisible();
  await user.type(group.getByLabelText('Server'), 'mail.example.com');
  expect(group.getByText(/Save first/)).toBeVisible();
  await user.click(group.getByRole('button', { name: 'Save mail' }));
  expect(await screen.findByText('Mail saved')).toBeInTheDocument();
  await user.click(group.getByRole('button', { name: 'Send' }));
  expect(await group.findByText(/mail.example.com took the mail/)).toBeVisible();
});

it('asks before edits are lost', async () => {
  const { user, group } = await openGroup('Retention');
  await user.type(group.getByLabelText('Request log'), '0');
  await user.click(screen.getByRole('link', { name: 'Pools' }));
  const asked = within(await screen.findByRole('alertdialog', { name: 'Leave without saving?' }));
  await user.click(asked.getByRole('button', { name: 'Cancel' }));
  await waitFor(() => expect(screen.queryByRole('alertdialog')).not.toBeInTheDocument());
  expect(group.getByLabelText('Request log')).toHaveValue('900');
  await user.click(screen.getByRole('link', { name: 'Pools' }));
  const again = within(await screen.findByRole('alertdialog'));
  await user.click(again.getByRole('button', { name: 'Leave' }));
  expect(await screen.findByRole('heading', { level: 1, name: 'Pools' })).toBeInTheDocument();
});

it('is for owners', async () => {
  const session = signedIn(Date.now());
  const capabilities = session.capabilities.filter((name) => !name.startsWith('settings'));
  server.use(http.get('*/session', () => HttpResponse.json({ ...session, capabilities })));
  await renderApp('/settings');
  expect(await screen.findByText('For owners only')).toBeVisible();
  expect(screen.queryByRole('link', { name: 'Settings' })).not.toBeInTheDocument();
});
