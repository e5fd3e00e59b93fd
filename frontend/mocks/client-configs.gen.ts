// Written by `make clients` from the templates in backend/codex_pooler/web/clients.
import type { ClientConfig } from '@/api';

/** What the server answers for an example instance. */
export const CLIENT_CONFIGS: ClientConfig[] = [
  {
    "tool": "codex_cli",
    "title": "Codex CLI, IDE and desktop",
    "kind": "agent",
    "base_url": "https://pooler.example.com/backend-api/codex",
    "notes": [
      "The interactive Codex asks for a sign-in when it has none of its own; set requires_openai_auth = false to do without.",
      "Keep the provider's name OpenAI: Codex decides by it what the backend can do."
    ],
    "variants": [
      {
        "id": "websocket",
        "title": "Websocket",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.codex/config.toml",
            "language": "toml",
            "text": "model = \"gpt-5.5\"\nmodel_provider = \"codex-pooler-ws\"\n\n[model_providers.codex-pooler-ws]\nname = \"OpenAI\"\nbase_url = \"https://pooler.example.com/backend-api/codex\"\nenv_key = \"CODEX_POOLER_API_KEY\"\nwire_api = \"responses\"\nsupports_websockets = true\nrequires_openai_auth = true\n\n[model_providers.codex-pooler-http]\nname = \"OpenAI\"\nbase_url = \"https://pooler.example.com/backend-api/codex\"\nenv_key = \"CODEX_POOLER_API_KEY\"\nwire_api = \"responses\"\nsupports_websockets = false\nrequires_openai_auth = true\n",
            "notes": [
              "The provider codex-pooler-http is for networks whose proxies do not pass websockets on."
            ]
          },
          {
            "title": "Take earlier sessions along (macOS, Linux)",
            "file": null,
            "language": "shell",
            "text": "# Codex lists sessions by provider. Close Codex first; every changed transcript keeps a copy ending in .before\ncodex_home=\"${CODEX_HOME:-$HOME/.codex}\"\nfind \"$codex_home/sessions\" -type f -name \"*.jsonl\" -exec \\\n  sed -i.before \"s/\\\"model_provider\\\":\\\"openai\\\"/\\\"model_provider\\\":\\\"codex-pooler-ws\\\"/g\" {} +\nfor database in \"$codex_home\"/state_*.sqlite; do\n  [ -e \"$database\" ] || continue\n  sqlite3 \"$database\" \"UPDATE threads SET model_provider = 'codex-pooler-ws' WHERE model_provider = 'openai'\"\ndone\n",
            "notes": []
          },
          {
            "title": "Take earlier sessions along (Windows)",
            "file": null,
            "language": "powershell",
            "text": "# Codex lists sessions by provider. Close Codex first; every changed transcript keeps a copy ending in .before\n$CodexHome = if ($env:CODEX_HOME) { $env:CODEX_HOME } else { Join-Path $HOME \".codex\" }\n$Old = '\"model_provider\":\"openai\"'\n$New = '\"model_provider\":\"{0}\"' -f \"codex-pooler-ws\"\nforeach ($File in Get-ChildItem (Join-Path $CodexHome \"sessions\") -Recurse -Filter \"*.jsonl\") {\n    $Text = [IO.File]::ReadAllText($File.FullName)\n    if ($Text.Contains($Old)) {\n        Copy-Item $File.FullName ($File.FullName + \".before\")\n        [IO.File]::WriteAllText($File.FullName, $Text.Replace($Old, $New))\n    }\n}\nforeach ($Database in Get-ChildItem $CodexHome -Filter \"state_*.sqlite\") {\n    sqlite3 $Database.FullName \"UPDATE threads SET model_provider = 'codex-pooler-ws' WHERE model_provider = 'openai'\"\n}\n",
            "notes": []
          }
        ]
      },
      {
        "id": "http",
        "title": "HTTP",
        "default": false,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.codex/config.toml",
            "language": "toml",
            "text": "model = \"gpt-5.5\"\nmodel_provider = \"codex-pooler-http\"\n\n[model_providers.codex-pooler-ws]\nname = \"OpenAI\"\nbase_url = \"https://pooler.example.com/backend-api/codex\"\nenv_key = \"CODEX_POOLER_API_KEY\"\nwire_api = \"responses\"\nsupports_websockets = true\nrequires_openai_auth = true\n\n[model_providers.codex-pooler-http]\nname = \"OpenAI\"\nbase_url = \"https://pooler.example.com/backend-api/codex\"\nenv_key = \"CODEX_POOLER_API_KEY\"\nwire_api = \"responses\"\nsupports_websockets = false\nrequires_openai_auth = true\n",
            "notes": [
              "The provider codex-pooler-http is for networks whose proxies do not pass websockets on."
            ]
          },
          {
            "title": "Take earlier sessions along (macOS, Linux)",
            "file": null,
            "language": "shell",
            "text": "# Codex lists sessions by provider. Close Codex first; every changed transcript keeps a copy ending in .before\ncodex_home=\"${CODEX_HOME:-$HOME/.codex}\"\nfind \"$codex_home/sessions\" -type f -name \"*.jsonl\" -exec \\\n  sed -i.before \"s/\\\"model_provider\\\":\\\"openai\\\"/\\\"model_provider\\\":\\\"codex-pooler-http\\\"/g\" {} +\nfor database in \"$codex_home\"/state_*.sqlite; do\n  [ -e \"$database\" ] || continue\n  sqlite3 \"$database\" \"UPDATE threads SET model_provider = 'codex-pooler-http' WHERE model_provider = 'openai'\"\ndone\n",
            "notes": []
          },
          {
            "title": "Take earlier sessions along (Windows)",
            "file": null,
            "language": "powershell",
            "text": "# Codex lists sessions by provider. Close Codex first; every changed transcript keeps a copy ending in .before\n$CodexHome = if ($env:CODEX_HOME) { $env:CODEX_HOME } else { Join-Path $HOME \".codex\" }\n$Old = '\"model_provider\":\"openai\"'\n$New = '\"model_provider\":\"{0}\"' -f \"codex-pooler-http\"\nforeach ($File in Get-ChildItem (Join-Path $CodexHome \"sessions\") -Recurse -Filter \"*.jsonl\") {\n    $Text = [IO.File]::ReadAllText($File.FullName)\n    if ($Text.Contains($Old)) {\n        Copy-Item $File.FullName ($File.FullName + \".before\")\n        [IO.File]::WriteAllText($File.FullName, $Text.Replace($Old, $New))\n    }\n}\nforeach ($Database in Get-ChildItem $CodexHome -Filter \"state_*.sqlite\") {\n    sqlite3 $Database.FullName \"UPDATE threads SET model_provider = 'codex-pooler-http' WHERE model_provider = 'openai'\"\n}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/backend-api/codex/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\ncodex exec --skip-git-repo-check \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "Codex shows its sign-in screen",
        "remedy": "Set requires_openai_auth = false in the provider, or store the key once with: printenv CODEX_POOLER_API_KEY | codex login --with-api-key"
      },
      {
        "symptom": "Missing environment variable: CODEX_POOLER_API_KEY",
        "remedy": "Codex was started where the variable is not set: desktop programs do not read the shell's profile."
      },
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Codex takes https://pooler.example.com/backend-api/codex without /v1 and without /responses."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "claude_code",
    "title": "Claude Code",
    "kind": "agent",
    "base_url": "https://pooler.example.com",
    "notes": [
      "The pool's models answer in Claude's place, also under Claude's own names. Which model answers to which name an operator decides with the pool's other names for models."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Shell",
            "file": "~/.profile",
            "language": "shell",
            "text": "export ANTHROPIC_BASE_URL=\"https://pooler.example.com\"\nexport ANTHROPIC_AUTH_TOKEN=\"$CODEX_POOLER_API_KEY\"\nexport ANTHROPIC_MODEL=\"gpt-5.5\"\nexport ANTHROPIC_DEFAULT_HAIKU_MODEL=\"gpt-5.5\"\nexport ANTHROPIC_DEFAULT_SONNET_MODEL=\"gpt-5.5\"\nexport ANTHROPIC_DEFAULT_OPUS_MODEL=\"gpt-5.5\"\nexport CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=\"1\"\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nclaude -p \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "A note that the model is not recognised",
        "remedy": "Harmless: Claude Code does not know the names of the pool's models."
      },
      {
        "symptom": "Claude Code asks for a login",
        "remedy": "ANTHROPIC_AUTH_TOKEN is empty: set CODEX_POOLER_API_KEY before these lines are read, and unset ANTHROPIC_API_KEY."
      },
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Claude Code takes the address alone, https://pooler.example.com, and adds /v1/messages itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "opencode",
    "title": "OpenCode",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "The models of the pool are listed; remove those that you do not want to choose from."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.config/opencode/opencode.json",
            "language": "json",
            "text": "{\n  \"$schema\": \"https://opencode.ai/config.json\",\n  \"model\": \"openai/gpt-5.5\",\n  \"small_model\": \"openai/gpt-5.5\",\n  \"provider\": {\n    \"openai\": {\n      \"npm\": \"@ai-sdk/openai\",\n      \"name\": \"Codex Pooler\",\n      \"options\": {\n        \"baseURL\": \"https://pooler.example.com/v1\",\n        \"apiKey\": \"{env:CODEX_POOLER_API_KEY}\"\n      },\n      \"models\": {\n        \"gpt-5.5\": {\n          \"id\": \"gpt-5.5\",\n          \"name\": \"GPT-5.5\",\n          \"attachment\": true,\n          \"reasoning\": true,\n          \"tool_call\": true,\n          \"temperature\": false,\n          \"modalities\": { \"input\": [\"text\", \"image\"], \"output\": [\"text\"] },\n          \"limit\": { \"context\": 400000, \"input\": 258400, \"output\": 128000 },\n          \"options\": {\n            \"reasoningSummary\": \"auto\",\n            \"textVerbosity\": \"medium\",\n            \"include\": [\"reasoning.encrypted_content\"],\n            \"store\": false\n          }\n        },\n        \"gpt-5.6-sol\": {\n          \"id\": \"gpt-5.6-sol\",\n          \"name\": \"GPT-5.6-Sol\",\n          \"attachment\": true,\n          \"reasoning\": true,\n          \"tool_call\": true,\n          \"temperature\": false,\n          \"modalities\": { \"input\": [\"text\", \"image\"], \"output\": [\"text\"] },\n          \"limit\": { \"context\": 400000, \"input\": 258400, \"output\": 128000 },\n          \"options\": {\n            \"reasoningSummary\": \"auto\",\n            \"textVerbosity\": \"medium\",\n            \"include\": [\"reasoning.encrypted_content\"],\n            \"store\": false\n          }\n        }\n      }\n    }\n  },\n  \"compaction\": { \"auto\": true }\n}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nopencode run \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: OpenCode takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "openclaw",
    "title": "OpenClaw",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.openclaw/openclaw.json",
            "language": "json",
            "text": "{\n  \"agents\": { \"defaults\": { \"model\": { \"primary\": \"openai/gpt-5.5\" } } },\n  \"models\": {\n    \"mode\": \"merge\",\n    \"providers\": {\n      \"openai\": {\n        \"baseUrl\": \"https://pooler.example.com/v1\",\n        \"apiKey\": \"${CODEX_POOLER_API_KEY}\",\n        \"api\": \"openai-responses\",\n        \"agentRuntime\": { \"id\": \"openclaw\" },\n        \"timeoutSeconds\": 300,\n        \"models\": [\n          {\n            \"id\": \"gpt-5.5\",\n            \"name\": \"GPT-5.5\",\n            \"reasoning\": true,\n            \"input\": [\"text\", \"image\"],\n            \"contextWindow\": 400000,\n            \"contextTokens\": 258400,\n            \"maxTokens\": 128000\n          },\n          {\n            \"id\": \"gpt-5.6-sol\",\n            \"name\": \"GPT-5.6-Sol\",\n            \"reasoning\": true,\n            \"input\": [\"text\", \"image\"],\n            \"contextWindow\": 400000,\n            \"contextTokens\": 258400,\n            \"maxTokens\": 128000\n          }\n        ]\n      }\n    }\n  }\n}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nopenclaw agent --local --agent main --message \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: OpenClaw takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "hermes",
    "title": "Hermes Agent",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.hermes/config.yaml",
            "language": "yaml",
            "text": "model:\n  default: \"gpt-5.5\"\n  provider: openai-api\n  base_url: \"https://pooler.example.com/v1\"\n  api_mode: codex_responses\n  context_length: 400000\n  supports_vision: true\n\nagent:\n  image_input_mode: native\n",
            "notes": []
          },
          {
            "title": "Environment",
            "file": "~/.hermes/.env",
            "language": "dotenv",
            "text": "OPENAI_API_KEY=\"${CODEX_POOLER_API_KEY}\"\nOPENAI_BASE_URL=\"https://pooler.example.com/v1\"\n",
            "notes": [
              "Hermes fills in CODEX_POOLER_API_KEY when it reads the file; where that variable is not set, put the key itself there."
            ]
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nhermes -z \"Reply with exactly: ok\" --ignore-rules\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Hermes takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "aider",
    "title": "Aider",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.aider.conf.yml",
            "language": "yaml",
            "text": "model: \"openai/gpt-5.5\"\nopenai-api-base: \"https://pooler.example.com/v1\"\n",
            "notes": []
          },
          {
            "title": "What the models take",
            "file": "~/.aider.model.metadata.json",
            "language": "json",
            "text": "{\n  \"openai/gpt-5.5\": {\n    \"max_tokens\": 128000,\n    \"max_input_tokens\": 258400,\n    \"max_output_tokens\": 128000,\n    \"litellm_provider\": \"openai\",\n    \"mode\": \"chat\",\n    \"supports_function_calling\": true,\n    \"supports_vision\": true\n  },\n  \"openai/gpt-5.6-sol\": {\n    \"max_tokens\": 128000,\n    \"max_input_tokens\": 258400,\n    \"max_output_tokens\": 128000,\n    \"litellm_provider\": \"openai\",\n    \"mode\": \"chat\",\n    \"supports_function_calling\": true,\n    \"supports_vision\": true\n  }\n}\n",
            "notes": []
          },
          {
            "title": "Start",
            "file": null,
            "language": "shell",
            "text": "export OPENAI_API_KEY=\"$CODEX_POOLER_API_KEY\"\naider\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nOPENAI_API_KEY=\"$CODEX_POOLER_API_KEY\" aider --message \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Aider takes https://pooler.example.com/v1 and adds /chat/completions itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "continue",
    "title": "Continue",
    "kind": "editor",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "The key is a secret of Continue called CODEX_POOLER_API_KEY; the command-line Continue reads it from the environment."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.continue/config.yaml",
            "language": "yaml",
            "text": "name: Codex Pooler\nversion: 1.0.0\nschema: v1\n\nmodels:\n  - name: \"GPT-5.5\"\n    provider: openai\n    model: \"gpt-5.5\"\n    apiBase: \"https://pooler.example.com/v1\"\n    apiKey: \"${{ secrets.CODEX_POOLER_API_KEY }}\"\n    defaultCompletionOptions:\n      contextLength: 400000\n      maxTokens: 128000\n    roles: [chat, edit, apply, summarize]\n    capabilities: [tool_use, image_input]\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\ncn -p --config ~/.continue/config.yaml --silent \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Continue takes https://pooler.example.com/v1 and adds /responses or /chat/completions itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "cline",
    "title": "Cline",
    "kind": "editor",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "In the editor's settings choose OpenAI Compatible and enter the same base URL, key and model."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Command line",
            "file": null,
            "language": "shell",
            "text": "cline auth \\\n  --provider openai \\\n  --apikey \"$CODEX_POOLER_API_KEY\" \\\n  --baseurl \"https://pooler.example.com/v1\" \\\n  --modelid \"gpt-5.5\"\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\ncline --provider openai --model \"gpt-5.5\" --auto-approve false \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Cline takes https://pooler.example.com/v1 and adds /chat/completions itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "goose",
    "title": "Goose",
    "kind": "agent",
    "base_url": "https://pooler.example.com",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.config/goose/config.yaml",
            "language": "yaml",
            "text": "GOOSE_PROVIDER: openai\nGOOSE_MODEL: \"gpt-5.5\"\nOPENAI_HOST: \"https://pooler.example.com\"\nOPENAI_BASE_PATH: v1/chat/completions\nGOOSE_CONTEXT_LIMIT: 400000\nGOOSE_MAX_TOKENS: 128000\n",
            "notes": []
          },
          {
            "title": "Start",
            "file": null,
            "language": "shell",
            "text": "export OPENAI_API_KEY=\"$CODEX_POOLER_API_KEY\"\ngoose session\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nOPENAI_API_KEY=\"$CODEX_POOLER_API_KEY\" goose run --no-session --text \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: OPENAI_HOST is the address alone, https://pooler.example.com; OPENAI_BASE_PATH adds v1/chat/completions."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "openai_python",
    "title": "OpenAI SDK for Python",
    "kind": "library",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "responses",
        "title": "Responses",
        "default": true,
        "snippets": [
          {
            "title": "Program",
            "file": "client.py",
            "language": "python",
            "text": "import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=\"https://pooler.example.com/v1\", api_key=os.environ[\"CODEX_POOLER_API_KEY\"])\nresponse = client.responses.create(model=\"gpt-5.5\", input=\"Reply with exactly: ok\")\nprint(response.output_text)\n",
            "notes": []
          }
        ]
      },
      {
        "id": "chat",
        "title": "Chat completions",
        "default": false,
        "snippets": [
          {
            "title": "Program",
            "file": "client.py",
            "language": "python",
            "text": "import os\n\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=\"https://pooler.example.com/v1\", api_key=os.environ[\"CODEX_POOLER_API_KEY\"])\ncompletion = client.chat.completions.create(\n    model=\"gpt-5.5\",\n    messages=[{\"role\": \"user\", \"content\": \"Reply with exactly: ok\"}],\n)\nprint(completion.choices[0].message.content)\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\npython client.py\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: base_url is https://pooler.example.com/v1; the SDK adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "openai_node",
    "title": "OpenAI SDK for Node",
    "kind": "library",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "responses",
        "title": "Responses",
        "default": true,
        "snippets": [
          {
            "title": "Program",
            "file": "client.mjs",
            "language": "javascript",
            "text": "import OpenAI from \"openai\";\n\nconst client = new OpenAI({ baseURL: \"https://pooler.example.com/v1\", apiKey: process.env[\"CODEX_POOLER_API_KEY\"] });\nconst response = await client.responses.create({ model: \"gpt-5.5\", input: \"Reply with exactly: ok\" });\nconsole.log(response.output_text);\n",
            "notes": []
          }
        ]
      },
      {
        "id": "chat",
        "title": "Chat completions",
        "default": false,
        "snippets": [
          {
            "title": "Program",
            "file": "client.mjs",
            "language": "javascript",
            "text": "import OpenAI from \"openai\";\n\nconst client = new OpenAI({ baseURL: \"https://pooler.example.com/v1\", apiKey: process.env[\"CODEX_POOLER_API_KEY\"] });\nconst completion = await client.chat.completions.create({\n  model: \"gpt-5.5\",\n  messages: [{ role: \"user\", content: \"Reply with exactly: ok\" }],\n});\nconsole.log(completion.choices[0].message.content);\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nnode client.mjs\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: baseURL is https://pooler.example.com/v1; the SDK adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "vercel_ai_sdk",
    "title": "Vercel AI SDK",
    "kind": "library",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "Responses are not stored: with store set to false the SDK sends earlier tool calls along instead of naming them."
    ],
    "variants": [
      {
        "id": "responses",
        "title": "Responses",
        "default": true,
        "snippets": [
          {
            "title": "Program",
            "file": "client.mjs",
            "language": "javascript",
            "text": "import { createOpenAI } from \"@ai-sdk/openai\";\nimport { generateText } from \"ai\";\n\nconst pooler = createOpenAI({ baseURL: \"https://pooler.example.com/v1\", apiKey: process.env[\"CODEX_POOLER_API_KEY\"] });\nconst { text } = await generateText({\n  model: pooler.responses(\"gpt-5.5\"),\n  prompt: \"Reply with exactly: ok\",\n  providerOptions: { openai: { store: false } },\n});\nconsole.log(text);\n",
            "notes": []
          }
        ]
      },
      {
        "id": "chat",
        "title": "Chat completions",
        "default": false,
        "snippets": [
          {
            "title": "Program",
            "file": "client.mjs",
            "language": "javascript",
            "text": "import { createOpenAI } from \"@ai-sdk/openai\";\nimport { generateText } from \"ai\";\n\nconst pooler = createOpenAI({ baseURL: \"https://pooler.example.com/v1\", apiKey: process.env[\"CODEX_POOLER_API_KEY\"] });\nconst { text } = await generateText({ model: pooler.chat(\"gpt-5.5\"), prompt: \"Reply with exactly: ok\" });\nconsole.log(text);\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nnode client.mjs\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: baseURL is https://pooler.example.com/v1; the SDK adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "kilo",
    "title": "Kilo Code",
    "kind": "editor",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.config/kilo/kilo.json",
            "language": "json",
            "text": "{\n  \"model\": \"codex-pooler/gpt-5.5\",\n  \"provider\": {\n    \"codex-pooler\": {\n      \"npm\": \"@ai-sdk/openai\",\n      \"name\": \"Codex Pooler\",\n      \"options\": {\n        \"apiKey\": \"{env:CODEX_POOLER_API_KEY}\",\n        \"baseURL\": \"https://pooler.example.com/v1\"\n      },\n      \"models\": {\n        \"gpt-5.5\": {\n          \"name\": \"GPT-5.5\",\n          \"attachment\": true,\n          \"reasoning\": true,\n          \"tool_call\": true,\n          \"limit\": { \"context\": 400000, \"input\": 258400, \"output\": 128000 }\n        },\n        \"gpt-5.6-sol\": {\n          \"name\": \"GPT-5.6-Sol\",\n          \"attachment\": true,\n          \"reasoning\": true,\n          \"tool_call\": true,\n          \"limit\": { \"context\": 400000, \"input\": 258400, \"output\": 128000 }\n        }\n      }\n    }\n  }\n}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nkilo run \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Kilo takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "oh_my_pi",
    "title": "Oh My Pi",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "apiKey is the name of the environment variable, not the key."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.omp/agent/models.yml",
            "language": "yaml",
            "text": "providers:\n  codex-pooler:\n    baseUrl: \"https://pooler.example.com/v1\"\n    api: openai-responses\n    apiKey: CODEX_POOLER_API_KEY\n    authHeader: true\n    models:\n      - id: \"gpt-5.5\"\n        name: \"GPT-5.5\"\n        reasoning: true\n        input: [\"text\", \"image\"]\n        contextWindow: 272000\n        maxTokens: 128000\n      - id: \"gpt-5.6-sol\"\n        name: \"GPT-5.6-Sol\"\n        reasoning: true\n        input: [\"text\", \"image\"]\n        contextWindow: 272000\n        maxTokens: 128000\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nomp --model \"codex-pooler/gpt-5.5\" -p \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Oh My Pi takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "pi",
    "title": "Pi",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Configuration",
            "file": "~/.pi/agent/models.json",
            "language": "json",
            "text": "{\n  \"providers\": {\n    \"codex-pooler\": {\n      \"name\": \"Codex Pooler\",\n      \"baseUrl\": \"https://pooler.example.com/v1\",\n      \"api\": \"openai-responses\",\n      \"apiKey\": \"$CODEX_POOLER_API_KEY\",\n      \"authHeader\": true,\n      \"models\": [\n        {\n          \"id\": \"gpt-5.5\",\n          \"name\": \"GPT-5.5\",\n          \"reasoning\": true,\n          \"input\": [\"text\", \"image\"],\n          \"contextWindow\": 272000,\n          \"maxTokens\": 128000\n        },\n        {\n          \"id\": \"gpt-5.6-sol\",\n          \"name\": \"GPT-5.6-Sol\",\n          \"reasoning\": true,\n          \"input\": [\"text\", \"image\"],\n          \"contextWindow\": 272000,\n          \"maxTokens\": 128000\n        }\n      ]\n    }\n  }\n}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\npi --provider codex-pooler --model \"gpt-5.5\" -p \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: Pi takes https://pooler.example.com/v1 and adds /responses itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "openhands",
    "title": "OpenHands",
    "kind": "agent",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "OpenHands ignores these variables unless it is started with --override-with-envs."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Shell",
            "file": null,
            "language": "shell",
            "text": "export LLM_API_KEY=\"$CODEX_POOLER_API_KEY\"\nexport LLM_BASE_URL=\"https://pooler.example.com/v1\"\nexport LLM_MODEL=\"openai/gpt-5.5\"\nopenhands --override-with-envs\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\nopenhands --headless --override-with-envs -t \"Reply with exactly: ok\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: LLM_BASE_URL is https://pooler.example.com/v1; OpenHands adds the rest itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "trae",
    "title": "Trae",
    "kind": "editor",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "Trae needs its own account before it shows this page, and stores the key in its own settings."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Settings, Models, Add model, Custom",
            "file": null,
            "language": "text",
            "text": "API format            OpenAI Chat Completions\nCustom Request URL    https://pooler.example.com/v1\nFull URL              off\nModel ID              gpt-5.5\nDisplay name          GPT-5.5\nMultimodal            true\nContext window        input 258400, output 128000\nAPI key               the pool key\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: the Custom Request URL is https://pooler.example.com/v1, with no slash at its end; with Full URL off, Trae adds /chat/completions itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "windmill",
    "title": "Windmill",
    "kind": "automation",
    "base_url": "https://pooler.example.com/v1",
    "notes": [
      "Then choose this resource and the model gpt-5.5 in the workspace settings under Windmill AI."
    ],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Secret",
            "file": null,
            "language": "shell",
            "text": "wmill variable add \"$CODEX_POOLER_API_KEY\" u/admin/pool_key\n",
            "notes": []
          },
          {
            "title": "Resource",
            "file": "u/admin/codex_pooler.resource.yaml",
            "language": "yaml",
            "text": "description: Codex Pooler\nresource_type: customai\nvalue:\n  api_key: \"$var:u/admin/pool_key\"\n  base_url: \"https://pooler.example.com/v1\"\n  headers: {}\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: base_url is https://pooler.example.com/v1; Windmill adds /chat/completions itself."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  },
  {
    "tool": "curl",
    "title": "curl",
    "kind": "command",
    "base_url": "https://pooler.example.com/v1",
    "notes": [],
    "variants": [
      {
        "id": "standard",
        "title": "Standard",
        "default": true,
        "snippets": [
          {
            "title": "Command",
            "file": null,
            "language": "shell",
            "text": "curl -N \"https://pooler.example.com/v1/responses\" \\\n  -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\" \\\n  -H \"Content-Type: application/json\" \\\n  -d \"{\\\"model\\\":\\\"gpt-5.5\\\",\\\"input\\\":\\\"Reply with exactly: ok\\\",\\\"stream\\\":true}\"\n",
            "notes": []
          }
        ]
      }
    ],
    "verify": {
      "title": "Check",
      "file": null,
      "language": "shell",
      "text": "curl -fsS \"https://pooler.example.com/v1/models\" -H \"Authorization: Bearer $CODEX_POOLER_API_KEY\"\n",
      "notes": []
    },
    "troubleshooting": [
      {
        "symptom": "401, invalid API key",
        "remedy": "The key is missing, mistyped, paused or revoked. See that CODEX_POOLER_API_KEY is set where the tool runs, and that the prefix of the key is active in the console under API keys."
      },
      {
        "symptom": "403",
        "remedy": "The message names the reason: the key may not be used from this address, may not use this model, or its pool has the routes under /v1 switched off."
      },
      {
        "symptom": "404",
        "remedy": "The base URL is wrong: every path of this surface begins with https://pooler.example.com/v1."
      },
      {
        "symptom": "The model does not exist or is not supported",
        "remedy": "Ask with the check above what the pool offers and use one of those names; an operator can also let the pool accept another name for a model."
      },
      {
        "symptom": "429",
        "remedy": "The answer says when to come back: the pool's accounts or the key's own limit are used up until then."
      }
    ]
  }
];
