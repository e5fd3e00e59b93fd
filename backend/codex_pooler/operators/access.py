"""Who may do what: capabilities per role, and which pools an operator sees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

READS = ("pools:read", "upstreams:read", "keys:read", "invites:read", "requests:read", "stats:read")
OWN = ("pools:write", "settings:read", "settings:write", "bundles:write")
JOBS = ("jobs:read", "jobs:write")
POOL_WORK = ("upstreams:write", "keys:write", "invites:write", "audit:read")

CAPABILITIES: dict[str, frozenset[str]] = {
    "instance_owner": frozenset((*READS, *POOL_WORK, *OWN, *JOBS)),
    "instance_admin": frozenset((*READS, *POOL_WORK)),
    "instance_viewer": frozenset(READS),
}
# what takes a person in front of a browser: no token ever may
IN_PERSON = frozenset({"bundles:write"})
SCOPES: tuple[str, ...] = tuple(sorted(CAPABILITIES["instance_owner"] - IN_PERSON))


@dataclass(frozen=True)
class Operator:
    """A human who administers this instance."""

    id: UUID
    email: str
    display_name: str
    role: str
    timezone: str

    @property
    def initials(self) -> str:
        """One or two capitals for the avatar."""
        words = self.display_name.split()
        letters = "".join(word[0] for word in words[:2]) if words else self.email[:2]
        return letters.upper()


@dataclass(frozen=True)
class PoolScope:
    """The pools somebody sees: all of them, or exactly ``pool_ids``."""

    all: bool
    pool_ids: tuple[UUID, ...] = ()

    @property
    def visible(self) -> list[UUID] | None:
        """For queries: None means no restriction."""
        return None if self.all else list(self.pool_ids)

    def sees(self, pool_id: UUID | None) -> bool:
        return self.all or (pool_id is not None and pool_id in self.pool_ids)

    def sees_all(self, pool_ids: Iterable[UUID]) -> bool:
        return all(self.sees(pool_id) for pool_id in pool_ids)


@dataclass(frozen=True)
class Caller:
    """An authenticated operator, through a browser session or an access token."""

    operator: Operator
    capabilities: frozenset[str]
    scope: PoolScope
    expires_at: datetime
    via_session: bool
    token_label: str | None = None

    def may(self, capability: str) -> bool:
        return capability in self.capabilities


def granted(role: str, scopes: Sequence[str] | None) -> frozenset[str]:
    """What a role allows, cut down to a token's scopes when there are any: never more than the role."""
    allowed = CAPABILITIES[role]
    return allowed if scopes is None else (allowed & frozenset(scopes)) - IN_PERSON
