"""Scripted faults: what can go wrong with a request, the catalogue of named ones, and which request one strikes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from codex_pooler.simulator.answers import Refusal, error, usage_limit

HTTP, WEBSOCKET, UPGRADE = "http", "websocket", "upgrade"
ANY_ACCOUNT = "*"
TURN = "turn"
"""Route of a model turn, over either transport."""
ROUTES = frozenset(
    {TURN, "compact", "models", "usage", "accounts", "credits", "consume", "files", "transcribe", "images", "search"}
    | {"helpers", "whoami", "token"}
)
"""What an order may name as its route, besides `*`."""

KINDS = (
    *("refuse", "delay", "reset", "not_sse", "lost"),
    *("cut_reset", "truncate", "stall", "failed", "incomplete", "error"),
)
_TURNS = (HTTP, WEBSOCKET)
_HOUR_MS = 3_600_000.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to go wrong.

    `kind` is `refuse` (answer `status` and `body` instead), `delay` (pause, then go on as usual; with `after_headers`
    do as asked first, and answer late), `reset` (TCP reset before any header), `not_sse` (200 with `body`), `lost`
    (done as asked, but after `delay_ms` the connection is reset, or with a `status` the caller gets that and `body`
    instead of the answer; not for turns), or how the turn ends once `after_events` events, or `after_deltas` events
    that carry output, are out: `cut_reset`, `truncate`, `stall`, `failed`, `incomplete`, `error`.
    """

    kind: str
    name: str = "custom"
    status: int = 500
    body: Mapping[str, Any] | str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    resets_in_s: float | None = None
    delay_ms: float = 0.0
    after_headers: bool = False
    after_events: int = 2
    after_deltas: int = 0
    code: str = "server_error"
    message: str = "An error occurred while processing your request."
    close_code: int = 1011
    transports: tuple[str, ...] = _TURNS

    def refusal(self, plan: str, now: float) -> Refusal:
        """The answer a `refuse` fault gives to an account on `plan` at `now` (unix seconds)."""
        body = self.body
        if self.resets_in_s is not None:
            body = usage_limit(plan, now + self.resets_in_s, now)
        return Refusal(self.status, body, self.headers)


def _refuse(status: int, body: Mapping[str, Any] | str, **more: Any) -> Fault:
    return Fault("refuse", status=status, body=body, **more)


def _code(status: int, code: str, message: str, kind: str | None = "invalid_request_error", **more: Any) -> Fault:
    return _refuse(status, error(message, kind=kind, code=code), **more)


_BUSY = "Our servers are currently overloaded. Please try again later."
_RATE = "Rate limit reached. Please try again in 1.5s."
_CONTEXT = "Your input exceeds the context window of this model. Please adjust your input and try again."
_GENERIC = "An error occurred while processing your request."
_CHALLENGE = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking</body></html>"
_UNAUTHORIZED = {"detail": "Unauthorized"}

