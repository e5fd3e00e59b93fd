"""Bulkheads: who waits, who is refused, whose turn it is, and that no place is ever lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest

from codex_pooler.gateway.admission import Admission, Overloaded
from codex_pooler.snapshot.settings import Bulkhead, Bulkheads
from codex_pooler.telemetry.metrics import ADMISSION_REFUSED

POOLS = [UUID(int=n) for n in (1, 2)]
KEYS = [UUID(int=n) for n in range(10, 20)]


class House:
    """Holds limits that a test may change."""

    def __init__(self, at_once: int = 1, waiting: int = 10, wait_ms: int = 30_000) -> None:
        self.bulkheads = Bulkheads(proxy_stream=Bulkhead(at_once, waiting, wait_ms))
        self.admission = Admission(lambda: self.bulkheads)
        self.served: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def change(self, **limits: int) -> None:
        self.bulkheads = Bulkheads(proxy_stream=replace(self.bulkheads.proxy_stream, **limits))

    async def ask(self, name: str, key: int = 0, pool: int = 0) -> asyncio.Event:
        """A request that is served until the event is set; it has taken or joined when this returns."""
        done = asyncio.Event()

        async def request() -> None:
            async with self.admission.slot("proxy_stream", KEYS[key], POOLS[pool]):
                self.served.append(name)
                await done.wait()

        self.tasks[name] = asyncio.create_task(request())
        await settled()
        return done

    @property
    def numbers(self) -> tuple[int, int]:
        gate = self.admission.gates["proxy_stream"]
        return gate.held, gate.queue.length


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_scenario_18_full_is_refused_at_once() -> None:
    house = House(at_once=1, waiting=1)
    await house.ask("served")
    await house.ask("waits")
    await house.ask("too many", key=0)
    with pytest.raises(Overloaded) as refused:
        await house.tasks["too many"]
    assert refused.value.reason == "full"
    failure = refused.value.failure()
    assert (failure.status, failure.code, failure.retry_after) == (503, "server_is_overloaded", 1)
    assert "this gateway is full" in failure.message
    assert "gateway.bulkheads.proxy_stream" in failure.message
    assert house.numbers == (1, 1)
    assert house.admission.metrics.counts[ADMISSION_REFUSED, "full"] == 1
    told = house.admission.metrics.text(house.admission.gauges())[0].decode()
    assert 'codex_pooler_admission_in_use{route_class="proxy_stream"} 1' in told
    assert 'codex_pooler_admission_waiting{route_class="proxy_stream"} 1' in told


async def test_scenario_18_waiting_ends_after_the_configured_time() -> None:
    house = House(at_once=1, waiting=5, wait_ms=30)
    done = await house.ask("served")
    await house.ask("waits")
    with pytest.raises(Overloaded) as refused:
        await house.tasks["waits"]
    assert refused.value.reason == "timeout"
    assert "0.03 s" in refused.value.message
    assert house.numbers == (1, 0)
    done.set()
    await settled()
    assert house.numbers == (0, 0)


async def test_scenario_18_a_client_that_leaves_gives_its_place_back() -> None:
    house = House(at_once=1)
    await house.ask("leaves")
    await house.ask("next")
    house.tasks["leaves"].cancel()
    await settled()
    assert house.served == ["leaves", "next"]
    house.tasks["next"].cancel()
    await settled()
    assert house.numbers == (0, 0)


async def test_a_waiter_that_leaves_leaves_the_queue() -> None:
    house = House(at_once=1)
    done = await house.ask("served")
    await house.ask("impatient")
    await house.ask("patient")
    house.tasks["impatient"].cancel()
    await settled()
    assert house.numbers == (1, 1)
    done.set()
    await settled()
    assert house.served == ["served", "patient"]


async def test_a_place_given_to_somebody_who_leaves_in_that_moment_goes_on() -> None:
    house = House(at_once=1)
    done = await house.ask("served")
    await house.ask("unlucky")
    await house.ask("lucky")
    done.set()
    while house.numbers == (1, 2):
        await asyncio.sleep(0)
    house.tasks["unlucky"].cancel()  # its place is taken already, but it has not run yet
    await settled()
    assert house.served == ["served", "lucky"]
    assert house.numbers == (1, 0)


async def served_in_turn(house: House, first: asyncio.Event, dones: dict[str, asyncio.Event]) -> list[str]:
    """Let everybody in one by one; the order."""
    first.set()
    await settled()
    while len(house.served) <= len(dones):
        dones[house.served[-1]].set()
        await settled()
    return house.served[1:]


async def test_keys_take_turns_and_each_keeps_its_order() -> None:
    house = House(at_once=1)
    first = await house.ask("first", key=0)
    dones = {name: await house.ask(name, key=int(name[0])) for name in ("1a", "1b", "1c", "2a", "2b", "3a")}
    assert await served_in_turn(house, first, dones) == ["1a", "2a", "3a", "1b", "2b", "1c"]


async def test_a_pool_with_many_keys_takes_turns_with_a_pool_of_one() -> None:
    house = House(at_once=1)
    first = await house.ask("first")
    dones = {f"big{n}": await house.ask(f"big{n}", key=n, pool=0) for n in range(4)}
    dones |= {f"small{n}": await house.ask(f"small{n}", key=9, pool=1) for n in range(3)}
    order = await served_in_turn(house, first, dones)
    assert order == ["big0", "small0", "big1", "small1", "big2", "small2", "big3"]


async def test_one_key_cannot_fill_the_queue_against_others() -> None:
    house = House(at_once=1, waiting=4)
    first = await house.ask("first")
    dones = {name: await house.ask(name, key=1) for name in ("a", "b", "c", "d")}
    dones["other"] = await house.ask("other", key=2)
    with pytest.raises(Overloaded):
        await house.tasks["d"]
    del dones["d"]
    assert await served_in_turn(house, first, dones) == ["a", "other", "b", "c"]


async def test_a_full_queue_shared_fairly_refuses_the_newcomer() -> None:
    house = House(at_once=1, waiting=2)
    await house.ask("first")
    await house.ask("a", key=1)
    await house.ask("b", key=2)
    await house.ask("c", key=3)
    with pytest.raises(Overloaded):
        await house.tasks["c"]
    assert house.numbers == (1, 2)


async def test_without_a_queue_there_is_no_waiting() -> None:
    house = House(at_once=1, waiting=0)
    await house.ask("first")
    await house.ask("second")
    with pytest.raises(Overloaded):
        await house.tasks["second"]


async def test_new_limits_count_at_once() -> None:
    house = House(at_once=1)
    first = await house.ask("first")
    for name in ("second", "third"):
        await house.ask(name)
    house.change(max_concurrency=4)
    await house.ask("fourth")
    assert sorted(house.served) == ["first", "fourth", "second", "third"]
    house.change(max_concurrency=1)
    await house.ask("fifth")
    first.set()
    await settled()
    assert house.numbers == (3, 1), "with fewer places than requests nobody comes in, and nobody is thrown out"


async def test_classes_do_not_block_each_other() -> None:
    house = House(at_once=1, waiting=0)
    await house.ask("a stream")
    async with house.admission.slot("proxy_http", KEYS[0], POOLS[0]):
        assert house.admission.gates["proxy_http"].held == 1
    assert house.admission.gates["proxy_http"].held == 0


async def test_whatever_happens_no_place_is_lost_and_never_too_many_are_inside() -> None:
    chance = random.Random(5)
    house = House(at_once=3, waiting=6, wait_ms=4)
    inside, most, ends = 0, 0, Counter[str]()

    async def request(key: int, hold: Callable[[], float]) -> None:
        nonlocal inside, most
        async with house.admission.slot("proxy_stream", KEYS[key], POOLS[key % 2]):
            inside += 1
            most = max(most, inside)
            try:
                await asyncio.sleep(hold())
            finally:
                inside -= 1

    for _ in range(60):
        tasks = [asyncio.create_task(request(chance.randrange(6), lambda: chance.random() * 0.004)) for _ in range(15)]
        await asyncio.sleep(chance.random() * 0.003)
        for task in chance.sample(tasks, 5):
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            ends[type(result).__name__] += 1
    assert house.numbers == (0, 0)
    assert most <= 3
    assert set(ends) == {"NoneType", "CancelledError", "Overloaded"}, ends
