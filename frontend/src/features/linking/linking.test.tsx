import { createHandlers } from '@mocks/handlers';
import { server } from '@mocks/server';
import { createWorld, type DeviceOutcome } from '@mocks/world';
import { screen, waitFor, within } from '@testing-library/react';
import { HttpResponse, http } from 'msw';
import { expect, it, vi } from 'vitest';
import { renderApp } from '../../../tests/render-app';

const CALLBACK = 'http://localhost:1455/auth/callback?state=s';

function useDevice(outcome: DeviceOutcome) {
  const world = createWorld(Date.now());
  // Asked for without a pause: a test waits for what comes, not for time.
  server.use(
    ...createHandlers({
      latency: 0,
      live: false,
      world: { ...world, device: { outcome, interval_s: 0.01 } },
    }),
  );
}

async function open(path: string, name: string) {
  const { user } = await renderApp(path);
  return { user, dialog: within(await screen.findByRole('dialog', { name })) };
}

async function startBrowser() {
  const { user, dialog } = await open('/upstreams?dialog=add&way=browser', 'Sign in with the browser');
  await user.click(await dialog.findByRole('button', { name: 'Get the link' }));
  await dialog.findByRole('link', { name: 'Open' });
  const paste = async (text: string) => {
    const field = dialog.getByRole('textbox', { name: 'Address' });
    await user.clear(field);
    await user.click(field);
    await user.paste(text);
    await user.click(dialog.getByRole('button', { name: 'Finish' }));
  };
  return { user, dialog, paste };
}

