"""The immutable picture of configuration that a turn is decided on.  Secrets in it never show in a repr."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """One ChatGPT login.  ``access_token`` is empty when it could not be opened or there is none."""

    id: UUID
    label: str
    state: str
    chatgpt_account_id: str
    access_token: str = field(repr=False)
    access_expires_at: float | None = None  # unix seconds
    residency: str | None = None
    plan_type: str | None = None
    max_concurrency: int | None = None
    hash_bits: int = field(init=False, repr=False)  # 64 bits of the id, for rendezvous hashing

    def __post_init__(self) -> None:
        digest = hashlib.blake2b(self.id.bytes, digest_size=8).digest()
        object.__setattr__(self, "hash_bits", int.from_bytes(digest, "big"))


@dataclass(frozen=True, slots=True)
class Member:
    """An account's place in one pool.  The highest ``priority`` goes first."""

    account: Account
    enabled: bool = True
    priority: int = 0
    weight: float = 1.0
    max_concurrency: int | None = None

    @property
    def obstacle(self) -> str | None:
        """Why configuration or credentials keep the account from serving here, whatever happens at run time."""
        if not self.enabled:
            return "membership_disabled"
        if self.account.state != "active":
            return self.account.state
        return None if self.account.access_token else "credentials_unreadable"


@dataclass(frozen=True, slots=True)
class Pool:
    """``fit`` are the members without an obstacle; ``unfit`` counts the others by reason.

    Until ``carefree_until`` (unix seconds) none of the fit has to be looked at one by one: no token expires, and
    nobody's concurrency is limited.
    """

    id: UUID
    name: str
    status: str
    strategy: str
    max_attempts: int
    members: tuple[Member, ...]
    fit: tuple[Member, ...] = field(init=False, repr=False)
    unfit: Mapping[str, int] = field(init=False, repr=False)
    carefree_until: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        obstacles = Counter(member.obstacle for member in self.members)
        del obstacles[None]
        object.__setattr__(self, "fit", tuple(member for member in self.members if not member.obstacle))
        limited = any(m.max_concurrency is not None or m.account.max_concurrency is not None for m in self.fit)
        expiries = [m.account.access_expires_at for m in self.fit if m.account.access_expires_at is not None]
        object.__setattr__(self, "carefree_until", 0.0 if limited else min(expiries, default=math.inf))
        object.__setattr__(self, "unfit", {reason or "": count for reason, count in obstacles.items()})


@dataclass(frozen=True, slots=True)
class Key:
    """A Pool API key as its holder's requests see it."""

    id: UUID
    name: str
    pool: Pool
    status: str
    expires_at: float | None = None  # unix seconds
    allowed_models: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``keys`` is indexed by the keyed digest of the whole key."""

    pools: Mapping[UUID, Pool] = field(default_factory=lambda: MappingProxyType({}))
    keys: Mapping[bytes, Key] = field(default_factory=lambda: MappingProxyType({}))
