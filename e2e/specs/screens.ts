import type { Page } from '@playwright/test';

export interface Screen {
  name: string;
  path: string;
  /** The world to show it in; the usual one without pushes if absent. */
  mock?: string;
  /** What to do before looking. */
  act?: (page: Page) => Promise<void>;
}

const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click();

const choose = (trigger: string, item: string | RegExp) => async (page: Page) => {
  await page.getByRole('button', { name: trigger }).click();
  await page.getByRole('menuitem', { name: item }).click();
};

/** Every screen and every overlay, once. A new screen is added here and nowhere else. */
export const SCREENS: Screen[] = [
  { name: 'gallery', path: '/gallery/index.html' },
  { name: 'sign-in', path: '/sign-in', mock: 'signed-out' },
  { name: 'sign-in refused', path: '/sign-in', mock: 'signed-out', act: refusedSignIn },
  { name: 'set-up', path: '/', mock: 'fresh', act: press('Create owner') },
  { name: 'first run', path: '/upstreams', mock: 'empty' },
  { name: 'no pools', path: '/pools', mock: 'empty' },
  { name: 'no keys', path: '/api-keys', mock: 'empty' },
  { name: 'no requests', path: '/requests', mock: 'empty' },
  { name: 'database away', path: '/upstreams', mock: 'failing' },
  { name: 'not found', path: '/nowhere' },
  { name: 'upstreams', path: '/upstreams' },
  { name: 'upstreams as a table', path: '/upstreams?view=table' },
  { name: 'no account matches', path: '/upstreams?q=nobody' },
  { name: 'account menu', path: '/upstreams', act: press('Actions for atlas') },
  { name: 'add account', path: '/upstreams?dialog=add' },
  { name: 'browser sign-in', path: '/upstreams?dialog=add&way=browser', act: press('Get the link') },
  { name: 'browser sign-in refused', path: '/upstreams?dialog=add&way=browser', act: refusedCallback },
  { name: 'browser sign-in ended', path: '/upstreams?dialog=add&way=browser', act: endedSignIn },
  { name: 'account linked', path: '/upstreams?dialog=add&way=device', act: enteredCode },
  {
    name: 'device code',
    path: '/upstreams?dialog=add&way=device',
    mock: 'code-waiting',
    act: press('Get a code'),
  },
  {
    name: 'device code denied',
    path: '/upstreams?dialog=add&way=device',
    mock: 'code-denied',
    act: async (page) => {
      await press('Get a code')(page);
      await page.getByRole('button', { name: 'Start again' }).waitFor();
    },
  },
  { name: 'import', path: '/upstreams?dialog=add&way=file', act: refusedImport },
  { name: 'import results', path: '/upstreams?dialog=add&way=file', act: importMany },
  { name: 'access token', path: '/upstreams?dialog=add&way=token', act: refusedToken },
  { name: 'invite as a way', path: '/upstreams?dialog=add&way=invite' },
  { name: 'sign in again', path: '/upstreams', act: choose('Actions for cinder', 'Sign in again…') },
  {
    name: 'replace credentials',
    path: '/upstreams',
    act: choose('Actions for cinder', 'Replace credentials…'),
  },
  { name: 'invite the owner', path: '/upstreams', act: choose('Actions for cinder', 'Invite its owner…') },
  { name: 'edit account', path: '/upstreams', act: choose('Actions for atlas', 'Edit details…') },
  { name: 'delete account', path: '/upstreams', act: choose('Actions for atlas', 'Delete…') },
  { name: 'pools of an account', path: '/upstreams', act: choose('Actions for atlas', 'Pools…') },
  { name: 'account', path: '/upstreams', act: openUpstream('atlas') },
  { name: 'account below', path: '/upstreams', act: openUpstream('granite', 'Recent activity') },
  { name: 'account signed out', path: '/upstreams', act: openUpstream('cinder') },
  { name: 'account being drained', path: '/upstreams', act: openUpstream('nimbus') },
  { name: 'account in no pool', path: '/upstreams', act: openUpstream('isle') },
  { name: 'account of which nothing is known', path: '/upstreams', act: openUpstream('mistral') },
  { name: 'no such account', path: '/upstreams/00000000-0000-4000-8000-000000000000' },
  { name: 'account tested', path: '/upstreams', act: testedAccount },
  { name: 'saved resets', path: '/upstreams', act: openUpstream('atlas', 'Saved resets') },
  { name: 'saved reset policy', path: '/upstreams', act: resetPolicy },
  { name: 'spend a saved reset', path: '/upstreams', act: spendReset },
  { name: 'saved reset being spent', path: '/upstreams', act: spentReset },
  { name: 'accounts chosen', path: '/upstreams?view=table', act: chooseAccounts },
  { name: 'tags of many accounts', path: '/upstreams?view=table', act: tagAccounts },
  { name: 'accounts that refused', path: '/upstreams?view=table', act: refusedAccounts },
  { name: 'export accounts', path: '/upstreams?dialog=export', act: refusedExport },
  { name: 'accounts exported', path: '/upstreams?dialog=export', act: exported },
  { name: 'import a bundle', path: '/upstreams?dialog=bundle', act: refusedBundle },
  { name: 'inside a bundle', path: '/upstreams?dialog=bundle', act: lookInside },
  { name: 'bundle taken in', path: '/upstreams?dialog=bundle', act: takenIn },
  { name: 'jobs', path: '/jobs' },
  { name: 'no jobs', path: '/jobs', mock: 'empty' },
  { name: 'no job matches', path: '/jobs?state=["cancelled"]' },
  { name: 'no workers', path: '/jobs', mock: 'no-workers' },
  { name: 'jobs away', path: '/jobs', mock: 'failing' },
  {
    name: 'job detail',
    path: '/jobs?state=["discarded"]',
    act: (page) => page.getByRole('table', { name: 'Jobs' }).getByRole('link').first().click(),
  },
  { name: 'pools', path: '/pools' },
  { name: 'pools latency', path: '/pools?measure=latency&range=7d' },
  { name: 'new pool', path: '/pools?dialog=new' },
  { name: 'pool settings', path: '/pools', act: press('Accounts and settings') },
  {
    name: 'pool switches',
    path: '/pools',
    act: async (page) => {
      await press('Accounts and settings')(page);
      await page.getByRole('tab', { name: 'Settings' }).click();
      await page.getByText('Keep websocket sessions together').scrollIntoViewIfNeeded();
    },
  },
  { name: 'explain routing', path: '/pools', act: explainSession },
  { name: 'explain an empty pool', path: '/pools', act: choose('Actions for Demo', 'Explain routing') },
  { name: 'api keys', path: '/api-keys' },
  {
    name: 'key detail',
    path: '/api-keys',
    act: (page) => page.getByRole('link', { name: 'hermes' }).click(),
  },
  { name: 'edit key', path: '/api-keys', act: choose('Actions for hermes', 'Edit…') },
  { name: 'edit key limits', path: '/api-keys', act: refusedLimits },
  { name: 'move key', path: '/api-keys', act: choose('Actions for hermes', 'Move to another pool…') },
  { name: 'new key', path: '/api-keys?dialog=new' },
  { name: 'key created', path: '/api-keys?dialog=new', act: createKey },
  { name: 'connect a client', path: '/api-keys?dialog=connect' },
  { name: 'revoke key', path: '/api-keys', act: choose('Actions for hermes', 'Revoke…') },
  { name: 'requests', path: '/requests' },
  {
    name: 'request detail',
    path: '/requests?status=["failed"]',
    act: (page) => page.getByRole('table').getByRole('link').first().click(),
  },
  {
    name: 'request detail with a model replaced',
    path: '/api-keys',
    act: async (page) => {
      await choose('Actions for ci-nightly', 'Show requests')(page);
      await page.getByRole('table', { name: 'Requests' }).getByRole('link').first().click();
      await page.getByText('Asked for').waitFor();
    },
  },
  {
    name: 'request detail without a price',
    path: '/requests?status=["succeeded"]&model=["gpt-5.3-codex-spark"]',
    act: (page) => page.getByRole('table').getByRole('link').first().click(),
  },
  {
    name: 'facet',
    path: '/requests',
    act: (page) => page.getByRole('combobox', { name: 'Filter by model' }).click(),
  },
  { name: 'invites', path: '/invites' },
  { name: 'no invites', path: '/invites', mock: 'empty' },
  { name: 'no invite matches', path: '/invites?q=nobody' },
  { name: 'invites away', path: '/invites', mock: 'failing' },
  { name: 'invite menu', path: '/invites', act: press('Actions for grace@example.com') },
  { name: 'new invite', path: '/invites?dialog=new' },
  { name: 'invite link', path: '/invites?dialog=new', act: createInvite },
  { name: 'new invite link', path: '/invites', act: choose('Actions for linus@example.com', 'New link…') },
  { name: 'revoke invite', path: '/invites', act: choose('Actions for linus@example.com', 'Revoke…') },
  { name: 'onboarding', path: '/onboarding/invites/ready' },
  {
    name: 'onboarding code',
    path: '/onboarding/invites/ready',
    mock: 'code-waiting',
    act: press('Get a code'),
  },
  {
    name: 'onboarding with another account',
    path: '/onboarding/invites/ready',
    mock: 'other-account',
    act: async (page) => {
      await press('Get a code')(page);
      await page.getByText('That was not the invited account').waitFor();
    },
  },
  {
    name: 'onboarding done',
    path: '/onboarding/invites/with-key',
    act: async (page) => {
      await press('Get a code')(page);
      await page.getByRole('group', { name: 'Your key' }).waitFor();
    },
  },
  { name: 'invite expired', path: '/onboarding/invites/expired' },
  { name: 'invite revoked', path: '/onboarding/invites/revoked' },
  { name: 'invite unknown', path: '/onboarding/invites/nonsense' },
  { name: 'settings', path: '/settings' },
  { name: 'settings being changed', path: '/settings', act: changeSettings },
  { name: 'leaving unsaved settings', path: '/settings', act: leaveSettings },
  { name: 'settings away', path: '/settings', mock: 'failing' },
  { name: 'command palette', path: '/upstreams', act: (page) => page.keyboard.press('Control+k') },
  { name: 'shortcuts', path: '/upstreams', act: (page) => page.keyboard.press('?') },
  { name: 'who is signed in', path: '/upstreams', act: openAccount },
];

