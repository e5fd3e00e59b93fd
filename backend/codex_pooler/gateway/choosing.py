"""Who is asked, after waiting for a busy account if need be; and the same account again with a newer login."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from codex_pooler.gateway.house import House, moment
from codex_pooler.routing.candidates import Choice, NoCandidate, RouteRequest, choose
from codex_pooler.snapshot.model import Account

# what a backend says of a token that was fresh a moment ago only when the login behind it is gone
REFUSED_FOR_GOOD = frozenset({"token_revoked", "token_invalidated", "invalid_api_key", "invalid_authentication"})
RENEWAL_SECONDS = 10.0  # how long a request waits for a new login before it goes to another account


async def chosen(request: RouteRequest, house: House) -> Choice:
    """The accounts to try; while all that could serve are busy the request waits in line.  Raises NoCandidate."""
    deadline, full = 0.0, NoCandidate({"busy": 1})
    while True:
        try:
            if deadline or not house.line.is_waiting(request.pool.id):
                choice = choose(request, house.known, moment())
                if deadline:
                    house.line.wake()  # there may be room for the next one, too
                return choice
        except NoCandidate as none:
            if not none.excluded.get("busy"):
                raise
            full = none
        been_here, now = bool(deadline), moment().monotonic
        deadline = deadline or now + house.busy_wait
        if not await house.line.wait(request.pool.id, deadline - now, in_front=been_here):
            raise full


async def with_newer_login(house: House, account: Account) -> Account | None:
    """The account with a token that was not refused yet; None when there is none to be had."""
    if house.refresher is None:
        return None
    try:
        async with asyncio.timeout(RENEWAL_SECONDS):
            renewal = await house.refresher.renew(account.id, account.access_token)
    except TimeoutError:  # the exchange goes on; the next request has its result
        return None
    if renewal.token is None:
        return None
    house.known.quotas.relogin(account.id)
    return replace(account, access_token=renewal.token)


def doubt_login(house: House, account: Account, code: str) -> None:
    """Even a fresh token of this account was refused.  If that is final, it is for a person to mend."""
    if code in REFUSED_FOR_GOOD and house.refresher is not None:
        house.refresher.give_up_soon(account.id, account.access_token, code)
