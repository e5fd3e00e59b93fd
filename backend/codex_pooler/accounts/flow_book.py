"""The stored side of sign-ins: each step is one short transaction that names the state it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from codex_pooler.accounts.flow_codes import FlowRefused
from codex_pooler.accounts.flow_view import FlowSecrets
from codex_pooler.storage import queries_flows as queries
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.telemetry.metrics import SIGN_INS, Metrics

POLL_LEASE = timedelta(seconds=20)  # longer than a poll can take
GIVEN_UP = timedelta(seconds=60)  # an exchange that nobody has finished by then never will be
KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Purpose:
    """What a flow is for; of flows with one purpose only the newest counts."""

    kind: str
    pool_id: UUID
    account_id: UUID | None
    invite_id: UUID | None
    operator_id: UUID | None

    @property
    def name(self) -> str:
        return f"{self.kind}|{self.pool_id}|{self.account_id}|{self.invite_id}"


@dataclass(frozen=True)
class FlowBook:
    """One per process.  Raises what the database raises."""

    database: Database
    keyring: Keyring
    clock: Callable[[], datetime]
    metrics: Metrics = field(default_factory=Metrics)

    async def insert(
        self, flow_id: UUID, purpose: Purpose, kept: FlowSecrets, interval_seconds: int | None, lifetime: timedelta
    ) -> None:
        """Write down a new flow; an older one for the same purpose ends."""
        now = self.clock()
        async with self.database.transaction() as session:
            await self.settle(session, None)
            await session.fetch(queries.PURPOSE_LOCK, purpose=purpose.name)
            self.count("superseded", await session.execute(queries.SUPERSEDE, now=now, **vars(purpose)))
            await session.execute(
                queries.INSERT,
                id=flow_id,
                state_digest=self.digest(kept.state) if kept.state else None,
                sealed=kept.sealed(self.keyring.upstream, flow_id),
                interval_seconds=interval_seconds,
                created_at=now,
                expires_at=now + lifetime,
                **vars(purpose),
            )

    async def read(self, flow_id: UUID) -> Any:
        """The row, after what time has done to it.  Raises FlowRefused ``not_found``."""
        async with self.database.transaction() as session:
            await self.settle(session, flow_id)
            row = await session.one(queries.ONE, flow_id=flow_id)
        if row is None:
            raise FlowRefused("not_found")
        return row

    async def settle(self, session: Session, flow_id: UUID | None) -> None:
        """End what time has ended; this flow, or with None all of them."""
        now = self.clock()
        which = {"flow_id": flow_id, "all_of_them": flow_id is None, "now": now}
        self.count("expired", await session.execute(queries.EXPIRE, **which))
        self.count("failed", await session.execute(queries.INTERRUPT, given_up_before=now - GIVEN_UP, **which))

    async def sweep(self) -> int:
        """End what time has ended, with its secrets, and forget what ended a week ago; how many were forgotten."""
        async with self.database.transaction() as session:
            await self.settle(session, None)
            return await session.execute(queries.FORGET, forgotten_before=self.clock() - KEPT)

    async def take_poll(self, flow_id: UUID) -> bool:
        """Whether the server may be asked now, and by this process alone."""
        now = self.clock()
        async with self.database.session() as session:
            return bool(await session.execute(queries.TAKE_POLL, flow_id=flow_id, now=now, until=now + POLL_LEASE))

    async def polled(self, flow_id: UUID, interval_seconds: int, trouble: str | None) -> None:
        """The server was asked, and the flow goes on waiting."""
        values = {"interval": interval_seconds, "error": trouble, "now": self.clock()}
        async with self.database.session() as session:
            await session.execute(queries.POLLED, flow_id=flow_id, **values)

    async def end(self, flow_id: UUID, state: str, error: str | None) -> None:
        """The flow is over, and its secrets go."""
        async with self.database.session() as session:
            await self.end_within(session, flow_id, state, error)

    async def end_within(self, session: Session, flow_id: UUID, state: str, error: str | None) -> None:
        """The same inside the caller's transaction."""
        ended = await session.execute(queries.END, flow_id=flow_id, state=state, error=error, now=self.clock())
        self.count(state, ended)

    async def reopen(self, flow_id: UUID, trouble: str) -> None:
        """The code was not spent: the same address may be pasted again."""
        async with self.database.session() as session:
            await session.execute(queries.TRY_AGAIN, flow_id=flow_id, now=self.clock(), error=trouble)

    def count(self, outcome: str, flows: int = 1) -> None:
        """So many flows are over."""
        self.metrics.count(SIGN_INS, outcome, amount=flows)

    def digest(self, state: str) -> bytes:
        """By which a flow is found from the state that an address names."""
        return self.keyring.digest("oauth_state", state)
