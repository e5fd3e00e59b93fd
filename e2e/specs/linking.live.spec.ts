import { expect, type Page } from '@playwright/test';
import type { LiveInstance } from '../live-instance';
import { collectProblems, openDialog, reportViolations } from './fixtures';
import { test } from './live-fixture';

test('every way an account comes in, against the real thing', async ({ page, live, browser }) => {
  test.setTimeout(240_000);
  const problems = collectProblems(page);
  await page.addInitScript(reportViolations);
  const dialog = openDialog(page);
  const account = (name: string) => page.getByRole('region', { name, exact: true });
  const add = async (way: string) => {
    await page.getByRole('button', { name: 'Add account' }).first().click();
    await dialog.getByRole('button', { name: way }).click();
  };
  const name = async (label: string) => {
    await dialog.getByLabel('Label').fill(label);
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(account(label)).toContainText('Ready');
  };

  await test.step('create the owner', async () => {
    await page.goto(live.origin);
    if (await page.getByRole('heading', { name: 'Sign in' }).isVisible())
      throw new Error('not a fresh instance');
    await page.getByLabel('E-mail').fill('ada@example.com');
    await page.getByLabel('Name').fill('Ada Lovelace');
    await page.getByLabel('Password').fill('correct horse battery');
    await page.getByRole('button', { name: 'Create owner' }).click();
    await expect(page.getByRole('region', { name: 'Getting started' })).toBeVisible();
  });

  await test.step('browser: an address of another sign-in is refused, the right one is taken', async () => {
    await add('Sign in with the browser');
    await dialog.getByLabel('Name of the first pool').fill('Home');
    await dialog.getByRole('button', { name: 'Get the link' }).click();
    await paste(page, 'http://localhost:1455/auth/callback?code=a&state=not-ours');
    await expect(dialog.getByRole('alert')).toContainText('another sign-in');
    await paste(page, await signIn(page, 'acct-1'));
    await expect(dialog).toContainText('Added to Home');
    await expect(dialog).toContainText('Home has no key yet');
    await name('by browser');
  });

  await test.step('browser: a refusal ends the sign-in, which starts again', async () => {
    await add('Sign in with the browser');
    await dialog.getByRole('button', { name: 'Get the link' }).click();
    const state = new URL(await linkOf(page)).searchParams.get('state');
    await paste(page, `http://localhost:1455/auth/callback?error=access_denied&state=${state}`);
    await expect(dialog).toContainText('ChatGPT did not allow the sign-in');
    await dialog.getByRole('button', { name: 'Start again' }).click();
    await dialog.getByRole('textbox', { name: 'Address' }).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('device code: denied, then entered', async () => {
    await add('Device code');
    await dialog.getByRole('button', { name: 'Get a code' }).click();
    await answerCode(live, await codeOn(page), { denied: true });
    await expect(dialog).toContainText('The sign-in was refused');
    await dialog.getByRole('button', { name: 'Start again' }).click();
    await answerCode(live, await codeOn(page), { account: 'acct-2' });
    await expect(dialog).toContainText('Added to Home');
    await name('by code');
  });

  await test.step('files: many at once, each accepted or refused by itself', async () => {
    await add('auth.json');
    const files = [
      await authJson(live, 'acct-3'),
      await authJson(live, 'acct-4'),
      { OPENAI_API_KEY: 'sk-1' },
    ];
    await dialog
      .getByRole('textbox', { name: 'auth.json' })
      .fill(files.map((file) => JSON.stringify(file)).join('\n'));
    await dialog.getByRole('button', { name: 'Import 3 accounts' }).click();
    await expect(dialog.getByRole('status')).toHaveText('2 added, 1 refused');
    await expect(dialog).toContainText('This sign-in is an API key');
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(page.getByText('4 accounts')).toBeVisible();
  });

  await test.step('access token', async () => {
    await add('Access token');
    const token = dialog.getByRole('textbox', { name: 'Access token' });
    await token.fill('at-nobody-knows-this-one');
    await dialog.getByRole('button', { name: 'Add account' }).click();
    await expect(dialog).toContainText('does not accept this access token');
    const { personal_token } = await control(live, '/accounts/acct-5');
    await token.fill(personal_token);
    await dialog.getByLabel('Label').fill('by token');
    await dialog.getByRole('button', { name: 'Add account' }).click();
    await expect(account('by token')).toContainText('Ready');
  });

  await test.step('an egress proxy that is none stands beside its field', async () => {
    await add('Device code');
    await dialog.getByText('Egress proxy').click();
    await dialog.getByLabel('Address of the proxy').fill('ftp://proxy.example');
    await dialog.getByRole('button', { name: 'Get a code' }).click();
    await expect(dialog.getByLabel('Address of the proxy')).toHaveAttribute('aria-invalid', 'true');
    await dialog.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('sign in again: not as somebody else', async () => {
    await page.getByRole('button', { name: 'Actions for by browser' }).click();
    await page.getByRole('menuitem', { name: 'Sign in again…' }).click();
    await dialog.getByRole('button', { name: 'Get the link' }).click();
    await paste(page, await signIn(page, 'acct-6'));
    await expect(dialog).toContainText('That was another account');
    await dialog.getByRole('button', { name: 'Start again' }).click();
    await paste(page, await signIn(page, 'acct-1'));
    await expect(dialog).toContainText('by browser has a new sign-in');
    await dialog.getByRole('button', { name: 'Done' }).click();
  });

  await test.step('replace credentials', async () => {
    await page.getByRole('button', { name: 'Actions for by code' }).click();
    await page.getByRole('menuitem', { name: 'Replace credentials…' }).click();
    const text = dialog.getByRole('textbox', { name: 'auth.json' });
    await text.fill(JSON.stringify(await authJson(live, 'acct-6')));
    await dialog.getByRole('button', { name: 'Replace' }).click();
    await expect(dialog.getByRole('alert')).toContainText('That was another account');
    await text.fill(JSON.stringify(await authJson(live, 'acct-2')));
    await dialog.getByRole('button', { name: 'Replace' }).click();
    await expect(page.getByText('by code has a new sign-in')).toBeVisible();
  });

  await test.step('invite: the wrong person is refused, the right one gets a key that works', async () => {
    const { email } = await control(live, '/accounts/acct-6');
    await page.getByRole('link', { name: 'Invites' }).click();
    await page.getByRole('button', { name: 'Invite someone' }).first().click();
    await dialog.getByLabel('E-mail').fill(email);
    await dialog.getByRole('switch', { name: 'Give a key' }).click();
    await dialog.getByRole('button', { name: 'Create the link' }).click();
    const link = await dialog
      .getByRole('group', { name: 'Invite link' })
      .locator('span')
      .first()
      .textContent();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(page.getByRole('table', { name: 'Invites' })).toContainText('Open');

    const guest = await (await browser.newContext()).newPage();
    const guestProblems = collectProblems(guest);
    await guest.addInitScript(reportViolations);
    await guest.goto(link ?? '');
    await guest.getByRole('button', { name: 'Get a code' }).click();
    await answerCode(live, await codeOn(guest), { account: 'acct-1' });
    await expect(guest.getByText('That was not the invited account')).toBeVisible();
    await guest.getByRole('button', { name: 'Get a new code' }).click();
    await answerCode(live, await codeOn(guest), { account: 'acct-6' });
    await expect(guest.getByRole('heading', { name: 'Your account is linked' })).toBeVisible();
    const key = await guest.getByRole('group', { name: 'Your key' }).locator('span').first().textContent();
    const answer = await fetch(`${live.origin}/backend-api/codex/models?client_version=0.149.0`, {
      headers: { Authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(200);
    expect(guestProblems).toEqual([]);
    await guest.goto(`${live.origin}/onboarding/invites/${'A'.repeat(43)}`);
    await expect(guest.getByRole('heading', { name: 'This link is not an invite' })).toBeVisible();
    await guest.context().close();
    await expect(page.getByRole('table', { name: 'Invites' })).toContainText('Accepted');
  });

  await test.step('an invite that is revoked leads nowhere', async () => {
    await page.getByRole('button', { name: 'Invite someone' }).first().click();
    await dialog.getByLabel('E-mail').fill('grace@example.com');
    await dialog.getByRole('button', { name: 'Create the link' }).click();
    const link = await dialog
      .getByRole('group', { name: 'Invite link' })
      .locator('span')
      .first()
      .textContent();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await page.getByRole('button', { name: 'Actions for grace@example.com' }).click();
    await page.getByRole('menuitem', { name: 'Revoke…' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click();
    await expect(page.getByRole('table', { name: 'Invites' })).toContainText('Revoked');
    const guest = await (await browser.newContext()).newPage();
    await guest.goto(link ?? '');
    await expect(guest.getByRole('heading', { name: 'This invite was withdrawn' })).toBeVisible();
    await guest.context().close();
  });

  expect(problems).toEqual([]);
});

async function linkOf(page: Page): Promise<string> {
  const link = await openDialog(page).getByRole('link', { name: 'Open' }).getAttribute('href');
  if (!link) throw new Error('no sign-in link');
  return link;
}

/** What the browser's address bar holds after somebody has signed in. */
async function signIn(page: Page, account: string): Promise<string> {
  const answer = await fetch(`${await linkOf(page)}&auto_account=${account}`, { redirect: 'manual' });
  const address = answer.headers.get('location');
  if (!address) throw new Error(await answer.text());
  return address;
}

async function paste(page: Page, address: string): Promise<void> {
  const dialog = openDialog(page);
  await dialog.getByRole('textbox', { name: 'Address' }).fill(address);
  await dialog.getByRole('button', { name: 'Finish' }).click();
}

async function codeOn(page: Page): Promise<string> {
  const code = await page
    .getByRole('group', { name: 'Code', exact: true })
    .locator('span')
    .first()
    .textContent();
  if (!code) throw new Error('no code');
  return code;
}

// biome-ignore lint/suspicious/noExplicitAny: the simulator's answers are not described
async function control(live: LiveInstance, path: string, body?: object): Promise<any> {
  const init = body ? { method: 'POST', body: JSON.stringify(body) } : {};
  const answer = await fetch(`${live.control}${path}`, init);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function answerCode(live: LiveInstance, user_code: string, answer: object): Promise<unknown> {
  return control(live, '/devices', { user_code, ...answer });
}

async function authJson(live: LiveInstance, name: string): Promise<object> {
  return (await control(live, `/accounts/${name}`)).auth_json;
}
