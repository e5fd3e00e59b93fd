import { test as base, expect } from '@playwright/test';
import { type LiveInstance, startInstance } from '../live-instance';
import { collectProblems, openDialog, reportViolations } from './fixtures';

const test = base.extend<object, { live: LiveInstance }>({
  live: [
    // biome-ignore lint/correctness/noEmptyPattern: the runner reads the fixtures a fixture needs from this pattern
    async ({}, use) => {
      const live = await startInstance();
      await use(live);
      await live.stop();
    },
    { scope: 'worker', timeout: 180_000 },
  ],
});

const PASSWORD = 'correct horse battery';

test('from first set-up to a turn in the request log, against the real thing', async ({
  page,
  live,
  context,
}) => {
  test.setTimeout(180_000);
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const problems = collectProblems(page);
  await page.addInitScript(reportViolations);

  await test.step('create the owner', async () => {
    await page.goto(live.origin);
    await page.getByLabel('E-mail').fill('ada@example.com');
    await page.getByLabel('Name').fill('Ada Lovelace');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Create owner' }).click();
    await expect(page.getByRole('region', { name: 'Getting started' })).toBeVisible();
  });

  await test.step('create a pool', async () => {
    await page.getByRole('link', { name: 'New pool' }).click();
    await page.getByLabel('Name').fill('Home');
    await page.getByRole('button', { name: 'Create pool' }).click();
    await expect(openDialog(page)).toContainText('cannot serve');
    await page.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('refuse a file that is no sign-in, then import two accounts', async () => {
    await page.getByRole('link', { name: 'Upstreams' }).click();
    await page.getByRole('button', { name: 'Import account' }).click();
    const dialog = openDialog(page);
    await dialog.getByRole('textbox', { name: 'auth.json' }).fill('{"OPENAI_API_KEY": "sk-none"}');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(dialog.getByRole('alert')).toContainText('API key');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    for (const name of ['acct-1', 'acct-2']) {
      await page.getByRole('button', { name: 'Import account' }).click();
      const { auth_json } = await (await fetch(`${live.control}/accounts/${name}`)).json();
      await dialog.getByRole('textbox', { name: 'auth.json' }).fill(JSON.stringify(auth_json));
      await dialog.getByLabel('Label').fill(name);
      await dialog.getByRole('button', { name: 'Import', exact: true }).click();
      await expect(page.getByRole('region', { name })).toContainText('Ready');
    }
  });

  const secret = await test.step('create a key', async () => {
    await page.getByRole('link', { name: 'API keys' }).click();
    await page.getByRole('button', { name: 'New key' }).first().click();
    const dialog = openDialog(page);
    await dialog.getByLabel('Name').fill('laptop');
    await dialog.getByRole('button', { name: 'Create key' }).click();
    await expect(dialog).toContainText(`base_url = "${live.origin}/backend-api/codex"`);
    await dialog.getByRole('button', { name: 'Copy' }).first().click();
    await dialog.getByRole('button', { name: 'I have stored the key' }).click();
    return page.evaluate(() => navigator.clipboard.readText());
  });

  await test.step('send turns, the second past an account that has spent its quota', async () => {
    expect((await turn(live, secret)).status).toBe(200);
    await order(live, { account: '*', fault: 'usage_limit_reached', times: 1 });
    expect((await turn(live, secret)).status).toBe(200);
  });

  await test.step('find them in the request log', async () => {
    await page.getByRole('link', { name: 'Request logs' }).click();
    const rows = page.getByRole('table', { name: 'Requests' }).getByRole('link');
    await expect(async () => {
      if ((await rows.count()) < 2) await page.reload();
      await expect(rows).toHaveCount(2, { timeout: 2_000 });
    }).toPass();
    await rows.last().click();
    const drawer = openDialog(page);
    await expect(drawer).toContainText('Served');
    await expect(drawer).toContainText('laptop');
    await page.getByRole('button', { name: 'Previous request' }).click();
    await expect(drawer).toContainText('Attempts (2)');
    await expect(drawer).toContainText('Moved on');
    await expect(drawer).toContainText('usage_limit_reached');
  });

  await test.step('sign out and in again, back to where it was', async () => {
    await page.getByRole('button', { name: 'Account of Ada Lovelace' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
    await page.goto(`${live.origin}/api-keys`);
    await page.getByLabel('E-mail').fill('ada@example.com');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page.getByRole('table', { name: 'API keys' })).toContainText('laptop');
  });

  expect(problems).toEqual([]);
});

function turn({ origin }: LiveInstance, secret: string): Promise<Response> {
  return fetch(`${origin}/backend-api/codex/responses`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      model: 'gpt-5.5',
      stream: true,
      store: false,
      instructions: 'You are a coding agent.',
      input: [
        { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Reply with exactly: ok' }] },
      ],
    }),
  });
}

async function order({ control }: LiveInstance, fault: object): Promise<void> {
  const answer = await fetch(`${control}/faults`, { method: 'POST', body: JSON.stringify(fault) });
  if (!answer.ok) throw new Error(await answer.text());
}
