"""What an attempt's ending means: whose fault it was, whether another account may try, what to remember of it.

A new quirk of the backend is a new row in one of the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.errors import UpstreamError, from_body, read_error


class Blame(Enum):
    """Who is at fault, and so what is remembered about the account."""

    NOBODY = "nobody"  # the request itself, the client, or the network between us and the backend
    HEALTH = "health"  # the account fails: order it last, then leave it alone for a while
    USAGE = "usage"  # the account's plan is used up until a named or assumed time
    RATE = "rate"  # the account did too much at once
    LOGIN = "login"  # the account's token is refused


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code`` goes to the log; ``move`` says that the next account may try while nothing is visible."""

    code: str
    move: bool
    blame: Blame = Blame.NOBODY
    resets_at: float | None = None  # unix seconds
    block_seconds: float = 60.0  # how long to leave the account alone when no reset is named
    strip_reasoning: bool = False
    renew: bool = False  # the token is refused, not the account: a fresh one may do


MOVES = {
    # error code, in an HTTP body or in a failed stream -> (blame, seconds to block when no end is named)
    "usage_limit_reached": (Blame.USAGE, 300.0),
    "rate_limit_exceeded": (Blame.RATE, 20.0),
    "insufficient_quota": (Blame.USAGE, 3600.0),
    "usage_not_included": (Blame.USAGE, 3600.0),
    "quota_exceeded": (Blame.USAGE, 3600.0),
    "workspace_owner_credits_depleted": (Blame.USAGE, 3600.0),
    "workspace_member_credits_depleted": (Blame.USAGE, 3600.0),
    "workspace_owner_usage_limit_reached": (Blame.USAGE, 300.0),
    "workspace_member_usage_limit_reached": (Blame.USAGE, 300.0),
    "token_revoked": (Blame.LOGIN, 300.0),
    "token_expired": (Blame.LOGIN, 300.0),
    "token_invalidated": (Blame.LOGIN, 300.0),
    "invalid_api_key": (Blame.LOGIN, 300.0),
    "invalid_authentication": (Blame.LOGIN, 300.0),
    "account_deactivated": (Blame.LOGIN, 3600.0),
    "account_suspended": (Blame.LOGIN, 3600.0),
    "account_deleted": (Blame.LOGIN, 3600.0),
    "workspace_deactivated": (Blame.LOGIN, 3600.0),
    "server_is_overloaded": (Blame.HEALTH, 0.0),
    "overloaded_error": (Blame.HEALTH, 0.0),
    "slow_down": (Blame.HEALTH, 0.0),
    "server_error": (Blame.HEALTH, 0.0),
    "internal_server_error": (Blame.HEALTH, 0.0),
    "upstream_request_timeout": (Blame.HEALTH, 0.0),
    "stream_incomplete": (Blame.HEALTH, 0.0),
    "websocket_connection_limit_reached": (Blame.NOBODY, 0.0),
    "model_not_found": (Blame.NOBODY, 0.0),
    "model_not_available": (Blame.NOBODY, 0.0),
}

# status without a code that the table knows -> (code for the log, blame, seconds to block)
STATUSES = {
    401: ("upstream_unauthorized", Blame.LOGIN, 300.0),
    402: ("upstream_payment_required", Blame.USAGE, 3600.0),
    429: ("upstream_rate_limited", Blame.RATE, 20.0),
}

STAYS = frozenset({"context_length_exceeded", "misalignment_policy_violation", "content_policy_violation"})
MODEL_UNAVAILABLE = ("model is not supported", "model is at capacity", "does not have access to model")
ENCRYPTED_CONTENT = "invalid_encrypted_content"

# endings without an answer to look at -> who is to blame
SILENT = {
    "unsent": Blame.NOBODY,  # no connection could be made: every account would have had the same
    "lost": Blame.HEALTH,
    "timeout": Blame.HEALTH,
    "truncated": Blame.HEALTH,
    "not_a_stream": Blame.HEALTH,
}


def classify(ending: Ending) -> Verdict:
    """Pure: the same ending always gets the same verdict."""
    if ending.kind in ("completed", "incomplete"):
        return Verdict("", move=False)
    if ending.kind == "client_gone":
        return Verdict("client_disconnected", move=False)
    if ending.kind in SILENT:
        return Verdict(ending.reason or f"upstream_{ending.kind}", move=True, blame=SILENT[ending.kind])
    if ending.kind == "http_error" and ending.head:
        return _classify_status(
            ending.head.status, read_error(ending.body), _retry_after(ending.head.get("retry-after"))
        )
    terminal = ending.terminal
    error = from_body(terminal.error) if terminal and terminal.error else UpstreamError()
    if terminal and terminal.status is not None:  # an error frame stands for an HTTP answer
        return _classify_status(terminal.status, error, _retry_after(dict(terminal.headers).get("retry-after")))
    if error.code == ENCRYPTED_CONTENT:
        return Verdict(error.code, move=False, strip_reasoning=True)
    return _classify_code(error, None) or Verdict(error.code or "response_failed", move=False)


def _classify_status(status: int, error: UpstreamError, retry_after: float | None) -> Verdict:
    if error.code == ENCRYPTED_CONTENT:
        return Verdict(error.code, move=False, strip_reasoning=True)
    if verdict := _classify_code(error, retry_after):
        return verdict
    if row := STATUSES.get(status):
        code, blame, seconds = row
        seconds = retry_after or seconds
        return Verdict(error.code or code, move=True, blame=blame, block_seconds=seconds, renew=blame is Blame.LOGIN)
    if status >= 500:
        return Verdict(error.code or f"upstream_{status}", move=True, blame=Blame.HEALTH)
    if status == 403 and not error.is_json:  # a challenge page: this way out is distrusted, not the request
        return Verdict("upstream_challenge", move=True, blame=Blame.HEALTH)
    return Verdict(error.code or f"upstream_{status}", move=False)


def _classify_code(error: UpstreamError, retry_after: float | None) -> Verdict | None:
    if error.code in STAYS:
        return Verdict(error.code, move=False)
    for known in (error.code, error.type):
        if row := MOVES.get(known):
            blame, seconds = row
            seconds = retry_after or seconds
            renew = blame is Blame.LOGIN and not known.startswith(("account_", "workspace_"))
            return Verdict(
                known, move=True, blame=blame, resets_at=error.resets_at, block_seconds=seconds, renew=renew
            )
    if any(phrase in error.message.lower() for phrase in MODEL_UNAVAILABLE):
        return Verdict("upstream_model_unavailable", move=True)
    return None


def _retry_after(value: str | None) -> float | None:
    return min(float(value), 86400.0) if value and value.isdigit() else None