_REFUSALS = {
    "usage_limit_reached": _refuse(429, "", resets_in_s=7_200.0),
    "usage_limit_without_reset": _refuse(
        429, {"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached"}}
    ),
    "usage_not_included": _refuse(
        429, {"error": {"type": "usage_not_included", "message": "Codex is not included in your plan"}}
    ),
    "rate_limit_exceeded": _code(429, "rate_limit_exceeded", _RATE, "tokens"),
    "rate_limit_with_retry_after": _code(429, "rate_limit_exceeded", _RATE, "tokens", headers={"retry-after": "2"}),
    "bare_429": _refuse(429, {"detail": "Too Many Requests"}),
    "insufficient_quota": _code(429, "insufficient_quota", "You exceeded your current quota.", "insufficient_quota"),
    "token_expired": _code(
        401, "token_expired", "Provided authentication token is expired. Please sign in again.", None
    ),
    "token_revoked": _code(401, "token_revoked", "Your authentication token has been revoked.", None),
    "bare_401": _refuse(401, _UNAUTHORIZED),
    "account_deactivated": _code(401, "account_deactivated", "Your account has been deactivated.", None),
    "deactivated_workspace": _refuse(402, {"detail": {"code": "deactivated_workspace"}}),
    "forbidden": _code(403, "account_suspended", "This account is suspended.", None),
    "challenge": _refuse(403, _CHALLENGE, headers={"cf-mitigated": "challenge"}),
    "bad_request": _code(400, "invalid_value", "Invalid value for 'input'."),
    "context_length_exceeded": _code(400, "context_length_exceeded", _CONTEXT),
    "invalid_encrypted_content": _code(
        400, "invalid_encrypted_content", "The encrypted content could not be verified. Reason: could not be decrypted."
    ),
    "policy_violation": _code(400, "cyber_policy", "This request was flagged by our usage policy."),
    "model_not_supported": _refuse(
        400, {"detail": "The requested model is not supported when using Codex with a ChatGPT account."}
    ),
    "client_too_old": _refuse(400, {"detail": "This model requires a newer version of Codex. Please upgrade."}),
    "model_not_found": _code(404, "model_not_found", "The requested model does not exist."),
    "not_found": _refuse(404, {"detail": "Not Found"}),
    "conflict": _refuse(409, {"detail": "Conflict"}),
    "too_large": _refuse(413, {"detail": "Payload Too Large"}),
    "server_error": _code(500, "server_error", _GENERIC, "server_error"),
    "bad_gateway": _refuse(502, "<html><head><title>502 Bad Gateway</title></head></html>"),
    "server_is_overloaded": _code(503, "server_is_overloaded", _BUSY, "service_unavailable_error"),
    "slow_down": _code(503, "slow_down", "Please slow down.", "service_unavailable_error"),
    "unavailable": _refuse(503, "upstream connect error or disconnect/reset before headers"),
    "gateway_timeout": _refuse(504, "<html><head><title>504 Gateway Time-out</title></head></html>"),
    "unknown_520": _refuse(
        520, "<html><head><title>520: Web server is returning an unknown error</title></head></html>"
    ),
    "malformed_error": _refuse(500, '{"error": {"message": "cut he'),
}
_CONNECTIONS = {
    "slow_headers": Fault("delay", delay_ms=1_500.0),
    "slow_first_event": Fault("delay", delay_ms=1_500.0, after_headers=True),
    "reset_before_headers": Fault("reset"),
    "reset_before_output": Fault("cut_reset", after_events=2),
    "reset_after_output": Fault("cut_reset", after_deltas=1),
    "truncated_before_output": Fault("truncate", after_events=2),
    "truncated_after_output": Fault("truncate", after_deltas=1),
    "stall_before_output": Fault("stall", after_events=2, delay_ms=_HOUR_MS),
    "stall_after_output": Fault("stall", after_deltas=1, delay_ms=_HOUR_MS),
    "empty_stream": Fault("truncate", after_events=0),
    "not_sse": Fault("not_sse", body="<html><body>All is well.</body></html>", transports=(HTTP,)),
    "close_going_away": Fault("truncate", after_events=2, close_code=1001, transports=(WEBSOCKET,)),
    "close_after_output": Fault("truncate", after_deltas=1, close_code=1011, transports=(WEBSOCKET,)),
}
_STREAMS = {
    "failed_overloaded": Fault("failed", code="server_is_overloaded", message=_BUSY),
    "failed_server_error": Fault("failed", code="server_error", message=_GENERIC),
    "failed_usage_limit": Fault("failed", code="usage_limit_reached", message="The usage limit has been reached"),
    "failed_rate_limit": Fault("failed", code="rate_limit_exceeded", message=_RATE),
    "failed_quota": Fault("failed", code="insufficient_quota", message="You exceeded your current quota."),
    "failed_context": Fault("failed", code="context_length_exceeded", message=_CONTEXT),
    "failed_after_output": Fault("failed", after_deltas=1),
    "failed_overloaded_after_output": Fault("failed", code="server_is_overloaded", message=_BUSY, after_deltas=1),
    "incomplete": Fault("incomplete", after_deltas=1, code="max_output_tokens"),
    "error_event": Fault("error", code="server_error"),
    "error_event_after_output": Fault("error", code="server_error", after_deltas=1),
}
_SOCKETS = {
    "previous_response_not_found": _code(
        400, "previous_response_not_found", "Previous response could not be found.", transports=(WEBSOCKET,)
    ),
    "websocket_connection_limit_reached": _code(
        400, "websocket_connection_limit_reached", "Create a new websocket connection.", transports=(WEBSOCKET,)
    ),
    "upgrade_reset": Fault("reset", transports=(UPGRADE,)),
    "upgrade_usage_limit": _refuse(429, "", resets_in_s=7_200.0, transports=(UPGRADE,)),
} | {
    f"upgrade_{status}": _refuse(status, {"detail": "refused"}, transports=(UPGRADE,))
    for status in (400, 401, 403, 404, 405, 426, 500, 503)
}

