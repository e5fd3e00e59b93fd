"""What an attempt's ending means: whose fault it was, whether another account may try, what to remember of it.

A new quirk of the backend is a new row in one of the tables.
"""

from __future__ import annotations

import re
from enum import Enum

import msgspec

from codex_pooler.gateway.turn import Ending
from codex_pooler.protocol.errors import UpstreamError, from_body, read_error


class Blame(Enum):
    """Who is at fault, and so what is remembered about the account."""

    NOBODY = "nobody"  # the request itself, the client, or the network between us and the backend
    HEALTH = "health"  # the account fails: order it last, then leave it alone for a while
    USAGE = "usage"  # the account's plan is used up until a named or assumed time
    RATE = "rate"  # the account did too much at once
    LOGIN = "login"  # the account's token is refused
    MODEL = "model"  # the account may not use this model, though others may


NO_ERROR = UpstreamError()


class Verdict(msgspec.Struct, frozen=True):
    """``code`` goes to the log; ``move`` says that the next account may try while nothing is visible.

    ``refusal`` is the same in the words of ``quota.refusals``, ``error`` what the backend said, ``retry_after`` the
    seconds that it asked to wait.
    """

    code: str
    move: bool
    blame: Blame = Blame.NOBODY
    refusal: str = ""
    error: UpstreamError = NO_ERROR
    retry_after: float | None = None
    strip_reasoning: bool = False
    renew: bool = False  # the token is refused, not the account: a fresh one may do


MOVES = {
    # error code, in an HTTP body or in a failed stream -> who is to blame
    "usage_limit_reached": Blame.USAGE,
    "rate_limit_exceeded": Blame.RATE,
    "insufficient_quota": Blame.USAGE,
    "usage_not_included": Blame.USAGE,
    "quota_exceeded": Blame.USAGE,
    "workspace_owner_credits_depleted": Blame.USAGE,
    "workspace_member_credits_depleted": Blame.USAGE,
    "workspace_owner_usage_limit_reached": Blame.USAGE,
    "workspace_member_usage_limit_reached": Blame.USAGE,
    "token_revoked": Blame.LOGIN,
    "token_expired": Blame.LOGIN,
    "token_invalidated": Blame.LOGIN,
    "invalid_api_key": Blame.LOGIN,
    "invalid_authentication": Blame.LOGIN,
    "account_deactivated": Blame.LOGIN,
    "account_suspended": Blame.LOGIN,
    "account_deleted": Blame.LOGIN,
    "workspace_deactivated": Blame.LOGIN,
    "server_is_overloaded": Blame.HEALTH,
    "overloaded_error": Blame.HEALTH,
    "slow_down": Blame.HEALTH,
    "server_error": Blame.HEALTH,
    "internal_server_error": Blame.HEALTH,
    "upstream_request_timeout": Blame.HEALTH,
    "stream_incomplete": Blame.HEALTH,
    "invalid_upstream_response": Blame.HEALTH,
    "websocket_connection_limit_reached": Blame.NOBODY,
    "model_not_found": Blame.MODEL,
    "model_not_available": Blame.MODEL,
}

# status without a code that the table knows -> (what it means, blame)
STATUSES = {
    401: ("upstream_unauthorized", Blame.LOGIN),
    402: ("upstream_payment_required", Blame.USAGE),
    429: ("upstream_rate_limited", Blame.RATE),
}

STAYS = frozenset({"context_length_exceeded", "misalignment_policy_violation", "content_policy_violation"})
# codes of failed responses that tell what is wrong with the request
OF_THE_REQUEST = re.compile(r"invalid_|unsupported_|image_|empty_image_|failed_to_download_|\w*policy")
MODEL_UNAVAILABLE = ("model is not supported", "does not have access to model")
AT_CAPACITY = "model is at capacity"
ENCRYPTED_CONTENT = "invalid_encrypted_content"

# endings without an answer to look at -> who is to blame
SILENT = {
    "unsent": Blame.NOBODY,  # no connection could be made: every account would have had the same, except
    "lost": Blame.HEALTH,
    "timeout": Blame.HEALTH,
    "truncated": Blame.HEALTH,
    "not_a_stream": Blame.HEALTH,
}
OWN_WAY_OUT = frozenset({"egress_proxy_failed", "upstream_backend_origin_failed"})  # that others need not have


def classify(ending: Ending) -> Verdict:
    """Pure: the same ending always gets the same verdict."""
    if ending.kind in ("completed", "incomplete"):
        return Verdict("", move=False)
    if ending.kind == "client_gone":
        return Verdict("client_disconnected", move=False)
    if ending.kind in SILENT:
        blame = Blame.HEALTH if ending.reason in OWN_WAY_OUT else SILENT[ending.kind]
        return Verdict(ending.reason or f"upstream_{ending.kind}", move=True, blame=blame)
    if ending.kind == "http_error" and ending.head:
        return _classify_status(
            ending.head.status, read_error(ending.body), _retry_after(ending.head.get("retry-after"))
        )
    terminal = ending.terminal
    error = from_body(terminal.error) if terminal and terminal.error else NO_ERROR
    if terminal and terminal.status is not None:  # an error frame stands for an HTTP answer
        return _classify_status(terminal.status, error, _retry_after(dict(terminal.headers).get("retry-after")))
    if error.code == ENCRYPTED_CONTENT:
        return Verdict(error.code, move=False, strip_reasoning=True)
    return _classify_code(error, None) or _classify_unknown(error)


def _classify_status(status: int, error: UpstreamError, retry_after: float | None) -> Verdict:
    if error.code == ENCRYPTED_CONTENT:
        return Verdict(error.code, move=False, strip_reasoning=True)
    if verdict := _classify_code(error, retry_after):
        return verdict
    if row := STATUSES.get(status):
        meaning, blame = row
        renew = blame is Blame.LOGIN
        return Verdict(error.code or meaning, True, blame, meaning, error, retry_after, renew=renew)
    if status >= 500:
        return Verdict(error.code or f"upstream_{status}", move=True, blame=Blame.HEALTH)
    if status == 403 and not error.is_json:  # a challenge page: this way out is distrusted, not the request
        return Verdict("upstream_challenge", move=True, blame=Blame.HEALTH)
    return Verdict(error.code or f"upstream_{status}", move=False)


def _classify_code(error: UpstreamError, retry_after: float | None) -> Verdict | None:
    if error.code in STAYS:
        return Verdict(error.code, move=False)
    for known in (error.code, error.type):
        if blame := MOVES.get(known):
            renew = blame is Blame.LOGIN and not known.startswith(("account_", "workspace_"))
            return Verdict(known, True, blame, known, error, retry_after, renew=renew)
    if AT_CAPACITY in error.message.lower():
        return Verdict("model_at_capacity", True, Blame.HEALTH, error=error)
    if any(phrase in error.message.lower() for phrase in MODEL_UNAVAILABLE):
        return Verdict("upstream_model_unavailable", True, Blame.MODEL, "upstream_model_unavailable", error)
    return None


def _classify_unknown(error: UpstreamError) -> Verdict:
    """A response that failed for a reason no table has.  Asking elsewhere does no harm unless the request is at fault;
    whether the account is cannot be told, so that it is not blamed."""
    return Verdict(error.code or "response_failed", move=not OF_THE_REQUEST.match(error.code), error=error)


def _retry_after(value: str | None) -> float | None:
    return min(float(value), 86400.0) if value and value.isdigit() else None
