"""``codex-pooler demo``: the gateway in front of the simulated backend, with accounts, a key and some traffic.

Everything is local and invented.  The state directory keeps the demo between runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.app import listening, until_signal, web_app
from codex_pooler.config import Config
from codex_pooler.operators.bootstrap import is_pending
from codex_pooler.operators.commands import create_first_owner, create_token
from codex_pooler.process import Process, process
from codex_pooler.protocol.usage import Usage
from codex_pooler.quota.history import EVERY_SECONDS, LEAST_MOVE, Sample
from codex_pooler.quota.windows import ACCOUNT, RESET_TOLERANCE, kind_of
from codex_pooler.simulator.app import running as simulator_running
from codex_pooler.simulator.windows import Window
from codex_pooler.simulator.world import World, new_world
from codex_pooler.snapshot.model import Key
from codex_pooler.storage.ids import uuid7_text
from codex_pooler.storage.queries_quota_history import STORE_SAMPLES

log = logging.getLogger(__name__)

OWNER, PASSWORD = "demo@example.com", "demo-demo-demo"
SEED, ACCOUNTS = 1, 4
PROMPTS = ("Say 40 words", "Say 120 words", "Reply with exactly: ok", "Say 15 words")
CLIENTS = ("codex_exec/0.169.0", "codex-tui/0.169.0", "opencode/1.18.33", "OpenAI/Python")
FAULTS = ("usage_limit_reached", "server_error", "reset_before_headers", "failed_overloaded")
MODELS = ("gpt-5.5", "gpt-5.6-sol", "gpt-6-sol")
HISTORY = 900  # invented turns at most
FILLS = ((38.0, 62.0), (71.0, 45.0), (12.0, 84.0), (55.0, 20.0))  # percent used of a short and of a long window
ELAPSED = 0.6  # of each window
QUOTA_SECONDS, QUOTA_STEP = 7 * 86_400, 900
PACING_MS = 15.0  # between two events of the simulated backend
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
            world.settings.pacing_ms = PACING_MS
            fill_windows(world)
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
    key = await stored_key(call, state / "demo-key", pools["Team"]["id"])
    if pending:
        write_history(house)
        await write_quota_history(house, world)
    return key


async def stored_key(call: Call, path: Path, pool_id: str) -> str:
    """The demo's key; its secret is shown once, so the demo keeps it in a file of its own (mode 0600)."""
    known = {key["prefix"] for key in (await call.admin("GET", "/api-keys"))["items"]}
    if path.exists() and any(path.read_text().startswith(prefix) for prefix in known):
        return path.read_text()
    made = await call.admin("POST", "/api-keys", {"name": "demo", "pool_id": pool_id})
    path.touch(mode=0o600)
    path.write_text(made["secret"])
    return str(made["secret"])


def write_history(house: Process) -> None:
    """A day of invented turns, so that a new demo has charts to look at.  They go the way every turn goes."""
    chance = random.Random(SEED)
    now = time.time()
    keys = list(house.house.snapshot.current.keys.values())
    for _ in range(HISTORY):
        key = chance.choice(keys)
        ago = chance.uniform(60, 86400)
        busy = 0.35 + 0.65 * math.sin((now - ago) / 86400 * math.pi) ** 2
        if chance.random() < busy and key.pool.fit:
            turn = invented_turn(key, now - ago, chance)
            ended = invented_end(key, chance)
            cost = house.house.prices.current.cost([turn.model], None, ended.service_tier, ended.usage)
            house.house.journal.end(
                turn.id, final_row(turn, begun_row(turn), msgspec.structs.replace(ended, cost=cost))
            )


def fill_windows(world: World) -> None:
    """Accounts in the middle of their windows look more like life than unused ones."""
    now = world.clock()
    for account, fills in zip(world.accounts.values(), FILLS, strict=True):
        for window, percent in zip(account.windows.values(), fills, strict=False):
            window.set_used(percent)
            window.reset_at = now + window.minutes * 60 * (1 - ELAPSED)


