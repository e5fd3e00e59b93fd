import type { paths as Generated, PageInfo, Problem, Ref, Upstream } from './schema.gen';

/** Endpoints whose description has not arrived in openapi.json yet, written as the generator would write them. */

export interface OAuthFlow {
  id: string;
  kind: 'browser' | 'device';
  state: 'pending' | 'authorizing' | 'completed' | 'failed' | 'expired' | 'cancelled';
  pool: Ref;
  upstream_id: string | null;
  authorize_url: string | null;
  user_code: string | null;
  verification_url: string | null;
  interval_s: number | null;
  expires_at: string;
  error: { code: string; detail: string } | null;
  result: { upstream_id: string; created: boolean } | null;
}

export interface OAuthFlowInput {
  kind: OAuthFlow['kind'];
  pool_id: string;
  upstream_id?: string;
  egress_proxy?: string;
}

export interface NewLogin {
  auth_json?: string;
  access_token?: string;
}

export interface ImportLogin extends NewLogin {
  pool_id: string;
  label?: string;
  egress_proxy?: string;
  expires_at?: string;
}

export interface ImportManyInput {
  pool_id: string;
  documents: string[];
  egress_proxy?: string;
}

export interface ImportManyItem {
  index: number;
  result: 'created' | 'updated' | 'failed';
  account: Upstream | null;
  problem: { code: string; title: string; detail: string | null } | null;
}

export interface Invite {
  id: string;
  status: 'active' | 'accepted' | 'expired' | 'revoked';
  pool: Ref;
  invited_email: string;
  invited_by: Ref | null;
  note: string | null;
  issue_api_key: boolean;
  email: {
    state: 'not_sent' | 'queued' | 'sent' | 'failed';
    sent_at: string | null;
    error_code: string | null;
  };
  result: { upstream_id: string | null; accepted_email: string | null; accepted_at: string | null };
  created_at: string;
  expires_at: string;
}

export interface InviteWithUrl extends Invite {
  url: string;
}

export interface InviteInput {
  pool_id: string;
  email: string;
  send_email?: boolean;
  ttl_hours?: number;
  note?: string;
  issue_api_key?: boolean;
  upstream_id?: string;
}

export interface InvitePage {
  items: Invite[];
  page: PageInfo;
}

interface Failure {
  headers: { [name: string]: unknown };
  content: { 'application/problem+json': Problem };
}

type Operation<Status extends number, Answer, Path = never, Body = never, Query = never> = {
  parameters: {
    query?: Query;
    header?: { 'X-CSRF-Token'?: string };
    cookie?: never;
  } & ([Path] extends [never] ? { path?: never } : { path: Path });
  responses: {
    [S in Status]: {
      headers: { [name: string]: unknown };
      content: [Answer] extends [never] ? never : { 'application/json': Answer };
    };
  } & { 409: Failure; 422: Failure };
} & ([Body] extends [never]
  ? { requestBody?: never }
  : { requestBody: { content: { 'application/json': Body } } });

type Flow = { flow_id: string };
type Account = { upstream_id: string };
type InviteId = { invite_id: string };
interface InvitesQuery {
  pool_id?: string[];
  status?: string[];
  q?: string;
  limit?: number;
  cursor?: string;
}

interface Pending {
  '/oauth-flows': { post: Operation<201, OAuthFlow, never, OAuthFlowInput> };
  '/oauth-flows/{flow_id}': { get: Operation<200, OAuthFlow, Flow>; delete: Operation<204, never, Flow> };
  '/oauth-flows/{flow_id}/callback': {
    post: Operation<200, OAuthFlow, Flow, { callback_url: string }>;
  };
  '/upstreams/import': {
    post: Operation<200 | 201, { result: 'created' | 'updated'; account: Upstream }, never, ImportLogin>;
  };
  '/upstreams/import-many': {
    post: Operation<200, { items: ImportManyItem[] }, never, ImportManyInput>;
  };
  '/upstreams/{upstream_id}/credentials': { put: Operation<200, Upstream, Account, NewLogin> };
  '/upstreams/{upstream_id}/reinvite': {
    post: Operation<201, InviteWithUrl, Account, { send_email?: boolean }>;
  };
  '/invites': {
    get: Operation<200, InvitePage, never, never, InvitesQuery>;
    post: Operation<201, InviteWithUrl, never, InviteInput>;
  };
  '/invites/{invite_id}/reissue': {
    post: Operation<200, InviteWithUrl, InviteId, { send_email?: boolean }>;
  };
  '/invites/{invite_id}/resend': { post: Operation<200, InviteWithUrl, InviteId> };
  '/invites/{invite_id}/revoke': { post: Operation<200, Invite, InviteId> };
}

export type paths = Omit<Generated, keyof Pending> & Pending;
