import type { ClientConfig } from '@/api';

/** What the server offers to paste, for an instance at an address. */
export function clientConfigs(origin: string): ClientConfig[] {
  return [
    {
      tool: 'codex',
      title: 'Codex CLI',
      language: 'toml',
      file: '~/.codex/config.toml',
      body: `model = "gpt-5.5"
model_provider = "codex-pooler-ws"

[model_providers.codex-pooler-ws]
name = "OpenAI"
base_url = "${origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = true
requires_openai_auth = true

[model_providers.codex-pooler-http]
name = "OpenAI"
base_url = "${origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = false
requires_openai_auth = true`,
      notes: ['Use codex-pooler-http where websockets cannot be opened.'],
    },
    {
      tool: 'curl',
      title: 'curl',
      language: 'shell',
      file: null,
      body: `curl ${origin}/v1/responses \\
  -H "Authorization: Bearer $CODEX_POOLER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "gpt-5.5", "input": "Say hello."}'`,
      notes: [],
    },
    {
      tool: 'openai-python',
      title: 'OpenAI SDK for Python',
      language: 'python',
      file: 'client.py',
      body: `import os
from openai import OpenAI

client = OpenAI(base_url="${origin}/v1", api_key=os.environ["CODEX_POOLER_API_KEY"])
print(client.responses.create(model="gpt-5.5", input="Say hello.").output_text)`,
      notes: [],
    },
    {
      tool: 'openai-node',
      title: 'OpenAI SDK for Node',
      language: 'javascript',
      file: 'client.mjs',
      body: `import OpenAI from 'openai';

const client = new OpenAI({ baseURL: '${origin}/v1', apiKey: process.env.CODEX_POOLER_API_KEY });
const answer = await client.responses.create({ model: 'gpt-5.5', input: 'Say hello.' });
console.log(answer.output_text);`,
      notes: [],
    },
  ];
}
