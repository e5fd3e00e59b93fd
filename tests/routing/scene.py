"""Pools of numbered accounts, and quotas that say exactly what a test wants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from codex_pooler.quota import plans
from codex_pooler.quota.standing import BLOCKED, KNOWN_GOOD, Standing
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Choice, Known, Moment, NoCandidate, RouteRequest, choose
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.snapshot.model import Account, Member, Pool, Switches

NOW = Moment(wall=1_000_000.0, monotonic=500.0)
MODEL = "gpt-5.5"
POOL_ID = UUID(int=99)
STREAM = "proxy_stream"


class ToldQuotas:
    """Standings as the test sets them; every other account is known to be half used."""

    def __init__(self) -> None:
        self.version = 0
        self.asked = 0
        self._told: dict[UUID, Standing] = {}
        self._other = Standing(KNOWN_GOOD)

    def standing(self, account_id: UUID, model: str, now: float) -> Standing:
        self.asked += 1
        return self._told.get(account_id, self._other)

    def weight(self, plan_type: str | None) -> float:
        return plans.weight(plan_type)

    def tell(self, n: int, standing: Standing | None = None, **changes: Any) -> None:
        before = self._told.get(UUID(int=n), self._other)
        self._told[UUID(int=n)] = replace(standing or before, **changes)
        self.version += 1

    def block(self, n: int, reason: str, until: float | None = None) -> None:
        self.tell(n, grade=BLOCKED, reason=reason, until=until, valid_until=until or NOW.wall + 3600)


def told(known: Known) -> ToldQuotas:
    quotas: Any = known.quotas
    assert isinstance(quotas, ToldQuotas)
    return quotas


def knowing() -> Known:
    quotas: Any = ToldQuotas()
    return Known(Health(), quotas, Leases(), Bindings())


def account(n: int, **changes: Any) -> Account:
    return replace(Account(UUID(int=n), f"acct-{n}", "active", f"acc-{n}", "token", plan_type="plus"), **changes)


def member(n: int, **changes: Any) -> Member:
    """Fields of the account are told apart by their names starting with ``account_``."""
    own = {name.removeprefix("account_"): changes.pop(name) for name in list(changes) if name.startswith("account_")}
    return Member(account(n, **own), **changes)


def pool(
    *members: Member, strategy: str = "capacity_weighted", attempts: int = 4, switches: Switches | None = None
) -> Pool:
    return Pool(POOL_ID, "p", "active", strategy, attempts, members, switches or Switches())


def numbered(count: int, **changes: Any) -> tuple[Member, ...]:
    return tuple(member(n, **changes) for n in range(1, count + 1))


def asked(of: Pool, seed: str = "s", **changes: Any) -> RouteRequest:
    return replace(RouteRequest(of, MODEL, STREAM, seed), **changes)


def numbers(choice: Choice) -> list[int]:
    return [each.account.id.int for each in choice.ranked]


def order(of: Pool, known: Known, seed: str = "s", moment: Moment = NOW, **changes: Any) -> list[int]:
    return numbers(choose(asked(of, seed, **changes), known, moment))


def first(of: Pool, known: Known, seed: str = "s", **changes: Any) -> int:
    return order(of, known, seed, **changes)[0]


def nobody(of: Pool, known: Known, **changes: Any) -> NoCandidate:
    try:
        choice = choose(asked(of, **changes), known, NOW)
    except NoCandidate as none:
        return none
    raise AssertionError(f"{numbers(choice)} can serve")
