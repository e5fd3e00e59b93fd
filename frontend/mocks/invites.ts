import { HttpResponse, http as plain } from 'msw';
import { createOpenApiHttp } from 'openapi-msw';
import type { Invite, InviteWithUrl, Onboarding, Pool, paths } from '@/api';
import { addAccount } from './accounts';
import { invalid, missing, problem } from './answers';
import { clientConfigs } from './client-configs';
import { mail, newInvite } from './invite-seeds';
import { Random } from './random';
import { DAY, HOUR, iso } from './time';
import type { World } from './world';

const http = createOpenApiHttp<paths>({ baseUrl: '*/api/admin/v1' });

const CODE_MS = 600_000;
const ORIGIN = 'https://pooler.example.com';
const POLLS_UNTIL_ENTERED = 2;

type State = () => World;
type Wait = () => Promise<void>;
type Now = () => number;

export function inviteHandlers(state: State, wait: Wait, now: Now) {
  const find = (id: string) => state().invites.find((invite) => invite.id === id);
  const put = (invite: Invite): Invite => {
    const others = state().invites.filter(({ id }) => id !== invite.id);
    state().invites = [invite, ...others].toSorted((a, b) => b.created_at.localeCompare(a.created_at));
    return invite;
  };
  const withUrl = (invite: Invite): InviteWithUrl => ({
    ...put(invite),
    url: `${ORIGIN}/onboarding/invites/${new Random(Math.round(now() / 1000)).hex(43)}`,
  });
  const renewed = (invite: Invite, send: boolean): InviteWithUrl =>
    withUrl({
      ...invite,
      status: 'active',
      expires_at: iso(now() + DAY),
      email: mail(send ? 'queued' : 'not_sent'),
    });
  const noMail = (send: boolean | undefined) =>
    send && !state().mail ? invalid('/send_email', 'Mail is not set up.') : null;
  return [
    http.get('/invites', async ({ request, response }) => {
      await wait();
      const query = new URL(request.url).searchParams;
      const rows = select(state().invites, query);
      const limit = Number(query.get('limit') ?? 50);
      const after = rows.findIndex((row) => row.id === query.get('cursor')) + 1;
      const items = rows.slice(after, after + limit);
      const next_cursor = after + limit < rows.length ? (items.at(-1)?.id ?? null) : null;
      return response(200).json({ items, page: { limit, next_cursor } });
    }),
    http.post('/invites', async ({ request, response }) => {
      await wait();
      const body = await request.json();
      const pool = state().pools.find(({ id }) => id === body.pool_id);
      if (!pool) return response.untyped(missing('pool'));
      const refused = noMail(body.send_email);
      if (refused) return response.untyped(refused);
      const email = body.email.toLowerCase();
      const open = (invite: Invite) =>
        invite.status === 'active' && invite.invited_email === email && invite.pool.id === pool.id;
      if (state().invites.some(open))
        return response.untyped(problem(409, 'invite_exists', 'There is an open invite for this address.'));
      const invite = newInvite(email, pool, state().invites.length, now());
      return response(201).json(
        withUrl({
          ...invite,
          note: body.note ?? null,
          issue_api_key: body.issue_api_key ?? false,
          expires_at: iso(now() + (body.ttl_hours ?? 24) * HOUR),
          email: mail(body.send_email ? 'queued' : 'not_sent'),
        }),
      );
    }),
    http.post('/invites/{invite_id}/reissue', async ({ params, response }) => {
      await wait();
      const invite = find(params.invite_id);
      return invite ? response(200).json(renewed(invite, false)) : response.untyped(missing('invite'));
    }),
    http.post('/invites/{invite_id}/resend', async ({ params, response }) => {
      await wait();
      const refused = noMail(true);
      if (refused) return response.untyped(refused);
      const invite = find(params.invite_id);
      return invite ? response(200).json(renewed(invite, true)) : response.untyped(missing('invite'));
    }),
    http.post('/invites/{invite_id}/revoke', async ({ params, response }) => {
      await wait();
      const invite = find(params.invite_id);
      return invite
        ? response(200).json(put({ ...invite, status: 'revoked' }))
        : response.untyped(missing('invite'));
    }),
    http.post('/upstreams/{upstream_id}/reinvite', async ({ params, request, response }) => {
      await wait();
      const send_email = (await request.json())?.send_email;
      const account = state().upstreams.find(({ id }) => id === params.upstream_id);
      const pool = state().pools.find(({ id }) => id === account?.pools[0]?.id) ?? state().pools[0];
      if (!account || !pool) return response.untyped(missing('account'));
      const refused = noMail(send_email);
      if (refused) return response.untyped(refused);
      const invite = newInvite(account.email ?? 'owner@example.com', pool, state().invites.length, now());
      return response(201).json(withUrl({ ...invite, email: mail(send_email ? 'queued' : 'not_sent') }));
    }),
    ...onboardingHandlers(state, wait, now),
  ];
}

