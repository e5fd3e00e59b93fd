"""What a client is told when no account could serve its turn.  Accounts are counted by reason, never named."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import Any

from codex_pooler.gateway.classify import Blame, Verdict
from codex_pooler.gateway.turn import Ending
from codex_pooler.keys.limits import KeyLimitReached
from codex_pooler.keys.wording import duration
from codex_pooler.protocol.failure import Failure
from codex_pooler.quota.refusals import RATE_LIMITED
from codex_pooler.routing.candidates import NoCandidate

BUSY_SECONDS = 2
BURST_SECONDS = 5  # to wait for a burst to pass when the backend names no time
LONGEST_RETRY = 300  # seconds a client is asked to wait for a reset at most
MODEL_REASONS = frozenset({"model_not_offered", "model_unavailable"})
EXHAUSTED = frozenset({"usage_limited", "spend_limited", "not_included", "headroom_reserved"})
RESTART = "restart_with_full_context"
ANCHOR_HEADERS = (
    "x-codex-previous-response-id",
    "x-codex-turn-state",
    "x-codex-window-id",
    "x-codex-session-id",
    "session-id",
    "x-session-id",
    "x-session-affinity",
    "session_id",
    "x-codex-conversation-id",
)
CODEX_VERSION = re.compile(r"/(\d+)\.(\d+)")
KNOWS_LOST_RESPONSES = (0, 169)
LONGEST_WAIT = 30  # seconds a client is asked to wait for a burst to pass

REASONS = {
    "usage_limited": "reached their usage limit",
    "rate_limited": "are briefly rate limited",
    "login_refused": "were refused by ChatGPT",
    "failing": "keep failing",
    "not_included": "have a plan that does not cover this",
    "spend_limited": "have spent the money set aside for them",
    "model_unavailable": "were refused this model",
    "model_not_offered": "do not offer this model",
    "headroom_reserved": "are kept back for their owners",
    "not_the_owner": "do not hold what the request refers to",
    "busy": "are serving as many turns as they may",
    "membership_disabled": "are disabled in this pool",
    "paused": "are paused",
    "disabled": "are disabled",
    "pending": "were never signed in",
    "reauth_required": "must sign in again",
    "token_expired": "have an expired token",
    "credentials_unreadable": "have credentials this installation's key cannot open",
    "egress_unreadable": "have an egress proxy whose address this installation's key cannot open",
}


def nobody(none: NoCandidate) -> Failure:
    """Every account of the pool is out."""
    now, excluded = time.time(), none.excluded
    if excluded and not set(excluded) - MODEL_REASONS:
        message = "no account of this pool offers that model; GET /backend-api/codex/models lists those that are"
        return Failure(400, "invalid_model", message, "invalid_request_error", param="model")
    told = describe(excluded)
    extra = {"excluded": excluded}
    if excluded.get("busy"):
        message = f"every account of this pool is busy ({told}); try again in a moment"
        return Failure(429, "accounts_busy", message, "rate_limit_error", BUSY_SECONDS, extra)
    if excluded.get(RATE_LIMITED) and none.retry_at:
        wait = min(max(1, round(none.retry_at - now)), LONGEST_WAIT)
        message = f"no account of this pool is free ({told}); try again in {wait} seconds"
        return Failure(429, "rate_limit_exceeded", message, "rate_limit_error", wait, extra)
    if set(excluded) & EXHAUSTED:
        return usage_limit(none.resets_at or none.retry_at, excluded, none.plan_type)
    if not excluded:
        message = "this pool has no accounts; an operator can add one in the console under Upstreams"
    else:
        message = f"no account of this pool can serve ({told}); an operator can see why in the console under Upstreams"
    return Failure(503, "no_eligible_backend", message, extra=extra)


def usage_limit(resets_at: float | None, excluded: Mapping[str, int], plan_type: str | None = None) -> Failure:
    """The whole pool is exhausted: the one refusal that Codex shows with its reset time instead of retrying."""
    extra: dict[str, Any] = {"excluded": dict(excluded)}
    seconds = None
    if resets_at is not None:
        seconds = max(1, round(resets_at - time.time()))
        extra |= {"resets_at": round(resets_at), "resets_in_seconds": seconds}
    if plan_type:
        extra["plan_type"] = plan_type
    when = f"try again in {duration(seconds)}, or " if seconds else ""
    message = f"The usage limit of this pool has been reached ({describe(excluded)}); {when}ask an operator for more."
    wait = min(seconds, LONGEST_RETRY) if seconds else None  # resets can come early
    return Failure(429, "usage_limit_reached", message, "usage_limit_reached", wait, extra)


def key_limit(reached: KeyLimitReached) -> Failure:
    """A key's own limit.  A minute is waited out; a budget is told as Codex shows it, at once and with its reset."""
    seconds = max(1, math.ceil(reached.retry_after))
    extra = {"resets_at": round(reached.resets_at), "resets_in_seconds": seconds}
    return Failure(429, reached.code, reached.message, reached.kind, min(seconds, LONGEST_RETRY), extra)


