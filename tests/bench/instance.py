"""Sets a new gateway up from outside, the way an operator's script does: owner, token, pool, accounts, pool key."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

EMAIL = "bench@example.test"
PASSWORD = "bench-only-8-streams-a-second"
ACCOUNTS = 10


def set_up(command: Path, environ: Mapping[str, str], address: str) -> str:
    """Make a served instance ready for turns and return its pool key.

    Raises CalledProcessError or URLError with the gateway's own words when it refuses.
    """
    run(command, environ, "bootstrap", "--email", EMAIL, "--display-name", "Bench", "--password-stdin", given=PASSWORD)
    token = run(command, environ, "token", "create", "--email", EMAIL, "--label", "bench", "--days", "1").strip()
    pool = post(address, token, "pools", {"name": "Bench"})
    for number in range(ACCOUNTS):
        post(address, token, "upstreams/import", {"pool_id": pool["id"], "auth_json": auth_json(number)})
    return str(post(address, token, "api-keys", {"name": "Bench", "pool_id": pool["id"]})["secret"])


def run(command: Path, environ: Mapping[str, str], *words: str, given: str = "") -> str:
    """Run one `codex-pooler` command and return what it prints."""
    done = subprocess.run(
        [str(command), *words], env=dict(environ), input=given, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def post(address: str, token: str, resource: str, body: Mapping[str, object]) -> dict[str, Any]:
    """Create one thing through the REST API and return it."""
    request = urllib.request.Request(
        f"{address}/api/admin/v1/{resource}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        created: dict[str, Any] = json.load(answer)
    return created


def auth_json(number: int) -> dict[str, object]:
    """The sign-in file of a made-up account, with tokens that nobody has signed."""
    account = f"00000000-0000-4000-8000-{number:012d}"
    claims = {
        "exp": int(time.time()) + 10 * 86400,
        "sub": f"auth0|bench-{number}",
        "email": f"account-{number}@example.test",
        "https://api.openai.com/auth": {
            "chatgpt_account_id": account,
            "chatgpt_user_id": f"user-bench-{number}",
            "chatgpt_plan_type": "pro",
        },
    }
    tokens = {
        "id_token": unsigned(claims),
        "access_token": unsigned(claims),
        "refresh_token": f"rt-bench-{number}",
        "account_id": account,
    }
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": tokens, "last_refresh": now}


def unsigned(claims: Mapping[str, object]) -> str:
    """A JWT with the claims and an empty meaning of a signature."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*texts, "bm9uZQ"])


def explain(error: Exception) -> str:
    """What the gateway said about a refusal."""
    if isinstance(error, subprocess.CalledProcessError):
        return f"{' '.join(error.cmd[1:3])}: {error.stderr.strip()[-500:]}"
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.url}: {error.code} {error.read(500).decode(errors='replace')}"
    return repr(error)
