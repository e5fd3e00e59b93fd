"""How long one routing decision takes: ``python -m tests.bench.routing`` prints microseconds of CPU for pools of
several sizes, while nothing changes and while evidence about one account comes in before every decision."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from uuid import UUID

from codex_pooler.quota.facts import HEADERS, Observation
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.windows import ACCOUNT, FIVE_HOURS, WEEK, Window
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known, Moment, RouteRequest, choose
from codex_pooler.routing.explain import brief, explain
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.routing.strategies import STRATEGIES
from codex_pooler.snapshot.model import Account, Member, Pool

MODEL, CLASS = "gpt-5.5", "proxy_stream"
SIZES = (2, 5, 20, 100)
POOLS = 20
SECONDS = 0.15  # of measuring, for each figure; the best of five counts


def evidence(used: float, now: float) -> Observation:
    windows = tuple(
        Window(ACCOUNT, minutes, used, now, HEADERS, reset_at=now + minutes * 60) for minutes in (FIVE_HOURS, WEEK)
    )
    return Observation(HEADERS, now, "plus", windows)


class Place:
    """``POOLS`` pools of ``size`` accounts each, all with known quotas, half of them serving two turns."""

    def __init__(self, size: int, strategy: str = "capacity_weighted") -> None:
        self.moment = Moment(time.time(), time.monotonic())
        self.known = Known(Health(), Quotas(), Leases(), Bindings())
        ids = count(1)
        self.pools = [self._pool(size, strategy, ids) for _ in range(POOLS)]
        self.held = ExitStack()
        self.seeds = count()
        for pool in self.pools:
            for index, member in enumerate(pool.members):
                self.known.quotas.observe(member.account.id, evidence(index % 60, self.moment.wall), self.moment.wall)
                for _ in range(2 * (index % 2)):
                    self.held.enter_context(self.known.leases.hold(member.account.id, pool.id))

    def _pool(self, size: int, strategy: str, ids: count[int]) -> Pool:
        members = (
            Member(Account(UUID(int=n << 64 | n), f"a-{n}", "active", f"acc-{n}", "t", plan_type="plus"))
            for n, _ in zip(ids, range(size), strict=False)
        )
        return Pool(UUID(int=next(ids)), "p", "active", strategy, 4, tuple(members))

    def request(self) -> RouteRequest:
        number = next(self.seeds)
        return RouteRequest(self.pools[number % POOLS], MODEL, CLASS, f"session-{number}")

    def steady(self) -> None:
        choose(self.request(), self.known, self.moment)

    def with_owner(self) -> None:
        request = self.request()
        owner = request.pool.members[0].account.id
        choose(RouteRequest(request.pool, MODEL, CLASS, request.seed, owner), self.known, self.moment)

    def with_news(self) -> None:
        """Another account's answer has just changed what is known: the usual case under load."""
        request = self.request()
        self.known.quotas.version += 1
        choose(request, self.known, self.moment)

    def with_trouble(self) -> None:
        """As ``steady``, with one account failing."""
        if not self.known.health:
            for pool in self.pools:
                self.known.health.failed(pool.members[0].account.id, CLASS, "x", self.moment.monotonic)
        choose(self.request(), self.known, self.moment)

    def briefly(self) -> None:
        request = self.request()
        brief(request, choose(request, self.known, self.moment))

    def explained(self) -> None:
        explain(self.request(), self.known, self.moment)


def microseconds(step: Callable[[], None]) -> float:
    """CPU time of one step: the best of five rounds."""
    for _ in range(2 * POOLS):
        step()
    best = float("inf")
    for _ in range(5):
        steps, began = 0, time.process_time()
        while time.process_time() - began < SECONDS / 5:
            for _ in range(POOLS):
                step()
            steps += POOLS
        best = min(best, (time.process_time() - began) / steps)
    return best * 1e6


def main() -> None:
    """Print the table."""
    gc.disable()
    situations = ("steady", "with_owner", "with_news", "with_trouble", "briefly", "explained")
    print(f"{'accounts a pool':24}" + "".join(f"{size:>8}" for size in SIZES) + "   (us of CPU a decision)")
    for name in situations:
        figures = [microseconds(getattr(Place(size), name)) for size in SIZES]
        print(f"{name.replace('_', ' '):24}" + "".join(f"{figure:8.1f}" for figure in figures))
    for strategy in sorted(STRATEGIES):
        figures = [microseconds(Place(size, strategy).steady) for size in SIZES]
        print(f"{strategy:24}" + "".join(f"{figure:8.1f}" for figure in figures))


if __name__ == "__main__":
    main()
