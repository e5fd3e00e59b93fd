"""A process that is killed while it spends a saved reset never makes it two."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import psycopg2
import pytest

from codex_pooler.simulator.faults import Order, fault_of
from codex_pooler.simulator.record import Arrival
from tests.process.served import Installation, Served, serving, until

RESETS = "/backend-api/wham/rate-limit-reset-credits"
POLICY = {
    "auto_redeem_enabled": True,
    "trigger_mode": "blocked",
    "quota_threshold_percent": 95,
    "min_blocked_minutes": 60,
    "keep_credits": 0,
}
# where the process is when it is killed -> which request the backend holds up, and how
POINTS: dict[str, tuple[str, str | dict[str, Any]]] = {
    "reading the list": ("credits", {"preset": "slow_headers", "delay_ms": 2_000}),
    "asking, before it is done": ("consume", {"preset": "slow_headers", "delay_ms": 2_000}),
    "asking, after it is done": ("consume", "answer_never"),
}


async def use_up(served: Served) -> None:
    """Every account's week is used, each has three saved resets, and all may be spent."""
    headers = {"Authorization": f"Bearer {served.installation.token}"}
    listed = (await served.get("/api/admin/v1/upstreams"))[1]["items"]
    for upstream in listed:
        url = f"{served.origin}/api/admin/v1/upstreams/{upstream['id']}/saved-reset-policy"
        async with served.http.put(url, json=POLICY, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
    for account in served.world.accounts.values():
        account.windows["secondary"].set_used(100)
    async with asyncio.timeout(20):
        await asyncio.gather(*(grant(served, name) for name in served.world.accounts))


async def grant(served: Served, name: str) -> None:
    backend = served.environ["CODEX_POOLER_CHATGPT_URL"]
    body = {"grant_reset_credits": 3}
    async with served.http.post(f"{backend}/__control/accounts/{name}", json=body) as answer:
        assert answer.status == 200


def arrivals(served: Served, path: str) -> list[Arrival]:
    return [one for one in served.world.record.arrivals if one.path == path]


def spent(served: Served) -> int:
    return sum(len(account.redeemed) for account in served.world.accounts.values())


def let_pass(installation: Installation, seconds: int) -> None:
    """Time, as far as claims are concerned."""
    names = ("created_at", "dispatch_at", "sent_at", "applied_at")
    older = ", ".join(f"{name} = {name} - interval '{seconds} seconds'" for name in names)
    connection = psycopg2.connect(installation.dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE saved_reset_claims SET {older}")
    connection.close()


def claims(installation: Installation) -> list[dict[str, Any]]:
    return installation.rows("SELECT * FROM saved_reset_claims ORDER BY created_at")


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_in_the_middle_of_spending_costs_one_at_most(installation: Installation, point: str) -> None:
    route, fault = POINTS[point]
    path = RESETS if route == "credits" else f"{RESETS}/consume"
    async with serving(installation) as served:
        await use_up(served)
        served.world.faults.add(Order("*", route, fault_of(fault), 1))
        turn = asyncio.create_task(served.turn())
        await until(lambda: arrivals(served, path), "the backend was never asked")
        if point == "asking, after it is done":
            await until(lambda: spent(served), "it was never spent")
        served.kill()
        assert isinstance((await asyncio.gather(turn, return_exceptions=True))[0], aiohttp.ClientError)

        await served.restart()
        open_claims = claims(installation)
        assert [claim["phase"] for claim in open_claims] == ([] if route == "credits" else ["sent"])
        let_pass(installation, 61)
        if route == "consume":
            ended = ("confirmed",)
            await until(lambda: claims(installation)[0]["phase"] in ended, "the claim was never carried on")
        await served.turn()
        [claim] = claims(installation)
        ids = {str(claim["id"])}
        assert {one for account in served.world.accounts.values() for one in account.redeemed} == ids
        assert spent(served) == 1