async def write_quota_history(house: Process, world: World) -> None:
    """A week of how full the accounts' windows were, up to how full they are."""
    pools = house.house.snapshot.current.pools.values()
    ids = {member.account.label: member.account.id for pool in pools for member in pool.members}
    chance = random.Random(SEED)
    samples = [
        sample.as_row()
        for name, account in world.accounts.items()
        for window in account.windows.values()
        for sample in invented_samples(ids[name], window, world.clock(), chance)
    ]
    async with house.context.database.session() as session:
        news = {"seconds": EVERY_SECONDS, "percent": LEAST_MOVE, "reset_seconds": RESET_TOLERANCE}
        await session.run(STORE_SAMPLES, {"samples": json.dumps(samples), **news})


def invented_samples(account_id: UUID, window: Window, now: float, chance: random.Random) -> list[Sample]:
    """One window over the past week: it fills up, some cycles more than others, and starts anew."""
    length, samples = window.minutes * 60, []
    peaks = {0: window.used_percent / ELAPSED}
    for at in range(int(now) - QUOTA_SECONDS, int(now), QUOTA_STEP):
        cycle = int((window.reset_at - at) // length)
        peak = peaks.setdefault(cycle, chance.uniform(20, 96))
        filled = 1 - (window.reset_at - at) / length + cycle
        used = min(99.0, peak * filled)
        reset_at = window.reset_at - cycle * length
        samples.append(Sample(account_id, ACCOUNT, kind_of(window.minutes), float(at), round(used, 1), reset_at))
    return samples


def invented_turn(key: Key, at: float, chance: random.Random) -> Asked:
    return Asked(
        id=uuid7_text(),
        admitted_at=at,
        pool_id=key.pool.id,
        pool_name=key.pool.name,
        api_key_id=key.id,
        api_key_name=key.name,
        route="/backend-api/codex/responses",
        transport="http_sse",
        client=chance.choice(CLIENTS),
        model=chance.choice(MODELS),
        effort=chance.choice(("low", "medium", "high")),
        service_tier=None,
        request_bytes=chance.randint(20_000, 400_000),
    )


def invented_end(key: Key, chance: random.Random) -> Ended:
    first, second = (*chance.sample(key.pool.fit, k=min(2, len(key.pool.fit))), key.pool.fit[0])[:2]
    ttft, duration = chance.randint(400, 2500), chance.randint(3000, 45_000)
    served = Tried(second.account.id, second.account.label, 0, duration, "served", 200, None)
    attempts = [served]
    if chance.random() < 0.06:
        lost = Tried(first.account.id, first.account.label, 0, 180, "failed_over", 429, "usage_limit_reached")
        attempts = [lost, replace(served, started_ms=182)]
    given = chance.randint(8_000, 90_000)
    usage = Usage(given, round(given * chance.uniform(0.3, 0.95)), chance.randint(200, 3000), chance.randint(0, 200))
    if chance.random() < 0.02:
        failed = replace(attempts[-1], outcome="failed", http_status=502, error_code="upstream_reset")
        return Ended("failed", 200, "upstream_reset", duration, ttft, None, None, 9_000, [failed], {})
    return Ended("succeeded", 200, None, duration, ttft, usage, "default", chance.randint(9_000, 200_000), attempts, {})


def greet(origin: str, key: str, backend: str) -> None:
    """What a person can do now, ready to paste."""
    base = f"{origin}/backend-api/codex"
    provider = (
        f'{{ name = "OpenAI", base_url = "{base}", env_key = "CODEX_POOLER_API_KEY", wire_api = "responses", '
        "supports_websockets = true, requires_openai_auth = false }"
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
        "model": chance.choice(MODELS),
        "input": [{"type": "message", "role": "user", "content": [text]}],
        "stream": True,
        "store": False,
        "reasoning": {"effort": chance.choice(("low", "medium", "high"))},
        "prompt_cache_key": f"demo-{chance.randint(1, 6)}",
    }
    headers = {"Authorization": f"Bearer {key}", "User-Agent": chance.choice(CLIENTS)}
    async with http.post(f"{origin}/backend-api/codex/responses", json=body, headers=headers) as answer:
        await answer.read()
