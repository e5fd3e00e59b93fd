"""Access tokens name their account, are never renewed, and end at their first refusal."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from codex_pooler.accounts.access_tokens import AccessTokenError, credentials_of_access_token
from codex_pooler.accounts.importing import Landing, land
from codex_pooler.storage.tables import account_secrets, audit_events
from codex_pooler.upstream.oauth import SignIn
from tests.accounts.conftest import Scene

PROXY = "http://127.0.0.1:9"  # nothing listens there


async def put_in_place(scene: Scene, proxy: str | None = None) -> str:
    """Give the account its personal access token as its login; the token."""
    token = scene.world.accounts["acct-1"].personal_token
    credentials = await credentials_of_access_token(
        SignIn(scene.backend), token, expires_at=None, now=scene.clock(), proxy=None
    )
    landing = Landing(lambda pools: True, target=scene.account_id, proxy=proxy)
    async with scene.database.transaction() as session:
        await land(session, scene.keyring, credentials, landing)
    return token


async def test_a_token_says_whose_it_is(scene: Scene) -> None:
    account = scene.world.accounts["acct-1"]
    account.fedramp = True
    found = await credentials_of_access_token(
        SignIn(scene.backend), f" {account.personal_token}\n", expires_at=None, now=scene.clock(), proxy=None
    )
    assert (found.account_id, found.user_id, found.email) == (account.account_id, account.user_id, account.email)
    assert (found.kind, found.is_fedramp, found.plan_type, found.refresh_token) == ("pat", True, "plus", "")
    assert account.personal_token not in repr(found)


@pytest.mark.parametrize("token", ["", "at-", "at-short", "sk-" + "a" * 40, "at-" + "a" * 5000, "at-aaaaaaaa\nbbbb"])
async def test_what_is_no_such_token_is_not_even_sent(scene: Scene, token: str) -> None:
    with pytest.raises(AccessTokenError) as caught:
        await credentials_of_access_token(SignIn(scene.backend), token, expires_at=None, now=scene.clock(), proxy=None)
    assert caught.value.code == "invalid_access_token"
    assert scene.world.record.count == 0


async def test_a_server_that_cannot_be_asked_is_not_a_refusal(scene: Scene) -> None:
    token = scene.world.accounts["acct-1"].personal_token
    for origin, proxy, code in (
        ("http://127.0.0.1:9", None, "sign_in_unavailable"),
        (scene.backend, PROXY, "egress_proxy_failed"),
    ):
        with pytest.raises(AccessTokenError) as caught:
            await credentials_of_access_token(SignIn(origin), token, expires_at=None, now=scene.clock(), proxy=proxy)
        assert caught.value.code == code
        assert token not in caught.value.message
    assert scene.world.record.count == 0


async def test_nothing_ever_renews_an_access_token(scene: Scene) -> None:
    token = await put_in_place(scene)
    scene.clock.ahead = timedelta(days=400)
    assert await scene.refresher.due() == []
    for asking in (scene.refresher.renew_due, scene.refresher.renew_now):
        renewal = await asking(scene.account_id)
        assert (renewal.outcome, renewal.token) == ("already_newer", token)
    assert scene.exchanges == 0


async def test_the_first_refusal_of_an_access_token_is_final(scene: Scene) -> None:
    token = await put_in_place(scene)
    renewals = await asyncio.gather(*(scene.refresher.renew(scene.account_id, token) for _ in range(20)))
    assert {(one.outcome, one.code) for one in renewals} == {("rejected", "access_token_refused")}
    row = await scene.row()
    assert (row.state, row.state_reason, row.refresh_refused) == ("reauth_required", "access_token_refused", True)
    assert scene.exchanges == 0
    assert set(scene.told) == {scene.account_id}
    async with scene.database.session() as session:
        events = await session.fetch(sa.select(audit_events.c.action, audit_events.c.reason))
    assert [tuple(event) for event in events] == [("account.reauth_required", "access_token_refused")]


async def test_an_old_tokens_refusal_says_nothing_about_the_present_one(scene: Scene) -> None:
    old = scene.token
    token = await put_in_place(scene)
    renewal = await scene.refresher.renew(scene.account_id, old)
    assert (renewal.outcome, renewal.token) == ("already_newer", token)
    assert (await scene.row()).state == "active"


async def test_a_refused_access_token_is_replaced_by_a_login_that_is_renewed_again(scene: Scene) -> None:
    token = await put_in_place(scene)
    await scene.refresher.renew(scene.account_id, token)
    imported = await scene.log_in_again()
    row = await scene.row()
    assert (row.state, row.credential_kind, row.refresh_refused) == ("active", "oauth", False)
    renewal = await scene.refresher.renew(scene.account_id, imported)
    assert (renewal.outcome, scene.exchanges) == ("renewed", 1)


async def test_a_login_is_renewed_through_its_accounts_proxy_or_not_at_all(scene: Scene) -> None:
    await put_in_place(scene, proxy=PROXY)
    imported = await scene.log_in_again()
    renewal = await scene.refresher.renew(scene.account_id, imported)
    assert (renewal.outcome, renewal.code, scene.exchanges) == ("failed", "egress_proxy_failed", 0)
    row = await scene.row()
    assert (row.state, row.refresh_error) == ("active", "egress_proxy_failed")
    unopened = sa.update(account_secrets).where(account_secrets.c.kind == "egress").values(sealed=b"\x01" * 64)
    async with scene.database.session() as session:
        await session.execute(unopened)
    renewal = await scene.refresher.renew_now(scene.account_id)
    assert (renewal.code, scene.exchanges) == ("egress_proxy_failed", 0)
