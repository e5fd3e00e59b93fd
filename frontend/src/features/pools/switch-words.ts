import type { Pool } from '@/api';

export type SwitchName = keyof Pool['switches'];

interface SwitchWords {
  name: SwitchName;
  label: string;
  hint: string;
}

/** Every switch of a pool in words, in the order they are shown. */
export const SWITCH_GROUPS: { title: string; switches: SwitchWords[] }[] = [
  {
    title: 'What clients may use',
    switches: [
      {
        name: 'websockets',
        label: 'Websockets',
        hint: 'Without them Codex goes on over HTTP.',
      },
      {
        name: 'v1_compatibility',
        label: 'OpenAI and Anthropic routes',
        hint: 'Everything under /v1.',
      },
      {
        name: 'v1_strict',
        label: 'Refuse what has no effect',
        hint: 'Under /v1. Otherwise it is left out, and named in the answer.',
      },
      {
        name: 'show_reasoning',
        label: 'Show reasoning in chats',
        hint: 'Summaries of it, also to clients that do not ask.',
      },
      {
        name: 'allow_image_generation',
        label: 'Image generation',
        hint: 'Images spend the quota of the accounts too.',
      },
      { name: 'allow_search', label: 'Web search', hint: 'The search route of Codex.' },
      { name: 'allow_realtime', label: 'Realtime calls', hint: 'Setting up voice calls.' },
      { name: 'allow_memories', label: 'Memories', hint: 'Summaries that Codex keeps of its work.' },
      { name: 'allow_thread_goals', label: 'Thread goals', hint: 'The goal route of a thread.' },
      {
        name: 'allow_safety_check',
        label: 'Safety check',
        hint: 'The safety route of Codex.',
      },
    ],
  },
  {
    title: 'Sessions',
    switches: [
      {
        name: 'sticky_websocket_sessions',
        label: 'Keep websocket sessions together',
        hint: 'Turns of a session go to the account that served it before.',
      },
      {
        name: 'sticky_http_sessions',
        label: 'Keep HTTP sessions together',
        hint: 'The same for turns over HTTP.',
      },
      {
        name: 'prompt_cache_affinity',
        label: 'Follow the prompt cache',
        hint: 'Requests with the same cache key meet on one account.',
      },
    ],
  },
  {
    title: 'What is told',
    switches: [
      {
        name: 'show_quota_to_keys',
        label: 'Show quota to keys',
        hint: 'Otherwise clients see only the limits of their own key.',
      },
      {
        name: 'show_routing_headers',
        label: 'Name the account in answers',
        hint: 'A short hash, and the number of attempts.',
      },
      {
        name: 'forward_analytics',
        label: 'Pass analytics on',
        hint: 'What clients report of themselves; dropped otherwise.',
      },
    ],
  },
];
