import { expect } from '@playwright/test';
import type { LiveInstance } from '../live-instance';
import { collectProblems, openDialog, reportViolations } from './fixtures';
import { test } from './live-fixture';

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
    const dialog = openDialog(page);
    const choose = async () => {
      await page.getByRole('button', { name: 'Add account' }).first().click();
      await dialog.getByRole('button', { name: 'auth.json' }).click();
    };
    await choose();
    await dialog.getByRole('textbox', { name: 'auth.json' }).fill('{"OPENAI_API_KEY": "sk-none"}');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await expect(dialog.getByRole('alert')).toContainText('API key');
    await dialog.getByRole('button', { name: 'Close' }).click();
    for (const name of ['acct-1', 'acct-2']) {
      await choose();
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

  await test.step('see what is left of the accounts', async () => {
    await page.getByRole('link', { name: 'Upstreams' }).click();
    for (const name of ['acct-1', 'acct-2']) {
      const account = page.getByRole('region', { name });
      await expect(async () => {
        if ((await account.getByText('No quota data yet').count()) > 0) await page.reload();
        await expect(account.getByRole('meter', { name: 'Weekly' })).toBeVisible({ timeout: 2_000 });
      }).toPass();
    }
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

  await test.step('say in the request log how it was routed and what it cost', async () => {
    const drawer = openDialog(page);
    await expect(drawer).toContainText('Capacity weighted');
    await expect(drawer.getByRole('heading', { name: 'Order of accounts' })).toBeVisible();
    await expect(drawer).toContainText('Cost');
    await page.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('explain how the pool routes now, and switch its websockets off', async () => {
    await page.getByRole('link', { name: 'Pools' }).click();
    await page.getByRole('button', { name: 'Actions for Home' }).click();
    await page.getByRole('menuitem', { name: 'Explain routing' }).click();
    const drawer = openDialog(page);
    await expect(drawer.getByLabel('Model')).toHaveValue('gpt-5.5');
    await expect(drawer.getByText('acct-1')).toBeVisible();
    await expect(drawer.getByText('acct-2')).toBeVisible();
    await drawer.getByRole('tab', { name: 'Settings' }).click();
    // What is saved at once shows before it is; a reload must not overtake it.
    const saved = () => page.waitForResponse((answer) => answer.request().method() === 'PATCH');
    const websockets = drawer.getByRole('switch', { name: 'Websockets' });
    await Promise.all([saved(), websockets.click()]);
    await expect(websockets).not.toBeChecked();
    await drawer.getByRole('tab', { name: 'Accounts' }).click();
    const week = drawer.getByRole('spinbutton', { name: /Use the week or month up to of acct-1/ });
    await week.fill('70');
    await Promise.all([saved(), week.press('Tab')]);
    await page.reload();
    await expect(week).toHaveValue('70');
    await drawer.getByRole('tab', { name: 'Settings' }).click();
    await expect(websockets).not.toBeChecked();
    await page.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('limit the key, and see how far it is used', async () => {
    await page.getByRole('link', { name: 'API keys' }).click();
    await page.getByRole('button', { name: 'Actions for laptop' }).click();
    await page.getByRole('menuitem', { name: 'Edit…' }).click();
    const form = page.getByRole('dialog', { name: 'Edit laptop' });
    await form.getByText('Models and effort').click();
    await form.getByRole('combobox', { name: 'Reasoning effort' }).click();
    await page.getByRole('option', { name: 'At most' }).click();
    await form.getByText('Limits', { exact: true }).click();
    await form.getByRole('group', { name: 'Requests' }).getByLabel('per day').fill('8');
    await form.getByRole('group', { name: 'Cost, $' }).getByLabel('per month').fill('12.50');
    await form.getByText('Networks and notes').click();
    await form.getByLabel('Allowed networks').fill('10.0.0.1/8');
    await form.getByRole('button', { name: 'Save' }).click();
    await expect(form).toContainText('Send a network such as');
    await form.getByLabel('Allowed networks').fill('10.0.0.0/8');
    await form.getByRole('button', { name: 'Save' }).click();
    await expect(page.getByText('laptop saved')).toBeVisible();
    await page.getByRole('link', { name: 'laptop' }).click();
    const drawer = page.getByRole('dialog', { name: 'laptop', exact: true });
    await expect(drawer).toContainText('2 of 8');
    await expect(drawer.getByRole('meter', { name: 'Requests per day' })).toHaveAttribute(
      'aria-valuenow',
      '25',
    );
    await expect(drawer).toContainText('of $12.50');
    await expect(drawer).toContainText('at most high');
    await expect(drawer).toContainText('10.0.0.0/8');
    expect((await turn(live, secret)).status).toBe(403);
    await page.getByRole('button', { name: 'Close' }).click();
  });

  await test.step('change a setting, and try an address against rules that are not saved', async () => {
    await page.getByRole('link', { name: 'Settings' }).click();
    const gateway = page.getByRole('region', { name: 'Gateway' });
    await gateway.getByRole('textbox', { name: 'Keepalive' }).fill('15000');
    const images = gateway.getByRole('group', { name: 'Images' });
    await images.getByLabel('Waiting').fill('80');
    await gateway.getByRole('button', { name: 'Save gateway' }).click();
    await expect(page.getByText('Gateway saved')).toBeVisible();
    const ingress = page.getByRole('region', { name: 'Ingress' });
    await ingress.getByRole('textbox', { name: 'Allowed networks' }).fill('10.0.0.0/8');
    await ingress.getByLabel('Address of the connection').fill('203.0.113.7');
    await ingress.getByRole('button', { name: 'Check' }).click();
    await expect(ingress).toContainText('203.0.113.7 is kept out: the address is not on the list.');
    await ingress.getByRole('textbox', { name: 'Allowed networks' }).fill('home');
    await ingress.getByRole('button', { name: 'Save ingress' }).click();
    await expect(ingress).toContainText('home is no address or network');
    await ingress.getByRole('button', { name: 'Discard' }).click();
    await page.reload();
    await expect(gateway.getByRole('textbox', { name: 'Keepalive' })).toHaveValue('15000');
    await expect(images.getByLabel('Waiting')).toHaveValue('80');
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