function openUpstream(label: string, heading?: string) {
  return async (page: Page): Promise<void> => {
    await page.getByRole('region', { name: label }).getByRole('link', { name: label }).click();
    await page.getByRole('heading', { level: 1, name: label }).waitFor();
    await page.getByRole('heading', { name: 'Recent activity' }).waitFor();
    if (heading) await page.getByRole('heading', { name: heading }).scrollIntoViewIfNeeded();
  };
}

async function testedAccount(page: Page): Promise<void> {
  await openUpstream('atlas')(page);
  await press('Test with a tiny turn')(page);
  await page.getByText('It answers').scrollIntoViewIfNeeded();
}

async function resetPolicy(page: Page): Promise<void> {
  await openUpstream('atlas')(page);
  await press('Policy…')(page);
  await page.getByRole('button', { name: 'Threshold is passed' }).click();
  await page.getByLabel('Threshold, % of a window used').waitFor();
}

async function spendReset(page: Page): Promise<void> {
  await openUpstream('atlas')(page);
  await press('Spend one…')(page);
  await page.getByRole('alertdialog').waitFor();
}

async function spentReset(page: Page): Promise<void> {
  await spendReset(page);
  await page.getByRole('button', { name: 'Spend one', exact: true }).click();
  await page.getByRole('alertdialog').waitFor({ state: 'detached' });
  await page.getByText('one is being spent').scrollIntoViewIfNeeded();
}

