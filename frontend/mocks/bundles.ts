import { createOpenApiHttp } from 'openapi-msw';
import type { AccountBundle, MovedAccount, paths } from '@/api';
import { addAccount, changeAccount } from './accounts';
import { problem } from './answers';
import { iso } from './time';
import type { World } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

const FORMAT = 'codex-pooler-accounts';
const PAUSED = { state: 'paused', label: 'Paused', until: null } as const;

/** Moving accounts. The password `wrong password` is nobody's, and the passphrase `wrong` opens no bundle. */
export function bundleHandlers(state: State, wait: Wait, now: Now) {
  return [
    http.post('/upstreams/export', async ({ request, response }) => {
      await wait();
      const { upstream_ids, password, disable } = await request.json();
      const refused = wrongPassword(password);
      if (refused) return response.untyped(refused);
      const ids = upstream_ids ?? state().upstreams.map(({ id }) => id);
      if (disable)
        for (const id of ids)
          changeAccount(state(), id, { status: 'paused', readiness: PAUSED, in_flight: 0 });
      return response(200).json(bundleOf(ids.length, now()));
    }),
    http.post('/upstreams/import-bundle', async ({ request, response }) => {
      await wait();
      const { passphrase, password, pool_id, dry_run = false } = await request.json();
      const refused = wrongPassword(password);
      if (refused) return response.untyped(refused);
      if (passphrase === 'wrong')
        return response.untyped(
          problem(
            422,
            'wrong_passphrase',
            'The passphrase does not open this bundle, or the file is damaged.',
          ),
        );
      const pool = state().pools.find(({ id }) => id === pool_id) ?? state().pools[0];
      const items: MovedAccount[] = [
        moved('quartz', 'created'),
        moved('atlas', 'kept', 'The sign-in here was renewed later.'),
        moved('cinder', 'updated'),
        moved('rhombus', 'failed', 'Its sign-in is not complete.'),
      ];
      if (!dry_run && pool) addAccount(state(), pool, 'quartz', now());
      return response(200).json({ dry_run, items });
    }),
  ];
}

function wrongPassword(password: string): Response | null {
  if (password !== 'wrong password') return null;
  return problem(403, 'password_wrong', 'This is not your password.', [
    { pointer: '/password', code: 'password_wrong', message: 'This is not your password.' },
  ]);
}

function moved(label: string, result: MovedAccount['result'], detail: string | null = null): MovedAccount {
  return { label, result, upstream_id: null, code: detail ? result : null, detail };
}

function bundleOf(accounts: number, now: number): AccountBundle {
  return {
    format: FORMAT,
    version: 1,
    created_at: iso(now),
    accounts,
    kdf: { name: 'argon2id', salt: 'bW9jaw==', iterations: 3, memory_kib: 65_536, lanes: 4 },
    cipher: { name: 'aes-256-gcm', nonce: 'bW9jaw==' },
    ciphertext: 'bW9jaw==',
  };
}
