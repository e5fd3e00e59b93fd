"""What a turn may do about a pool whose weeks are all used up: let a saved reset be spent, and go on with it.

Whether to is decided about the pool alone; nothing a client says has a part in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from codex_pooler.gateway.house import House, SavedResets, moment
from codex_pooler.quota.record import Record
from codex_pooler.quota.refusals import LOGIN, PLAN, USAGE_LIMITED
from codex_pooler.quota.resets import Rescue, Seat, rescue_of, week_of
from codex_pooler.quota.standing import BLOCKED
from codex_pooler.quota.windows import SPEND
from codex_pooler.routing.candidates import Choice, Known, Moment, NoCandidate, RouteRequest, choose
from codex_pooler.routing.gates import Lane, configured, obstacles, unexpired
from codex_pooler.routing.request import WITHOUT_QUOTA
from codex_pooler.snapshot.model import Member, Pool

NO_MODEL = Lane("", True)


async def rescued(request: RouteRequest, none: NoCandidate, house: House) -> Choice | None:
    """Who serves after all because a saved reset was spent; None when none was, or it did not help."""
    saved, pool = house.saved_resets, request.pool
    if saved is None or not pool.redeems or request.pinned is not None or request.route_class in WITHOUT_QUOTA:
        return None
    rescue = _rescue_for(request, none, house.known, moment().wall)
    if rescue is None:
        return None
    return await _after(saved, rescue, request, house)


async def _after(saved: SavedResets, rescue: Rescue, request: RouteRequest, house: House) -> Choice | None:
    account_id = await saved.rescue(request.pool.id, rescue)
    now = moment()
    try:
        return choose(request, house.known, now)
    except NoCandidate:
        return _single_probe(request, account_id, house.known, now) if account_id else None


def look_ahead(pool: Pool, house: House) -> None:
    """Redeem for a pool that still serves when all of its weeks are nearly used up and an owner wants it so."""
    saved = house.saved_resets
    if saved is None or not pool.redeems_early or not saved.may_look(pool.id):
        return
    now = moment().wall
    if rescue := rescue_of(seats_of(pool, house.known, now), now):
        saved.begin(pool.id, rescue)


def _rescue_for(request: RouteRequest, none: NoCandidate, known: Known, now: float) -> Rescue | None:
    """The pool's rescue as far as it helps this request: accounts that only their quota keeps from serving it."""
    rescue = rescue_of(seats_of(request.pool, known, now), now)
    if rescue is None:
        return None
    refused = {out.member.account.id for out in none.left_out if out.obstacle.code == USAGE_LIMITED}
    helped = tuple(account_id for account_id in rescue.account_ids if account_id in refused)
    return Rescue(rescue.trigger, helped) if helped else None


def seats_of(pool: Pool, known: Known, now: float) -> list[Seat]:
    """Every member as the rules of redemption see it."""
    return [_seat(member, known, now) for member in pool.members]


def _seat(member: Member, known: Known, now: float) -> Seat:
    account = member.account
    standing, record = known.quotas.standing(account.id, "", now), known.quotas.record(account.id)
    missing = configured(member, standing, NO_MODEL, now) or unexpired(member, standing, NO_MODEL, now)
    return Seat(
        account_id=account.id,
        policy=account.reset_policy,
        week=week_of(record, now),
        present=missing is None and not _is_shut(record, now),
        refused=standing.grade == BLOCKED,
    )


def _is_shut(record: Record | None, now: float) -> bool:
    """Refused for something that a reset does not mend."""
    blocks: Iterable[str] = (LOGIN, PLAN, SPEND)
    return record is not None and any((block := record.blocks.get(key)) and block.until > now for key in blocks)


def _single_probe(request: RouteRequest, account_id: UUID, known: Known, now: Moment) -> Choice | None:
    """The account whose reset was applied although no evidence shows it yet, for this one turn."""
    member = next((each for each in request.pool.members if each.account.id == account_id), None)
    if member is None or known.leases.full(member, request.pool.id, now.monotonic):
        return None
    standing = known.quotas.standing(account_id, request.model, now.wall)
    found = obstacles(member, standing, Lane(request.model, True), now.wall)
    return Choice((member,), {}) if all(each.code == USAGE_LIMITED for each in found) else None
