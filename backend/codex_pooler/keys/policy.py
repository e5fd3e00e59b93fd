"""What a key may ask for in one turn (models, effort, tier, size), and what is put in place of what it asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from codex_pooler.protocol.requests import BadRequest, RoutedFields, read_fields, rewritten
from codex_pooler.snapshot.model import Key

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
RANK = {effort: rank for rank, effort in enumerate(EFFORTS)}
UNNAMED_EFFORT = "medium"  # what the backend takes a turn for that names none
SENT_EFFORT = {"minimal": "low", "ultra": "max"}  # names that clients know and the backend does not
TIERS = ("auto", "default", "flex", "priority", "scale")
SENT_TIER = {"fast": "priority", "auto": None, "default": None}  # None: sent without the member
BYTES_PER_TOKEN = 4
MEDIA_TOKENS = 1_500  # about what one image costs, however many bytes it has
MEDIA_MARK, MEDIA_ENDS = b";base64,", (b'"', b" ")
NAMED_MODELS = 10  # as many as a message names


class PolicyRefused(Exception):
    """The key's policy does not allow the request.  ``code`` is stable, ``param`` names the member at fault."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.param = status, code, message, param


@dataclass(frozen=True, slots=True)
class Shaped:
    """A turn as it goes upstream.  ``requested_model`` is what the client asked for, where the policy replaced it.

    ``prompt_bytes`` is what its size is estimated by: where limits depend on it, media in it counts at a flat price.
    """

    body: bytes = field(repr=False)
    fields: RoutedFields = field(repr=False)
    requested_model: str | None = None
    prompt_bytes: int = 0


def shaped(key: Key, body: bytes, fields: RoutedFields) -> Shaped:
    """The turn as the key's policy wants it; the very same body when nothing has to change.

    Raises PolicyRefused, and BadRequest when a body that must be rewritten cannot be.
    """
    model = key.policy.enforced_model or fields.model
    check_model(key, model)
    size = prompt_bytes(body) if key.limits or key.policy.max_input_tokens is not None else len(body)
    _check_size(key, size, fields)
    effort, tier = _effort(key, fields.effort), _tier(key, fields.service_tier)
    if model == fields.model and effort == fields.effort and tier == fields.service_tier:
        return Shaped(body, fields, None, size)
    rewrite = _rewrite(body, fields, model, effort, tier)
    return Shaped(rewrite, read_fields(rewrite), fields.model if model != fields.model else None, size)


def may_use(key: Key, model: str) -> bool:
    """Whether the key's list allows the model; names are compared without regard to case."""
    allowed = key.policy.allowed_models
    if allowed is None or model in allowed:
        return True
    wanted = model.casefold()
    return any(name.casefold() == wanted for name in allowed)


def check_model(key: Key, model: str) -> None:
    """Raises PolicyRefused when the key is limited to other models."""
    if may_use(key, model):
        return
    if key.policy.enforced_model == model:
        message = (
            f"the key {key.name!r} always uses a model that its own list does not allow;"
            " an operator has to correct the key's policy in the console"
        )
        raise PolicyRefused(403, "api_key_policy_malformed", message, "model")
    raise PolicyRefused(403, "model_not_allowed", _other_models(key), "model")


def _other_models(key: Key) -> str:
    names = sorted(key.policy.allowed_models or ())
    if not names:
        return f"the key {key.name!r} may not use any model; ask an operator to allow some in the console"
    listed = ", ".join(names[:NAMED_MODELS]) + (", …" if len(names) > NAMED_MODELS else "")
    return (
        f"the key {key.name!r} may not use that model; choose one of {listed}, or ask an operator to allow it"
        if len(names) > 1
        else f"the key {key.name!r} may use the model {listed} only; choose that, or ask an operator to allow others"
    )