async function chooseAccounts(page: Page): Promise<void> {
  for (const label of ['cinder', 'nimbus', 'atlas']) {
    const box = page.getByRole('checkbox', { name: `Choose ${label}` });
    await box.scrollIntoViewIfNeeded();
    await box.click();
  }
  await page.getByText('3 chosen').waitFor();
}

async function tagAccounts(page: Page): Promise<void> {
  await chooseAccounts(page);
  await press('Tags…')(page);
  await page.getByRole('dialog').getByLabel('Tags').fill('eu,');
  await page.getByRole('button', { name: 'Remove eu' }).waitFor();
}

async function refusedAccounts(page: Page): Promise<void> {
  await chooseAccounts(page);
  await page
    .getByRole('group', { name: 'With the chosen accounts' })
    .getByRole('button', { name: 'Drain' })
    .click();
  await page.getByText('of 3 accounts draining').waitFor();
}

async function typeExport(page: Page, password: string): Promise<void> {
  await page.getByLabel('Passphrase', { exact: true }).fill('otter plinth gravel monsoon');
  await page.getByLabel('Passphrase again').fill('otter plinth gravel monsoon');
  await page.getByLabel('Your password').fill(password);
  await page.getByRole('button', { name: /^Export \d+ accounts/ }).click();
}

async function refusedExport(page: Page): Promise<void> {
  await page.getByRole('switch', { name: 'Pause them here' }).click();
  await typeExport(page, 'wrong password');
  await page.getByText('This is not your password').waitFor();
}

async function exported(page: Page): Promise<void> {
  await typeExport(page, 'a long enough password');
  await page.getByText('was saved by your browser').waitFor();
}

async function chooseBundle(page: Page, passphrase: string): Promise<void> {
  const content = { created_at: '2026-03-04T12:00:00Z', accounts: 4, ciphertext: 'bW9jaw==' };
  await page.getByLabel('Choose a bundle').setInputFiles({
    name: 'codex-pooler-accounts-2026-03-04.json',
    mimeType: 'application/json',
    buffer: Buffer.from(JSON.stringify(content)),
  });
  await page.getByLabel('Passphrase').fill(passphrase);
  await page.getByLabel('Your password').fill('a long enough password');
  await page.getByRole('button', { name: 'Look inside' }).click();
}

