import { screen, waitFor, within } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { renderApp } from '../../../tests/render-app';

const PHRASE = 'otter plinth gravel monsoon';

beforeEach(() => {
  // jsdom downloads nothing.
  vi.stubGlobal(
    'URL',
    Object.assign(URL, { createObjectURL: () => 'blob:bundle', revokeObjectURL: () => undefined }),
  );
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function openExport() {
  const app = await renderApp('/upstreams?q=atlas');
  await app.user.click(screen.getByRole('button', { name: 'Move accounts' }));
  await app.user.click(await screen.findByRole('menuitem', { name: 'Export accounts…' }));
  return { ...app, dialog: within(await screen.findByRole('dialog', { name: 'Export accounts' })) };
}

async function openImport(content: string) {
  const app = await renderApp('/upstreams?dialog=bundle');
  const dialog = within(await screen.findByRole('dialog', { name: 'Import a bundle' }));
  await app.user.upload(dialog.getByLabelText('Choose a bundle'), new File([content], 'moved.json'));
  return { ...app, dialog };
}

it('asks for a passphrase twice and for the own password', async () => {
  const { user, dialog } = await openExport();
  await user.click(dialog.getByRole('button', { name: 'Export 14 accounts' }));
  expect(dialog.getByText('Use at least 16 characters')).toBeVisible();
  expect(dialog.getByText('Type your own password')).toBeVisible();
  await user.type(dialog.getByLabelText('Passphrase'), PHRASE);
  expect(dialog.getByText(/^(Good|Strong)$/)).toBeVisible();
  await user.type(dialog.getByLabelText('Passphrase again'), 'otter');
  expect(dialog.getByText('The two are not the same')).toBeVisible();
});

it('pauses what it exports, and says what a refresh token does if not', async () => {
  const { user, dialog } = await openExport();
  expect(dialog.getByRole('switch', { name: 'Pause them here' })).toBeChecked();
  await user.click(dialog.getByRole('switch', { name: 'Pause them here' }));
  expect(dialog.getByText(/A refresh token works once/)).toBeVisible();
  await user.click(dialog.getByRole('switch', { name: 'Pause them here' }));
  await user.type(dialog.getByLabelText('Passphrase'), PHRASE);
  await user.type(dialog.getByLabelText('Passphrase again'), PHRASE);
  await user.type(dialog.getByLabelText('Your password'), 'wrong password');
  await user.click(dialog.getByRole('button', { name: 'Export 14 accounts' }));
  expect(await dialog.findByText('This is not your password.')).toBeVisible();
  await user.clear(dialog.getByLabelText('Your password'));
  await user.type(dialog.getByLabelText('Your password'), 'a long enough password');
  await user.click(dialog.getByRole('button', { name: 'Export 14 accounts' }));
  const done = within(await screen.findByRole('dialog', { name: '14 accounts exported' }));
  expect(done.getByText(/Here they are paused/)).toBeVisible();
  await user.click(done.getByRole('button', { name: 'Done' }));
  await waitFor(() =>
    expect(within(screen.getByRole('region', { name: 'atlas' })).getByText('Paused')).toBeInTheDocument(),
  );
});

it('refuses a file that is no bundle before it is sent', async () => {
  const { dialog } = await openImport('{"tokens": {}}');
  expect(await dialog.findByText(/^moved.json is no bundle of accounts/)).toBeVisible();
});

it('shows what would become of each account before anything is stored', async () => {
  const { user, dialog } = await openImport('{"accounts": 4, "ciphertext": "bW9jaw=="}');
  expect(await dialog.findByText('moved.json')).toBeVisible();
  await user.type(dialog.getByLabelText('Passphrase'), 'wrong');
  await user.type(dialog.getByLabelText('Your password'), 'a long enough password');
  await user.click(dialog.getByRole('button', { name: 'Look inside' }));
  expect(await dialog.findByText(/The passphrase does not open this bundle/)).toBeVisible();
  await user.clear(dialog.getByLabelText('Passphrase'));
  await user.type(dialog.getByLabelText('Passphrase'), PHRASE);
  await user.click(dialog.getByRole('button', { name: 'Look inside' }));
  const preview = within(await screen.findByRole('dialog', { name: '4 accounts in the bundle' }));
  expect(preview.getByText('Nothing has been stored yet.')).toBeVisible();
  expect(preview.getByRole('row', { name: /quartz Will be added/ })).toBeVisible();
  await user.click(preview.getByRole('button', { name: 'Import 2 accounts' }));
  const done = within(await screen.findByRole('dialog', { name: '2 accounts taken in' }));
  expect(done.getByRole('row', { name: /cinder Sign-in replaced/ })).toBeVisible();
  await user.click(done.getByRole('button', { name: 'Done' }));
  expect(await screen.findByRole('region', { name: 'quartz' })).toBeInTheDocument();
});
