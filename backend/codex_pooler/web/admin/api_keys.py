"""Pool API keys; their secret is answered once, by create and by rotate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.keys import editing, lifecycle
from codex_pooler.keys.limit_names import KEY_LIMITS, WINDOW_LIMITS, grouped, name_of
from codex_pooler.keys.limits import now as moment
from codex_pooler.keys.loading import consumption_of
from codex_pooler.keys.material import KeyMaterial, new_material
from codex_pooler.keys.tally import Consumption
from codex_pooler.snapshot.model import Limit
from codex_pooler.storage import queries_keys as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.queries_usage import NO_USAGE, usage_by
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.problems import not_found, refused_field
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.api_keys import (
    ApiKey,
    ApiKeyInput,
    ApiKeyMove,
    ApiKeyPage,
    ApiKeyPatch,
    ApiKeyWithSecret,
)
from codex_pooler.web.admin.usage import usage_view

api = Api("api-keys")
PLAIN = (
    "id",
    "version",
    "name",
    "notes",
    "prefix",
    "expires_at",
    "allowed_networks",
    "last_used_at",
    "created_at",
    "updated_at",
)


@api.endpoint("GET", "/api-keys", needs="keys:read", returns=ApiKeyPage)
async def list_api_keys(call: Call) -> Any:
    """All keys the caller sees, newest first."""
    async with call.context.database.session() as session:
        rows = await session.fetch(queries.LIST, **seen(call.caller.scope.visible))
        return common.page(await _views(call, session, rows))


@api.endpoint("GET", "/api-keys/{api_key_id}", needs="keys:read", returns=ApiKey)
async def get_api_key(call: Call) -> Any:
    """One key."""
    async with call.context.database.session() as session:
        return await _view(call, session, call.ids["api_key_id"])


@api.endpoint(
    "POST",
    "/api-keys",
    needs="keys:write",
    body=ApiKeyInput,
    returns=ApiKeyWithSecret,
    status=201,
    errors=(404,),
    audit="api_key.create",
)
async def create_api_key(call: Call) -> Any:
    """Create a key for a pool; the answer is the only place where its secret appears."""
    _check_expiry(call.body.get("expires_at"))
    values = editing.merged(editing.NEW_KEY, call.body)
    identity, material = uuid7(), new_material(call.context.keyring)
    async with call.changing("keys", "created") as changing:
        pool = await require_pool(call, changing.session, call.body["pool_id"], "/pool_id")
        await changing.session.execute(
            queries.INSERT,
            id=identity,
            pool_id=pool.id,
            **values,
            **_stored(material),
        )
        changing.touched(identity, [pool.id])
        changing.details["prefix"] = material.prefix
        changing.changed({}, {name: value for name, value in values.items() if value})
        return {**await _view(call, changing.session, identity), "secret": material.secret}


@api.endpoint(
    "PATCH",
    "/api-keys/{api_key_id}",
    needs="keys:write",
    body=ApiKeyPatch,
    returns=ApiKey,
    errors=(409,),
    versioned=True,
    audit="api_key.update",
)
async def update_api_key(call: Call) -> Any:
    """Change a key: its name, notes, expiry, policy, limits or networks."""
    if "expires_at" in call.body:
        _check_expiry(call.body["expires_at"])
    async with call.changing("keys", "updated") as changing:
        current = await _permitted(call, changing, "edit")
        values = editing.merged(current._asdict(), call.body)
        await changing.session.execute(queries.UPDATE, api_key_id=current.id, **values)
        changing.changed(current._asdict(), values)
        if editing.must_end_sockets(current._asdict(), values):
            await changing.session.execute(queries.END_SOCKETS, api_key_id=current.id)
        return await _view(call, changing.session, current.id)


@api.endpoint(
    "POST",
    "/api-keys/{api_key_id}/rotate",
    needs="keys:write",
    returns=ApiKeyWithSecret,
    errors=(409,),
    versioned=True,
    audit="api_key.rotate",
)
async def rotate_api_key(call: Call) -> Any:
    """Give a key a new secret; the old one stops working at once."""
    material = new_material(call.context.keyring)
    async with call.changing("keys", "updated") as changing:
        current = await _permitted(call, changing, "rotate")
        await changing.session.execute(queries.ROTATE, api_key_id=current.id, **_stored(material))
        changing.details["prefix"] = material.prefix
        return {**await _view(call, changing.session, current.id), "secret": material.secret}


@api.endpoint(
    "POST",
    "/api-keys/{api_key_id}/pause",
    needs="keys:write",
    returns=ApiKey,
    errors=(409,),
    versioned=True,
    audit="api_key.pause",
)
async def pause_api_key(call: Call) -> Any:
    """Refuse a key until it is resumed."""
    return await _move(call, "pause")


@api.endpoint(
    "POST",
    "/api-keys/{api_key_id}/resume",
    needs="keys:write",
    returns=ApiKey,
    errors=(409,),
    versioned=True,
    audit="api_key.resume",
)
async def resume_api_key(call: Call) -> Any:
    """Accept a paused key again."""
    return await _move(call, "resume")


@api.endpoint(
    "POST",
    "/api-keys/{api_key_id}/revoke",
    needs="keys:write",
    returns=ApiKey,
    errors=(409,),
    versioned=True,
    audit="api_key.revoke",
)
async def revoke_api_key(call: Call) -> Any:
    """Refuse a key for ever."""
    return await _move(call, "revoke")


@api.endpoint(
    "POST",
    "/api-keys/{api_key_id}/move",
    needs="keys:write",
    body=ApiKeyMove,
    returns=ApiKey,
    errors=(409,),
    versioned=True,
    audit="api_key.move",
)
async def move_api_key(call: Call) -> Any:
    """Let a key use another pool's accounts; its open sockets end."""
    async with call.changing("keys", "updated") as changing:
        current = await _permitted(call, changing, "move")
        pool = await require_pool(call, changing.session, call.body["pool_id"], "/pool_id")
        await changing.session.execute(queries.MOVE, api_key_id=current.id, pool_id=pool.id)
        changing.touched(current.id, [pool.id])
        changing.changed({"pool_id": current.pool_id}, {"pool_id": pool.id})
        return await _view(call, changing.session, current.id)


