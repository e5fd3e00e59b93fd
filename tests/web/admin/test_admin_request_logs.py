"""The request log and the traffic chart over the admin API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.accounting.prices import Cost
from codex_pooler.accounting.settlement import Asked, Ended, Tried, begun_row, final_row
from codex_pooler.protocol.usage import Usage
from codex_pooler.storage.database import Database
from codex_pooler.storage.queries_log import STORE
from codex_pooler.storage.queries_requests import MAX_STEPS, Position, _page_query, histogram_step
from codex_pooler.storage.tables import usage_hourly

if TYPE_CHECKING:
    from tests.web.admin.conftest import Browserless, LogTurns, MakeScript


async def pages(owner: Browserless, query: str, limit: int) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        body = await owner.get(f"/request-logs?limit={limit}{query}{cursor}")
        found.append([item["id"] for item in body["items"]])
        if body["page"]["next_cursor"] is None:
            return found
        cursor = f"&cursor={body['page']['next_cursor']}"


async def test_paging_shows_every_turn_once_newest_first(owner: Browserless, log_turns: LogTurns) -> None:
    ids = [str(identity) for identity in await log_turns(11)]
    assert await pages(owner, "", 4) == [ids[:4], ids[4:8], ids[8:]]
    assert await pages(owner, "", 11) == [ids]


async def test_turns_of_the_same_moment_are_not_lost_between_pages(owner: Browserless, log_turns: LogTurns) -> None:
    moment = datetime.now(UTC)
    ids = {str((await log_turns(1, admitted_at=moment))[0]) for _ in range(5)}
    listed = [identity for page in await pages(owner, "", 2) for identity in page]
    assert len(listed) == 5
    assert set(listed) == ids


async def test_filters_narrow_together_and_widen_by_repetition(owner: Browserless, log_turns: LogTurns) -> None:
    await log_turns(2, status="failed", model="a", error_code="server_error")
    await log_turns(3, status="rejected", model="b")
    await log_turns(4, model="a", transport="websocket")

    async def count(query: str) -> int:
        body = await owner.get(f"/request-logs?{query}")
        assert body["page"]["total_estimate"] == len(body["items"])
        return len(body["items"])

    assert await count("") == 9
    assert await count("status=failed") == 2
    assert await count("status=failed&status=rejected") == 5
    assert await count("status=failed&model=b") == 0
    assert await count("transport=websocket") == 4
    assert await count("q=SERVER_ERR") == 2
    assert await count("q=%25") == 0
    assert await count(f"pool_id={uuid4()}") == 0
    assert await count("from=2020-01-01&to=2020-01-02") == 0
    assert await count("status=") == 9


async def test_the_detail_is_what_the_gateway_wrote_down(
    owner: Browserless, pool: Any, database: Database, log_partitions: None
) -> None:
    account = uuid4()
    asked = Asked(
        id=str(uuid4()),
        admitted_at=datetime.now(UTC).timestamp(),
        pool_id=UUID(pool["id"]),
        pool_name="Team",
        api_key_id=uuid4(),
        api_key_name="ci",
        route="/backend-api/codex/responses",
        transport="http_sse",
        client="codex_cli_rs",
        model="gpt-5-codex",
        effort="high",
        service_tier=None,
        request_bytes=512,
        requested_model="gpt-5.5",
        session="5e55",
        client_ip="192.0.2.7",
    )
    first, second = ({"id": str(uuid4()), "name": name} for name in ("first", "second"))
    routing: dict[str, Any] = {"strategy": "fill_first", "affinity": "owner", "ranked": [first], "more_left_out": 3}
    routing["left_out"] = [{**second, "code": "paused"}, {**second, "code": "usage_limited", "until": 1_800_000_000}]
    tried = [
        Tried(account, "first", 0, 20, "failed_over", 429, "usage_limit_reached"),
        Tried(account, "second", 21, 800, "served", 200, None),
    ]
    ended = Ended(
        status="succeeded",
        http_status=200,
        error_code=None,
        duration_ms=821,
        ttft_ms=300,
        usage=Usage(input=100, cached=40, output=10, reasoning=4, cache_write=7),
        service_tier=None,
        response_bytes=2048,
        attempts=tried,
        excluded={"paused": 2},
        cost=Cost(1_234_567, "priced"),
        routing=routing,
        served_model="gpt-5-codex-mini",
    )
    async with database.session() as session:
        await session.run(STORE, {"rows": f"[{final_row(asked, begun_row(asked), ended).decode()}]"})
    seen = await owner.get(f"/request-logs/{asked.id}")
    assert seen["usage"] == {
        "state": "final",
        "input": 100,
        "cached_input": 40,
        "cache_write": 7,
        "output": 10,
        "reasoning": 4,
        "total": 110,
    }
    assert (seen["attempts"], seen["excluded"]) == (2, [{"reason": "paused", "accounts": 2}])
    assert [entry["outcome"] for entry in seen["attempt_log"]] == ["failed_over", "served"]
    assert seen["attempt_log"][0]["error_code"] == "usage_limit_reached"
    assert (seen["api_key"], seen["account"]) == ({"id": None, "name": "ci"}, {"id": None, "name": "second"})
    assert (seen["request_bytes"], seen["response_bytes"]) == (512, 2048)
    assert (seen["model"], seen["requested_model"]) == ("gpt-5-codex", "gpt-5.5")
    assert seen["served_model"] == "gpt-5-codex-mini"
    assert (seen["session"], seen["client_ip"]) == ("5e55", "192.0.2.7")
    assert seen["cost"] == {"usd": "1.234567", "state": "priced", "pricing_status": "priced"}
    assert seen["routing"] == routing | {
        "left_out": [
            {**second, "code": "paused", "until": None},
            {**second, "code": "usage_limited", "until": "2027-01-15T08:00:00.000Z"},
        ]
    }
    chart = await owner.get(f"/traffic?range=24h&pool_id={pool['id']}")
    assert (sum(chart["requests"]), sum(chart["input_tokens"]), chart["ttft_avg_ms"][-1]) == (1, 100, 300)
    assert (sum(chart["cost_micros"]), sum(chart["cache_write_tokens"]), sum(chart["unpriced"])) == (1_234_567, 7, 0)
    usage = (await owner.get(f"/pools/{pool['id']}"))["usage"]
    assert (usage["tokens_hourly"][-1], usage["cost_usd"], usage["unpriced"]) == (110, "1.234567", 0)


async def test_a_turn_without_reported_usage_says_so(owner: Browserless, log_turns: LogTurns) -> None:
    nothing = {f"{name}_tokens": None for name in ("input", "cached", "output", "reasoning")}
    (lost,) = await log_turns(1, status="interrupted", **nothing)
    (refused,) = await log_turns(1, status="rejected", **nothing)
    assert (await owner.get(f"/request-logs/{lost}"))["usage"]["state"] == "missing"
    assert (await owner.get(f"/request-logs/{refused}"))["usage"] is None


@pytest.mark.parametrize(
    ("micros", "status", "shown"),
    [
        (5, "priced", {"usd": "0.000005", "state": "priced"}),
        (0, "priced", {"usd": "0.000000", "state": "priced"}),
        (None, "unpriced_missing_model", {"usd": None, "state": "unpriced"}),
        (None, "usage_unknown", {"usd": None, "state": "unknown"}),
        (None, None, {"usd": None, "state": "unknown"}),
    ],
)
async def test_scenario_42_a_cost_nobody_knows_is_null_and_not_zero(
    micros: int | None, status: str | None, shown: dict[str, Any], owner: Browserless, log_turns: LogTurns
) -> None:
    await log_turns(1, cost_micros=micros, pricing_status=status)
    (item,) = (await owner.get("/request-logs"))["items"]
    assert item["cost"] == shown | {"pricing_status": status}
    chart = await owner.get("/traffic?range=1h")
    assert sum(chart["unpriced"]) == (shown["state"] == "unpriced")


async def test_a_turn_that_never_reached_a_backend_has_no_cost(owner: Browserless, log_turns: LogTurns) -> None:
    await log_turns(1, status="rejected")
    (item,) = (await owner.get("/request-logs"))["items"]
    assert item["cost"] is None


async def test_facets_count_what_the_filters_leave(owner: Browserless, log_turns: LogTurns, pool: Any) -> None:
    await log_turns(2, status="failed", pool_id=pool["id"], pool_name="Team")
    await log_turns(1, model="other")
    facets = await owner.get("/request-logs/facets?model=gpt-5-codex")
    assert facets["status"] == [{"value": "failed", "label": "failed", "count": 2}]
    assert facets["pool"] == [{"value": pool["id"], "label": "Team", "count": 2}]
    assert facets["account"] == []


async def test_the_histogram_counts_every_matching_turn(owner: Browserless, log_turns: LogTurns) -> None:
    await log_turns(3, status="failed")
    await log_turns(2, status="interrupted")
    await log_turns(4)
    chart = await owner.get("/request-logs/histogram")
    assert (sum(chart["succeeded"]), sum(chart["failed"])) == (4, 5)
    assert len(chart["t"]) == len(chart["rejected"]) <= MAX_STEPS
    assert chart["t"][1] - chart["t"][0] == chart["step_seconds"]
    assert (await owner.call("GET", "/request-logs/histogram?from=2026-02-01&to=2026-01-01"))[0] == 400


@pytest.mark.parametrize("days", [0.001, 0.04, 1, 5, 6, 30, 365, 20_000])
def test_no_span_makes_more_than_120_steps(days: float) -> None:
    seconds = days * 86400
    assert seconds // histogram_step(seconds) + 2 <= MAX_STEPS + 1


async def test_long_histograms_and_charts_read_the_rollup(owner: Browserless, pool: Any, database: Database) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    row = {"hour": hour, "pool_id": UUID(pool["id"]), "api_key_id": UUID(int=0), "account_id": UUID(int=0)}
    counts = {"requests": 7, "succeeded": 4, "failed": 2, "rejected": 1, "ttft_ms": 900, "ttft_count": 3}
    async with database.session() as session:
        await session.execute(sa.insert(usage_hourly).values(**row, **counts, model="m", service_tier=""))
    since = (hour - timedelta(days=4)).strftime("%Y-%m-%d")
    chart = await owner.get(f"/request-logs/histogram?from={since}&model=m&pool_id={pool['id']}")
    assert (sum(chart["succeeded"]), sum(chart["failed"]), sum(chart["rejected"])) == (4, 2, 1)
    traffic = await owner.get("/traffic?range=7d")
    assert (sum(traffic["requests"]), sum(traffic["errors"])) == (7, 3)
    assert {value for value in traffic["ttft_avg_ms"] if value is not None} == {300}


async def test_every_range_has_aligned_columns_and_at_most_120_steps(owner: Browserless, log_turns: LogTurns) -> None:
    await log_turns(2)
    for span in ("1h", "6h", "24h", "7d", "30d"):
        chart = await owner.get(f"/traffic?range={span}")
        columns = [value for value in chart.values() if isinstance(value, list)]
        assert {len(column) for column in columns} == {len(chart["t"])}
        assert 24 <= len(chart["t"]) <= 120
        if span in ("1h", "6h"):
            assert (sum(chart["requests"]), sum(chart["output_tokens"])) == (2, 20)


MISTAKES = {
    "statsu=failed": "unknown_parameter",
    "status=fine": "invalid_filter",
    "pool_id=5": "invalid_filter",
    "limit=0": "invalid_filter",
    "limit=201": "invalid_filter",
    "from=yesterday": "invalid_filter",
    "q=%00": "invalid_filter",
    "cursor=%00": "invalid_cursor",
    "cursor=x": "invalid_cursor",
    "cursor=!!!!": "invalid_cursor",
    "cursor=MjAyNg==": "invalid_cursor",
    "cursor=%F0%9F%98%80": "invalid_cursor",
    "cursor=OTk5OS0xMi0zMVQyMzo1OTo1OS0yMzowMHx4": "invalid_cursor",
}


async def test_a_mistyped_filter_or_cursor_is_told(owner: Browserless) -> None:
    for query, code in MISTAKES.items():
        status, problem = await owner.call("GET", f"/request-logs?{query}")
        assert (status, problem["code"]) == (400, code), query


async def test_an_admin_sees_the_turns_of_assigned_pools_only(
    owner: Browserless, pool: Any, make_script: MakeScript, log_turns: LogTurns
) -> None:
    (mine,) = await log_turns(1, pool_id=pool["id"], pool_name="Team")
    (orphan,) = await log_turns(1)
    admin, stranger = await make_script("instance_admin", pool["id"]), await make_script("instance_admin")
    assert [item["id"] for item in (await admin.get("/request-logs"))["items"]] == [str(mine)]
    assert (await admin.call("GET", f"/request-logs/{orphan}"))[0] == 404
    assert (await stranger.get("/request-logs"))["items"] == []
    assert sum((await stranger.get("/traffic?range=1h"))["requests"]) == 0
    assert (await stranger.get("/request-logs/facets"))["status"] == []


async def test_a_page_is_read_from_an_index_of_few_partitions(database: Database, log_turns: LogTurns) -> None:
    await log_turns(3)
    names = frozenset({"cursor"})
    query = _page_query(names)
    below = Position(datetime.now(UTC), UUID(int=0))
    values = query.bind({"cursor_at": below.admitted_at, "cursor_id": below.id, "row_limit": 2})
    async with database.transaction() as session:
        await session.run("SET LOCAL enable_seqscan = off")
        await session.run(f"EXPLAIN {query.sql}", values)
        plan = "\n".join(row[0] for row in await session.cursor.fetchall())
    assert "Index Scan" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