async function refusedBundle(page: Page): Promise<void> {
  await chooseBundle(page, 'wrong');
  await page.getByText('does not open this bundle').waitFor();
}

async function lookInside(page: Page): Promise<void> {
  await chooseBundle(page, 'otter plinth gravel monsoon');
  await page.getByText('Will be added').waitFor();
}

async function takenIn(page: Page): Promise<void> {
  await lookInside(page);
  await page.getByRole('button', { name: 'Import 2 accounts' }).click();
  await page.getByText('Sign-in replaced').waitFor();
}

async function refusedSignIn(page: Page): Promise<void> {
  await page.getByLabel('E-mail').fill('ada@example.com');
  await page.getByLabel('Password').fill('wrong password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
}

async function refusedImport(page: Page): Promise<void> {
  await page.getByRole('dialog').getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('Choose or paste an auth.json').waitFor();
}

async function paste(page: Page, address: string): Promise<void> {
  await press('Get the link')(page);
  await page.getByRole('textbox', { name: 'Address' }).fill(address);
  await page.getByRole('button', { name: 'Finish' }).click();
}

async function refusedCallback(page: Page): Promise<void> {
  await paste(page, 'https://auth.openai.com/oauth/authorize?state=s');
  await page.getByText('This is the address of another page').waitFor();
}

async function endedSignIn(page: Page): Promise<void> {
  await paste(page, 'http://localhost:1455/auth/callback?code=somebody&state=s');
  await page.getByRole('button', { name: 'Start again' }).waitFor();
}

async function enteredCode(page: Page): Promise<void> {
  await press('Get a code')(page);
  await page.getByText('Added to Dev team').waitFor();
}

async function importMany(page: Page): Promise<void> {
  const good = '{"tokens": {"access_token": "a", "refresh_token": "r"}}';
  const lines = [good, '{"tokens": {"access_token": "expired"}}', '{"OPENAI_API_KEY": "sk-1"}', good];
  await page.getByRole('textbox', { name: 'auth.json' }).fill(lines.join('\n'));
  await page.getByRole('button', { name: 'Import 4 accounts' }).click();
  await page.getByText('2 added, 2 refused').waitFor();
}

async function refusedToken(page: Page): Promise<void> {
  await page.getByRole('textbox', { name: 'Access token' }).fill('sk-123');
  await page.getByText('Egress proxy').click();
  await page.getByRole('button', { name: 'Add account' }).last().click();
  await page.getByText('This is an API key').waitFor();
}

async function createInvite(page: Page): Promise<void> {
  await page.getByRole('dialog').getByLabel('E-mail').fill('hedy@example.com');
  await page.getByRole('button', { name: 'Create the link' }).click();
  await page.getByText('cannot be shown again').waitFor();
}

async function createKey(page: Page): Promise<void> {
  await page.getByLabel('Name').fill('reviewer');
  await page.getByRole('button', { name: 'Create key' }).click();
  await page.getByText('codex-pooler-ws').first().waitFor();
}

async function explainSession(page: Page): Promise<void> {
  await choose('Actions for Dev team', 'Explain routing')(page);
  await page.getByText('For a session').click();
  await page.getByLabel('Session').fill('bound');
  await page.getByRole('button', { name: 'Explain', exact: true }).click();
  await page.getByText('The session is bound to').waitFor();
}

async function refusedLimits(page: Page): Promise<void> {
  await choose('Actions for hermes', 'Edit…')(page);
  await page.getByText('Limits', { exact: true }).click();
  await page.getByRole('group', { name: 'Tokens' }).first().getByLabel('per day').fill('lots');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('A number, such as 500 or 20M').scrollIntoViewIfNeeded();
}

async function changeSettings(page: Page): Promise<void> {
  const ingress = page.getByRole('region', { name: 'Ingress' });
  await ingress.getByLabel('Allowed networks').fill('10.0.0.0/8');
  await ingress.getByLabel('Address of the connection').fill('203.0.113.7');
  await ingress.getByRole('button', { name: 'Check' }).click();
  await ingress.getByText('203.0.113.7 is kept out').scrollIntoViewIfNeeded();
}

async function leaveSettings(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Retention' }).getByLabel('Request log').fill('30');
  await page.keyboard.press('Control+k');
  await page.getByPlaceholder('Find a page, account, pool or action…').fill('Pools');
  await page.keyboard.press('Enter');
  await page.getByRole('alertdialog', { name: 'Leave without saving?' }).waitFor();
}

async function openAccount(page: Page): Promise<void> {
  const menu = page.getByRole('button', { name: 'Open navigation' });
  if (await menu.isVisible()) await menu.click();
  await page.getByRole('button', { name: 'Account of Ada Lovelace' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
}
