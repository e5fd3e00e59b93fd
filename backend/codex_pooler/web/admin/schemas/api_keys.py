"""Shapes of pool API keys: policy, limits, consumption; the secret is only in the answers to create and rotate."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import ValidationError, fields, validate

from codex_pooler.keys.limit_names import KEY_LIMITS, WINDOW_LIMITS
from codex_pooler.keys.policy import EFFORTS, TIERS
from codex_pooler.keys.windows import METRICS, WINDOWS
from codex_pooler.snapshot.networks import read_network
from codex_pooler.web.admin.schemas.common import (
    AllowedAction,
    Instant,
    PageInfo,
    Ref,
    Shape,
    count,
    line,
    list_of,
    nested,
    out,
    text,
    whole,
)
from codex_pooler.web.admin.usage import usd

MODEL_MODES = ("all", "selected", "none")
REASONING_MODES = ("unrestricted", "max", "exact")
MOST = 10**15
MICROS = 1_000_000
MOST_USD = 1_000_000


class Usd(fields.String):
    """Money as a decimal string of US dollars; millionths inside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return usd(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise ValidationError('Send US dollars as a decimal string, such as "12.50".')
        try:
            micros = Decimal(str(value)) * MICROS
        except InvalidOperation:
            raise ValidationError('Send US dollars as a decimal string, such as "12.50".') from None
        if not micros.is_finite() or micros != micros.to_integral_value() or not 0 < micros <= MOST_USD * MICROS:
            raise ValidationError(f"Send more than 0 and at most {MOST_USD} US dollars, with up to 6 decimals.")
        return int(micros)


class NetworkField(fields.String):
    """A network in CIDR notation or a single address, kept as it is usually written."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return str(read_network(super()._deserialize(value, attr, data, **kwargs).strip()))
        except ValueError:
            raise ValidationError("Send a network such as 10.0.0.0/8 or 2001:db8::/32, or one address.") from None


class ByModel(fields.Dict):
    """An object with a member per model; what is wrong is told at that member."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as exc:
            found = exc.messages
            told = (
                {name: next(iter(each.values())) for name, each in found.items()} if isinstance(found, dict) else found
            )
            raise ValidationError(told) from None


def _limit_in(name: str) -> fields.Field[Any]:
    if "cost_usd" in name:
        return Usd(allow_none=True)
    return whole(1, 10_000 if name == "max_concurrent_requests" else MOST, allow_none=True)


def _limit_out(name: str) -> fields.Field[Any]:
    shown: fields.Field[Any] = out(Usd, null=True) if "cost_usd" in name else count(null=True)
    return shown


# one field per name in keys/limit_names.py; null is no limit
ModelLimits = Shape.from_dict({name: _limit_out(name) for name in WINDOW_LIMITS}, name="ModelLimits")
KeyLimits = Shape.from_dict({name: _limit_out(name) for name in (*WINDOW_LIMITS, *KEY_LIMITS)}, name="KeyLimits")
ModelLimitsPatch = Shape.from_dict({name: _limit_in(name) for name in WINDOW_LIMITS}, name="ModelLimitsPatch")
KeyLimitsPatch = Shape.from_dict(
    {name: _limit_in(name) for name in (*WINDOW_LIMITS, *KEY_LIMITS)}, name="KeyLimitsPatch"
)


class LimitSet(Shape):
    """Limits in general, and of single models; a model's own limits replace the general ones for it."""

    default = nested(KeyLimits)
    per_model = out(fields.Dict, keys=fields.String(), values=fields.Nested(ModelLimits))


class LimitSetPatch(Shape):
    """Only the limits that are named change; null removes one, or all of a model."""

    default = fields.Nested(KeyLimitsPatch)
    per_model = ByModel(
        keys=line(1, 200), values=fields.Nested(ModelLimitsPatch, allow_none=True), validate=validate.Length(max=50)
    )


class KeyModels(Shape):
    """Which models the key may use; ``ids`` is empty unless ``mode`` is ``selected``."""

    mode = text(among=MODEL_MODES)
    ids = list_of(fields.String())


class KeyModelsPatch(Shape):
    """Which models the key may use: all, those in ``ids``, or none."""

    mode = fields.String(required=True, validate=validate.OneOf(MODEL_MODES))
    ids = fields.List(line(1, 200), validate=validate.Length(max=200))


class Reasoning(Shape):
    """``max`` refuses efforts above ``effort``, ``exact`` puts it in place of any."""

    mode = text(among=REASONING_MODES)
    effort = text(null=True, among=EFFORTS)


class ReasoningPatch(Shape):
    """An ``effort`` belongs to the modes ``max`` and ``exact``."""

    mode = fields.String(required=True, validate=validate.OneOf(REASONING_MODES))
    effort = fields.String(allow_none=True, validate=validate.OneOf(EFFORTS))


class Enforcement(Shape):
    """What is put in place of what clients ask for; null leaves it to them."""

    model = text(null=True)
    reasoning = nested(Reasoning)
    service_tier = text(null=True, among=TIERS)


class EnforcementPatch(Shape):
    """What to enforce; null stops enforcing it, ``fast`` is another word for the tier ``priority``."""

    model = line(1, 200, allow_none=True)
    reasoning = fields.Nested(ReasoningPatch)
    service_tier = fields.String(allow_none=True, validate=validate.OneOf((*TIERS, "fast")))


class LimitConsumption(Shape):
    """How far one limit is used up, ``used`` and ``max`` in its metric's unit; what runs right now is not in it."""

    limit = text(among=tuple(WINDOW_LIMITS))
    model = text(null=True)
    metric = text(among=METRICS)
    window = text(among=WINDOWS)
    used = count()
    max = count()
    percent = out(fields.Float)
    resets_at = out(Instant, null=True)


class KeyUsage(Shape):
    """The last 24 hours of a key; the cost lacks the ``unpriced`` turns."""

    window = text(among=("24h",))
    requests = count()
    failed = count()
    tokens = count()
    cost_usd = text()
    unpriced = count()
    tokens_hourly = list_of(fields.Integer())


class ApiKey(Shape):
    """A key that clients send to use one pool."""

    id = out(fields.UUID)
    version = count()
    name = text()
    prefix = text()
    pool = nested(Ref)
    status = text(among=("active", "paused", "revoked", "expired"))
    expires_at = out(Instant, null=True)
    last_used_at = out(Instant, null=True)
    notes = text(null=True)
    models = nested(KeyModels)
    enforcement = nested(Enforcement)
    limits = nested(LimitSet)
    allowed_networks = out(fields.List, fields.String(), null=True)
    consumption = list_of(LimitConsumption)
    usage = nested(KeyUsage)
    created_at = out(Instant)
    updated_at = out(Instant)
    allowed_actions = list_of(AllowedAction)


class ApiKeyWithSecret(ApiKey):
    """A key with its secret, shown this once."""

    secret = text()


class ApiKeyPage(Shape):
    """All keys the caller sees."""

    items = list_of(ApiKey)
    page = nested(PageInfo)


class ApiKeyPatch(Shape):
    """What to change about a key; what is not named stays as it is.

    ``allowed_models`` is short for ``models``: a list, or null for all.  ``allowed_networks`` null is from anywhere.
    """

    name = line(1, 100)
    notes = fields.String(allow_none=True, validate=validate.Length(max=2000))
    expires_at = Instant(allow_none=True)
    allowed_models = fields.List(line(1, 200), allow_none=True, validate=validate.Length(max=200))
    models = fields.Nested(KeyModelsPatch)
    enforcement = fields.Nested(EnforcementPatch)
    limits = fields.Nested(LimitSetPatch)
    allowed_networks = fields.List(NetworkField(), allow_none=True, validate=validate.Length(1, 100))


class ApiKeyInput(ApiKeyPatch):
    """A new key; without ``expires_at`` it lives until it is revoked."""

    name = line(1, 100, required=True)
    pool_id = fields.UUID(required=True)


class ApiKeyMove(Shape):
    """The pool whose accounts the key is to use."""

    pool_id = fields.UUID(required=True)