@api.endpoint(
    "DELETE",
    "/api-keys/{api_key_id}",
    needs="keys:write",
    status=204,
    errors=(409,),
    versioned=True,
    audit="api_key.delete",
)
async def delete_api_key(call: Call) -> Any:
    """Delete a revoked or expired key; its history stays."""
    async with call.changing("keys", "deleted") as changing:
        current = await _permitted(call, changing, "delete")
        await changing.session.execute(queries.DELETE, api_key_id=current.id)


def _stored(material: KeyMaterial) -> dict[str, Any]:
    return {"prefix": material.prefix, "digest": material.digest}


def _check_expiry(moment: datetime | None) -> None:
    if moment is not None and moment <= datetime.now(UTC):
        raise refused_field("/expires_at", "in_the_past", "Choose a moment in the future, or none.")


async def _permitted(call: Call, changing: Changing, action: str) -> Any:
    """The key, locked, when ``action`` is possible.  Raises Problem 404, 412 or KeyActionRefused."""
    row = await changing.session.one(queries.LOCK, api_key_id=call.ids["api_key_id"])
    if row is None or not call.caller.scope.sees(row.pool_id):
        raise not_found()
    call.check_version(row.version)
    lifecycle.require(action, lifecycle.standing(row.status, row.expires_at, datetime.now(UTC)))
    changing.touched(row.id, [row.pool_id], label=row.name)
    return row


async def _move(call: Call, action: str) -> dict[str, Any]:
    async with call.changing("keys", "updated") as changing:
        current = await _permitted(call, changing, action)
        await changing.session.execute(queries.SET_STATUS, api_key_id=current.id, status=lifecycle.RESULT[action])
        return await _view(call, changing.session, current.id)


async def _view(call: Call, session: Session, api_key_id: UUID) -> dict[str, Any]:
    rows = await session.fetch(queries.ONE, api_key_id=api_key_id)
    if not rows or not call.caller.scope.sees(rows[0].pool_id):
        raise not_found()
    return (await _views(call, session, rows))[0]


async def _views(call: Call, session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    usage = await usage_by(session, "api_key_id", [row.id for row in rows])
    consumed = await consumption_of(session, [(row.id, _limits(row)) for row in rows], moment())
    return [
        _key_view(call, row)
        | {
            "usage": usage_view(usage.get(row.id, NO_USAGE)),
            "consumption": [_consumption_view(each) for each in consumed.get(row.id, ())],
        }
        for row in rows
    ]


def _limits(row: Any) -> list[Limit]:
    return [Limit(**limit) for limit in row.limits]


def _key_view(call: Call, row: Any) -> dict[str, Any]:
    status = lifecycle.standing(row.status, row.expires_at, datetime.now(UTC))
    denied = None if call.caller.may("keys:write") else "Your role may only look."
    return {
        **{name: getattr(row, name) for name in PLAIN},
        "pool": common.ref(row.pool_id, row.pool_name),
        "status": status,
        "models": {"mode": _models_mode(row.allowed_models), "ids": row.allowed_models or []},
        "enforcement": {
            "model": row.enforced_model,
            "reasoning": _reasoning_view(row),
            "service_tier": row.enforced_service_tier,
        },
        "limits": _limits_view(row),
        "allowed_actions": [
            {"action": action, "enabled": not (denied or reason), "reason": denied or reason}
            for action, reason in lifecycle.refusals(status).items()
        ],
    }


def _models_mode(allowed: Sequence[str] | None) -> str:
    if allowed is None:
        return "all"
    return "selected" if allowed else "none"


def _reasoning_view(row: Any) -> dict[str, Any]:
    if row.enforced_effort:
        return {"mode": "exact", "effort": row.enforced_effort}
    return {"mode": "max" if row.maximum_effort else "unrestricted", "effort": row.maximum_effort}


def _limits_view(row: Any) -> dict[str, Any]:
    groups = grouped(_limits(row))
    nothing = dict.fromkeys(WINDOW_LIMITS)
    general = {name: getattr(row, column) for name, column in KEY_LIMITS.items()}
    return {
        "default": {**nothing, **groups.pop(None), **general},
        "per_model": {model: {**nothing, **maxima} for model, maxima in groups.items()},
    }


def _consumption_view(consumed: Consumption) -> dict[str, Any]:
    limit = consumed.limit
    return {
        "limit": name_of(limit),
        "model": limit.model,
        "metric": limit.metric,
        "window": limit.window,
        "used": consumed.used,
        "max": limit.maximum,
        "percent": round(100 * consumed.used / limit.maximum, 1),
        "resets_at": datetime.fromtimestamp(consumed.resets_at, UTC) if consumed.resets_at else None,
    }
