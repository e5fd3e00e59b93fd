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

it('says what a key may do and how far its limits are used up', async () => {
  const { user } = await renderApp('/api-keys');
  await user.click(await screen.findByRole('link', { name: 'hermes' }));
  const drawer = within(await screen.findByRole('dialog', { name: 'hermes' }));
  expect(drawer.getByRole('meter', { name: 'Tokens per day' })).toHaveAttribute('aria-valuenow');
  expect(drawer.getByRole('meter', { name: 'Tokens per week, gpt-5.3-codex' })).toBeInTheDocument();
  expect(drawer.getAllByText(/^in \d+h/)[0]).toBeVisible();
  expect(drawer.getByText('at most high')).toBeVisible();
  expect(drawer.getByText('10.20.0.0/16, 2001:db8:20::/48')).toBeVisible();
});

it('changes policy, limits and networks of a key', async () => {
  const { user } = await renderApp('/api-keys');
  await user.click(await screen.findByRole('button', { name: 'Actions for notebooks' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Edit…' }));
  const form = within(await screen.findByRole('dialog', { name: 'Edit notebooks' }));
  await user.click(form.getByText('Limits'));
  const tokens = within(form.getByRole('group', { name: 'Tokens' }));
  await user.type(tokens.getByLabelText('per day'), 'lots');
  await user.click(form.getByText('Networks and notes'));
  await user.type(form.getByLabelText('Allowed networks'), 'everywhere!');
  await user.click(form.getByRole('button', { name: 'Save' }));
  expect(await form.findByText('A number, such as 500 or 20M')).toBeVisible();
  await user.clear(tokens.getByLabelText('per day'));
  await user.type(tokens.getByLabelText('per day'), '20M');
  await user.click(form.getByRole('button', { name: 'Save' }));
  expect(await form.findByText(/Send a network such as/)).toBeVisible();
  await user.clear(form.getByLabelText('Allowed networks'));
  await user.type(form.getByLabelText('Allowed networks'), '10.0.0.0/8');
  await user.click(form.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('notebooks saved')).toBeInTheDocument();
  await user.click(screen.getByRole('link', { name: 'notebooks' }));
  const drawer = within(await screen.findByRole('dialog', { name: 'notebooks' }));
  expect(await drawer.findByText(/of 20M$/)).toBeVisible();
  expect(drawer.getByText('10.0.0.0/8')).toBeVisible();
});

it('moves a key to another pool', async () => {
  const { user } = await renderApp('/api-keys');
  await user.click(await screen.findByRole('button', { name: 'Actions for hermes' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Move to another pool…' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Move hermes' }));
  expect(dialog.getByRole('button', { name: 'Move' })).toBeDisabled();
  await user.click(dialog.getByRole('combobox', { name: 'New pool' }));
  await user.click(await screen.findByRole('option', { name: 'Research' }));
  await user.click(dialog.getByRole('button', { name: 'Move' }));
  expect(await screen.findByText('hermes moved to Research')).toBeInTheDocument();
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

it('shows how to connect each client, in every way it can be configured', async () => {
  const { user } = await renderApp('/api-keys?dialog=connect');
  const dialog = within(await screen.findByRole('dialog', { name: 'Connect a client' }));
  await user.click(await dialog.findByRole('button', { name: 'HTTP' }));
  expect(dialog.getByText(/model_provider = "codex-pooler-http"/)).toBeVisible();
  await user.click(dialog.getByRole('combobox', { name: 'Client' }));
  await user.click(await screen.findByRole('option', { name: 'Claude Code' }));
  expect(await dialog.findByText(/ANTHROPIC_BASE_URL="https:\/\/pooler\.example\.com"/)).toBeVisible();
  await user.click(dialog.getByText('If it does not work'));
  expect(dialog.getByText('401, invalid API key')).toBeVisible();
});
