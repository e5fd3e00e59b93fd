"""What a scraper reads of a running gateway: its accounts, what it leads and who else is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from codex_pooler.jobs.roles import LED
from codex_pooler.telemetry.metrics import ACCOUNTS, LEADS, LOGINS_NEEDED, PROCESSES
from tests.integration.whole import Gateway


async def scraped(gateway: Gateway) -> dict[str, float]:
    """The samples by name and labels, as they are written."""
    async with gateway.http.get(f"{gateway.origin}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


async def until(gateway: Gateway, there: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    async with asyncio.timeout(30):
        while not there(samples := await scraped(gateway)):
            await asyncio.sleep(0.05)
    return samples


async def test_accounts_are_shown_by_state(gateway: Gateway) -> None:
    first, second = (each["id"] for each in (await gateway.admin("GET", "/upstreams"))["items"])
    await gateway.admin("POST", f"/upstreams/{first}/pause")
    samples = await scraped(gateway)
    states = {state: samples[f'{ACCOUNTS}{{state="{state}"}}'] for state in ("active", "paused", "reauth_required")}
    assert states == {"active": 1, "paused": 1, "reauth_required": 0}
    assert samples[LOGINS_NEEDED] == 0
    context = gateway.process.context
    async with context.database.session() as session:
        await session.run("UPDATE accounts SET state = 'reauth_required' WHERE id = %(id)s", {"id": second})
    await context.refresh_snapshot()
    assert (await scraped(gateway))[LOGINS_NEEDED] == 1


async def test_what_a_process_leads_and_its_company_are_shown(gateway: Gateway) -> None:
    loops = [f'{LEADS}{{loop="{loop}"}}' for loop in LED]
    samples = await until(gateway, lambda samples: sum(samples[loop] for loop in loops) == len(loops))
    assert [samples[loop] for loop in loops] == [1] * len(loops)
    assert await until(gateway, lambda samples: samples.get(f'{PROCESSES}{{role="all"}}') == 1)
