import * as v from 'valibot';
import { ApiError } from './client';

/** The public interface of invites. It has no session and no description of its own, so answers are checked here. */
const BASE = '/api/public/v1/invites';

const text = v.nullable(v.string());
const maybe = v.optional(text, null);

const onboarding = v.object({
  state: v.picklist(['ready', 'device_pending', 'device_error', 'accepted', 'expired', 'revoked', 'invalid']),
  pool_name: maybe,
  invited_email_masked: maybe,
  expires_at: maybe,
  flow: v.optional(
    v.nullable(
      v.object({
        user_code: v.string(),
        verification_url: v.string(),
        expires_at: v.string(),
        interval_s: v.number(),
      }),
    ),
    null,
  ),
  error: v.optional(v.nullable(v.object({ code: v.string(), detail: maybe })), null),
  client_config: maybe,
  api_key: maybe,
});

/** How far somebody has come with an invite, as its link shows it. */
export type Onboarding = v.InferOutput<typeof onboarding>;

const problem = v.object({ code: v.string(), title: v.string(), detail: v.optional(v.nullable(v.string())) });

async function ask(path: string, init: RequestInit): Promise<Onboarding> {
  const response = await fetch(`${BASE}/${path}`, { ...init, credentials: 'omit' }).catch(
    (error: unknown) => {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new ApiError(0, { code: 'network_unreachable', title: 'The server cannot be reached' });
    },
  );
  const body: unknown = await response.json().catch(() => null);
  const answer = v.safeParse(onboarding, body);
  if (answer.success) return answer.output;
  const refused = v.safeParse(problem, body);
  const { code, title, detail } = refused.success
    ? refused.output
    : { code: 'unexpected_response', title: `The server answered ${response.status}`, detail: null };
  const wait = Number(response.headers.get('Retry-After'));
  throw new ApiError(
    response.status,
    { code, title, ...(detail ? { detail } : {}) },
    Number.isFinite(wait) && wait > 0 ? wait : undefined,
  );
}

export function readInvite(token: string, signal?: AbortSignal): Promise<Onboarding> {
  return ask(encodeURIComponent(token), signal ? { signal } : {});
}

export function startDeviceFlow(token: string): Promise<Onboarding> {
  const headers = { 'Content-Type': 'application/json' };
  return ask(`${encodeURIComponent(token)}/device-flow`, { method: 'POST', headers, body: '{}' });
}

export function pollDeviceFlow(token: string, signal?: AbortSignal): Promise<Onboarding> {
  return ask(`${encodeURIComponent(token)}/device-flow`, signal ? { signal } : {});
}
