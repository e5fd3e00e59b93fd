"""The one final row of a turn: built from what was asked and how it ended, and written down exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import orjson

from codex_pooler.accounting.prices import NO_COST, Cost
from codex_pooler.protocol.usage import Usage

LONGEST_TEXT = 160


class Asked(msgspec.Struct, frozen=True):
    """What is known of a turn when it is admitted.  ``admitted_at`` is in unix seconds.

    ``requested_model`` is set only where the key's policy or another name of the pool's replaced it by ``model``;
    ``session`` is a keyed digest.
    """

    id: str
    admitted_at: float
    pool_id: UUID
    pool_name: str
    api_key_id: UUID
    api_key_name: str
    route: str
    transport: str
    client: str | None
    model: str | None
    effort: str | None
    service_tier: str | None
    request_bytes: int
    requested_model: str | None = None
    session: str | None = None
    client_ip: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt.  ``outcome``: ``served``, ``failed_over``, ``failed`` or ``cancelled``."""

    account_id: UUID
    account_label: str
    started_ms: int
    duration_ms: int
    outcome: str
    http_status: int | None
    error_code: str | None


class Ended(msgspec.Struct, frozen=True):
    """How the turn ended.  Times in milliseconds; ``usage`` is None when the backend reported none.

    ``routing`` explains the choice of the account and must be JSON-able.  ``served_model`` is set only where the
    backend says that another model answered than was asked for.
    """

    status: str
    http_status: int | None
    error_code: str | None
    duration_ms: int
    ttft_ms: int | None
    usage: Usage | None
    service_tier: str | None
    response_bytes: int
    attempts: Sequence[Tried]
    excluded: Mapping[str, int]
    cost: Cost = NO_COST
    routing: Mapping[str, Any] | None = None
    served_model: str | None = None


def begun_row(asked: Asked) -> bytes:
    """The columns that are known at admission, as one JSON object; enough for a row should the process die.

    Ids and times stay objects: orjson writes them faster than we could.
    """
    row = {
        "id": asked.id,
        "admitted_at": _instant(asked.admitted_at),
        "pool_id": asked.pool_id,
        "pool_name": asked.pool_name,
        "api_key_id": asked.api_key_id,
        "api_key_name": asked.api_key_name,
        "route": asked.route,
        "transport": asked.transport,
        "client": clean(asked.client),
        "model": clean(asked.model),
        "effort": clean(asked.effort),
        "service_tier": clean(asked.service_tier),
        "request_bytes": asked.request_bytes,
        "requested_model": clean(asked.requested_model),
        "session": clean(asked.session),
        "client_ip": clean(asked.client_ip),
    }
    return orjson.dumps(row)


def final_row(asked: Asked, begun: bytes, ended: Ended) -> bytes:
    """Every column of ``requests`` as one JSON object; the account is the one that made the last attempt.

    ``begun`` is taken over as it is.  A member that comes twice counts as it comes last, here and in PostgreSQL.
    """
    last = ended.attempts[-1] if ended.attempts else None
    usage, cost = ended.usage, ended.cost
    row = {
        "completed_at": _instant(asked.admitted_at + ended.duration_ms / 1000),
        "account_id": last.account_id if last else None,
        "account_label": last.account_label if last else None,
        "service_tier": clean(ended.service_tier or asked.service_tier),
        "status": ended.status,
        "http_status": ended.http_status,
        "error_code": clean(ended.error_code),
        "ttft_ms": ended.ttft_ms,
        "duration_ms": ended.duration_ms,
        "input_tokens": usage.input if usage else None,
        "cached_tokens": usage.cached if usage else None,
        "cache_write_tokens": usage.cache_write if usage else None,
        "output_tokens": usage.output if usage else None,
        "reasoning_tokens": usage.reasoning if usage else None,
        "cost_micros": cost.micros,
        "pricing_status": cost.status,
        "response_bytes": ended.response_bytes,
        "attempts": [_attempt(number, tried) for number, tried in enumerate(ended.attempts, 1)],
        "excluded": ended.excluded if type(ended.excluded) is dict else dict(ended.excluded),
        "routing": ended.routing,
        "served_model": clean(ended.served_model),
    }
    return begun[:-1] + b"," + orjson.dumps(row)[1:]


def _attempt(number: int, tried: Tried) -> dict[str, Any]:
    return {
        "number": number,
        "account_id": tried.account_id,
        "account_label": tried.account_label,
        "started_ms": tried.started_ms,
        "duration_ms": tried.duration_ms,
        "outcome": tried.outcome,
        "http_status": tried.http_status,
        "error_code": clean(tried.error_code),
    }


def clean(text: str | None) -> str | None:
    """Text a client or the backend chose, made fit for a log row: bounded, printable, valid UTF-8."""
    if text is None:
        return None
    if len(text) <= LONGEST_TEXT and text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else "?" for c in text[:LONGEST_TEXT]).encode("utf-8", "replace").decode()


def _instant(unix: float) -> datetime:
    return datetime.fromtimestamp(unix, UTC)
