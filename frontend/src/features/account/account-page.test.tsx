import { server } from '@mocks/server';
import { screen, waitFor, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

/** Opens an account from the list, as a person does. */
async function openAccount(label: string) {
  const app = await renderApp('/upstreams');
  const card = within(screen.getByRole('region', { name: label }));
  await app.user.click(card.getByRole('link', { name: label }));
  await screen.findByRole('heading', { level: 1, name: label });
  await screen.findByRole('heading', { name: 'Recent activity' });
  return app;
}

it('shows who an account is, where it can route, and how it has fared', async () => {
  await openAccount('atlas');
  const identity = within(screen.getByRole('region', { name: 'Identity' }));
  expect(identity.getByText('socks5h://atlas:***@egress-eu.fastlab.io:1080')).toBeVisible();
  expect(identity.getByText(/Marta knows its second factor/)).toBeVisible();
  expect(screen.getByText('Serves Dev team and Agents.')).toBeVisible();
  const gates = within(screen.getByRole('list', { name: 'Gates to Agents' }));
  expect(gates.getAllByRole('listitem').map((gate) => gate.textContent)).toEqual([
    'Assignmentassigned',
    'Healthhealthy',
    'Quotahas quota',
    'Circuitclosed',
  ]);
  expect(
    within(screen.getByRole('region', { name: 'Request health' })).getByText('Turns, 24 h'),
  ).toBeVisible();
  expect(screen.getByText('Ada Lovelace changed its details')).toBeVisible();
});

it('says what stands in the way, and how to remove it', async () => {
  const { user } = await openAccount('cinder');
  expect(screen.getByText(/^The refresh token was used elsewhere/)).toBeVisible();
  expect(screen.getByText('Requests of Dev team do not reach it now.')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Sign in again' }));
  expect(await screen.findByRole('dialog', { name: /cinder/ })).toBeVisible();
});

it('offers a pool to an account that is in none', async () => {
  const { user } = await openAccount('isle');
  expect(screen.getByText('It is in no pool, so no request can reach it.')).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Add to a pool' }));
  expect(await screen.findByRole('dialog', { name: /isle/ })).toBeVisible();
});

it('tests an account and shows what came of it', async () => {
  const { user } = await openAccount('atlas');
  await user.click(screen.getByRole('button', { name: 'Test with a tiny turn' }));
  expect(await screen.findByText('It answers')).toBeVisible();
  expect(screen.getByText('gpt-5.5-mini, HTTP 200')).toBeVisible();
});

it('shows why a test failed', async () => {
  server.use(
    http.post('*/upstreams/:id/probe', () =>
      HttpResponse.json({
        ok: false,
        status: null,
        latency_ms: 30_000,
        ttft_ms: null,
        model: 'gpt-5.5-mini',
        error: { code: 'egress_proxy_failed', detail: 'The egress proxy did not answer.' },
      }),
    ),
  );
  const { user } = await openAccount('atlas');
  await user.click(screen.getByRole('button', { name: 'Test with a tiny turn' }));
  expect(await screen.findByText('It does not answer')).toBeVisible();
  expect(screen.getByText(/The egress proxy did not answer/)).toBeVisible();
});

it('drains an account and tells how many turns are left', async () => {
  const { user } = await openAccount('atlas');
  await user.click(screen.getByRole('button', { name: 'Drain' }));
  expect(await screen.findByText(/^Draining: /)).toBeVisible();
  expect(screen.getByRole('button', { name: 'Reactivate' })).toBeEnabled();
});

it('changes tags and notes, and shows a proxy without its password', async () => {
  const { user } = await openAccount('atlas');
  await user.click(screen.getByRole('button', { name: 'Edit' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Details of atlas' }));
  await user.type(dialog.getByRole('textbox', { name: 'Tags' }), 'night{Enter}');
  await user.click(dialog.getByRole('button', { name: 'Change' }));
  const address = dialog.getByRole('textbox', { name: 'New address' });
  await user.type(address, 'proxy.example');
  await user.click(dialog.getByRole('button', { name: 'Save' }));
  expect(await dialog.findByText(/Send an address such as/)).toBeVisible();
  await user.clear(address);
  await user.type(address, 'socks5://ada:secret@proxy.example:1080');
  await user.click(dialog.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('socks5://ada:***@proxy.example:1080')).toBeVisible();
  expect(screen.getByText('night')).toBeVisible();
  expect(document.body.textContent).not.toContain('secret');
});

it('says in words what a policy for saved resets will do', async () => {
  const { user } = await openAccount('granite');
  await user.click(await screen.findByRole('button', { name: 'Policy…' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Saved resets of granite' }));
  expect(dialog.getByText('Spent by hand only; those that are not spent expire.')).toBeVisible();
  await user.click(dialog.getByRole('switch', { name: 'Spend by itself' }));
  expect(dialog.getByText(/^Spent by itself/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Save' }));
  await waitFor(() => expect(screen.queryByRole('dialog', { name: /granite/ })).not.toBeInTheDocument());
  expect(await screen.findByText(/^Spent by itself/)).toBeVisible();
});

it('spends one saved reset after asking, and waits for its effect', async () => {
  const { user } = await openAccount('atlas');
  await user.click(await screen.findByRole('button', { name: 'Spend one…' }));
  const dialog = within(await screen.findByRole('alertdialog'));
  expect(dialog.getByText(/This cannot be undone/)).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Spend one' }));
  expect(await screen.findByText(/one is being spent/)).toBeVisible();
  expect(screen.getByRole('button', { name: 'Spend one…' })).toBeDisabled();
  expect(screen.getByText('Sent; its effect on the windows has not been seen yet.')).toBeVisible();
});

it('spends nothing when the number of saved resets has changed', async () => {
  const detail = 'There are 1 saved resets by now. Nothing was spent; look again and decide anew.';
  server.use(
    http.post('*/upstreams/:id/saved-resets/redeem', () =>
      HttpResponse.json(
        { type: 'about:blank', title: 'Conflict', status: 409, code: 'count_changed', detail, errors: [] },
        { status: 409, headers: { 'Content-Type': 'application/problem+json' } },
      ),
    ),
  );
  const { user } = await openAccount('atlas');
  await user.click(await screen.findByRole('button', { name: 'Spend one…' }));
  await user.click(await screen.findByRole('button', { name: 'Spend one' }));
  expect(await screen.findByText(detail)).toBeVisible();
});

it('goes from account to account and back to the list by keys', async () => {
  const { user, router } = await openAccount('cinder');
  await user.keyboard('j');
  await waitFor(() => expect(screen.getByRole('heading', { level: 1 })).not.toHaveTextContent('cinder'));
  await user.keyboard('k');
  await screen.findByRole('heading', { level: 1, name: 'cinder' });
  await user.keyboard('{Escape}');
  await waitFor(() => expect(router.state.location.pathname).toBe('/upstreams'));
});

it('keeps the span of the chart in the address, and survives a mangled one', async () => {
  const { user, router } = await openAccount('atlas');
  await user.click(screen.getByRole('button', { name: '24 h' }));
  await waitFor(() => expect(router.state.location.search).toEqual({ range: '24h' }));
  await router.navigate({ to: '.', search: { range: 'forever' } as never });
  expect(screen.getByRole('button', { name: '7 d' })).toHaveAttribute('aria-pressed', 'true');
});

it('says that an account is not there', async () => {
  await renderApp('/upstreams/00000000-0000-4000-8000-000000000000');
  expect(await screen.findByText('There is no such account')).toBeVisible();
  expect(screen.getByRole('link', { name: 'Go to Upstreams' })).toBeVisible();
});
