export interface Snippet {
  id: string;
  client: string;
  file: string;
  code: string;
}

/** Ready-to-paste client configuration. Keys are read from the environment, so files stay free of secrets. */
export function clientSnippets(baseUrl: string): Snippet[] {
  const backend = `${baseUrl}/backend-api/codex`;
  const openai = `${baseUrl}/v1`;
  return [
    {
      id: 'codex',
      client: 'Codex CLI',
      file: '~/.codex/config.toml',
      code: `model_provider = "codex-pooler"

[model_providers.codex-pooler]
name = "OpenAI"
base_url = "${backend}"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = true
requires_openai_auth = true`,
    },
    {
      id: 'opencode',
      client: 'OpenCode',
      file: '~/.config/opencode/opencode.jsonc',
      code: `{
  "provider": {
    "openai": {
      "npm": "@ai-sdk/openai",
      "options": { "baseURL": "${openai}", "apiKey": "{env:CODEX_POOLER_API_KEY}" }
    }
  }
}`,
    },
    {
      id: 'python',
      client: 'Python',
      file: 'client.py',
      code: `import os
from openai import OpenAI

client = OpenAI(base_url="${openai}", api_key=os.environ["CODEX_POOLER_API_KEY"])`,
    },
    {
      id: 'curl',
      client: 'curl',
      file: 'shell',
      code: `curl ${openai}/responses \\
  -H "Authorization: Bearer $CODEX_POOLER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"model": "gpt-5.5", "input": "Say hello."}'`,
    },
  ];
}
