"""One tiny real turn with one account, outside of routing: for the operator who wants to know whether it works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import orjson

from codex_pooler.gateway.attempt import Attempt
from codex_pooler.gateway.classify import classify
from codex_pooler.gateway.house import House
from codex_pooler.gateway.http_way import HttpWay
from codex_pooler.gateway.learn import learn_limits
from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.http1 import ProtocolError, ResponseHead
from codex_pooler.snapshot.model import UNREADABLE, Account
from codex_pooler.upstream.pool import ConnectFailed

LONGEST_SECONDS = 30.0
USUAL_MODEL = "gpt-5.5"  # for an account whose catalogue is not known yet
LONGEST_DETAIL = 300


@dataclass(frozen=True)
class Probed:
    """What came of it; times in milliseconds, ``status`` the backend's HTTP status, None when it never answered."""

    ok: bool
    model: str
    latency_ms: int = 0
    ttft_ms: int | None = None
    status: int | None = None
    code: str | None = None
    detail: str | None = None


class Obstacle(NamedTuple):
    code: str
    detail: str


NOT_ROUTED = Obstacle("not_in_a_pool", "The account is in no pool. Assign it to one, then try again.")
NO_TOKEN = Obstacle("credentials_unreadable", "The login cannot be opened, or there is none. Link the account again.")
NO_WAY_OUT = Obstacle("egress_unreadable", "The account's proxy cannot be opened. Enter its address again.")
TOO_SLOW = Obstacle("probe_timeout", f"No whole answer came within {LONGEST_SECONDS:.0f} seconds.")


class _Silence:
    """A sink for an answer that nobody reads."""

    begun = gone = takes_raw = congested = False
    bytes_sent = 0

    def show(self, headers: Sequence[tuple[str, str]]) -> None: ...

    def begin(self, head: ResponseHead | None) -> None: ...

    def payload(self, data: bytes, *, last: bool = False) -> None: ...

    def raw(self, data: bytes) -> None: ...

    def keepalive(self) -> None: ...

    def finish(self, *, terminated: bool) -> None: ...

    def fail(self, failure: Failure, response_id: str | None) -> None: ...

    def abort(self) -> None: ...

    async def drained(self) -> None: ...


async def probe(house: House, account_id: UUID, model: str | None = None) -> Probed:
    """Send it and wait for its end, at most LONGEST_SECONDS.  It counts as one of the account's running turns."""
    account = _account(house, account_id)
    if account is None:
        return Probed(False, model or USUAL_MODEL, code=NOT_ROUTED.code, detail=NOT_ROUTED.detail)
    chosen = model or smallest(account.models or ())
    for missing, obstacle in ((not account.access_token, NO_TOKEN), (account.proxy_url == UNREADABLE, NO_WAY_OUT)):
        if missing:
            return Probed(False, chosen, code=obstacle.code, detail=obstacle.detail)
    started = time.monotonic()
    with house.known.leases.hold(account.id):
        ending, attempt = await _exchange(house, account, chosen)
    return _told(ending, attempt, chosen, started)


def smallest(models: Collection[str]) -> str:
    """The model that costs least to ask, as far as names tell."""
    return min(models, key=lambda slug: ("nano" not in slug, "mini" not in slug, slug), default=USUAL_MODEL)


def _account(house: House, account_id: UUID) -> Account | None:
    members = (member for pool in house.snapshot.current.pools.values() for member in pool.members)
    return next((member.account for member in members if member.account.id == account_id), None)


async def _exchange(house: House, account: Account, model: str) -> tuple[Ending, Attempt | None]:
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            attempt: Attempt = await HttpWay(house.backend, {}, model).send(
                account, _body(model), _Silence(), warm=False
            )
    except ConnectFailed as exc:
        return Ending("unsent", reason=exc.code), None
    except (ProtocolError, TimeoutError):
        return Ending("unsent", reason=TOO_SLOW.code), None
    house.running.add(attempt)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            ending = await asyncio.shield(attempt.ending)
    except TimeoutError:
        ending = Ending("timeout", head=attempt.head, reason=TOO_SLOW.code)
    finally:
        house.running.discard(attempt)
        attempt.client_left()  # nothing, once it has ended
    learn_limits(house.known, account.id, attempt, urgent=False, now=time.time())
    return ending, attempt


def _told(ending: Ending, attempt: Attempt | None, model: str, started: float) -> Probed:
    verdict = classify(ending)
    first = attempt.first_output_at if attempt else None
    words = verdict.error.message or (TOO_SLOW.detail if verdict.code == TOO_SLOW.code else "")
    return Probed(
        ok=not verdict.code,
        model=model,
        latency_ms=round((time.monotonic() - started) * 1000),
        ttft_ms=max(0, round((first - started) * 1000)) if first is not None else None,
        status=ending.status,
        code=verdict.code or None,
        detail=words[:LONGEST_DETAIL] or None,
    )


def _body(model: str) -> bytes:
    question = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Say ok."}]}
    told = {"instructions": "Answer with one word.", "input": [question], "stream": True, "store": False}
    return orjson.dumps({"model": model, **told})
