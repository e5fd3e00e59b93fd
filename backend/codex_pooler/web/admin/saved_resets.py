"""Saved resets: what each account has, what may be spent by itself, and spending one by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from codex_pooler.accounts.reset_claims import SENDABLE, Claim, Denied
from codex_pooler.accounts.saved_resets import ENOUGH_NEWS_SECONDS
from codex_pooler.quota.resets import Policy, policy_of, stored_form
from codex_pooler.storage import queries_accounts
from codex_pooler.storage import queries_resets as queries
from codex_pooler.storage.database import Session
from codex_pooler.storage.scope import seen
from codex_pooler.upstream.resets import Listing, ResetsUnavailable
from codex_pooler.web.admin.api import Api, Call
from codex_pooler.web.admin.problems import Problem, not_found, refused_field
from codex_pooler.web.admin.reset_views import AWAITING, PHASES, saved_resets_view
from codex_pooler.web.admin.schemas.saved_resets import (
    RedeemInput,
    SavedResetPolicy,
    SavedResetPolicyInput,
    SavedResets,
)
from codex_pooler.web.admin.upstream_view import locked_account

api = Api("upstreams")

SHOWN_REDEMPTIONS = 20
ANSWER_SECONDS = 20.0  # how long a person waits for the outcome; it is shown later all the same
NO_LOGIN = "Its login is not in order. Sign the account in again first."


@api.endpoint("GET", "/upstreams/{upstream_id}/saved-resets", needs="upstreams:read", returns=SavedResets)
async def get_saved_resets(call: Call) -> Any:
    """An account's saved resets, the soonest to expire first, and the newest redemptions."""
    async with call.context.database.session() as session:
        return await _whole_view(call, session)


@api.endpoint("GET", "/upstreams/{upstream_id}/saved-reset-policy", needs="upstreams:read", returns=SavedResetPolicy)
async def get_saved_reset_policy(call: Call) -> Any:
    """What the account's saved resets may be spent on without a person."""
    async with call.context.database.session() as session:
        return asdict(policy_of((await _visible(call, session)).reset_policy))


@api.endpoint(
    "PUT",
    "/upstreams/{upstream_id}/saved-reset-policy",
    needs="upstreams:write",
    body=SavedResetPolicyInput,
    returns=SavedResetPolicy,
    versioned=True,
    audit="upstream_account.saved_reset_policy_update",
)
async def set_saved_reset_policy(call: Call) -> Any:
    """Say what the account's saved resets may be spent on without a person."""
    upstream_id, policy = call.ids["upstream_id"], Policy(**call.body)
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        call.check_version(current.version)
        stored = stored_form(policy)
        await changing.session.execute(queries.SET_POLICY, account_id=upstream_id, policy=stored)
        changing.touched(upstream_id, pools, label=current.label)
        changing.changed({"policy": asdict(policy_of(current.reset_policy))}, {"policy": asdict(policy)})
    return asdict(policy)


@api.endpoint(
    "POST",
    "/upstreams/{upstream_id}/saved-resets/redeem",
    needs="upstreams:write",
    body=RedeemInput,
    returns=SavedResets,
    errors=(409, 422, 502),
    audit="upstream_account.saved_reset_redeem",
)
async def redeem_saved_reset(call: Call) -> Any:
    """Spend one saved reset now, the one that expires soonest.  What it came to stands first in ``redemptions``."""
    if not call.body["confirm"]:
        raise refused_field("/confirm", "confirmation_required", "Confirm that one saved reset shall be spent.")
    upstream_id = call.ids["upstream_id"]
    async with call.context.database.transaction() as session:
        row, _ = await locked_account(call, session, upstream_id)
    if row.state not in SENDABLE:
        raise Problem(409, "login_needed", NO_LOGIN)
    listing = await _current_list(call)
    claim = await _claimed(call, listing)
    await asyncio.wait({call.context.saved_resets.send_soon(claim)}, timeout=ANSWER_SECONDS)
    async with call.context.database.session() as session:
        return await _whole_view(call, session)


