"""Logins that are handed in: as an ``auth.json``, as many of them, or as an access token; for a pool or an account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from codex_pooler.accounts.access_tokens import credentials_of_access_token
from codex_pooler.accounts.auth_json import AuthJsonError, Credentials, parse_auth_json
from codex_pooler.accounts.importing import IdentityConflict, Landing, land, lock_identity
from codex_pooler.accounts.login_files import logins_in
from codex_pooler.accounts.proxies import checked_proxy, stored_proxy
from codex_pooler.storage.database import UNAVAILABLE, Session
from codex_pooler.web.admin.api import Answer, Api, Call
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.schemas.linking import (
    CredentialsInput,
    ImportInput,
    ImportManyInput,
    ImportManyResult,
    ImportResult,
)
from codex_pooler.web.admin.schemas.upstreams import Upstream
from codex_pooler.web.admin.upstream_view import account_view, locked_account

api = Api("upstreams")
ONBOARDING = {"oauth": "import", "pat": "access_token"}
TITLES = {
    "expired_token": "The sign-in has expired",
    "identity_conflict": "The account cannot be told for sure, or is not yours",
    "database_unavailable": "The database does not answer",
}
NOT_USABLE = "This is not a usable sign-in"
AWAY = "The database did not answer, so this one was not stored. Import it again."


@api.endpoint(
    "POST",
    "/upstreams/import",
    needs="upstreams:write",
    body=ImportInput,
    returns=ImportResult,
    status=201,
    also=(200,),
    errors=(404, 409, 502),
    audit="upstream_account.import",
)
async def import_upstream(call: Call) -> Any:
    """Import a login into a pool: 201 for a new account, 200 when an account got a new login."""
    proxy = checked_proxy(call.body.get("egress_proxy"))
    async with call.context.database.session() as session:
        pool = await require_pool(call, session, call.body["pool_id"], "/pool_id")
    credentials = await _credentials(call, proxy)
    done = await _import(call, credentials, _landing(call, credentials, pool.id, proxy, call.body.get("label")))
    return Answer({"result": done.result, "account": done.account}, 201 if done.result == "created" else 200)


@api.endpoint(
    "POST",
    "/upstreams/import-many",
    needs="upstreams:write",
    body=ImportManyInput,
    returns=ImportManyResult,
    errors=(404,),
    audit="upstream_account.import",
)
async def import_many_upstreams(call: Call) -> Any:
    """Import every login of the given texts into a pool, each for itself: one that fails leaves the others alone."""
    proxy = checked_proxy(call.body.get("egress_proxy"))
    async with call.context.database.session() as session:
        pool = await require_pool(call, session, call.body["pool_id"], "/pool_id")
    items = []
    for index, document in enumerate(call.body["documents"]):
        for position, login in enumerate(logins_in(document)):
            found = await _import_one(call, login, pool.id, proxy)
            items.append({"index": index, "position": position, **found})
    return {"items": items}


@api.endpoint(
    "PUT",
    "/upstreams/{upstream_id}/credentials",
    needs="upstreams:write",
    body=CredentialsInput,
    returns=Upstream,
    errors=(404, 409, 502),
    versioned=True,
    audit="upstream_account.replace_credentials",
)
async def replace_credentials(call: Call) -> Any:
    """Give an account a new login of its own; label, pools, priorities, history and a pause stay."""
    upstream_id = call.ids["upstream_id"]
    async with call.context.database.transaction() as session:
        current, _ = await locked_account(call, session, upstream_id)
        call.check_version(current.version)
        proxy = await stored_proxy(session, call.context.keyring.upstream, upstream_id)
    credentials = await _credentials(call, proxy)
    async with call.changing("upstreams", "updated") as changing:
        await lock_identity(changing.session, credentials)
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        landing = Landing(call.caller.scope.sees_all, target=upstream_id)
        await land(changing.session, call.context.keyring, credentials, landing)
        changing.touched(upstream_id, pools)
        changing.details["kind"] = credentials.kind
        return await account_view(call, changing.session, upstream_id)


@dataclass(frozen=True)
class _Done:
    result: str
    account: dict[str, Any]


async def _credentials(call: Call, proxy: str | None) -> Credentials:
    """Raises AuthJsonError, AccessTokenError."""
    now = datetime.now(UTC)
    if "access_token" not in call.body:
        return parse_auth_json(call.body["auth_json"], now)
    return await credentials_of_access_token(
        call.context.sign_in,
        call.body["access_token"],
        expires_at=call.body.get("expires_at"),
        now=now,
        proxy=proxy,
    )


def _landing(
    call: Call, credentials: Credentials, pool_id: UUID, proxy: str | None, label: str | None = None
) -> Landing:
    return Landing(
        call.caller.scope.sees_all,
        pool_id,
        label=label,
        onboarding=ONBOARDING[credentials.kind],
        proxy=proxy,
    )


async def _import(call: Call, credentials: Credentials, landing: Landing) -> _Done:
    assert landing.pool_id
    async with call.changing("upstreams", "updated") as changing:
        session: Session = changing.session
        await require_pool(call, session, landing.pool_id, "/pool_id")
        imported = await land(session, call.context.keyring, credentials, landing)
        changing.touched(imported.account_id, [landing.pool_id])
        changing.details |= {"created": imported.created, "kind": credentials.kind}
        account = await account_view(call, session, imported.account_id)
    return _Done("created" if imported.created else "updated", account)


async def _import_one(call: Call, login: Any, pool_id: UUID, proxy: str | None) -> dict[str, Any]:
    try:
        credentials = parse_auth_json(login, datetime.now(UTC))
        done = await _import(call, credentials, _landing(call, credentials, pool_id, proxy))
    except AuthJsonError as exc:
        return _failed(exc.code, exc.message)
    except IdentityConflict as exc:
        return _failed("identity_conflict", str(exc))
    except UNAVAILABLE:
        return _failed("database_unavailable", AWAY)
    return {"result": done.result, "account": done.account, "problem": None}


def _failed(code: str, detail: str) -> dict[str, Any]:
    problem = {"code": code, "title": TITLES.get(code, NOT_USABLE), "detail": detail}
    return {"result": "failed", "account": None, "problem": problem}
