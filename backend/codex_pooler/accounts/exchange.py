"""Spends a refresh token: asks for its successor, and has that on the disk before anybody uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import orjson

from codex_pooler.accounts.kept_logins import KeptLogins
from codex_pooler.accounts.renewal import Renewed, renewed
from codex_pooler.upstream.oauth import SignIn


@dataclass(frozen=True)
class Spending:
    """The login that had ``epoch``, why it is renewed if the backend refused it, and the proxy that it takes."""

    account_id: UUID
    epoch: int
    refresh_token: str = field(repr=False)
    reason: str | None = None
    proxy: str | None = field(default=None, repr=False)

    def packed(self) -> bytes:
        """As plain JSON."""
        return orjson.dumps(vars(self))

    @classmethod
    def unpacked(cls, raw: bytes) -> Spending:
        """Inverse of ``packed``."""
        found = orjson.loads(raw)
        return cls(**found | {"account_id": UUID(found["account_id"])})


@dataclass(frozen=True)
class Exchanged:
    """The successor, and where it is kept; ``trouble`` says why the disk did not take it."""

    renewed: Renewed
    kept: Path | None
    trouble: str | None = None


class Exchange(Protocol):
    """Whoever spends refresh tokens for a Refresher."""

    async def spend(self, spending: Spending) -> Exchanged:
        """Spend the token.  Raises RefreshRefused."""
        ...

    async def close(self) -> None:
        """Nothing more will be spent."""
        ...


@dataclass(frozen=True)
class OwnExchange:
    """Does it in this process: who kills the process in that moment may kill a login."""

    sign_in: SignIn
    logins: KeptLogins
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def spend(self, spending: Spending) -> Exchanged:
        """Spend the token.  Raises RefreshRefused."""
        grant = await self.sign_in.refresh(spending.refresh_token, spending.reason, spending.proxy)
        new = renewed(spending.account_id, spending.epoch, spending.refresh_token, grant, self.clock())
        try:
            return Exchanged(new, await self.logins.keep(new))
        except OSError as exc:
            return Exchanged(new, None, exc.strerror or type(exc).__name__)

    async def close(self) -> None:
        """Nothing is held between two exchanges."""
