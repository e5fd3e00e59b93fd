"""Pools and their members."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts.readiness import AccountFacts, pool_health, readiness
from codex_pooler.snapshot.model import Switches
from codex_pooler.storage import queries_pools as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.queries_usage import NO_USAGE, usage_by
from codex_pooler.storage.scope import seen
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.problems import Problem, not_found
from codex_pooler.web.admin.schemas import common
from codex_pooler.web.admin.schemas.pools import AssignmentInput, AssignmentPatch, Pool, PoolInput, PoolPage, PoolPatch
from codex_pooler.web.admin.usage import pool_usage_view
from codex_pooler.web.context import LiveView

api = Api("pools")
FIELDS = ("name", "slug", "description", "strategy", "max_attempts", "model_aliases", "status")
MEMBER_FIELDS = tuple(queries.MEMBER_DEFAULTS)
SWITCH_DEFAULTS = asdict(Switches())


@api.endpoint("GET", "/pools", needs="pools:read", returns=PoolPage)
async def list_pools(call: Call) -> Any:
    """All pools the caller sees, by name."""
    async with call.context.database.session() as session:
        rows = await session.fetch(queries.LIST, **seen(call.caller.scope.visible))
        return common.page(await _views(session, rows, call.context.live))


@api.endpoint("GET", "/pools/{pool_id}", needs="pools:read", returns=Pool)
async def get_pool(call: Call) -> Any:
    """One pool."""
    async with call.context.database.session() as session:
        return await _view(call, session, call.ids["pool_id"])


@api.endpoint(
    "POST",
    "/pools",
    needs="pools:write",
    body=PoolInput,
    returns=Pool,
    status=201,
    errors=(409,),
    audit="pool.create",
)
async def create_pool(call: Call) -> Any:
    """Create a pool; without a slug one is made from the name."""
    identity = uuid7()
    chosen = {**queries.POOL_DEFAULTS, **call.body, "switches": _deviating(call.body.get("switches", {}))}
    async with call.changing("pools", "created") as changing:
        chosen["slug"] = call.body.get("slug") or await _free_slug(changing.session, chosen["name"])
        if not await changing.session.one(queries.INSERT, id=identity, **chosen):
            raise _slug_taken()
        changing.touched(identity, [identity])
        changing.changed({}, {name: chosen[name] for name in (*FIELDS, "switches") if chosen.get(name)})
        return await _view(call, changing.session, identity)


@api.endpoint(
    "PATCH",
    "/pools/{pool_id}",
    needs="pools:write",
    body=PoolPatch,
    returns=Pool,
    errors=(409,),
    versioned=True,
    audit="pool.update",
)
async def update_pool(call: Call) -> Any:
    """Change a pool."""
    pool_id = call.ids["pool_id"]
    async with call.changing("pools", "updated") as changing:
        current = await _locked(call, changing.session, pool_id)
        call.check_version(current.version)
        values = {name: call.body.get(name, getattr(current, name)) for name in FIELDS}
        values["switches"] = _deviating({**current.switches, **call.body.get("switches", {})})
        if values["slug"] != current.slug and await changing.session.one(queries.SLUG_USED, slug=values["slug"]):
            raise _slug_taken()
        await changing.session.execute(queries.UPDATE, pool_id=pool_id, **values)
        changing.touched(pool_id, [pool_id])
        changing.changed(current._asdict(), values)
        return await _view(call, changing.session, pool_id)


@api.endpoint(
    "DELETE", "/pools/{pool_id}", needs="pools:write", status=204, errors=(409,), versioned=True, audit="pool.delete"
)
async def delete_pool(call: Call) -> Any:
    """Delete an archived pool with its keys; its history stays."""
    pool_id = call.ids["pool_id"]
    async with call.changing("pools", "deleted") as changing:
        current = await _locked(call, changing.session, pool_id)
        call.check_version(current.version)
        if current.status != "archived":
            raise Problem(409, "pool_not_archived", "Archive the pool first: its keys stop working then.")
        await changing.session.execute(queries.DELETE, pool_id=pool_id)
        changing.touched(pool_id, [pool_id], label=current.name)


@api.endpoint(
    "POST",
    "/pools/{pool_id}/assignments",
    needs="pools:write",
    body=AssignmentInput,
    returns=Pool,
    status=201,
    errors=(409,),
    audit="pool.member_add",
)
async def create_assignment(call: Call) -> Any:
    """Put an account into a pool."""
    pool_id, account_id = call.ids["pool_id"], call.body["account_id"]
    async with call.changing("pools", "updated") as changing:
        await _locked(call, changing.session, pool_id)
        if not await changing.session.one(queries.ACCOUNT_EXISTS, account_id=account_id):
            raise not_found("/account_id")
        values = {**queries.MEMBER_DEFAULTS, **call.body}
        if not await changing.session.one(queries.INSERT_MEMBER, pool_id=pool_id, **values):
            raise Problem(
                409, "already_assigned", "The account is already in this pool; change its assignment instead."
            )
        changing.touched(pool_id, [pool_id])
        changing.details["account_id"] = account_id
        changing.changed({}, {name: values[name] for name in MEMBER_FIELDS})
        return await _view(call, changing.session, pool_id)


@api.endpoint(
    "PATCH",
    "/pools/{pool_id}/assignments/{account_id}",
    needs="pools:write",
    body=AssignmentPatch,
    returns=Pool,
    audit="pool.member_update",
)
async def update_assignment(call: Call) -> Any:
    """Change how an account takes part in a pool."""
    pool_id, account_id = call.ids["pool_id"], call.ids["account_id"]
    async with call.changing("pools", "updated") as changing:
        await _locked(call, changing.session, pool_id)
        current = await changing.session.one(queries.MEMBER, pool_id=pool_id, account_id=account_id)
        if current is None:
            raise not_found()
        values = {name: call.body.get(name, getattr(current, name)) for name in MEMBER_FIELDS}
        await changing.session.execute(queries.UPDATE_MEMBER, pool_id=pool_id, account_id=account_id, **values)
        changing.touched(pool_id, [pool_id])
        changing.details["account_id"] = account_id
        changing.changed(current._asdict(), values)
        return await _view(call, changing.session, pool_id)


@api.endpoint(
    "DELETE",
    "/pools/{pool_id}/assignments/{account_id}",
    needs="pools:write",
    returns=Pool,
    audit="pool.member_remove",
)
async def delete_assignment(call: Call) -> Any:
    """Take an account out of a pool; the account itself stays."""
    pool_id, account_id = call.ids["pool_id"], call.ids["account_id"]
    async with call.changing("pools", "updated") as changing:
        await _locked(call, changing.session, pool_id)
        if not await changing.session.execute(queries.DELETE_MEMBER, pool_id=pool_id, account_id=account_id):
            raise not_found()
        changing.touched(pool_id, [pool_id])
        changing.details["account_id"] = account_id
        return await _view(call, changing.session, pool_id)


async def require_pool(call: Call, session: Session, pool_id: UUID, pointer: str) -> Any:
    """The pool a body or a query names.  Raises Problem 404 when it is missing or not the caller's."""
    rows = await session.fetch(queries.ONE, pool_id=pool_id)
    if not rows or not _sees(call, rows[0]):
        raise not_found(pointer)
    return rows[0]


