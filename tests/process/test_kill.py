"""What happens to turns when the gateway is killed: each has exactly one final row, and nothing counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from codex_pooler.simulator.record import Usage
from tests.process.served import Installation, Rows, serving, until

TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")


def total(rows: Iterable[dict[str, Any]], column: str) -> int:
    """The sum of a column, in which null counts nothing."""
    return sum(int(row[column] or 0) for row in rows)


def counted(usages: Iterable[Usage], column: str) -> int:
    """The same of what the backend recorded for turns it finished."""
    return sum(getattr(usage, column) for usage in usages)


def assert_rollup_agrees(installation: Installation, rows: Rows) -> None:
    hourly = installation.rows("SELECT * FROM usage_hourly ORDER BY hour, account_id, model, service_tier")
    for column in (*TOKENS, "cache_write_tokens", "cost_micros", "duration_ms", "ttft_ms"):
        assert total(hourly, column) == total(rows, column), column
    for column, states in {"succeeded": {"succeeded"}, "failed": {"failed", "interrupted"}}.items():
        assert total(hourly, column) == sum(row["status"] in states for row in rows)
    assert total(hourly, "requests") == len(rows)
    assert all((row["cost_micros"] or 0) > 0 for row in rows if row["status"] == "succeeded")


async def test_every_admitted_turn_has_exactly_one_final_row_after_kill_9(installation: Installation) -> None:
    async with serving(installation) as served:
        running = await served.begin_turns(20)
        await served.turns(20)
        served.kill()
        assert all(isinstance(one, Exception) for one in await asyncio.gather(*running, return_exceptions=True))
        finished = list(served.world.record.totals.values())
        assert sum(usage.turns for usage in finished) == 20

        await served.restart()
        rows = await served.rows(40)
        assert sorted(row["status"] for row in rows) == ["interrupted"] * 20 + ["succeeded"] * 20
        assert len({row["id"] for row in rows}) == 40
        assert {row["error_code"] for row in rows if row["status"] == "interrupted"} == {"gateway_stopped"}
        for column in TOKENS:
            assert total(rows, column) == counted(finished, column), column
        assert_rollup_agrees(installation, rows)

        for _ in range(2):
            served.kill()
            await served.restart()
        await served.turn()
        later = await served.rows(41)
        assert [row for row in later if row in rows] == rows, "what was stored stays as it was"
        assert len(later) == 41
        assert_rollup_agrees(installation, later)
        await until(lambda: len(list((installation.state / "spool").glob("*.log"))) == 1, "old segments are kept")


async def test_the_log_agrees_when_the_kill_comes_in_the_middle_of_everything(installation: Installation) -> None:
    async with serving(installation) as served:
        begun = [asyncio.create_task(served.turn("Say 9 words")) for _ in range(60)]
        await until(lambda: sum(task.done() for task in begun) >= 20, "no turn ended")
        served.kill()
        results = await asyncio.gather(*begun, return_exceptions=True)
        answered = sum(isinstance(result, str) for result in results)
        arrived = served.arrived()

        await served.restart()
        rows = await served.rows(arrived)
        succeeded = [row for row in rows if row["status"] == "succeeded"]
        assert len(rows) == len({row["id"] for row in rows}) >= arrived
        assert {row["status"] for row in rows} <= {"succeeded", "interrupted"}
        assert answered <= len(succeeded), "no turn that a client saw complete may be without its usage"
        assert_rollup_agrees(installation, rows)
