"""Everything one process knows of its accounts' quotas: evidence and refusals in, standings out, without any I/O."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any
from uuid import UUID

from codex_pooler.quota.facts import Observation
from codex_pooler.quota.plans import weight
from codex_pooler.quota.pool_view import Planned, PoolQuota, view_of
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import Refusal
from codex_pooler.quota.rows import Changes, merge_block, merge_state, merge_window, take_unsaved
from codex_pooler.quota.standing import NEVER_OBSERVED, Standing, assess

MOST_MODELS = 64  # standings kept per account; clients choose model names freely
VIEW_SECONDS = 1.0
MOST_VIEWS = 1024


class Quotas:
    """One per process.  Times are unix seconds.  ``version`` rises with every change."""

    def __init__(self) -> None:
        self.version = 0
        self._records: dict[UUID, Record] = {}
        self._unsaved: set[UUID] = set()
        self._news: set[UUID] = set()
        self._looked: dict[int, float] = {}
        # by UUID.int, whose hash costs a fraction of the UUID's own
        self._standings: dict[int, dict[str, Standing]] = {}
        self._views: dict[tuple[Hashable, str | None], tuple[float, PoolQuota]] = {}

    def standing(self, account_id: UUID, model: str, now: float) -> Standing:
        """How an account stands for a model.  Asked for every candidate of every turn, so nearly always remembered."""
        try:
            standing = self._standings[account_id.int][model]
        except KeyError:
            return self._assess(account_id, model, now)
        return standing if now < standing.valid_until else self._assess(account_id, model, now)

    def _assess(self, account_id: UUID, model: str, now: float) -> Standing:
        record = self._records.get(account_id)
        standing = assess(record, model, now) if record else NEVER_OBSERVED
        by_model = self._standings.setdefault(account_id.int, {})
        if len(by_model) >= MOST_MODELS:
            by_model.clear()
        by_model[model] = standing
        return standing

    def observe(self, account_id: UUID, observation: Observation, now: float) -> None:
        """Take in evidence."""
        if self._record(account_id).observe(observation, now):
            self._changed(account_id)

    def is_due(self, account_id: UUID, now: float, seconds: float) -> bool:
        """Whether evidence that comes with every turn should be looked at again; asking counts as looking."""
        looked = self._looked.get(account_id.int, 0.0)
        if 0 <= now - looked < seconds:
            return False
        self._looked[account_id.int] = now
        return True

    def refuse(self, account_id: UUID, refusal: Refusal, now: float) -> None:
        """An account refused a turn: leave what it refused alone for a while."""
        self._record(account_id).refuse(refusal, now)
        self._changed(account_id)

    def served(self, account_id: UUID, model: str, now: float) -> None:
        """A turn succeeded: blocks that were only assumed, and refusals of the login, are over."""
        if self._record(account_id).serve(model, now):
            self._changed(account_id)

    def relogin(self, account_id: UUID, now: float | None = None) -> None:
        """The account has new credentials: the refusal of the old ones is forgotten."""
        if self._record(account_id).relogin(time.time() if now is None else now):
            self._changed(account_id)

    def renewed(self, account_id: UUID, now: float) -> None:
        """Evidence shows that the account's windows were started anew: refusals from before are over."""
        if self._record(account_id).renewed(now):
            self._changed(account_id)

    def weight(self, plan_type: str | None) -> float:
        """A plan's weekly capacity in units of the Plus plan."""
        return weight(plan_type)

    def record(self, account_id: UUID) -> Record | None:
        """What is known of an account, to look at; None when nothing is."""
        return self._records.get(account_id)

    def pool_view(
        self, accounts: Iterable[Planned], model: str | None, now: float, *, key: Hashable = None
    ) -> PoolQuota:
        """The quota of a pool's usable accounts as one.  With a ``key`` (the pool's id) it may be a second old."""
        held = self._views.get((key, model)) if key is not None else None
        if held and 0 <= now - held[0] < VIEW_SECONDS:
            return held[1]
        view = view_of(accounts, model, now, self._records.get, self.standing)
        if key is not None:
            if len(self._views) >= MOST_VIEWS:
                self._views.clear()
            self._views[key, model] = now, view
        return view

    def changes(self) -> Changes:
        """What the database does not know yet; from now on it counts as known (see ``put_back``)."""
        changes = Changes()
        for account_id in self._unsaved:
            take_unsaved(account_id, self._records[account_id], changes)
        self._unsaved = set()
        return changes

    def news(self) -> set[UUID]:
        """The accounts of which something else is known than at the last asking."""
        news, self._news = self._news, set()
        return news

    def put_back(self, changes: Changes) -> None:
        """The changes could not be stored: everything of these accounts is unsaved again."""
        for account_id in changes.accounts:
            record = self._records[account_id]
            record.unsaved_windows |= set(record.windows)
            record.unsaved_blocks |= set(record.blocks)
            record.unsaved_state = True
            self._unsaved.add(account_id)

    def restore(self, windows: Iterable[Any], states: Iterable[Any], blocks: Iterable[Any]) -> None:
        """Merge rows of the three tables; whatever is newer here stays."""
        merges: tuple[tuple[Callable[[Record, Any], bool], Iterable[Any]], ...] = (
            (merge_state, states),
            (merge_window, windows),
            (merge_block, blocks),
        )
        for merge, rows in merges:
            for row in rows:
                record = self._record(row.account_id)
                if merge(record, row):
                    self._forget_standings(row.account_id)
                if record.unsaved_state:
                    self._unsaved.add(row.account_id)

    def shift(self, seconds: float) -> None:
        """The wall clock was set by so much: all that is known moves along."""
        for account_id, record in self._records.items():
            record.shift(seconds)
            self._changed(account_id)
        self._views.clear()

    def _record(self, account_id: UUID) -> Record:
        record = self._records.get(account_id)
        if record is None:
            record = self._records[account_id] = Record()
        return record

    def _changed(self, account_id: UUID) -> None:
        self._unsaved.add(account_id)
        self._forget_standings(account_id)

    def _forget_standings(self, account_id: UUID) -> None:
        self._news.add(account_id)
        self.version += 1
        self._standings.pop(account_id.int, None)
