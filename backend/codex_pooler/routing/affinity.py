"""What makes turns of one conversation meet on one account: the seed they share, and whether its owner counts."""

from __future__ import annotations

from typing import NamedTuple

from codex_pooler.routing.request import PROXY_WEBSOCKET, RouteRequest
from codex_pooler.snapshot.model import Switches

NEAR_LIMIT_PERCENT = 95.0  # of a short window: a new turn had better begin elsewhere


class Seed(NamedTuple):
    """``kind`` says what gave the seed: ``session``, ``prompt_cache_key`` or ``none`` (the turn stands for itself)."""

    kind: str
    value: str


def seed_of(switches: Switches, scope: str, session: str | None, prompt_cache_key: str | None, turn_id: str) -> Seed:
    """The seed of a turn: its session, else its prompt cache key while the pool keeps those together, else its own id.

    ``scope`` (the key's id) keeps equal names of different keys apart.  The value never leaves the process.
    """
    if session:
        return Seed("session", f"{scope}:{session}")
    if prompt_cache_key and switches.prompt_cache_affinity:
        return Seed("prompt_cache_key", f"{scope}:cache:{prompt_cache_key}")
    return Seed("none", turn_id)


def is_sticky(request: RouteRequest) -> bool:
    """Whether sessions of this transport stay with their account in this pool."""
    switches = request.pool.switches
    if request.route_class == PROXY_WEBSOCKET:
        return switches.sticky_websocket_sessions
    return switches.sticky_http_sessions
