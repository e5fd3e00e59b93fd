"""Importing decides which account a login belongs to, and seals what it brings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.accounts.auth_json import parse_auth_json
from codex_pooler.accounts.importing import AccountGone, IdentityConflict, Imported, Landing, import_credentials, land
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import account_secrets, accounts, pool_accounts, pools

MakeAuthJson = Callable[..., dict[str, Any]]


@pytest.fixture
async def pool_id(database: Database) -> UUID:
    identity = uuid4()
    async with database.session() as session:
        await session.execute(sa.insert(pools).values(id=identity, slug="team", name="Team"))
    return identity


async def import_file(database: Database, keyring: Keyring, pool_id: UUID, document: dict[str, Any]) -> Imported:
    credentials = parse_auth_json(document, datetime.now(UTC))
    async with database.transaction() as session:
        return await import_credentials(
            session, keyring, credentials, pool_id=pool_id, label=None, may_change=lambda pools: True
        )


async def test_tokens_are_sealed_each_for_its_own_place(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    document = make_auth_json()
    imported = await import_file(database, keyring, pool_id, document)
    async with database.session() as session:
        rows = await session.fetch(sa.select(account_secrets))
    opened = {
        row.kind: keyring.upstream.open(row.sealed, f"account_secrets:{imported.account_id}:{row.kind}").decode()
        for row in rows
    }
    tokens = document["tokens"]
    assert opened == {
        "access": tokens["access_token"],
        "refresh": tokens["refresh_token"],
        "id": tokens["id_token"],
    }


async def test_each_new_login_counts_an_epoch(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    first = await import_file(database, keyring, pool_id, make_auth_json())
    again = await import_file(database, keyring, pool_id, make_auth_json())
    assert (first.created, again.created) == (True, False)
    async with database.session() as session:
        (row,) = await session.fetch(sa.select(accounts))
    assert (row.credential_epoch, row.version) == (2, 2)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"user": "u1"}, {"user": "u1"}, True),
        ({"user": "u1"}, {"user": "u2"}, False),
        ({"user": None}, {"user": "u1"}, True),
        ({"user": "u1"}, {"user": None}, True),
        ({"user": "u1"}, {"user": None, "email": "other@example.com"}, False),
        ({"account": "a"}, {"account": "b"}, False),
    ],
    ids=["same user", "other user", "user becomes known", "same e-mail", "other e-mail", "other account"],
)
async def test_logins_of_one_person_are_one_account(
    database: Database,
    keyring: Keyring,
    pool_id: UUID,
    make_auth_json: MakeAuthJson,
    first: dict[str, Any],
    second: dict[str, Any],
    same: bool,
) -> None:
    one = await import_file(database, keyring, pool_id, make_auth_json(**first))
    two = await import_file(database, keyring, pool_id, make_auth_json(**second))
    assert (one.account_id == two.account_id) == same


async def test_a_known_user_stays_known(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    for user in (None, "u1", None, "u1"):
        await import_file(database, keyring, pool_id, make_auth_json(user=user))
    async with database.session() as session:
        (row,) = await session.fetch(sa.select(accounts))
    assert row.identity_key == "acct-1|ws-1|u1"


async def test_importing_the_same_file_at_once_makes_one_account(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    document = make_auth_json()
    done = await asyncio.gather(*(import_file(database, keyring, pool_id, document) for _ in range(8)))
    assert len({imported.account_id for imported in done}) == 1
    assert sum(imported.created for imported in done) == 1
    async with database.session() as session:
        assert len(await session.fetch(sa.select(pool_accounts))) == 1


async def test_scenario_32_a_new_login_keeps_label_and_priority_and_forgets_old_trouble(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    first = await import_file(database, keyring, pool_id, make_auth_json())
    async with database.session() as session:
        trouble = {"refresh_failures": 3, "refresh_error": "token_revoked", "refresh_refused": True}
        await session.execute(sa.update(accounts).values(label="Mine", state="reauth_required", **trouble))
        await session.execute(sa.update(pool_accounts).values(priority=7, weight=2.0))
    document = make_auth_json(lifetime=7200)
    again = await import_file(database, keyring, pool_id, document)
    async with database.session() as session:
        (account,) = await session.fetch(sa.select(accounts))
        (member,) = await session.fetch(sa.select(pool_accounts))
        secrets = await session.fetch(sa.select(account_secrets).where(account_secrets.c.kind == "access"))
    assert again.account_id == first.account_id
    assert (account.label, member.priority, member.weight) == ("Mine", 7, 2.0)
    assert (account.credential_epoch, account.state) == (2, "active")
    assert (account.refresh_failures, account.refresh_error, account.refresh_refused) == (0, None, False)
    opened = keyring.upstream.open(secrets[0].sealed, f"account_secrets:{account.id}:access").decode()
    assert opened == document["tokens"]["access_token"]


@pytest.mark.parametrize(
    ("first", "second", "third"),
    [
        pytest.param({"user": "u1"}, {"user": "u2"}, {"user": None}, id="two users with one e-mail address"),
        pytest.param({"user": None, "email": "a@x.y"}, {}, {"user": None, "email": "b@x.y"}, id="nothing but e-mails"),
    ],
)
async def test_what_could_be_two_accounts_is_given_to_neither(
    database: Database,
    keyring: Keyring,
    pool_id: UUID,
    make_auth_json: MakeAuthJson,
    first: dict[str, Any],
    second: dict[str, Any],
    third: dict[str, Any],
) -> None:
    for login in filter(None, (first, second)):
        await import_file(database, keyring, pool_id, make_auth_json(**login))
    with pytest.raises(IdentityConflict, match="Relink the right one"):
        await import_file(database, keyring, pool_id, make_auth_json(**third))
    async with database.session() as session:
        assert {row.credential_epoch for row in await session.fetch(sa.select(accounts))} == {1}


async def test_a_claimed_identity_that_another_account_has_is_a_conflict(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    nameless = await import_file(database, keyring, pool_id, make_auth_json(user=None, email="old@example.com"))
    await import_file(database, keyring, pool_id, make_auth_json(user="u1"))
    async with database.session() as session:
        await session.execute(sa.update(accounts).where(accounts.c.id == nameless.account_id).values(email=None))
    credentials = parse_auth_json(make_auth_json(user="u1"), datetime.now(UTC))
    landing = Landing(lambda pools: True, target=nameless.account_id)
    with pytest.raises(IdentityConflict):
        async with database.transaction() as session:
            await land(session, keyring, credentials, landing)


async def test_a_login_for_a_deleted_account_goes_nowhere(
    database: Database, keyring: Keyring, pool_id: UUID, make_auth_json: MakeAuthJson
) -> None:
    credentials = parse_auth_json(make_auth_json(), datetime.now(UTC))
    with pytest.raises(AccountGone):
        async with database.transaction() as session:
            await land(session, keyring, credentials, Landing(lambda pools: True, target=uuid4()))
    async with database.session() as session:
        assert await session.fetch(sa.select(accounts)) == []
