import type { AllSettings, GroupRules, SettingRule, SettingsSchema } from '@/api';

/** The instance's settings as the server describes them, and a store that keeps what was changed. */

const MIB = 1024 * 1024;

function rule(
  key: string,
  type: SettingRule['type'],
  title: string,
  help: string,
  usual: unknown,
  more: Partial<SettingRule> = {},
): SettingRule {
  return {
    key,
    type,
    title,
    help,
    default: usual,
    unit: null,
    min: null,
    max: null,
    enum: [],
    applies: 'new requests',
    ...more,
  };
}

function whole(
  key: string,
  title: string,
  help: string,
  usual: number,
  [min, max]: [number, number],
  unit: string | null = null,
): SettingRule {
  return rule(key, 'integer', title, help, usual, { min, max, unit });
}

const BULKHEADS: [key: string, title: string, atOnce: number, waiting: number, waitMs: number][] = [
  ['proxy_stream', 'Streamed turns', 256, 1024, 10_000],
  ['proxy_websocket', 'Turns on websockets', 256, 1024, 10_000],
  ['proxy_http', 'Turns answered as one JSON object', 128, 512, 10_000],
  ['proxy_compact', 'Compactions', 8, 32, 10_000],
  ['proxy_control', 'Models, usage and helper routes', 8, 16, 5_000],
  ['file_upload', 'Files', 4, 8, 5_000],
  ['audio_transcription', 'Transcriptions', 4, 8, 5_000],
  ['images', 'Images', 16, 64, 10_000],
];

function bulkhead([name, , atOnce, waiting, waitMs]: (typeof BULKHEADS)[number]): SettingRule[] {
  const key = (member: string) => `bulkheads.${name}.${member}`;
  return [
    whole(key('max_concurrency'), 'At once', 'requests served at the same time', atOnce, [1, 100_000]),
    whole(key('queue_limit'), 'Waiting', 'requests that may wait; 0: none', waiting, [0, 1_000_000]),
    whole(key('queue_timeout_ms'), 'Longest wait', 'then a request is refused', waitMs, [1, 600_000], 'ms'),
  ];
}

const GATEWAY: GroupRules = {
  name: 'gateway',
  title: 'Gateway',
  help: 'How turns are served.',
  sections: BULKHEADS.map(([name, title]) => ({ key: `bulkheads.${name}`, title })),
  fields: [
    whole(
      'sse_keepalive_interval_ms',
      'Keepalive',
      'silence after which a waiting client is told to wait on; 0: never',
      10_000,
      [0, 240_000],
      'ms',
    ),
    whole(
      'websocket_idle_timeout_ms',
      'Idle websockets',
      "a client's socket without a turn for so long is closed",
      1_800_000,
      [60_000, 3_600_000],
      'ms',
    ),
    whole(
      'upstream_connect_timeout_ms',
      'Connect',
      'longest wait for a connection to the backend, TLS included',
      10_000,
      [1, 120_000],
      'ms',
    ),
    whole(
      'upstream_first_byte_timeout_ms',
      'First byte',
      "longest wait from sending a turn to the backend's response head",
      120_000,
      [1, 3_600_000],
      'ms',
    ),
    whole(
      'upstream_receive_timeout_ms',
      'Silence',
      'longest silence of the backend within a response',
      300_000,
      [1, 3_600_000],
      'ms',
    ),
    whole(
      'busy_accounts_wait_ms',
      'Busy accounts',
      'how long a turn waits while all accounts are busy; 0: not at all',
      5_000,
      [0, 60_000],
      'ms',
    ),
    whole(
      'circuit_failure_threshold',
      'Failures in a row',
      'after so many within five minutes an account is left alone',
      3,
      [1, 1000],
    ),
    whole(
      'circuit_open_seconds',
      'Left alone',
      'for so long at first, and longer while it keeps failing',
      60,
      [1, 600],
      's',
    ),
    rule(
      'client_version',
      'text',
      'Codex version',
      'what the backend is told; it has its newest models for new versions only',
      '0.169.0',
    ),
    rule(
      'model_context_window_overrides',
      'numbers',
      'Context windows',
      'by model, instead of the size that it is listed with',
      {},
      { unit: 'tokens', min: 1, max: 100_000_000 },
    ),
    ...BULKHEADS.flatMap(bulkhead),
  ],
};

const ENCODINGS = ['gzip', 'deflate', 'br', 'zstd'];

const INGRESS: GroupRules = {
  name: 'ingress',
  title: 'Ingress',
  help: 'Who may come in, and how large what they bring may be.',
  sections: [],
  fields: [
    rule(
      'firewall_allowlist',
      'networks',
      'Allowed networks',
      'who may use model routes and MCP, not the console; empty: everybody',
      [],
    ),
    rule(
      'trusted_proxies',
      'networks',
      'Trusted proxies',
      "whose word about their client's address counts",
      [],
    ),
    rule(
      'forwarded_client_ip_source',
      'choice',
      'Address from',
      'where a trusted proxy names its client',
      'x_forwarded_for',
      { enum: ['x_forwarded_for', 'x_real_ip', 'peer'] },
    ),
    whole(
      'forwarded_proxy_depth',
      'Depth',
      '0: the last address that is no trusted proxy; n: the n-th from the right',
      0,
      [0, 16],
    ),
    rule(
      'decompression_algorithms',
      'choices',
      'Encodings',
      'compressed bodies that are accepted',
      ENCODINGS,
      {
        enum: ENCODINGS,
      },
    ),
    whole(
      'max_compressed_body_bytes',
      'Compressed',
      'largest body as it arrives compressed',
      32 * MIB,
      [1024, 64 * MIB],
      'B',
    ),
    whole(
      'max_decompressed_body_bytes',
      'Unpacked',
      'largest body after unpacking',
      64 * MIB,
      [1024, 64 * MIB],
      'B',
    ),
    whole(
      'max_decompression_ratio',
      'Ratio',
      'how many times its compressed size a body may have',
      200,
      [1, 10_000],
    ),
    whole('decompression_timeout_ms', 'Unpacking', 'longest time for it', 10_000, [1, 300_000], 'ms'),
  ],
};