def _effort(key: Key, asked: str | None) -> str | None:
    """The effort to send; None leaves the member out."""
    policy, wanted = key.policy, asked
    if policy.enforced_effort:
        wanted = policy.enforced_effort
    elif policy.maximum_effort:
        wanted = _within(key, policy.maximum_effort, asked)
    return SENT_EFFORT.get(wanted, wanted) if wanted else None


def _within(key: Key, maximum: str, asked: str | None) -> str | None:
    """What was asked for, when it is not above ``maximum``; a turn that names no effort must not get past it either."""
    highest = RANK.get(maximum, 0)
    if asked is None:
        return maximum if highest < RANK[UNNAMED_EFFORT] else None
    if RANK.get(asked.lower(), len(EFFORTS)) <= highest:
        return asked
    message = (
        f"the key {key.name!r} allows reasoning effort up to {maximum!r}; set reasoning.effort (in Codex:"
        f" model_reasoning_effort) to {maximum!r} or lower, or ask an operator to allow more"
    )
    raise PolicyRefused(400, "reasoning_effort_not_allowed", message, "reasoning.effort")


def _tier(key: Key, asked: str | None) -> str | None:
    """The service tier to send; None leaves the member out."""
    wanted = key.policy.enforced_service_tier or asked
    return SENT_TIER.get(wanted, wanted) if wanted else None


def _check_size(key: Key, size: int, fields: RoutedFields) -> None:
    """Raises PolicyRefused when the prompt, or the answer the client asks for, is larger than the key allows."""
    policy, tokens = key.policy, size // BYTES_PER_TOKEN
    if policy.max_input_tokens is not None and tokens > policy.max_input_tokens:
        message = (
            f"the key {key.name!r} allows {policy.max_input_tokens:,} input tokens per request, and this one has about"
            f" {tokens:,}; shorten it (in Codex: /compact), or ask an operator to allow more"
        )
        raise PolicyRefused(400, "api_key_policy_limit_exceeded", message, "input")
    asked = output_cap(fields)
    if policy.max_output_tokens is not None and asked is not None and asked > policy.max_output_tokens:
        message = (
            f"the key {key.name!r} allows {policy.max_output_tokens:,} output tokens per request; set max_output_tokens"
            " to that or less, or ask an operator to allow more"
        )
        raise PolicyRefused(400, "api_key_policy_limit_exceeded", message, "max_output_tokens")


def output_cap(fields: RoutedFields) -> int | None:
    """The client's own limit of the answer, in tokens; None when it set none that makes sense."""
    asked = fields.max_output_tokens
    return asked if isinstance(asked, int) and not isinstance(asked, bool) and asked > 0 else None


def prompt_bytes(body: bytes) -> int:
    """The bytes of a body, with media that travels inside it counted as if it were the text it costs."""
    size, start = len(body), body.find(MEDIA_MARK)
    while start >= 0:
        end = min(found if found >= 0 else len(body) for found in (body.find(mark, start) for mark in MEDIA_ENDS))
        size += MEDIA_TOKENS * BYTES_PER_TOKEN - (end - start)
        start = body.find(MEDIA_MARK, end)
    return size


class _Reasoning(msgspec.Struct):
    reasoning: dict[str, msgspec.Raw] | None = None


_reasoning = msgspec.json.Decoder(_Reasoning)


def _rewrite(body: bytes, fields: RoutedFields, model: str, effort: str | None, tier: str | None) -> bytes:
    """The body with what differs put in; the other members of ``reasoning`` stay as they are."""
    changes: dict[str, object] = {}
    dropped: list[str] = []
    try:
        if model != fields.model:
            changes["model"] = model
        if effort != fields.effort:
            changes["reasoning"] = {**(_reasoning.decode(body).reasoning or {}), "effort": effort}
        if tier != fields.service_tier:
            changes.update({"service_tier": tier} if tier else {})
            dropped += [] if tier else ["service_tier"]
        return rewritten(body, dropping=dropped, **changes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is not valid JSON") from None
