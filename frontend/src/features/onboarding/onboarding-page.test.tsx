import { createHandlers } from '@mocks/handlers';
import { server } from '@mocks/server';
import { createWorld, type DeviceOutcome, signedOut } from '@mocks/world';
import { screen, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it } from 'vitest';
import { renderApp } from '../../../tests/render-app';

/** The person with the link is nobody here. */
function useDevice(outcome: DeviceOutcome) {
  const world = { ...createWorld(Date.now()), session: signedOut(), device: { outcome, interval_s: 0.01 } };
  server.use(...createHandlers({ latency: 0, live: false, world }));
}

const open = (token: string) => renderApp(`/onboarding/invites/${token}`);

it('leads from the link to the code, and to a key that is shown once', async () => {
  useDevice('entered');
  const { user } = await open('with-key');
  expect(await screen.findByRole('heading', { level: 1, name: 'Join Dev team' })).toBeVisible();
  expect(screen.getByText('gr***@example.com')).toBeVisible();
  expect(screen.queryByRole('navigation')).not.toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Get a code' }));
  expect(await screen.findByRole('heading', { name: 'Your account is linked' })).toBeVisible();
  expect(screen.getByRole('group', { name: 'Your key' })).toHaveTextContent(/^sk-cxp-/);
  expect(screen.getByText('~/.codex/config.toml')).toBeVisible();
  expect(screen.getByText(/codex-pooler-ws/)).toBeVisible();
});

it('shows the code and the page to enter it on', async () => {
  useDevice('waiting');
  const { user } = await open('ready');
  await user.click(await screen.findByRole('button', { name: 'Get a code' }));
  const code = within(await screen.findByRole('group', { name: 'Code' }));
  expect(code.getByText('WDJB-MJHT4')).toBeVisible();
  expect(screen.getByRole('link', { name: 'Open the page' })).toHaveAttribute(
    'href',
    'https://auth.openai.com/codex/device',
  );
  expect(screen.getByRole('status')).toHaveTextContent('Waiting for the code to be entered');
});

it('does without a key where none was promised', async () => {
  await open('accepted');
  expect(await screen.findByRole('heading', { name: 'Your account is linked' })).toBeVisible();
  expect(screen.queryByRole('group', { name: 'Your key' })).not.toBeInTheDocument();
  expect(screen.getByText(/The key comes from whoever invited you/)).toBeVisible();
});

it.each([
  ['denied', 'The sign-in was cancelled'],
  ['expired', 'The code has expired'],
  ['mismatch', 'That was not the invited account'],
] as const)('says what helps when the code was %s, and gives a new one', async (outcome, title) => {
  useDevice(outcome);
  const { user } = await open('ready');
  await user.click(await screen.findByRole('button', { name: 'Get a code' }));
  expect(await screen.findByText(title)).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Get a new code' }));
  expect(await screen.findByText('WDJB-MJHT4')).toBeVisible();
});

it('names the invited address when another one signed in', async () => {
  useDevice('mismatch');
  const { user } = await open('ready');
  await user.click(await screen.findByRole('button', { name: 'Get a code' }));
  expect(await screen.findByText(/The invite is for gr\*\*\*@example.com/)).toBeVisible();
});

it.each([
  ['expired', 'This invite has expired'],
  ['revoked', 'This invite was withdrawn'],
  ['nonsense', 'This link is not an invite'],
])('says that a link is %s and whom to ask', async (token, title) => {
  await open(token);
  expect(await screen.findByRole('heading', { name: title })).toBeVisible();
  expect(screen.getByText(/Ask the person who invited you/)).toBeVisible();
});

it('says how long to wait after too many attempts', async () => {
  server.use(
    http.get('*/api/public/v1/invites/ready', () =>
      HttpResponse.json(
        { code: 'rate_limited', title: 'Too many attempts' },
        { status: 429, headers: { 'Retry-After': '120' } },
      ),
    ),
  );
  await open('ready');
  expect(await screen.findByRole('alert')).toHaveTextContent('Too many attempts. Try again in 2m');
});

it('keeps the code when the server is away for a moment', async () => {
  useDevice('waiting');
  const { user } = await open('ready');
  await user.click(await screen.findByRole('button', { name: 'Get a code' }));
  await screen.findByText('WDJB-MJHT4');
  server.use(http.get('*/api/public/v1/invites/ready/device-flow', () => HttpResponse.error()));
  expect(await screen.findByText(/cannot be reached/)).toBeVisible();
  expect(screen.getByText('WDJB-MJHT4')).toBeVisible();
});