def pinned_continuation(none: NoCandidate) -> Failure:
    """The turn refers to a response of an account that cannot serve: only the full history can go elsewhere."""
    told = describe(none.excluded)
    login = "reauth_required" in none.excluded or "login_refused" in none.excluded
    code = "pinned_continuation_reauth_required" if login else "pinned_continuation_unavailable"
    message = f"the account that made the earlier response cannot serve ({told}); send all of it"
    extra = {
        "retryable": False,
        "requires_new_upstream_session": True,
        "recovery_kind": RESTART,
        "recovery": {
            "kind": RESTART,
            "guidance": "leave out what ties the turn to the earlier response, and send the whole conversation again",
            "anchor_removal": {"body": ["previous_response_id"], "headers": list(ANCHOR_HEADERS)},
        },
        "excluded": dict(none.excluded),
    }
    headers = (("x-codex-recovery-kind", RESTART),)
    return Failure(503, code, message, extra=extra, headers=headers)


def last_of(ending: Ending, verdict: Verdict, tried: int) -> Failure:
    """The failure of the last attempt: the backend's own words when the request is at fault, else ours."""
    if ending.kind == "http_error" and not verdict.move and ending.head:
        kind = "invalid_request_error" if ending.head.status < 500 else "server_error"
        return Failure(ending.head.status, verdict.code, "the backend refused the request", kind, verbatim=ending.body)
    if ending.kind == "failed" and not verdict.move and ending.terminal and ending.terminal.error:
        message = ending.terminal.error.message or "the backend could not complete the response"
        frame = ending.body if ending.terminal.status is not None else None
        return Failure(ending.terminal.status or 400, verdict.code, message, "invalid_request_error", verbatim=frame)
    told = "one account was tried" if tried == 1 else f"{tried} accounts were tried"
    if verdict.code in ("model_at_capacity", "server_is_overloaded", "slow_down", "overloaded_error"):
        return Failure(503, "server_is_overloaded", f"the backend is overloaded ({told}); try again shortly")
    if verdict.blame is Blame.RATE:
        wait = min(max(1, math.ceil(verdict.retry_after or BURST_SECONDS)), LONGEST_WAIT)
        message = f"the backend limits requests ({told}); try again in {wait} seconds"
        return Failure(429, "rate_limit_exceeded", message, "rate_limit_error", wait)
    if verdict.code == "upstream_model_unavailable" or verdict.code.startswith("model_not"):
        message = f"no account of this pool can use this model ({told}); choose another, or ask an operator"
        return Failure(400, "model_not_available", message, "invalid_request_error")
    message = f"the backend did not answer the turn: {verdict.code} ({told}); try again"
    return Failure(502, "upstream_request_failed", message)


def lost_anchor(client: Mapping[str, str]) -> Failure:
    """The turn continues a response whose account or socket is gone.  With exactly this status and one of these codes
    Codex connects again by itself and sends its full history, which may then go anywhere.  ``client`` is its headers.
    """
    code = "previous_response_not_found" if _knows_lost_responses(client) else "websocket_connection_limit_reached"
    message = "Previous response was not found. Retrying the full request."
    return Failure(400, code, message, "invalid_request_error", param="previous_response_id")


def _knows_lost_responses(client: Mapping[str, str]) -> bool:
    """Older versions of Codex end the turn on that code, and start it anew when a connection has lived too long."""
    if "originator" not in client:  # not Codex: the code that is documented
        return True
    version = CODEX_VERSION.search(client.get("user-agent", ""))
    return version is not None and tuple(map(int, version.groups())) >= KNOWS_LOST_RESPONSES


def describe(excluded: Mapping[str, int]) -> str:
    """For people: ``2 reached their usage limit, 1 are paused``."""
    return ", ".join(f"{count} {REASONS.get(reason, reason)}" for reason, count in sorted(excluded.items())) or "none"