it('offers every way, and goes back to them', async () => {
  const { user } = await renderApp('/upstreams');
  await user.click(screen.getByRole('button', { name: 'Add account' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Add an account' }));
  expect(dialog.getAllByRole('listitem')).toHaveLength(5);
  await user.click(dialog.getByRole('button', { name: /Access token/ }));
  expect(await screen.findByRole('dialog', { name: 'Access token' })).toBeVisible();
  await user.click(screen.getByRole('button', { name: 'Back' }));
  expect(await screen.findByRole('dialog', { name: 'Add an account' })).toBeVisible();
});

it('signs an account in with the browser, past each mistake in what is pasted', async () => {
  const { user, dialog, paste } = await startBrowser();
  expect(dialog.getByRole('link', { name: 'Open' })).toHaveAttribute(
    'href',
    expect.stringContaining('state='),
  );
  await user.click(dialog.getByRole('button', { name: 'Finish' }));
  expect(dialog.getByText('Paste the address of the page that could not be loaded')).toBeVisible();
  await paste('https://auth.openai.com/oauth/authorize?state=x');
  expect(dialog.getByText(/This is the address of another page/)).toBeVisible();
  await paste('http://localhost:1455/auth/callback?code=a');
  expect(dialog.getByText(/A part of the address is missing/)).toBeVisible();
  await paste('http://localhost:1455/auth/callback?code=a&state=other');
  expect(await dialog.findByRole('alert')).toHaveTextContent('This address belongs to another sign-in');
  await paste(`localhost:1455/auth/callback?state=s&code=good`);
  const label = await dialog.findByRole('textbox', { name: 'Label' });
  expect(dialog.getByText('Added to Dev team')).toBeVisible();
  await user.clear(label);
  await user.type(label, 'quartz');
  await user.click(dialog.getByRole('button', { name: 'Done' }));
  expect(await screen.findByRole('region', { name: 'quartz' })).toBeInTheDocument();
});

it.each([
  ['error=access_denied', 'ChatGPT did not allow the sign-in'],
  ['code=spent', 'ChatGPT did not complete the sign-in'],
])('starts again after %s', async (query, title) => {
  const { user, dialog, paste } = await startBrowser();
  await paste(`${CALLBACK}&${query}`);
  expect(await dialog.findByText(title)).toBeVisible();
  await user.click(await dialog.findByRole('button', { name: 'Start again' }));
  expect(await dialog.findByRole('textbox', { name: 'Address' })).toHaveValue('');
});

it('ends a sign-in that is left', async () => {
  const cancelled = vi.fn();
  server.events.on('request:start', ({ request }) => {
    if (request.method === 'DELETE') cancelled(new URL(request.url).pathname);
  });
  const { user, dialog } = await startBrowser();
  await user.click(dialog.getByRole('button', { name: 'Back' }));
  await waitFor(() => expect(cancelled).toHaveBeenCalledWith(expect.stringContaining('/oauth-flows/')));
  server.events.removeAllListeners();
});

it('shows a device code and notices by itself that it was entered', async () => {
  useDevice('entered');
  const { user, dialog } = await open('/upstreams?dialog=add&way=device', 'Device code');
  await user.click(await dialog.findByRole('button', { name: 'Get a code' }));
  expect(await dialog.findByText('Added to Dev team')).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Add another' }));
  expect(await dialog.findByRole('button', { name: 'Get a code' })).toBeVisible();
});

it('keeps the code in sight and says what keeps it waiting', async () => {
  useDevice('waiting');
  const { user, dialog } = await open('/upstreams?dialog=add&way=device', 'Device code');
  await user.click(await dialog.findByRole('button', { name: 'Get a code' }));
  expect(await dialog.findByText('WDJB-MJHT4')).toBeVisible();
  expect(dialog.getByText(/must be allowed in ChatGPT/)).toBeVisible();
  expect(dialog.getByRole('status')).toHaveTextContent('Waiting for the code to be entered');
});

it.each([
  ['denied', 'The sign-in was refused'],
  ['expired', 'The sign-in took too long'],
] as const)('says what helps when a code was %s', async (outcome, title) => {
  useDevice(outcome);
  const { user, dialog } = await open('/upstreams?dialog=add&way=device', 'Device code');
  await user.click(await dialog.findByRole('button', { name: 'Get a code' }));
  expect(await dialog.findByText(title)).toBeVisible();
  expect(dialog.getByRole('button', { name: 'Start again' })).toBeEnabled();
});

it('puts a refused egress proxy beside its field', async () => {
  const { user, dialog } = await open('/upstreams?dialog=add&way=device', 'Device code');
  await user.click(await dialog.findByText('Egress proxy'));
  await user.type(dialog.getByLabelText('Address of the proxy'), 'proxy.example');
  await user.click(dialog.getByRole('button', { name: 'Get a code' }));
  expect(await dialog.findByText(/Send an address such as socks5/)).toBeVisible();
});

it('says what to do about a refused auth.json and takes the next one', async () => {
  const { user, dialog } = await open('/upstreams?dialog=add&way=file', 'auth.json');
  await user.click(await dialog.findByRole('button', { name: 'Import' }));
  expect(dialog.getByText('Choose or paste an auth.json')).toBeVisible();
  const text = dialog.getByRole('textbox', { name: 'auth.json' });
  await user.click(text);
  await user.paste('{"OPENAI_API_KEY": "sk-1"}');
  await user.click(dialog.getByRole('button', { name: 'Import' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('Sign in with ChatGPT');
  await user.clear(text);
  await user.click(text);
  await user.paste('{"tokens": {"access_token": "a", "refresh_token": "r"}}');
  await user.type(dialog.getByRole('textbox', { name: 'Label' }), 'quartz');
  await user.click(dialog.getByRole('button', { name: 'Import' }));
  expect(await screen.findByText('quartz imported')).toBeInTheDocument();
  expect(await screen.findByRole('region', { name: 'quartz' })).toBeInTheDocument();
});

it('takes files without showing what is in them', async () => {
  const { user, dialog } = await open('/upstreams?dialog=add&way=file', 'auth.json');
  const file = new File(['{"tokens": {"access_token": "secret-token"}}'], 'auth.json');
  await user.upload(dialog.getByLabelText('Choose auth.json files'), file);
  expect(await dialog.findByText('44 B')).toBeVisible();
  expect(screen.queryByText(/secret-token/)).not.toBeInTheDocument();
  await user.click(dialog.getByRole('button', { name: 'Remove auth.json' }));
  expect(dialog.getByRole('textbox', { name: 'auth.json' })).toHaveValue('');
});

it('imports many sign-ins and goes on with those that were refused', async () => {
  const { user, dialog } = await open('/upstreams?dialog=add&way=file', 'auth.json');
  const good = '{"tokens": {"access_token": "a", "refresh_token": "r"}}';
  await user.upload(dialog.getByLabelText('Choose auth.json files'), [
    new File([`${good}\n${good}\n`], 'team.jsonl'),
    new File(['{"tokens": {"access_token": "expired"}}'], 'old.json'),
  ]);
  await user.click(await dialog.findByRole('button', { name: 'Import 3 accounts' }));
  expect(await dialog.findByRole('status')).toHaveTextContent('2 added, 1 refused');
  const [refused] = dialog.getAllByRole('row').slice(1);
  expect(refused).toHaveTextContent('old.json');
  expect(refused).toHaveTextContent('The access token has expired');
  expect(dialog.getByText('team.jsonl, no. 2')).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Go on with the 1 refused one' }));
  expect(await dialog.findByText('old.json')).toBeVisible();
  expect(dialog.getByRole('button', { name: 'Import' })).toBeEnabled();
});

it('tells what is no access token, and takes one', async () => {
  const { user, dialog } = await open('/upstreams?dialog=add&way=token', 'Access token');
  const field = await dialog.findByLabelText('Access token');
  const add = dialog.getByRole('button', { name: 'Add account' });
  await user.type(field, 'sk-123');
  await user.click(add);
  expect(dialog.getByText(/This is an API key/)).toBeVisible();
  await user.clear(field);
  await user.type(field, 'at-revoked');
  await user.click(add);
  expect(await dialog.findByRole('alert')).toHaveTextContent('ChatGPT does not accept this access token');
  await user.clear(field);
  await user.type(field, 'at-good');
  await user.type(dialog.getByLabelText('Label'), 'robot');
  await user.click(add);
  expect(await screen.findByText('robot imported')).toBeInTheDocument();
});

it('signs an account in again where it needs it', async () => {
  const { user } = await renderApp('/upstreams?q=cinder');
  const card = () => within(screen.getByRole('region', { name: 'cinder' }));
  await user.click(card().getByRole('button', { name: 'Sign in again' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Sign cinder in again' }));
  await user.click(await dialog.findByRole('button', { name: 'Get the link' }));
  expect(await dialog.findByText(/in the workspace/)).toHaveTextContent(
    'Sign in as o***@northwind.dev, in the workspace Northwind',
  );
  await user.click(dialog.getByRole('textbox', { name: 'Address' }));
  await user.paste(`${CALLBACK}&code=somebody`);
  await user.click(dialog.getByRole('button', { name: 'Finish' }));
  expect(await dialog.findByText('That was another account')).toBeVisible();
  await user.click(await dialog.findByRole('button', { name: 'Start again' }));
  await user.click(await dialog.findByRole('textbox', { name: 'Address' }));
  await user.paste(`${CALLBACK}&code=good`);
  await user.click(dialog.getByRole('button', { name: 'Finish' }));
  expect(await dialog.findByText('cinder has a new sign-in')).toBeVisible();
  await user.click(dialog.getByRole('button', { name: 'Done' }));
  await waitFor(() => expect(card().getByText('Ready')).toBeInTheDocument());
});

it('replaces credentials, but not by those of another account', async () => {
  const { user } = await renderApp('/upstreams?q=cinder');
  await user.click(screen.getByRole('button', { name: 'Actions for cinder' }));
  await user.click(await screen.findByRole('menuitem', { name: 'Replace credentials…' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Replace the credentials of cinder' }));
  const text = dialog.getByRole('textbox', { name: 'auth.json' });
  await user.click(text);
  await user.paste('{"tokens": {"access_token": "other", "refresh_token": "r"}}');
  await user.click(dialog.getByRole('button', { name: 'Replace' }));
  expect(await dialog.findByRole('alert')).toHaveTextContent('That was another account');
  await user.clear(text);
  await user.click(text);
  await user.paste('{"tokens": {"access_token": "a", "refresh_token": "r"}}');
  await user.click(dialog.getByRole('button', { name: 'Replace' }));
  expect(await screen.findByText('cinder has a new sign-in')).toBeInTheDocument();
});

it('says that a sign-in goes on when the server is away for a moment', async () => {
  useDevice('waiting');
  const { user, dialog } = await open('/upstreams?dialog=add&way=device', 'Device code');
  await user.click(await dialog.findByRole('button', { name: 'Get a code' }));
  await dialog.findByText('WDJB-MJHT4');
  server.use(
    http.get('*/api/admin/v1/oauth-flows/:id', () =>
      HttpResponse.json({ code: 'database_unavailable', title: 'The database is away' }, { status: 503 }),
    ),
  );
  expect(await dialog.findByText(/The database is away. The sign-in goes on/)).toBeVisible();
  expect(dialog.getByText('WDJB-MJHT4')).toBeVisible();
});
