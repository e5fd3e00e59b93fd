import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

it('creates a pool and opens it', async () => {
  const { user, router } = await renderApp('/pools?dialog=new');
  const dialog = within(await screen.findByRole('dialog', { name: 'New pool' }));
  await user.click(dialog.getByRole('button', { name: 'Create pool' }));
  expect(await dialog.findByText('Give the pool a name')).toBeVisible();
  await user.type(dialog.getByLabelText('Name'), 'Dev team');
  await user.click(dialog.getByRole('button', { name: 'Create pool' }));
  expect(await dialog.findByText('Another pool has this name.')).toBeVisible();
  await user.clear(dialog.getByLabelText('Name'));
  await user.type(dialog.getByLabelText('Name'), 'Night shift');
  await user.click(dialog.getByRole('button', { name: 'Create pool' }));
  const drawer = within(await screen.findByRole('dialog', { name: 'Night shift' }));
  expect(drawer.getByText(/this pool cannot serve/)).toBeVisible();
  expect(router.state.location.search).toHaveProperty('open');
});

it('saves how an account takes part when its field is left', async () => {
  const { user } = await renderApp('/pools');
  await user.click(screen.getAllByRole('button', { name: 'Accounts and settings' })[0] as HTMLElement);
  const drawer = within(await screen.findByRole('dialog', { name: 'Agents' }));
  const weight = drawer.getByRole('spinbutton', { name: 'Weight of borealis' });
  await user.clear(weight);
  await user.type(weight, '3.5');
  await user.tab();
  await waitFor(() => expect(weight).toHaveValue(3.5));
  await user.clear(weight);
  await user.type(weight, '0');
  await user.tab();
  expect(weight).toHaveValue(3.5);
  await user.click(drawer.getByRole('switch', { name: 'Use borealis in this pool' }));
  expect(await drawer.findByText('Off in this pool')).toBeVisible();
});

it('keeps something back for the owner of an account', async () => {
  const { user } = await renderApp('/pools');
  await user.click(screen.getAllByRole('button', { name: 'Accounts and settings' })[0] as HTMLElement);
  const drawer = within(await screen.findByRole('dialog', { name: 'Agents' }));
  const week = drawer.getByRole('spinbutton', { name: 'Use the week or month up to of borealis, percent' });
  await user.type(week, '70');
  await user.tab();
  await waitFor(() => expect(week).toHaveValue(70));
  await user.clear(week);
  await user.tab();
  await waitFor(() => expect(week).toHaveValue(null));
});

it('saves a switch at once and keeps what is being written', async () => {
  const { user, router } = await renderApp('/pools');
  await user.click(screen.getAllByRole('button', { name: 'Accounts and settings' })[0] as HTMLElement);
  const drawer = within(await screen.findByRole('dialog', { name: 'Agents' }));
  await user.click(drawer.getByRole('tab', { name: 'Settings' }));
  await waitFor(() => expect(router.state.location.search).toHaveProperty('tab', 'settings'));
  await user.type(drawer.getByLabelText('Description'), 'For the night');
  const websockets = drawer.getByRole('switch', { name: 'Websockets' });
  expect(websockets).toHaveAccessibleDescription('Without them Codex goes on over HTTP.');
  await user.click(websockets);
  await waitFor(() => expect(websockets).not.toBeChecked());
  expect(drawer.getByLabelText('Description')).toHaveValue('For the night');
  expect(drawer.getByRole('button', { name: 'Save settings' })).toBeEnabled();
});

it('deletes only what was archived', async () => {
  const { user } = await renderApp('/pools');
  await user.click(screen.getByRole('button', { name: 'Actions for Demo' }));
  const early = await screen.findByRole('menuitem', { name: /Delete/ });
  expect(early).toHaveAttribute('aria-disabled', 'true');
  expect(early).toHaveTextContent('Archive the pool first.');
  await user.click(screen.getByRole('menuitem', { name: 'Archive' }));
  expect(await screen.findByText('Demo archived')).toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Actions for Demo' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Delete…' }));
  const dialog = within(await screen.findByRole('alertdialog'));
  await user.type(dialog.getByRole('textbox'), 'Demo');
  await user.click(dialog.getByRole('button', { name: 'Delete' }));
  expect(await screen.findByText('Demo deleted')).toBeInTheDocument();
});

it('gives models other names for tools that know none of them', async () => {
  const { user } = await renderApp('/pools');
  await user.click(screen.getAllByRole('button', { name: 'Accounts and settings' })[0] as HTMLElement);
  const drawer = within(await screen.findByRole('dialog', { name: 'Agents' }));
  await user.click(drawer.getByRole('tab', { name: 'Settings' }));
  const names = await drawer.findByLabelText('Other names for models');
  const save = drawer.getByRole('button', { name: 'Save names' });
  expect(save).toBeDisabled();
  await user.type(names, 'claude');
  await user.click(save);
  expect(await drawer.findByText('Line 1: write a name, an equals sign and a model.')).toBeVisible();
  await user.type(names, '-* = gpt-5.6');
  await user.click(save);
  expect(await screen.findByText('Agents saved')).toBeVisible();
  await waitFor(() =>
    expect(drawer.getByLabelText('Other names for models')).toHaveValue('claude-* = gpt-5.6'),
  );
});