def _sees(call: Call, row: Any) -> bool:
    return call.caller.scope.sees(row.id)


async def _locked(call: Call, session: Session, pool_id: UUID) -> Any:
    row = await session.one(queries.LOCK, pool_id=pool_id)
    if row is None or not _sees(call, row):
        raise not_found()
    return row


async def _view(call: Call, session: Session, pool_id: UUID) -> dict[str, Any]:
    rows = await session.fetch(queries.ONE, pool_id=pool_id)
    if not rows or not _sees(call, rows[0]):
        raise not_found()
    return (await _views(session, rows, call.context.live))[0]


async def _views(session: Session, rows: Sequence[Any], live: LiveView) -> list[dict[str, Any]]:
    """Pools as they are answered, in as many queries for one pool as for a hundred."""
    ids = [row.id for row in rows]
    members: dict[UUID, list[Any]] = {identity: [] for identity in ids}
    for member in await session.fetch(queries.MEMBERS, pool_ids=ids):
        members[member.pool_id].append(member)
    keys = {row.pool_id: row for row in await session.fetch(queries.KEY_COUNTS, pool_ids=ids)}
    usage = await usage_by(session, "pool_id", ids)
    return [
        _pool_view(row, members[row.id], keys.get(row.id), live)
        | {"usage": pool_usage_view(usage.get(row.id, NO_USAGE))}
        for row in rows
    ]


def _pool_view(row: Any, members: Sequence[Any], keys: Any, live: LiveView) -> dict[str, Any]:
    usable = [_can_serve(member, live) for member in members]
    health = pool_health(row.status, usable)
    return {
        **row._asdict(),
        "switches": {name: row.switches.get(name, usual) for name, usual in SWITCH_DEFAULTS.items()},
        "counts": {
            "accounts": len(members),
            "usable_accounts": sum(usable),
            "api_keys": keys.total if keys else 0,
            "active_api_keys": keys.active if keys else 0,
        },
        "health": {"verdict": health.verdict, "reasons": [{"code": c, "text": t} for c, t in health.reasons]},
        "members": [_member_view(member) for member in members],
    }


def _can_serve(member: Any, live: LiveView) -> bool:
    facts = AccountFacts(
        state=member.state,
        access_expires_at=member.access_expires_at,
        cooling_until=live.cooling_until(member.account_id),
        blocked_until=live.blocked_until(member.account_id),
        in_a_pool=True,
    )
    return bool(member.enabled) and readiness(facts, datetime.now(UTC)).can_serve


def _member_view(member: Any) -> dict[str, Any]:
    return {
        "account": common.ref(member.account_id, member.label),
        "state": member.state,
        **{name: getattr(member, name) for name in MEMBER_FIELDS},
    }


def _deviating(switches: Mapping[str, bool]) -> dict[str, bool]:
    """What is stored of a pool's switches: those that differ from what is usual."""
    return {name: value for name, value in switches.items() if SWITCH_DEFAULTS.get(name, value) != value}


def slug_from(name: str) -> str:
    """Lower-case letters, digits and dashes out of any name; ``pool`` when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-") or "pool"


async def _free_slug(session: Session, name: str) -> str:
    base = slug_from(name)
    taken = {row.slug for row in await session.fetch(queries.SLUGS_LIKE, pattern=f"{base}%")}
    if base not in taken:
        return base
    number = next(n for n in range(2, len(taken) + 3) if f"{base}-{n}" not in taken)
    return f"{base}-{number}"


def _slug_taken() -> Problem:
    message = "Another pool has this slug; choose another one."
    return Problem(409, "slug_taken", message, errors=[("/slug", "slug_taken", message)])
