import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

const SECRET = /sk-cxp-[0-9a-f]{12}-[0-9a-f]{43}/;

it('shows a new secret once, hidden until asked for, and keeps it nowhere', async () => {
  const { user, client } = await renderApp('/api-keys?dialog=new');
  const form = within(await screen.findByRole('dialog', { name: 'New API key' }));
  await user.type(form.getByLabelText('Name'), 'ci-main');
  await user.click(form.getByRole('button', { name: 'Create key' }));
  expect(await form.findByText('Another key has this name.')).toBeVisible();
  await user.type(form.getByLabelText('Name'), '-2');
  await user.click(form.getByRole('button', { name: 'Create key' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Key “ci-main-2” created' }));
  expect(dialog.queryByText(SECRET)).not.toBeInTheDocument();
  await user.click(dialog.getByRole('button', { name: 'Reveal' }));
  expect(dialog.getAllByText(SECRET)).toHaveLength(2);
  expect(await dialog.findByText(/model_providers\.codex-pooler-ws/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'I have stored the key' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
  expect(document.body.innerHTML).not.toMatch(SECRET);
  const cached = [...client.getQueryCache().getAll(), ...client.getMutationCache().getAll()];
  await waitFor(() => expect(JSON.stringify(cached.map(({ state }) => state.data))).not.toMatch(SECRET));
});

it('explains why an action cannot be taken', async () => {
  const { user } = await renderApp('/api-keys');
  await user.click(await screen.findByRole('button', { name: 'Actions for hermes' }));
  expect(await screen.findByRole('menuitem', { name: /Delete/ })).toHaveTextContent('Revoke the key first.');
});

it('asks before a key is revoked, and tells who used it', async () => {
  const { user } = await renderApp('/api-keys');
  await user.click(await screen.findByRole('button', { name: 'Actions for hermes' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Revoke…' }));
  const dialog = within(await screen.findByRole('alertdialog', { name: 'Revoke hermes?' }));
  expect(dialog.getByText(/requests in the last 24 hours/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Revoke' }));
  expect(await screen.findByText('hermes revoked')).toBeInTheDocument();
});
