"""Operators: roles, passwords, throttling, the first owner, access tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from codex_pooler.operators.access import CAPABILITIES, IN_PERSON, SCOPES, Operator, PoolScope, granted
from codex_pooler.operators.callers import caller_of_token
from codex_pooler.operators.commands import (
    AlreadyBootstrapped,
    TokenRefused,
    WeakPassword,
    create_first_owner,
    create_token,
)
from codex_pooler.operators.login import authenticate_password
from codex_pooler.operators.passwords import DUMMY_HASH, hash_password, verify_password
from codex_pooler.operators.throttle import MOST_NAMES, LoginThrottle, Throttled
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import operator_tokens, operators

PASSWORD = "correct horse battery"


def test_a_viewer_only_reads_and_only_an_owner_writes_pools() -> None:
    assert all(capability.endswith(":read") for capability in CAPABILITIES["instance_viewer"])
    assert CAPABILITIES["instance_viewer"] < CAPABILITIES["instance_admin"] < CAPABILITIES["instance_owner"]
    only_owners = {"pools:write", "settings:read", "settings:write", "jobs:read", "jobs:write", "bundles:write"}
    assert CAPABILITIES["instance_owner"] - CAPABILITIES["instance_admin"] == only_owners


def test_a_tokens_scopes_never_exceed_its_owners_role() -> None:
    assert granted("instance_viewer", SCOPES) == CAPABILITIES["instance_viewer"]
    assert granted("instance_owner", ["pools:read", "root"]) == {"pools:read"}
    assert granted("instance_admin", None) == CAPABILITIES["instance_admin"]


def test_a_scope_sees_its_pools_and_no_others() -> None:
    mine, theirs = uuid4(), uuid4()
    scope = PoolScope(all=False, pool_ids=(mine,))
    assert scope.sees(mine)
    assert not scope.sees(theirs)
    assert not scope.sees(None)
    assert not scope.sees_all([mine, theirs])
    assert PoolScope(all=True).sees(None)
    assert (scope.visible, PoolScope(all=True).visible) == ([mine], None)


@pytest.mark.parametrize(("name", "initials"), [("Ada Lovelace", "AL"), ("ada", "A"), ("A B C", "AB"), ("", "OW")])
def test_initials_come_from_the_name(name: str, initials: str) -> None:
    assert Operator(uuid4(), "owner@example.com", name, "instance_owner", "UTC").initials == initials


@pytest.mark.usefixtures("dear_passwords")
async def test_a_password_is_known_again_whole_and_only_it() -> None:
    long = "pass\0word " * 20
    hashed = await hash_password(long)
    assert hashed.startswith("$2b$12$")
    assert await verify_password(long, hashed)
    assert not await verify_password(long[:-1], hashed)
    assert not await verify_password("pass", hashed)
    assert not await verify_password("anything", None)
    assert not await verify_password("anything", DUMMY_HASH)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_after_five_failures_waiting_doubles_up_to_a_minute_and_is_forgotten() -> None:
    clock, waits = Clock(), []
    throttle = LoginThrottle(clock)
    for _ in range(5):
        throttle.attempt("anna")
    for _ in range(8):
        with pytest.raises(Throttled) as caught:
            throttle.attempt("anna")
        waits.append(caught.value.retry_after_seconds)
        clock.now += waits[-1]
        throttle.attempt("anna")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    throttle.attempt("bo")
    clock.now += 16 * 60
    throttle.attempt("anna")


def test_success_clears_the_name_and_memory_is_bounded() -> None:
    throttle = LoginThrottle(Clock())
    for _ in range(5):
        throttle.attempt("anna")
    throttle.succeeded("anna")
    throttle.attempt("anna")
    for number in range(MOST_NAMES + 10):
        throttle.attempt(number)
    assert len(throttle._failures) <= MOST_NAMES


async def test_there_is_one_first_owner(database: Database, keyring: Keyring) -> None:
    with pytest.raises(WeakPassword):
        await create_first_owner(database, keyring, "a@example.com", None, "short")
    owner = await create_first_owner(database, keyring, " A@Example.com ", None, PASSWORD)
    assert (owner.email, owner.display_name, owner.role) == ("a@example.com", "a", "instance_owner")
    with pytest.raises(AlreadyBootstrapped):
        await create_first_owner(database, keyring, "b@example.com", "B", PASSWORD)
    assert await authenticate_password(database, "A@EXAMPLE.COM", PASSWORD) == owner.id
    assert await authenticate_password(database, "a@example.com", PASSWORD + "!") is None
    assert await authenticate_password(database, "nobody@example.com", PASSWORD) is None


async def test_a_disabled_operator_has_no_login_and_no_token(database: Database, keyring: Keyring) -> None:
    await create_first_owner(database, keyring, "a@example.com", None, PASSWORD)
    token = await create_token(database, keyring, "a@example.com", "ci", 30)
    caller = await caller_of_token(database, keyring, token)
    assert caller is not None
    assert caller.capabilities == CAPABILITIES["instance_owner"] - IN_PERSON
    async with database.session() as session:
        await session.execute(sa.update(operators).values(status="disabled"))
    assert await caller_of_token(database, keyring, token) is None
    assert await authenticate_password(database, "a@example.com", PASSWORD) is None
    with pytest.raises(TokenRefused):
        await create_token(database, keyring, "a@example.com", "ci", 30)


async def test_a_token_expires_and_is_stored_as_a_digest(database: Database, keyring: Keyring) -> None:
    await create_first_owner(database, keyring, "a@example.com", None, PASSWORD)
    token = await create_token(database, keyring, "A@example.com", " ci ", 30, ["pools:read"])
    async with database.session() as session:
        (row,) = await session.fetch(sa.select(operator_tokens))
    assert token[-43:] not in repr(row)
    assert (row.label, row.scopes) == ("ci", ["pools:read"])
    assert timedelta(days=29) < row.expires_at - datetime.now(UTC) <= timedelta(days=30)
    assert await caller_of_token(database, keyring, token[:-1] + "_") is None


@pytest.mark.parametrize(
    ("email", "label", "days", "scopes"),
    [
        ("a@example.com", "ci", 0, ()),
        ("a@example.com", "ci", 366, ()),
        ("a@example.com", " ", 1, ()),
        ("a@example.com", "ci", 1, ("root",)),
        ("nobody@example.com", "ci", 1, ()),
    ],
)
async def test_a_token_that_makes_no_sense_is_refused(
    database: Database, keyring: Keyring, email: str, label: str, days: int, scopes: tuple[str, ...]
) -> None:
    await create_first_owner(database, keyring, "a@example.com", None, PASSWORD)
    with pytest.raises(TokenRefused):
        await create_token(database, keyring, email, label, days, scopes)