/**
 * The public page of an invite. The token says how far it has come: `ready`, `expired`, `revoked`, `accepted`, and
 * `with-key` for one that gives a key; what becomes of a code is the world's `device`.
 */
function onboardingHandlers(state: State, wait: Wait, now: Now) {
  const at = '*/api/public/v1/invites/:token';
  const known = new Map<string, { onboarding: Onboarding; polls: number }>();
  const of = (token: string) => {
    const entry = known.get(token) ?? { onboarding: onboardingOf(token, state().pools[0], now()), polls: 0 };
    known.set(token, entry);
    return entry;
  };
  const answer = (onboarding: Onboarding) =>
    HttpResponse.json(onboarding, { status: onboarding.state === 'invalid' ? 404 : 200 });
  const polled = (token: string, onboarding: Onboarding): Onboarding => {
    switch (state().device.outcome) {
      case 'waiting':
      case 'slow':
        return onboarding;
      case 'entered': {
        const [pool] = state().pools;
        if (pool) addAccount(state(), pool, undefined, now());
        return accepted(onboarding, token);
      }
      case 'denied':
        return refused(onboarding, 'access_denied');
      case 'expired':
        return refused(onboarding, 'expired_flow');
      case 'mismatch':
        return refused(onboarding, 'invite_email_mismatch');
    }
  };
  return [
    plain.get(at, async ({ params }) => {
      await wait();
      return answer(of(String(params.token)).onboarding);
    }),
    plain.post(`${at}/device-flow`, async ({ params }) => {
      await wait();
      const entry = of(String(params.token));
      entry.polls = 0;
      entry.onboarding = {
        ...entry.onboarding,
        state: 'device_pending',
        error: null,
        flow: {
          user_code: 'WDJB-MJHT4',
          verification_url: 'https://auth.openai.com/codex/device',
          expires_at: iso(now() + CODE_MS),
          interval_s: state().device.interval_s,
        },
      };
      return answer(entry.onboarding);
    }),
    plain.get(`${at}/device-flow`, async ({ params }) => {
      await wait();
      const token = String(params.token);
      const entry = of(token);
      entry.polls += 1;
      if (entry.polls >= POLLS_UNTIL_ENTERED) entry.onboarding = polled(token, entry.onboarding);
      return answer(entry.onboarding);
    }),
  ];
}

function onboardingOf(token: string, pool: Pool | undefined, now: number): Onboarding {
  const blank: Onboarding = {
    state: 'invalid',
    pool_name: null,
    invited_email_masked: null,
    expires_at: null,
    flow: null,
    error: null,
    client_config: null,
    api_key: null,
  };
  if (token === 'expired' || token === 'revoked') return { ...blank, state: token };
  const ready: Onboarding = {
    ...blank,
    state: 'ready',
    pool_name: pool?.name ?? 'Home',
    invited_email_masked: 'gr***@example.com',
    expires_at: iso(now + 20 * HOUR),
  };
  if (token === 'accepted') return { ...accepted(ready, token), api_key: null };
  return token === 'ready' || token === 'with-key' ? ready : blank;
}

function accepted(onboarding: Onboarding, token: string): Onboarding {
  const config = clientConfigs(ORIGIN).find(({ tool }) => tool === 'codex_cli');
  return {
    ...onboarding,
    state: 'accepted',
    flow: null,
    client_config: config?.variants[0]?.snippets[0]?.text ?? '',
    api_key: token === 'with-key' ? `sk-cxp-${new Random(5).hex(12)}-${new Random(6).hex(43)}` : null,
  };
}

function refused(onboarding: Onboarding, code: string): Onboarding {
  return { ...onboarding, state: 'device_error', flow: null, error: { code, detail: code } };
}

function select(invites: readonly Invite[], query: URLSearchParams): Invite[] {
  const among = (name: string, value: string) => {
    const chosen = query.getAll(name);
    return chosen.length === 0 || chosen.includes(value);
  };
  const q = query.get('q')?.toLowerCase();
  return invites.filter(
    ({ pool, status, invited_email, note }) =>
      among('pool_id', pool.id) &&
      among('status', status) &&
      (!q || [invited_email, note].some((text) => text?.toLowerCase().includes(q))),
  );
}
