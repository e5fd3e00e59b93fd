import { createHandlers } from '@mocks/handlers';
import { server } from '@mocks/server';
import { createWorld } from '@mocks/world';
import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

const openJob = (state: string) => renderApp(`/jobs?state=["${state}"]`);

it('shows every kind of job, when it runs and how it went', async () => {
  await renderApp('/jobs');
  const card = (await screen.findByRole('button', { name: 'Clean-up' })).closest('section');
  if (!card) throw new Error('no card');
  expect(within(card).getByText('Every 15 minutes')).toBeVisible();
  expect(within(card).getByRole('img', { name: /^The last 20 runs: / })).toBeVisible();
  expect(screen.getByRole('table', { name: 'Jobs' })).toBeVisible();
});

it('runs one now, and says so when one waits already', async () => {
  const { user } = await renderApp('/jobs');
  await user.click(await screen.findByRole('button', { name: 'Run Prices now' }));
  expect(await screen.findByText('Prices: queued')).toBeInTheDocument();
  await waitFor(() => expect(screen.getByRole('button', { name: 'Run Prices now' })).toBeEnabled());
  await user.click(screen.getByRole('button', { name: 'Run Prices now' }));
  expect(await screen.findByText('Prices: already queued or running')).toBeInTheDocument();
});

it('narrows the list to one kind, and widens it again', async () => {
  const { user, router } = await renderApp('/jobs');
  await user.click(await screen.findByRole('button', { name: 'Old history' }));
  await waitFor(() => expect(router.state.location.search).toEqual({ worker: ['retention'] }));
  await user.click(screen.getByRole('button', { name: 'Clear' }));
  await waitFor(() => expect(router.state.location.search).toEqual({}));
});

it('survives a mangled address', async () => {
  await renderApp('/jobs?state=upside-down&id=7&worker=3');
  expect(await screen.findByRole('table', { name: 'Jobs' })).toBeVisible();
});

it('tells why a job was given up, and tries it again', async () => {
  const { user } = await openJob('discarded');
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await waitFor(() => expect(within(table).getAllByRole('link')).not.toHaveLength(0));
  const [first] = within(table).getAllByRole('link');
  if (!first) throw new Error('no job');
  await user.click(first);
  const detail = within(await screen.findByRole('dialog', { name: `Job ${first.textContent}` }));
  expect(await detail.findByText('Latest error')).toBeVisible();
  expect(detail.getAllByText(/smtp_refused|usage_unavailable/)).not.toHaveLength(0);
  await user.click(detail.getByRole('button', { name: 'Try again now' }));
  expect(await screen.findByText(`Job ${first.textContent} is tried again`)).toBeInTheDocument();
  expect(await detail.findAllByText('Waiting')).not.toHaveLength(0);
});

it('can only ask a running job to stop', async () => {
  const { user } = await openJob('executing');
  const table = await screen.findByRole('table', { name: 'Jobs' });
  await user.click(await within(table).findByRole('link'));
  await user.click(await screen.findByRole('button', { name: 'Ask it to stop' }));
  expect(await screen.findByText(/is asked to stop$/)).toBeInTheDocument();
  expect(await screen.findByText('Running, asked to stop')).toBeVisible();
});

it('says what to start when nobody runs the jobs', async () => {
  server.use(
    ...createHandlers({ latency: 0, live: false, world: { ...createWorld(Date.now()), workers: false } }),
  );
  await renderApp('/jobs');
  expect(await screen.findByText('Background work stands still.')).toBeVisible();
  expect(screen.getByText(/Start one with the role worker/)).toBeVisible();
});

it('is for owners', async () => {
  const world = createWorld(Date.now());
  server.use(
    ...createHandlers({
      latency: 0,
      live: false,
      world: { ...world, session: { ...world.session, capabilities: ['upstreams:read'] } },
    }),
  );
  await renderApp('/jobs');
  expect(await screen.findByText('Not for your role')).toBeVisible();
});
