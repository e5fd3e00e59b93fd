"""Who may start now: a bulkhead per route class, with a queue in which pools and keys take turns."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from uuid import UUID

from codex_pooler.protocol.failure import Failure
from codex_pooler.snapshot.rules import rules_of
from codex_pooler.snapshot.settings import Bulkhead, Bulkheads
from codex_pooler.telemetry.metrics import ADMISSION_IN_USE, ADMISSION_REFUSED, ADMISSION_WAITING, Gauges, Metrics

RETRY_SECONDS = 1
TITLES: Mapping[str, str] = {name: rule.title for name, rule in rules_of(Bulkheads).items()}

Waiter = asyncio.Future[None]
Keys = OrderedDict[UUID, deque[Waiter]]


class Overloaded(Exception):
    """The gateway itself is full: no account is at fault.  ``reason``: ``full`` or ``timeout``."""

    def __init__(self, route_class: str, reason: str, bulkhead: Bulkhead) -> None:
        why = {
            "full": f"it is serving {bulkhead.max_concurrency} requests of this kind, and {bulkhead.queue_limit} wait",
            "timeout": f"all {bulkhead.max_concurrency} places stayed taken for {bulkhead.queue_timeout_ms / 1000:g} s",
        }
        self.message = (
            f"this gateway is full ({TITLES[route_class]}: {why[reason]}), whatever its accounts could do; "
            f"try again, or let an operator raise gateway.bulkheads.{route_class} in the settings"
        )
        super().__init__(self.message)
        self.route_class, self.reason, self.retry_after = route_class, reason, RETRY_SECONDS

    def failure(self) -> Failure:
        """What a client is told over HTTP, with a time to wait."""
        return Failure(503, "server_is_overloaded", self.message, "server_error", self.retry_after)

    def failure_on_socket(self) -> Failure:
        """The same for websockets, where Codex gives up after a 503 but comes back after a 429 with a time to wait."""
        return Failure(429, "gateway_overloaded", self.message, "rate_limit_error", self.retry_after)


class Queue:
    """Waiters by pool and key.  Pools take turns, within a pool its keys do, and a key's own come as they asked."""

    def __init__(self) -> None:
        self._pools: OrderedDict[UUID, Keys] = OrderedDict()
        self.length = 0

    def join(self, pool_id: UUID, key_id: UUID, waiter: Waiter) -> None:
        self._pools.setdefault(pool_id, OrderedDict()).setdefault(key_id, deque()).append(waiter)
        self.length += 1

    def leave(self, pool_id: UUID, key_id: UUID, waiter: Waiter) -> None:
        """Somebody stops waiting; nothing happens when they do not wait any more."""
        waiters = self._waiters(pool_id, key_id)
        if waiter in waiters:
            self._take(pool_id, key_id, waiters.index(waiter))

    def next(self) -> Waiter:
        """Whose turn it is; their pool and key then stand behind all others."""
        pool_id, keys = next(iter(self._pools.items()))
        key_id = next(iter(keys))
        waiter = self._take(pool_id, key_id, 0)
        if key_id in keys:
            keys.move_to_end(key_id)
        if pool_id in self._pools:
            self._pools.move_to_end(pool_id)
        return waiter

    def waiting(self, pool_id: UUID, key_id: UUID) -> int:
        return len(self._waiters(pool_id, key_id))

    def give_way(self, fewer_than: int) -> Waiter | None:
        """The newest waiter of the key with the most, if it has more than ``fewer_than``; it leaves the queue."""
        counted = [(len(ws), pool_id, key_id) for pool_id, keys in self._pools.items() for key_id, ws in keys.items()]
        most, pool_id, key_id = max(counted, key=lambda one: one[0], default=(0, None, None))
        return self._take(pool_id, key_id, -1) if pool_id and key_id and most > fewer_than else None

    def _waiters(self, pool_id: UUID, key_id: UUID) -> deque[Waiter]:
        return self._pools.get(pool_id, Keys()).get(key_id, deque())

    def _take(self, pool_id: UUID, key_id: UUID, index: int) -> Waiter:
        keys = self._pools[pool_id]
        waiters = keys[key_id]
        waiter = waiters[index]
        del waiters[index]
        self.length -= 1
        if not waiters:
            del keys[key_id]
        if not keys:
            del self._pools[pool_id]
        return waiter