async def _current_list(call: Call) -> Listing:
    """What the backend says right now; it has to be what the person saw.  Raises Problem."""
    upstream_id, saved = call.ids["upstream_id"], call.context.saved_resets
    try:
        listing = await saved.read(upstream_id)
    except ResetsUnavailable as exc:
        if exc.reason == "no_login":
            raise Problem(409, "login_needed", NO_LOGIN) from None
        detail = f"The backend does not tell which saved resets there are ({exc.reason}). Nothing was spent; try again."
        raise Problem(502, "saved_resets_unavailable", detail) from None
    if listing.available != call.body["expected_available"]:
        detail = f"There are {listing.available} saved resets by now. Nothing was spent; look again and decide anew."
        raise Problem(409, "count_changed", detail, more={"available": listing.available})
    await saved.refresh_week(upstream_id, ENOUGH_NEWS_SECONDS)
    return listing


async def _claimed(call: Call, listing: Listing) -> Claim:
    upstream_id, saved = call.ids["upstream_id"], call.context.saved_resets
    async with call.changing("upstreams", "updated") as changing:
        current, pools = await locked_account(call, changing.session, upstream_id)
        taken = await saved.claims.take_for_operator(
            changing.session, upstream_id, saved.week(upstream_id), listing, call.caller.operator.id
        )
        if isinstance(taken, Denied):
            raise _denied(taken)
        changing.touched(upstream_id, pools, label=current.label)
        changing.details["expected_available"] = call.body["expected_available"]
    return taken


def _denied(denied: Denied) -> Problem:
    if denied.reason == "nothing_to_spend":
        return Problem(409, "nothing_to_redeem", "The account has no saved reset that could be spent.")
    detail = "One saved reset of this account is being spent. Wait until it is confirmed before spending another."
    return Problem(409, "redemption_in_progress", detail)


async def _visible(call: Call, session: Session) -> Any:
    values = {"account_id": call.ids["upstream_id"], **seen(call.caller.scope.visible)}
    row = await session.one(queries_accounts.ONE, **values)
    if row is None:
        raise not_found()
    return row


async def _whole_view(call: Call, session: Session) -> dict[str, Any]:
    row = await _visible(call, session)
    checks = await session.fetch(queries.CHECKS, account_ids=[row.id])
    listed = await session.fetch(queries.LISTED, account_ids=[row.id])
    claims = await session.fetch(queries.HISTORY, account_id=row.id, row_limit=SHOWN_REDEMPTIONS)
    brief = (await saved_resets_view(session, [row.id]))[row.id]
    awaited = {claim.credit_id for claim in claims if claim.phase in AWAITING}
    now = datetime.now(UTC)
    return {
        **brief,
        "checked_at": checks[0].checked_at if checks else None,
        "redeem_refusal": _refusal(row, brief),
        "items": [_reset_view(each, awaited, now) for each in listed],
        "redemptions": [_redemption_view(claim) for claim in claims],
    }


def _refusal(row: Any, brief: Mapping[str, Any]) -> str | None:
    """Why nobody can spend one by hand now; None when they can."""
    if row.state not in SENDABLE:
        return NO_LOGIN
    if brief["awaiting_confirmation"]:
        return "One of them is being spent right now."
    if brief["available"] is None:
        return "The backend has not told how many there are."
    return None if brief["available"] else "There is none."


def _reset_view(row: Any, awaited: set[str | None], now: datetime) -> dict[str, Any]:
    over = row.expires_at is not None and row.expires_at <= now
    state = "consumed"
    if row.credit_id in awaited:
        state = "awaiting_confirmation"
    elif row.status == "available":
        state = "expired" if over else "available"
    elif row.status == "expired" or (row.status == "gone" and over):
        state = "expired"
    return {
        "id": row.credit_id,
        "banked_at": row.granted_at,
        "first_seen_at": row.first_seen_at,
        "expires_at": row.expires_at,
        "state": state,
    }


def _redemption_view(row: Any) -> dict[str, Any]:
    names = ("id", "trigger", "outcome", "windows_reset", "created_at", "applied_at", "finished_at")
    return {
        **{name: getattr(row, name) for name in names},
        "reset_id": row.credit_id,
        "state": PHASES[row.phase],
        "attempts": row.dispatches,
    }
