"""Moving accounts to another installation and from one: owners in person only, with their password once more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from codex_pooler.accounts.bundle import opened_bundle, sealed_bundle
from codex_pooler.accounts.moving import Moved, packed_accounts, unpack_account
from codex_pooler.operators.login import authenticate_password
from codex_pooler.web.admin.api import Api, Call, Changing
from codex_pooler.web.admin.guard import LOGINS
from codex_pooler.web.admin.pools import require_pool
from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.admin.schemas.bundles import AccountBundle, ExportInput, ImportBundleInput, ImportedBundle
from codex_pooler.web.admin.schemas.common import instant_text

api = Api("bundles")
MOST_BYTES = 24 * 1024 * 1024


class _Rehearsed(Exception):
    """Ends the transaction of a dry run."""


@api.endpoint(
    "POST",
    "/upstreams/export",
    needs="bundles:write",
    body=ExportInput,
    returns=AccountBundle,
    errors=(403, 409, 429),
    audit="upstream_account.export",
)
async def export_upstreams(call: Call) -> Any:
    """Write accounts, their logins included, into a file that only the passphrase opens."""
    await _confirm(call)
    chosen = call.body.get("upstream_ids")
    async with call.changing("upstreams", "updated") as changing:
        packed = await packed_accounts(changing.session, call.context.keyring, chosen, disable=call.body["disable"])
        if chosen is not None and {identity for identity, _, _ in packed} != set(chosen):
            raise Problem(404, "not_found", "One of these accounts does not exist.")
        now = instant_text(datetime.now(UTC)) or ""
        bundle = await sealed_bundle([content for _, _, content in packed], call.body["passphrase"], now)
        changing.details |= {
            "count": len(packed),
            "paused": call.body["disable"],
            "exported": [label for _, label, _ in packed],
        }
    return bundle


@api.endpoint(
    "POST",
    "/upstreams/import-bundle",
    needs="bundles:write",
    body=ImportBundleInput,
    returns=ImportedBundle,
    errors=(403, 409, 429),
    audit="upstream_account.import_bundle",
    most_bytes=MOST_BYTES,
)
async def import_bundle(call: Call) -> Any:
    """Take in the accounts of a file; one that is here already gets its login if that is newer."""
    await _confirm(call)
    contents = await opened_bundle(call.body["bundle"], call.body["passphrase"])
    moved: list[Moved] = []
    try:
        async with call.changing("upstreams", "updated") as changing:
            moved += await _unpack(call, changing, contents)
            if call.body["dry_run"]:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return {"dry_run": call.body["dry_run"], "items": [_view(one, call.body["dry_run"]) for one in moved]}


async def _unpack(call: Call, changing: Changing, contents: list[dict[str, Any]]) -> list[Moved]:
    session, pool_id = changing.session, call.body.get("pool_id")
    pool = await require_pool(call, session, pool_id, "/pool_id") if pool_id else None
    moved = [
        await unpack_account(session, call.context.keyring, content, pool.id if pool else None) for content in contents
    ]
    for one in moved:
        if one.account_id:
            changing.touched(one.account_id, [pool.id] if pool else ())
    results = [one.result for one in moved]
    changing.details |= {"count": len(moved), **{name: results.count(name) for name in ("updated", "failed")}}
    return moved


def _view(moved: Moved, rehearsed: bool) -> Mapping[str, Any]:
    is_new = moved.result == "created"
    return {**vars(moved), "upstream_id": None if rehearsed and is_new else moved.account_id}


async def _confirm(call: Call) -> None:
    """The operator's password once more.  Raises Problem 403, Throttled."""
    throttle, operator = call.request.app[LOGINS], call.caller.operator
    throttle.attempt(("confirm", operator.id))
    if await authenticate_password(call.context.database, operator.email, call.body["password"]) != operator.id:
        async with call.context.database.transaction() as session:
            await call.record(session, Changing(session, outcome="failure", reason="wrong_password"))
        message = "This is not your password."
        raise Problem(403, "password_wrong", message, errors=[("/password", "password_wrong", message)])
    throttle.succeeded(("confirm", operator.id))
