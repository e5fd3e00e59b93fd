import type { ApiKey, ApiKeyPatch, Pool, Upstream } from '@/api';
import { DAY, iso } from './time';

/** Who lives in the mock world. Amounts of traffic are relative: `burn` 10 is a busy account. */

export const POOL_SEEDS: {
  name: string;
  status: Pool['status'];
  strategy: Pool['strategy'];
  burn: number;
  flat: boolean;
  failing: number;
}[] = [
  {
    name: 'Dev team',
    status: 'active',
    strategy: 'capacity_weighted',
    burn: 38,
    flat: false,
    failing: 0.004,
  },
  { name: 'Agents', status: 'active', strategy: 'bridge_ring', burn: 27, flat: false, failing: 0.009 },
  { name: 'CI runners', status: 'active', strategy: 'fill_first', burn: 6, flat: true, failing: 0.037 },
  {
    name: 'Research',
    status: 'active',
    strategy: 'capacity_weighted',
    burn: 14,
    flat: false,
    failing: 0.002,
  },
  { name: 'Demo', status: 'disabled', strategy: 'capacity_weighted', burn: 0, flat: true, failing: 0 },
];

const PRO = { family: 'pro', label: 'Pro' };
const PLUS = { family: 'plus', label: 'Plus' };
const TEAM = { family: 'team', label: 'Team' };
const BUSINESS = { family: 'business', label: 'Business' };
const ENTERPRISE = { family: 'enterprise', label: 'Enterprise' };
const UNKNOWN_PLAN = { family: null, label: 'Plan unknown' };

export interface UpstreamSeed {
  label: string;
  email: string;
  plan: Upstream['plan'];
  workspace?: string;
  pools: number[];
  status?: Upstream['status'];
  readiness?: Upstream['readiness']['state'];
  /** Minutes until it is ready again. */
  until?: number;
  reason?: string;
  burn: number;
  /** How fast it is used just now, as a multiple of its usual pace. */
  pace?: number;
  tags?: string[];
  notes?: string;
  egress?: string;
  /** Saved resets; unknown if absent. */
  resets?: number;
  quota?: (now: number) => Partial<Upstream['quota']>;
}

export const UPSTREAM_SEEDS: UpstreamSeed[] = [
  {
    label: 'atlas',
    email: 'm***@fastlab.io',
    plan: PRO,
    workspace: 'Fastlab',
    pools: [0, 1],
    burn: 9,
    pace: 2.4,
    tags: ['platform', 'eu'],
    notes: 'Paid from the platform budget. Marta knows its second factor.',
    egress: 'socks5h://atlas:***@egress-eu.fastlab.io:1080',
    resets: 2,
  },
  { label: 'borealis', email: 'j***@fastlab.io', plan: PRO, workspace: 'Fastlab', pools: [0, 1], burn: 14 },
  {
    label: 'cinder',
    email: 'o***@northwind.dev',
    plan: TEAM,
    workspace: 'Northwind',
    pools: [0],
    status: 'reauth_required',
    readiness: 'reauth_required',
    reason: 'refresh_token_reused',
    burn: 0,
  },
  {
    label: 'delta',
    email: 's***@fastlab.io',
    plan: PLUS,
    pools: [1],
    readiness: 'cooling_down',
    until: 11,
    burn: 2,
  },
  { label: 'ember', email: 'c***@fastlab.io', plan: PRO, pools: [2], burn: 6 },
  {
    label: 'fjord',
    email: 'h***@fastlab.io',
    plan: BUSINESS,
    workspace: 'Fastlab EU',
    pools: [0, 3],
    burn: 3,
    tags: ['eu'],
    resets: 0,
  },
  {
    label: 'granite',
    email: 'r***@fastlab.io',
    plan: ENTERPRISE,
    workspace: 'Fastlab EU',
    pools: [3],
    burn: 11,
    pace: 0.6,
    tags: ['eu', 'research'],
    resets: 1,
    quota: (now) => ({
      credits: { has_credits: true, unlimited: false, balance: 1250, burning: true, overage_reached: false },
      spend: {
        limit: 25_000,
        used: 8_000,
        remaining: 17_000,
        used_percent: 32,
        resets_at: iso(now + 9 * DAY),
        reached: false,
        burn_percent_per_hour: 0.2,
        exhausts_at: null,
      },
    }),
  },
  { label: 'harbor', email: 'l***@fastlab.io', plan: PLUS, pools: [1], burn: 0 },
  { label: 'isle', email: 'c***@isle.example', plan: PLUS, pools: [], readiness: 'no_pool', burn: 0 },
  { label: 'juniper', email: 'p***@fastlab.io', plan: PRO, pools: [0, 1, 2], burn: 7 },
  {
    label: 'krill',
    email: 'q***@fastlab.io',
    plan: TEAM,
    workspace: 'Northwind',
    pools: [2],
    status: 'paused',
    readiness: 'paused',
    burn: 0,
  },
  { label: 'lumen', email: 'e***@fastlab.io', plan: PRO, pools: [1], burn: 16, pace: 3.1 },
  { label: 'mistral', email: 'n***@fastlab.io', plan: UNKNOWN_PLAN, pools: [0], burn: 0 },
  {
    label: 'nimbus',
    email: 'a***@fastlab.io',
    plan: PRO,
    pools: [0, 3],
    status: 'draining',
    readiness: 'draining',
    burn: 5,
  },
];

export const KEY_SEEDS: {
  name: string;
  pool: number;
  burn: number;
  status?: ApiKey['status'];
  /** Days from now. */
  expires?: number;
  models?: string[];
  policy?: ApiKeyPatch;
}[] = [
  { name: 'laptop-fleet', pool: 0, burn: 22 },
  { name: 'notebooks', pool: 3, burn: 9, expires: 41 },
  {
    name: 'hermes',
    pool: 1,
    burn: 15,
    policy: {
      notes: 'Night agents of the platform team',
      allowed_networks: ['10.20.0.0/16', '2001:db8:20::/48'],
      enforcement: { reasoning: { mode: 'max', effort: 'high' }, service_tier: 'default' },
      limits: {
        default: {
          max_requests_per_minute: 60,
          max_tokens_per_day: 24_000_000,
          max_cost_usd_per_month: '800.000000',
          max_concurrent_requests: 8,
        },
        per_model: { 'gpt-5.3-codex': { max_tokens_per_week: 30_000_000 } },
      },
    },
  },
  { name: 'opencode', pool: 1, burn: 8, models: ['gpt-5.5', 'gpt-5.5-mini'] },
  { name: 'ci-main', pool: 2, burn: 4, expires: 82 },
  {
    name: 'ci-nightly',
    pool: 2,
    burn: 3,
    models: ['gpt-5.3-codex'],
    policy: {
      enforcement: { model: 'gpt-5.3-codex' },
      limits: { default: { max_requests_per_day: 60, max_tokens_per_month: 60_000_000 } },
    },
  },
  { name: 'contractor', pool: 0, burn: 0, status: 'expired', expires: -2 },
  { name: 'old-laptop', pool: 0, burn: 0, status: 'revoked' },
  { name: 'spike-test', pool: 3, burn: 0, status: 'paused' },
];