class Gate:
    """One route class: how many are inside, and who waits."""

    __slots__ = ("held", "queue")

    def __init__(self) -> None:
        self.held = 0
        self.queue = Queue()

    def let_in(self, places: int) -> None:
        """Fill what is free, out of the queue."""
        while self.queue.length and self.held < places:
            waiter = self.queue.next()
            if not waiter.done():
                self.held += 1
                waiter.set_result(None)


class Slot:
    """A place for one request, held from ``async with`` to its end.  Raises Overloaded."""

    __slots__ = ("_admission", "_gate", "_key_id", "_pool_id", "_route_class")

    def __init__(self, admission: Admission, route_class: str, key_id: UUID, pool_id: UUID) -> None:
        self._admission, self._route_class, self._key_id, self._pool_id = admission, route_class, key_id, pool_id
        self._gate = admission.gates[route_class]

    async def __aenter__(self) -> None:
        gate, bulkhead = self._gate, self._bulkhead()
        if gate.queue.length:
            gate.let_in(bulkhead.max_concurrency)  # there may be more places than when the others came
        if gate.queue.length or gate.held >= bulkhead.max_concurrency:
            await self._wait(bulkhead)
        else:
            gate.held += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        self._gate.held -= 1
        if self._gate.queue.length:
            self._gate.let_in(self._bulkhead().max_concurrency)

    def _bulkhead(self) -> Bulkhead:
        found: Bulkhead = getattr(self._admission.bulkheads(), self._route_class)
        return found

    async def _wait(self, bulkhead: Bulkhead) -> None:
        waiter: Waiter = asyncio.get_running_loop().create_future()
        self._join(bulkhead, waiter)
        try:
            async with asyncio.timeout(bulkhead.queue_timeout_ms / 1000):
                await waiter
        except BaseException as exc:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._leave()  # let in at the very moment of giving up
            self._gate.queue.leave(self._pool_id, self._key_id, waiter)
            if isinstance(exc, TimeoutError):
                raise self._refused("timeout", bulkhead) from None
            raise

    def _join(self, bulkhead: Bulkhead, waiter: Waiter) -> None:
        """A full queue has room for a key that waits less than another: one key cannot shut all others out."""
        queue = self._gate.queue
        if queue.length >= bulkhead.queue_limit:
            other = queue.give_way(queue.waiting(self._pool_id, self._key_id) + 1)
            if other is None:
                raise self._refused("full", bulkhead)
            other.set_exception(self._refused("full", bulkhead))
        queue.join(self._pool_id, self._key_id, waiter)

    def _refused(self, reason: str, bulkhead: Bulkhead) -> Overloaded:
        self._admission.metrics.count(ADMISSION_REFUSED, reason)
        return Overloaded(self._route_class, reason, bulkhead)


class Admission:
    """This process's bulkheads.  ``bulkheads`` gives the limits of the moment; a change counts at once."""

    def __init__(self, bulkheads: Callable[[], Bulkheads], metrics: Metrics | None = None) -> None:
        self.bulkheads, self.metrics = bulkheads, metrics or Metrics()
        self.gates = {name: Gate() for name in TITLES}

    def slot(self, route_class: str, key_id: UUID, pool_id: UUID) -> Slot:
        """``async with admission.slot(...)``: waits for a place if need be.  Raises Overloaded."""
        return Slot(self, route_class, key_id, pool_id)

    def gauges(self) -> Gauges:
        """Requests inside and waiting, by route class."""
        return {
            ADMISSION_IN_USE: {name: gate.held for name, gate in self.gates.items()},
            ADMISSION_WAITING: {name: gate.queue.length for name, gate in self.gates.items()},
        }
