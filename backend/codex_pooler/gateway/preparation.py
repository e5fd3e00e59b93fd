"""What is settled about a turn before any account is chosen: its key's policy and limits, its session, its files."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import msgspec

from codex_pooler.gateway import answers
from codex_pooler.gateway.files import FileRefused
from codex_pooler.gateway.house import House
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.keys.limits import KeyLimitReached, Reservation, estimate
from codex_pooler.keys.policy import PolicyRefused, shaped
from codex_pooler.protocol.failure import Failure
from codex_pooler.protocol.file_ids import referenced_files
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.routing.candidates import RouteRequest


class Refused(Exception):
    """The turn may not run; no account was asked."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.code)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Prepared:
    """A turn as it goes upstream; ``requested_model`` is set where the key's policy replaced it."""

    turn: TurnRequest
    requested_model: str | None
    reservation: Reservation
    request: RouteRequest


def prepare(turn: TurnRequest, house: House) -> Prepared:
    """Raises Refused."""
    try:
        shape = shaped(turn.key, turn.body, turn.fields)
        pinned = _pinned(turn, house)
        if shape.body is not turn.body:
            turn = msgspec.structs.replace(turn, body=shape.body, fields=shape.fields)
        claim = estimate(shape.fields, shape.prompt_bytes)
        reservation = house.limits.reserve(turn.key, shape.fields.model, claim, turn.admitted)
    except PolicyRefused as exc:
        kind = "permission_error" if exc.status == 403 else "invalid_request_error"
        raise Refused(Failure(exc.status, exc.code, exc.message, kind, param=exc.param)) from None
    except BadRequest as exc:
        raise Refused(Failure(400, "invalid_request", exc.message, "invalid_request_error", param=exc.param)) from None
    except FileRefused as exc:
        raise Refused(Failure(exc.status, exc.code, exc.message, "invalid_request_error")) from None
    except KeyLimitReached as exc:
        raise Refused(answers.key_limit(exc)) from None
    owner = turn.owner or (house.known.bindings.account_of(turn.binding, turn.admitted.wall) if turn.binding else None)
    request = RouteRequest(turn.key.pool, turn.fields.model, turn.route_class, turn.seed, owner, pinned)
    return Prepared(turn, shape.requested_model, reservation, request)


def _pinned(turn: TurnRequest, house: House) -> UUID | None:
    """The only account that can serve: it holds the response, or the files, that the turn refers to."""
    if turn.anchored is not None:
        return turn.anchored
    if turn.continues is not None and (owner := house.maker_of(turn, turn.continues)):
        return owner
    named = referenced_files(turn.body)
    ours = [name for name in named if house.files.knows(name)] if named else []
    return house.files.pinned_account(ours, turn.key.pool.id, turn.admitted.wall) if ours else None
