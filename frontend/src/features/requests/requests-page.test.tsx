import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

it('shows what was asked for and leads to why it failed', async () => {
  const { user } = await renderApp('/requests?status=%5B%22failed%22%5D');
  const table = within(await screen.findByRole('table', { name: 'Requests' }));
  const [first] = await table.findAllByRole('link');
  if (!first) throw new Error('no failed request in the mock world');
  await user.click(first);
  const drawer = within(await screen.findByRole('dialog'));
  expect(await drawer.findByText('Attempts (3)')).toBeVisible();
  expect(drawer.getAllByText('Moved on')).toHaveLength(2);
  expect(drawer.getByText('Accounts that were not candidates')).toBeVisible();
  expect(drawer.getByText('The provider reported no usage.')).toBeVisible();
});

it('drops filters that make no sense', async () => {
  await renderApp('/requests?status=maybe&transport=%5B%22smoke%22%5D');
  await waitFor(() => expect(screen.getByText('4,000 requests')).toBeInTheDocument());
});
