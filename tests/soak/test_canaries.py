"""Fifty clients of three keys, four accounts, and something going wrong all the time: no word of one key reaches
another, nothing is answered twice, the books agree, and everything that was taken is given back."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import psycopg2

from codex_pooler.simulator.record import Arrival
from tests.integration.whole import Gateway
from tests.soak.crowd import CANARY, RESTLESS, Crowd, Plan, Turn, cured

THOROUGH = 5000  # turns from which on memory is judged and every last connection waited for
ROUND = 250  # turns between two looks at the record and at the memory
TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
Spent = Counter[tuple[int, ...]]
MOST_GROWTH = 1024  # KiB of memory per 1,000 turns, once warm


async def test_a_crowd_in_bad_weather(gateway: Gateway, plan: Plan, dsn: str) -> None:
    print(f"\n{plan}: SOAK_SEED={plan.seed} repeats it", file=sys.stderr)  # noqa: T201
    crowd = Crowd(gateway, plan, await _keys(gateway))
    world = gateway.world
    world.settings.keep_bodies = world.record.keep_bodies = True
    world.settings.websocket_lifetime_s = 3.0  # idle sockets are ended by the backend all the time
    before = await _held(gateway)
    books, memory = _Books(), [_resident()]
    async with cured(gateway):
        while crowd.begun < plan.turns:
            await crowd.act(min(crowd.begun + ROUND, plan.turns))
            await gateway.process.house.settle_down()
            books.close_round(crowd.turns, world.record.arrivals)
            crowd.turns = []
            world.record.clear()
            memory.append(_resident())

    await gateway.process.writer.drain()
    rows = _rows(dsn)
    print(books.summary(rows, memory), file=sys.stderr)  # noqa: T201
    books.compare(rows)
    assert books.outcomes["response.completed"] > 0.6 * sum(books.outcomes.values()), books.outcomes
    kept = await _given_back(gateway, before, strict=plan.turns >= THOROUGH)
    assert not kept, "\n".join(kept)
    if plan.turns >= THOROUGH:
        assert _growth(memory) < MOST_GROWTH, memory


class _Books:
    """What clients saw and what the backend recorded, compared round by round."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.spent: defaultdict[str, Spent] = defaultdict(Counter)  # by key, of turns that the backend finished
        self.turns: Counter[str] = Counter()
        self.unlogged = 0  # turns that may have been refused before they were turns

    def close_round(self, turns: Iterable[Turn], arrivals: Iterable[Arrival]) -> None:
        """Fails where a turn was answered twice or with somebody else's words."""
        upstream: defaultdict[bytes, list[Arrival]] = defaultdict(list)
        for arrival in arrivals:
            if (canary := _canary_of(arrival)) is not None:
                upstream[canary].append(arrival)
        for turn in turns:
            self._check(turn, upstream.pop(turn.canary, []))
        assert not upstream, "the backend heard words that nobody said"

    def _check(self, turn: Turn, arrivals: list[Arrival]) -> None:
        told, what = turn.told, (turn.canary, turn.told.events)
        self.turns[turn.key] += 1
        self.outcomes["left" if turn.left else f"error {told.error_code}" if told.end == "error" else told.end] += 1
        self.unlogged += turn.left or told.error_code == "previous_response_not_found"
        assert set(CANARY.findall(orjson.dumps(told.events))) <= {turn.canary}, what
        assert len(told.response_ids) <= 1, what
        assert told.types.count("response.completed") <= 1, what
        finished = [one for one in arrivals if one.finished]
        for one in finished:
            assert one.usage is not None
            self.spent[turn.key][tuple(getattr(one.usage, name) for name in TOKENS)] += 1
        if turn.left:
            return
        assert len(finished) <= 1, what
        if told.end == "response.completed":
            assert told.response_ids == {one.response_id for one in finished}, what
            assert not turn.exact or turn.canary in _answer(told.events), what
        elif told.text:
            asked = [one.response_id for one in arrivals if one.response_id]
            assert asked[-1:] == list(told.response_ids), ("something was asked after output", what, asked)

    def compare(self, rows: list[dict[str, Any]]) -> None:
        """The ledger holds exactly what the backend spent; of those who left, nothing that it did not."""
        logged: defaultdict[str, Spent] = defaultdict(Counter)
        for row in rows:
            if row["input_tokens"] is not None:
                logged[row["api_key_name"]][tuple(row[name] for name in TOKENS)] += 1
        for key in self.turns:
            if key == RESTLESS:
                assert logged[key] <= self.spent[key]
            else:
                assert logged[key] == self.spent[key], key
        sent = sum(self.turns.values())
        assert sent - self.unlogged <= len(rows) == len({row["id"] for row in rows}) <= sent

    def summary(self, rows: list[dict[str, Any]], memory: list[int]) -> str:
        """For those who read the figures."""
        spent = sum((tokens[0] + tokens[2]) * n for spent in self.spent.values() for tokens, n in spent.items())
        logged = sum((row["input_tokens"] or 0) + (row["output_tokens"] or 0) for row in rows)
        failovers = sum(one["outcome"] == "failed_over" for row in rows for one in row["attempts"])
        return (
            f"{sum(self.turns.values())} turns {dict(self.outcomes)}, {failovers} failovers, {len(rows)} rows, "
            f"{logged} tokens logged, {spent} spent (by those who left, too), "
            f"KiB of memory {memory[:: max(1, len(memory) // 8)]}, {_growth(memory):.0f} per 1,000 turns once warm"
        )


