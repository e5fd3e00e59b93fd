import { screen, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

async function openExplanation(name: string) {
  const { user } = await renderApp('/pools');
  await user.click(screen.getByRole('button', { name: `Actions for ${name}` }));
  await user.click(await screen.findByRole('menuitem', { name: 'Explain routing' }));
  return { user, drawer: within(await screen.findByRole('dialog', { name })) };
}

it('ranks who would serve and says why the others would not', async () => {
  const { drawer } = await openExplanation('Dev team');
  const order = within(await drawer.findByRole('list', { name: 'Accounts in the order they are tried' }));
  expect(order.getAllByRole('listitem').length).toBeGreaterThan(4);
  expect(drawer.getByText('Left out (1)')).toBeVisible();
  expect(drawer.getByText('cinder')).toBeVisible();
  expect(drawer.getByText('Sign-in expired')).toBeVisible();
  expect(drawer.getByLabelText('Model')).toHaveValue('gpt-5.5');
});

it('puts the account of a session first', async () => {
  const { user, drawer } = await openExplanation('Dev team');
  await drawer.findByRole('list', { name: 'Accounts in the order they are tried' });
  await user.click(drawer.getByText('For a session'));
  await user.type(drawer.getByLabelText('Session'), 'bound');
  await user.click(drawer.getByRole('button', { name: 'Explain' }));
  expect(await drawer.findByText(/The session is bound to .+, which goes first/)).toBeVisible();
});

it('says so when nobody can serve', async () => {
  const { user, drawer } = await openExplanation('Demo');
  expect(await drawer.findByText(/The pool has no accounts/)).toBeVisible();
  await user.click(drawer.getByRole('tab', { name: 'Settings' }));
  expect(drawer.getByRole('switch', { name: 'Websockets' })).toBeChecked();
});
