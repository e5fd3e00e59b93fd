"""Keeps a conversation with the account that can read its encrypted items, for clients that name it only at times.

Codex 0.98 names its session with every turn, but not when it has it compacted.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.protocol.compaction import conversation_digest
from codex_pooler.web.runtime.caller import WINDOW_HEADER, Caller


def sealed_name(caller: Caller, body: bytes) -> str | None:
    """What the conversation is called by its first encrypted item; None for clients that always name it themselves."""
    return None if WINDOW_HEADER in caller.headers else conversation_digest(body)


def owner_of(caller: Caller, name: str | None) -> UUID | None:
    """The account that served the conversation last."""
    if name is None:
        return None
    return caller.house.known.bindings.account_of(_binding(caller, name), caller.admitted.wall)


def remember(caller: Caller, turn: TurnRequest, names: Iterable[str]) -> None:
    """The turn was served: whoever did it can read what these digests stand for."""
    bindings, now = caller.house.known.bindings, caller.admitted.wall
    served_by = bindings.account_of(turn.binding, now) if turn.binding else None
    if served_by:
        for name in names:
            bindings.bind(_binding(caller, name), "session", turn.key.pool.id, served_by, now)


def _binding(caller: Caller, name: str) -> bytes:
    return caller.keyring.digest("session_ref", name)