async def _keys(gateway: Gateway) -> dict[str, str]:
    return {
        name: (await gateway.admin("POST", "/api-keys", {"name": name, "pool_id": gateway.pool_id}))["secret"]
        for name in ("anna", "bert", RESTLESS)
    }


def _canary_of(arrival: Arrival) -> bytes | None:
    """Whose turn it is: what the user said last."""
    found = CANARY.findall(orjson.dumps(arrival.body["input"][-1])) if arrival.body else []
    return found[0] if found else None


def _answer(events: list[Any]) -> bytes:
    return b"".join(orjson.dumps(event) for event in events if event["type"].endswith((".delta", ".completed")))


def _rows(dsn: str) -> list[dict[str, Any]]:
    columns = ("id", "api_key_name", "status", "attempts", *TOKENS)
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(columns)} FROM requests")
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    connection.close()
    return rows


# -- what is held


def _resident() -> int:
    """KiB of memory of this process, in which gateway, backend and clients live."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _growth(memory: list[int]) -> float:
    """KiB per 1,000 turns over the rounds after the first half: the slope of the line through them."""
    late = memory[len(memory) // 2 :]
    if len(late) < 2:
        return 0.0
    middle, mean = (len(late) - 1) / 2, sum(late) / len(late)
    rise = sum((n - middle) * (size - mean) for n, size in enumerate(late))
    return rise / sum((n - middle) ** 2 for n in range(len(late))) * 1000 / ROUND


async def _held(gateway: Gateway) -> Counter[str]:
    """The tasks that run, by what they run, and the open connections to gateway and backend."""
    held = Counter(getattr(task.get_coro(), "__qualname__", task.get_name()) for task in asyncio.all_tasks())
    for waiting in ("Queue.get", "ClosableQueue.get"):  # made anew whenever a listener goes on waiting
        del held[waiting]
    held["connections"] = len(_connections(gateway))
    return held


def _connections(gateway: Gateway) -> list[str]:
    """Ends of connections to the gateway or the backend that this process has open."""
    ports = {f"{int(url.rpartition(':')[2]):04X}" for url in (gateway.origin, gateway.backend)}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    alive = {line[9]: line for line in lines if line[3] not in ("0A", "06")}
    mine = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            mine.add(os.readlink(entry).removeprefix("socket:[").removesuffix("]"))
    ours = [line for inode, line in alive.items() if inode in mine and {line[1][-4:], line[2][-4:]} & ports]
    return [" ".join(line[1:4]) for line in ours]


async def _given_back(gateway: Gateway, before: Counter[str], *, strict: bool) -> list[str]:
    """What is still held that should not be, some time after the last client has left.

    What asks for usage and models keeps its connections alive for a while; only ``strict`` waits for that.
    """
    house = gateway.process.house
    house.lingering.close()
    house.backend.close()
    if house.refresher:
        await house.refresher.close()  # an idle courier goes home by itself only after a minute
    for _ in range(250 if strict else 50):
        now = await _held(gateway)
        kept = Counter(now)
        kept.subtract(before)
        kept["leases"] = house.known.leases.total()
        kept["clients"] = len(house.clients)
        kept["attempts"] = len(house.running)
        kept["drains"] = len(house.draining)
        kept["lingering"] = len(house.lingering)
        kept["places"] = sum(gate.held + gate.queue.length for gate in house.admission.gates.values())
        if not strict:
            spare = len(gateway.world.accounts)
            kept["connections"] -= 2 * spare
            kept["RequestHandler.start"] -= spare
        if not (left := [f"{name}: {count}" for name, count in kept.items() if count > 0]):
            return []
        await asyncio.sleep(0.1)
    return [*left, *_connections(gateway)]
