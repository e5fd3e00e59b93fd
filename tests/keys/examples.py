"""A pool and keys of it, as the snapshot holds them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from codex_pooler.snapshot.model import Key, Limit, Policy, Pool

POOL = Pool(UUID(int=1), "team", "active", "capacity_weighted", 4, ())


def key_with(*limits: Limit, max_concurrency: int | None = None, number: int = 1, **policy: Any) -> Key:
    """An active key with this policy and these limits."""
    return Key(
        UUID(int=number), "ci", POOL, "active", policy=Policy(**policy), limits=limits, max_concurrency=max_concurrency
    )