_LOST = {
    "answer_lost": Fault("lost", status=0, transports=()),
    "answer_never": Fault("lost", status=0, delay_ms=_HOUR_MS, transports=()),
    "slow_answer": Fault("delay", delay_ms=1_500.0, after_headers=True, transports=()),
    "answer_replaced": Fault("lost", status=502, body="<html><title>502 Bad Gateway</title></html>", transports=()),
}

PRESETS: dict[str, Fault] = {
    name: replace(fault, name=name) for name, fault in (_REFUSALS | _CONNECTIONS | _STREAMS | _SOCKETS | _LOST).items()
}
"""Every fault a test can ask for by name."""


def fault_of(asked: str | Mapping[str, Any]) -> Fault:
    """The fault a control request asks for: a preset's name, or an object with `preset` and/or fields of `Fault`.

    Raises ValueError for an unknown name or field.
    """
    if isinstance(asked, str):
        asked = {"preset": asked}
    values = dict(asked)
    preset = values.pop("preset", None)
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"unknown fault {preset!r}")
    if "transports" in values:
        values["transports"] = tuple(values["transports"])
    if values.get("kind", KINDS[0]) not in KINDS:
        raise ValueError(f"unknown kind {values['kind']!r}; known are {', '.join(KINDS)}")
    try:
        return Fault(**values) if preset is None else replace(PRESETS[preset], **values)
    except TypeError as problem:
        raise ValueError(f"unknown field of a fault: {problem}") from None


@dataclass(slots=True)
class Order:
    """A fault waiting for its request: `left` more times (None stands), after letting `skip` matching ones pass."""

    account: str
    route: str
    fault: Fault
    left: int | None = None
    skip: int = 0
    prewarm: bool = False
    transport: str | None = None
    model: str | None = None

    def matches(self, account: str, route: str, transport: str, prewarm: bool, model: str | None) -> bool:
        """Whether this request is one the order is waiting for."""
        if self.account not in (ANY_ACCOUNT, account) or self.route not in ("*", route):
            return False
        if self.transport not in (None, transport) or self.model not in (None, model):
            return False
        if route != TURN:
            return self.route != "*" or transport in self.fault.transports
        return transport in self.fault.transports and (self.prewarm or not prewarm)


@dataclass(slots=True)
class FaultBook:
    """The orders, struck in the order they were given."""

    orders: list[Order] = field(default_factory=list)

    def add(self, order: Order) -> None:
        """Queue an order. Raises ValueError for a route there is none of."""
        if order.route not in ROUTES | {"*"}:
            raise ValueError(f"unknown route {order.route!r}; known are {', '.join(sorted(ROUTES))}")
        self.orders.append(order)

    def strike(
        self, account: str, route: str, transport: str = HTTP, prewarm: bool = False, model: str | None = None
    ) -> Fault | None:
        """The fault this request meets, if any; a queued one is used up by it."""
        for order in self.orders:
            if not order.matches(account, route, transport, prewarm, model):
                continue
            if order.skip:
                order.skip -= 1
                continue
            if order.left is not None:
                order.left -= 1
                self.orders = [one for one in self.orders if one.left is None or one.left > 0]
            return order.fault
        return None

    def clear(self, account: str | None = None) -> None:
        """Forget all orders, or those of one account."""
        self.orders = [one for one in self.orders if account is not None and one.account != account]


def cut_at(carries_output: Sequence[bool], fault: Fault) -> int:
    """How many of a turn's events go out before the fault; its terminal event never does."""
    last = len(carries_output) - 1
    if not fault.after_deltas:
        return min(fault.after_events, last)
    wanted = fault.after_deltas
    for index, carries in enumerate(carries_output):
        wanted -= carries
        if wanted == 0:
            return min(index + 1, last)
    return last
