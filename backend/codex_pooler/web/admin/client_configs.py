"""Ready-made client configurations with this instance's address; the key stays in the environment."""

from __future__ import annotations

from typing import Any

from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.clients import ClientConfigPage, ClientConfigQuery

api = Api("client-configs")
KEY_NOTE = "Set CODEX_POOLER_API_KEY to a pool key in the environment; do not write it into the file."

MODEL = "gpt-5.5"
SIGN_IN_NOTE = (
    "The interactive Codex asks for a sign-in when it has none of its own; "
    "set requires_openai_auth = false to do without."
)
HTTP_NOTE = "Where a proxy in between does not pass websockets on, set model_provider to codex-pooler-http."
CODEX = """model = "{model}"
model_provider = "codex-pooler-ws"

[model_providers.codex-pooler-ws]
name = "OpenAI"
base_url = "{origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = true
requires_openai_auth = true

[model_providers.codex-pooler-http]
name = "OpenAI"
base_url = "{origin}/backend-api/codex"
env_key = "CODEX_POOLER_API_KEY"
wire_api = "responses"
supports_websockets = false
requires_openai_auth = true
"""

CURL = """curl -N "{origin}/backend-api/codex/responses" \\
  -H "Authorization: Bearer $CODEX_POOLER_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{{"model":"{model}","stream":true,"store":false,"instructions":"","input":[{{"type":"message","role":"user","content":[{{"type":"input_text","text":"Reply with exactly: ok"}}]}}]}}'
"""  # noqa: E501

MODEL_NOTE = "Replace the model by one that your accounts offer."
TOOLS: tuple[dict[str, Any], ...] = (
    {
        "tool": "codex",
        "title": "Codex CLI, IDE and desktop",
        "language": "toml",
        "file": "~/.codex/config.toml",
        "body": CODEX,
        "notes": [KEY_NOTE, SIGN_IN_NOTE, HTTP_NOTE],
    },
    {
        "tool": "curl",
        "title": "curl",
        "language": "shell",
        "file": None,
        "body": CURL,
        "notes": [KEY_NOTE, MODEL_NOTE],
    },
)


@api.endpoint(
    "GET", "/client-configs", needs="pools:read", query=ClientConfigQuery, returns=ClientConfigPage, errors=(404,)
)
async def list_client_configs(call: Call) -> Any:
    """How to point each client at this instance."""
    if "pool_id" in call.query:
        async with call.context.database.session() as session:
            await require_pool(call, session, call.query["pool_id"], "pool_id")
    origin = call.context.config.origin
    return common.page([{**tool, "body": tool["body"].format(origin=origin, model=MODEL)} for tool in TOOLS])
