import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { UNKNOWN } from '@/lib/format';
import { renderApp } from '../../../tests/render-app';
import { costLabel, costNote } from './status';

it('shows what was asked for and leads to why it failed', async () => {
  const { user } = await renderApp('/requests?status=%5B%22failed%22%5D');
  const table = within(await screen.findByRole('table', { name: 'Requests' }));
  const [first] = await table.findAllByRole('link');
  if (!first) throw new Error('no failed request in the mock world');
  await user.click(first);
  const drawer = within(await screen.findByRole('dialog'));
  expect(await drawer.findByText('Attempts (3)')).toBeVisible();
  expect(drawer.getAllByText('Moved on')).toHaveLength(2);
  expect(drawer.getByText('Capacity weighted')).toBeVisible();
  expect(drawer.getAllByText('Sign-in expired')[0]).toBeVisible();
  expect(drawer.getByText('The provider reported no usage.')).toBeVisible();
});

it('tells what a request cost', async () => {
  const { user } = await renderApp('/requests?status=%5B%22succeeded%22%5D&model=%5B%22gpt-5.5%22%5D');
  const table = within(await screen.findByRole('table', { name: 'Requests' }));
  const [first] = await table.findAllByRole('link');
  if (!first) throw new Error('no request in the mock world');
  await user.click(first);
  const drawer = within(await screen.findByRole('dialog'));
  const cost = (await drawer.findByText('Cost')).nextElementSibling;
  expect(cost?.textContent).toMatch(/^(<\$0\.01|\$\d+\.\d\d)$/);
});

it('tells why a cost is not known', async () => {
  const { user } = await renderApp(
    '/requests?model=%5B%22gpt-5.3-codex-spark%22%5D&status=%5B%22succeeded%22%5D',
  );
  const table = within(await screen.findByRole('table', { name: 'Requests' }));
  await user.click((await table.findAllByRole('link'))[0] as HTMLElement);
  const drawer = within(await screen.findByRole('dialog'));
  expect(await drawer.findByText('No price')).toBeVisible();
  expect(drawer.getByText('the price list lacks this model')).toBeVisible();
});

it.each([
  [
    { usd: null, state: 'unpriced', pricing_status: 'unpriced_missing_model' },
    UNKNOWN,
    'the price list lacks this model',
  ],
  [{ usd: null, state: 'unknown', pricing_status: 'usage_unknown' }, UNKNOWN, 'no usage was reported'],
  [{ usd: '1.250000', state: 'priced', pricing_status: 'priced' }, '$1.25', null],
  [null, UNKNOWN, null],
] as const)('never shows an unknown cost as nothing: %o', (cost, label, note) => {
  expect([costLabel(cost), costNote(cost)]).toEqual([label, note]);
});

it('drops filters that make no sense', async () => {
  await renderApp('/requests?status=maybe&transport=%5B%22smoke%22%5D');
  await waitFor(() => expect(screen.getByText('4,000 requests')).toBeInTheDocument());
});
