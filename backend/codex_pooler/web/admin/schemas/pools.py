"""Shapes of pools and of the accounts assigned to them."""

from __future__ import annotations

from dataclasses import fields as fields_of
from typing import Any

from marshmallow import fields, validate

from codex_pooler.snapshot.model import Switches
from codex_pooler.storage.tables import ACCOUNT_STATES, POOL_STATES, STRATEGIES
from codex_pooler.web.admin.schemas.common import (
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

SWITCHES = fields_of(Switches)
SLUG = validate.Regexp(r"^[a-z0-9][a-z0-9-]{0,62}\Z", error="Use lower-case letters, digits and dashes.")


class PoolCounts(Shape):
    """How many accounts and keys the pool has, and how many of them work now."""

    accounts = count()
    usable_accounts = count()
    api_keys = count()
    active_api_keys = count()


class HealthReason(Shape):
    """One reason for a verdict."""

    code = text()
    text = text()


class PoolHealth(Shape):
    """Whether the pool can serve now."""

    verdict = text(among=("ok", "degraded", "down", "empty"))
    reasons = list_of(HealthReason)


class PoolUsage(Shape):
    """The last 24 hours; ``success_rate`` is a percentage of finished turns, ``unpriced`` turns are not in the cost."""

    window = text(among=("24h",))
    requests = count()
    failed = count()
    success_rate = out(fields.Float, null=True)
    tokens = count()
    cached_tokens = count()
    cost_usd = text()
    unpriced = count()
    tokens_hourly = list_of(fields.Integer())


class PoolMember(Shape):
    """An account in the pool; the highest ``priority`` goes first."""

    account = nested(Ref)
    state = text(among=ACCOUNT_STATES)
    enabled = out(fields.Boolean)
    priority = count()
    weight = out(fields.Float)
    max_concurrency = count(null=True)
    max_primary_percent = count(null=True)
    max_secondary_percent = count(null=True)


# one field per switch in snapshot/model.py
PoolSwitches = Shape.from_dict({switch.name: out(fields.Boolean) for switch in SWITCHES}, name="PoolSwitches")
PoolSwitchesPatch = Shape.from_dict(
    {switch.name: fields.Boolean(truthy={True}, falsy={False}) for switch in SWITCHES}, name="PoolSwitchesPatch"
)


class ModelAlias(Shape):
    """Another name for a model, for tools that know none of the pool's: ``match`` may have ``*`` in it.

    Names are compared without regard to case; of several that match the first counts.
    """

    match = text()
    model = text()


class ModelAliasInput(Shape):
    """What a tool may call a model, and the model it gets."""

    match = line(1, 100, required=True)
    model = line(1, 100, required=True)


class Pool(Shape):
    """A set of accounts behind one set of keys."""

    id = out(fields.UUID)
    version = count()
    slug = text()
    name = text()
    description = text(null=True)
    status = text(among=POOL_STATES)
    strategy = text(among=STRATEGIES)
    max_attempts = count()
    switches = nested(PoolSwitches)
    model_aliases = list_of(ModelAlias)
    created_at = out(Instant)
    updated_at = out(Instant)
    counts = nested(PoolCounts)
    health = nested(PoolHealth)
    usage = nested(PoolUsage)
    members = list_of(PoolMember)


class PoolPage(Shape):
    """All pools the caller sees."""

    items = list_of(Pool)
    page = nested(PageInfo)


def _description() -> fields.String:
    return fields.String(allow_none=True, validate=validate.Length(max=1000))


def _aliases() -> fields.Field[Any]:
    return fields.List(fields.Nested(ModelAliasInput), validate=validate.Length(max=100))


class PoolInput(Shape):
    """A new pool; only the name is needed."""

    name = line(1, 100, required=True)
    slug = fields.String(validate=SLUG)
    description = _description()
    strategy = fields.String(validate=validate.OneOf(STRATEGIES))
    max_attempts = whole(1, 10)
    switches = fields.Nested(PoolSwitchesPatch)
    model_aliases = _aliases()


class PoolPatch(Shape):
    """What to change about a pool; switches that are not named stay as they are."""

    name = line(1, 100)
    slug = fields.String(validate=SLUG)
    description = _description()
    strategy = fields.String(validate=validate.OneOf(STRATEGIES))
    max_attempts = whole(1, 10)
    switches = fields.Nested(PoolSwitchesPatch)
    model_aliases = _aliases()
    status = fields.String(validate=validate.OneOf(POOL_STATES))


class AssignmentPatch(Shape):
    """How an account takes part in a pool.

    The percentages keep something back for the account's owner: once a short (primary) or a weekly or monthly
    (secondary) window is used up to that much, the pool turns to other accounts.
    """

    priority = whole(-1000, 1000)
    weight = fields.Float(validate=validate.Range(0.01, 100))
    max_concurrency = whole(1, 10_000, allow_none=True)
    max_primary_percent = whole(1, 100, allow_none=True)
    max_secondary_percent = whole(1, 100, allow_none=True)
    enabled = fields.Boolean(truthy={True}, falsy={False})


class AssignmentInput(AssignmentPatch):
    """An account to put into a pool."""

    account_id = fields.UUID(required=True)