const SMALL: GroupRules[] = [
  {
    name: 'files',
    title: 'Files',
    help: 'Files that turns refer to.',
    sections: [],
    fields: [
      whole('max_size_bytes', 'Largest file', 'a larger one is refused', 25 * MIB, [1, 512 * MIB], 'B'),
      whole('upload_ttl_seconds', 'Upload', 'time to finish an upload', 86_400, [60, 604_800], 's'),
    ],
  },
  {
    name: 'transcription',
    title: 'Transcription',
    help: 'Speech to text.',
    sections: [],
    fields: [
      whole('max_upload_bytes', 'Largest recording', 'a larger one is refused', 25 * MIB, [1, 64 * MIB], 'B'),
    ],
  },
  {
    name: 'catalog',
    title: 'Catalog',
    help: 'Where prices come from.',
    sections: [],
    fields: [
      rule(
        'openai_pricing_url',
        'url',
        'Price list',
        'read every hour; empty: the prices this version came with',
        '',
        { applies: 'within the hour' },
      ),
    ],
  },
  {
    name: 'retention',
    title: 'Retention',
    help: 'How long history is kept.',
    sections: [],
    fields: [
      {
        ...whole('request_logs_days', 'Request log', '0: for ever', 90, [0, 3650], 'd'),
        applies: 'within a day',
      },
      {
        ...whole('rollups_days', 'Hourly figures', '0: for ever', 730, [0, 3650], 'd'),
        applies: 'within a day',
      },
    ],
  },
  {
    name: 'privacy',
    title: 'Privacy',
    help: 'What the request log knows of clients.',
    sections: [],
    fields: [
      rule('store_client_ip', 'boolean', 'Client addresses', 'kept with the requests they sent', true),
    ],
  },
  {
    name: 'smtp',
    title: 'Mail',
    help: 'How mail leaves: invites, and later everything else that is sent to people.',
    sections: [],
    fields: [
      rule('enabled', 'boolean', 'Send mail', 'off: links are only copied', false),
      rule('host', 'text', 'Server', 'the mail server that accepts mail from here', ''),
      whole('port', 'Port', 'usually 587, with implicit TLS 465', 587, [1, 65_535]),
      rule('username', 'text', 'User', 'empty: the server asks for none', ''),
      rule('password', 'secret', 'Password', 'kept encrypted and never shown again', { is_set: false }),
      rule('from_address', 'text', 'Sender', 'the address that mail comes from', 'codex-pooler@example.com'),
      rule('ssl', 'boolean', 'Implicit TLS', 'encrypted from the first byte', false),
      rule(
        'tls',
        'choice',
        'STARTTLS',
        'whether a plain connection is turned into an encrypted one',
        'if_available',
        {
          enum: ['if_available', 'always', 'never'],
        },
      ),
      rule(
        'verify_certificate',
        'boolean',
        'Check the certificate',
        'off only for a server of your own network',
        true,
      ),
    ].map((field) => ({ ...field, applies: 'new mail' })),
  },
];

export const SETTINGS_SCHEMA: SettingsSchema = { groups: [GATEWAY, INGRESS, ...SMALL] };

type Values = Record<string, unknown>;

/** All groups at their defaults. */
export function createSettings(): AllSettings {
  return Object.fromEntries(
    SETTINGS_SCHEMA.groups.map((group) => [
      group.name,
      { group: group.name, version: 1, updated_at: null, values: defaults(group), changed: [], warnings: [] },
    ]),
  ) as unknown as AllSettings;
}

function defaults(group: GroupRules): Values {
  return group.fields.reduce<Values>(
    (values, field) => merged(values, nested(field.key.split('.'), field.default)),
    {},
  );
}

function nested([name = '', ...rest]: string[], value: unknown): Values {
  return { [name]: rest.length === 0 ? value : nested(rest, value) };
}

/** Values after a patch: objects of settings are merged, all else is replaced. */
export function merged(values: Values, patch: Values): Values {
  const result = { ...values };
  for (const [name, value] of Object.entries(patch)) {
    const before = result[name];
    const both = isObject(before) && isObject(value) && Object.values(before).some(isObject);
    const members = isObject(before) && isObject(value) && 'max_concurrency' in before;
    const secret = isObject(before) && 'is_set' in before;
    result[name] = secret
      ? { is_set: value !== null }
      : both || members
        ? merged(before as Values, value as Values)
        : value;
  }
  return result;
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first entry that is no address or network, if there is one. */
export function wrongNetwork(given: unknown): string | undefined {
  return Array.isArray(given)
    ? given.find((entry) => !/^[0-9a-f.:]+(\/\d+)?$/i.test(String(entry)))
    : undefined;
}
