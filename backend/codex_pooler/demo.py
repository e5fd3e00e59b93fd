"""``codex-pooler demo``: the gateway in front of the simulated backend, with accounts, a key and some traffic.

Everything is local and invented.  The state directory keeps the demo between runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from codex_pooler.app import Process, listening, process, until_signal, web_app
from codex_pooler.config import Config
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.operators.commands import create_first_owner, create_token
from codex_pooler.simulator.app import running as simulator_running
from codex_pooler.simulator.world import World, new_world

log = logging.getLogger(__name__)

OWNER, PASSWORD = "demo@example.com", "demo-demo-demo"
SEED, ACCOUNTS = 1, 4
PROMPTS = ("Say 40 words", "Say 120 words", "Reply with exactly: ok", "Say 15 words")
CLIENTS = ("codex_exec/0.169.0", "codex-tui/0.169.0", "opencode/1.18.33", "OpenAI/Python")
FAULTS = ("usage_limit_reached", "server_error", "reset_before_headers", "failed_overloaded")
BUSY_EVERY = 4.0  # seconds between two turns of the background traffic, on average


@dataclass(frozen=True)
class Call:
    """How the demo talks to its own gateway."""

    http: aiohttp.ClientSession
    origin: str
    token: str

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.origin}/api/admin/v1{path}"
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()


async def run_demo(config: Config, dsn: str) -> int:
    """Serve until a signal."""
    world = new_world(seed=SEED, accounts=ACCOUNTS)
    async with simulator_running(world) as backend, aiohttp.ClientSession() as http:
        config = replace(config, chatgpt_url=backend, auth_url=backend)
        async with (
            process(config, dsn) as house,
            listening(web_app(house), config.http_host, config.http_port) as port,
        ):
            origin = f"http://127.0.0.1:{port}"
            key = await furnish(house, world, http, origin, config.state_dir)
            greet(config.origin, key, backend)
            traffic = asyncio.create_task(keep_busy(http, origin, key, backend), name="demo-traffic")
            await until_signal()
            traffic.cancel()
            await asyncio.gather(traffic, return_exceptions=True)
    return 0


async def furnish(house: Process, world: World, http: aiohttp.ClientSession, origin: str, state: Path) -> str:
    """Make sure of the owner, the pools, the accounts (signed in anew: the simulator forgets) and the key."""
    database, keyring = house.context.database, house.context.keyring
    async with database.session() as session:
        pending = await is_pending(session)
    if pending:
        await create_first_owner(database, keyring, OWNER, "Demo Owner", PASSWORD)
    call = Call(http, origin, await create_token(database, keyring, OWNER, "demo", 1))
    pools = {pool["name"]: pool for pool in (await call.admin("GET", "/pools"))["items"]}
    for name in ("Team", "Nightly jobs"):
        if name not in pools:
            pools[name] = await call.admin("POST", "/pools", {"name": name})
    for number, account in enumerate(world.accounts.values()):
        pool = pools["Nightly jobs" if number == ACCOUNTS - 1 else "Team"]
        body = {"pool_id": pool["id"], "auth_json": world.auth_json(account), "label": account.name}
        await call.admin("POST", "/upstreams/import", body)
    return await stored_key(call, state / "demo-key", pools["Team"]["id"])


async def stored_key(call: Call, path: Path, pool_id: str) -> str:
    """The demo's key; its secret is shown once, so the demo keeps it in a file of its own (mode 0600)."""
    known = {key["prefix"] for key in (await call.admin("GET", "/api-keys"))["items"]}
    if path.exists() and any(path.read_text().startswith(prefix) for prefix in known):
        return path.read_text()
    made = await call.admin("POST", "/api-keys", {"name": "demo", "pool_id": pool_id})
    path.touch(mode=0o600)
    path.write_text(made["secret"])
    return str(made["secret"])


def greet(origin: str, key: str, backend: str) -> None:
    """What a person can do now, ready to paste."""
    base = f"{origin}/backend-api/codex"
    provider = (
        f'{{ name = "OpenAI", base_url = "{base}", env_key = "CODEX_POOLER_API_KEY", wire_api = "responses", '
        "supports_websockets = false, requires_openai_auth = false }"
    )
    body = json.dumps({"model": "gpt-5.5", "stream": True, "store": False, "input": [EXAMPLE]})
    print(
        f"""
Codex Pooler demo is ready at {origin}  (sign in: {OWNER} / {PASSWORD})
The simulated backend is at {backend}; nothing leaves this machine.

Try it with Codex:
  export CODEX_POOLER_API_KEY={key}
  codex exec --skip-git-repo-check -m gpt-5.5 -c model_provider=demo -c 'model_providers.demo={provider}' \\
    'Reply with exactly: ok'

Or with curl:
  curl -N {base}/responses -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'
""",
        flush=True,
    )


EXAMPLE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Reply with exactly: ok"}]}


async def keep_busy(http: aiohttp.ClientSession, origin: str, key: str, backend: str) -> None:
    """A little traffic, now and then with an account that fails, so that the console has something to show."""
    chance = random.Random(SEED)
    while True:
        await asyncio.sleep(chance.expovariate(1 / BUSY_EVERY))
        try:
            if chance.random() < 0.1:
                fault = {"account": f"acct-{chance.randint(1, 3)}", "fault": chance.choice(FAULTS), "times": 1}
                async with http.post(f"{backend}/__control/faults", json=fault) as answer:
                    await answer.read()
            await _one_turn(http, origin, key, chance)
        except aiohttp.ClientError as exc:
            log.debug("demo traffic: %s", type(exc).__name__)


async def _one_turn(http: aiohttp.ClientSession, origin: str, key: str, chance: random.Random) -> None:
    text = {"type": "input_text", "text": chance.choice(PROMPTS)}
    body = {
        "model": chance.choice(("gpt-5.5", "gpt-5.6-sol", "gpt-6-sol")),
        "input": [{"type": "message", "role": "user", "content": [text]}],
        "stream": True,
        "store": False,
        "reasoning": {"effort": chance.choice(("low", "medium", "high"))},
        "prompt_cache_key": f"demo-{chance.randint(1, 6)}",
    }
    headers = {"Authorization": f"Bearer {key}", "User-Agent": chance.choice(CLIENTS)}
    async with http.post(f"{origin}/backend-api/codex/responses", json=body, headers=headers) as answer:
        await answer.read()
