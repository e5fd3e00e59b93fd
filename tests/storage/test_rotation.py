"""Keys: everything sealed moves under the newest one, nothing is overwritten on the way, and strays are told."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from codex_pooler.jobs.key_rotation import Rotation, refusal_to_start, sealed_places
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring, add_generated_key, load_keyring
from codex_pooler.storage.rotation import COLUMNS, Place, Sealed, reseal, tally
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.tables import (
    account_secrets,
    accounts,
    instance_settings,
    metadata,
    nodes,
    oauth_flows,
    pools,
)
from codex_pooler.storage.vault import SecretBox

ONE, TWO = b"1" * 32, b"2" * 32
# binary columns that hold no secret: digests, and a public catalogue
NOT_SEALED = {"digest", "entries", "state_digest"}


def ring(roots: dict[int, bytes]) -> Keyring:
    return Keyring(secret=b"s" * 32, upstream=roots, totp={1: b"t" * 32})


OLD, BOTH, NEW = ring({1: ONE}), ring({2: TWO, 1: ONE}), ring({2: TWO})


async def stored(database: Database, keyring: Keyring, state: Path) -> UUID:
    """An account with tokens and a proxy, a flow, the mail password and a login that waits on the disk."""
    pool, account, flow = uuid7(), uuid7(), uuid7()
    async with database.transaction() as session:
        await session.execute(sa.insert(pools).values(id=pool, slug=str(pool), name="Team"))
        identity = {"chatgpt_account_id": str(account), "identity_key": str(account)}
        await session.execute(sa.insert(accounts).values(id=account, label="a", **identity))
        for kind in ("access", "refresh", "id", "egress"):
            sealed = keyring.upstream.seal(kind.encode(), f"account_secrets:{account}:{kind}")
            await session.execute(sa.insert(account_secrets).values(account_id=account, kind=kind, sealed=sealed))
        sealed = keyring.upstream.seal(b"verifier", f"oauth_flows:{flow}")
        ends = datetime.now(UTC) + timedelta(minutes=5)
        row = {"id": flow, "kind": "browser", "pool_id": pool, "sealed": sealed, "expires_at": ends}
        await session.execute(sa.insert(oauth_flows).values(**row))
        sealed = keyring.settings.seal(b"mail password", "instance_settings:smtp:password")
        value = {"host": "mail", "password": base64.b64encode(sealed).decode()}
        await session.execute(sa.insert(instance_settings).values(name="smtp", value=value))
    SecretSpool(state / "spool").keep(str(account), keyring.upstream.seal(b"new", f"renewed_login:{account}"))
    return account


async def opened(database: Database, keyring: Keyring, state: Path) -> list[bytes]:
    """Everything in the clear, in the order of the places."""
    found = []
    async with database.session() as session:
        for place in sealed_places(state):
            for each in await place.read(session, None):
                found.append(place.box(keyring).open(each.sealed, each.context))
    return found


def test_every_sealed_column_is_a_place() -> None:
    binary = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, sa.LargeBinary) and column.name not in NOT_SEALED
    }
    assert binary == {(place.table.name, "sealed") for place in COLUMNS}


async def test_scenario_37_everything_moves_and_opens_without_the_old_key(database: Database, tmp_path: Path) -> None:
    await stored(database, OLD, tmp_path)
    before = await opened(database, OLD, tmp_path)
    assert len(before) == 7
    assert await opened(database, BOTH, tmp_path) == before, "what the old key sealed can be read all the time"
    assert await reseal(database, sealed_places(tmp_path), BOTH) == 7
    assert await opened(database, NEW, tmp_path) == before
    assert await reseal(database, sealed_places(tmp_path), BOTH) == 0
    assert not any(each.old for each in await tally(database, sealed_places(tmp_path), BOTH))


async def test_more_rows_than_a_batch_all_move(database: Database, tmp_path: Path) -> None:
    for _ in range(30):
        await stored_account(database)
    assert await reseal(database, COLUMNS, BOTH) == 120
    (secrets, _) = await tally(database, COLUMNS, BOTH)
    assert secrets.versions == {2: 120}


async def stored_account(database: Database) -> None:
    account = uuid7()
    async with database.transaction() as session:
        identity = {"chatgpt_account_id": str(account), "identity_key": str(account)}
        await session.execute(sa.insert(accounts).values(id=account, label="a", **identity))
        for kind in ("access", "refresh", "id", "egress"):
            sealed = OLD.upstream.seal(kind.encode(), f"account_secrets:{account}:{kind}")
            await session.execute(sa.insert(account_secrets).values(account_id=account, kind=kind, sealed=sealed))


class Racing:
    """A place where every value is renewed by somebody else just before it can be replaced, once."""

    def __init__(self, place: Place, database: Database) -> None:
        self.place, self.database, self.raced = place, database, 0
        self.name = place.name

    def box(self, keyring: Keyring) -> SecretBox:
        return self.place.box(keyring)

    async def read(self, session: Session, after: tuple[Any, ...] | None) -> list[Sealed]:
        return await self.place.read(session, after)

    async def swap(self, session: Session, found: Sealed, sealed: bytes) -> bool:
        if self.raced < 4:
            self.raced += 1
            renewed = OLD.upstream.seal(b"renewed", found.context)
            async with self.database.session() as other:
                assert await self.place.swap(other, found, renewed)
        return await self.place.swap(session, found, sealed)


async def test_a_renewal_in_the_middle_is_kept_and_moved_afterwards(database: Database, tmp_path: Path) -> None:
    await stored(database, OLD, tmp_path)
    await reseal(database, [Racing(COLUMNS[0], database)], BOTH)
    async with database.session() as session:
        found = await COLUMNS[0].read(session, None)
    assert [NEW.upstream.open(each.sealed, each.context) for each in found] == [b"renewed"] * 4


async def test_what_no_key_opens_stays_as_it_is_and_is_told(database: Database, tmp_path: Path) -> None:
    account = await stored(database, ring({1: b"x" * 32}), tmp_path)
    where = sealed_places(tmp_path)
    assert await reseal(database, where, BOTH) == 0
    said: list[object] = []
    assert not await Rotation(database, BOTH, where, said.append).check()
    assert f"  cannot be opened: account_secrets:{account}:access: cannot decrypt: wrong key or altered data" in said
    assert "CODEX_POOLER_UPSTREAM_SECRET_KEY" in str(await refusal_to_start(database, BOTH, tmp_path))


async def test_a_gateway_starts_with_the_right_keys_and_with_none_stored(database: Database, tmp_path: Path) -> None:
    assert await refusal_to_start(database, OLD, tmp_path) is None
    await stored(database, OLD, tmp_path)
    assert await refusal_to_start(database, BOTH, tmp_path) is None
    assert "no key for version 1" in str(await refusal_to_start(database, NEW, tmp_path))


async def test_the_command_waits_for_processes_that_do_not_know_the_key(database: Database, tmp_path: Path) -> None:
    await stored(database, OLD, tmp_path)
    node = {"id": uuid7(), "role": "web", "host": "elsewhere", "pid": 77, "version": "1", "key_version": 1}
    async with database.session() as session:
        await session.execute(sa.insert(nodes).values(**node))
    said: list[object] = []
    where = sealed_places(tmp_path)
    rotation = Rotation(database, BOTH, where, said.append, patience_seconds=0, settle_seconds=0)
    assert not await rotation.run()
    assert "web process 77 on elsewhere only knows keys up to 1" in str(said)
    assert (await tally(database, where, BOTH))[0].versions == {1: 4}
    async with database.session() as session:
        await session.execute(sa.update(nodes).values(key_version=2))
    assert await rotation.run()


async def test_secrets_that_come_back_under_the_old_key_are_moved_and_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(database, OLD, tmp_path)
    said: list[object] = []
    where = sealed_places(tmp_path)
    rotation = Rotation(database, BOTH, where, said.append, settle_seconds=0)
    late = iter([None, stored_account(database)])

    async def reseal_then_write(*given: Any) -> int:
        if work := next(late):
            await work
        return await reseal(*given)

    monkeypatch.setattr("codex_pooler.jobs.key_rotation.reseal", reseal_then_write)
    assert not await rotation.run()
    assert any("4 secrets were written under an older key meanwhile" in str(line) for line in said)
    assert await rotation.check()


def test_a_generated_key_gets_a_successor_that_running_processes_find(tmp_path: Path) -> None:
    def load() -> Keyring:
        return load_keyring(tmp_path, secret_key=None, upstream_key=None, totp_key=None)

    running = load()
    sealed = running.upstream.seal(b"before", "place")
    assert add_generated_key(tmp_path) == 2
    assert running.upstream.current == 1
    later = load()
    assert later.upstream.open(sealed, "place") == b"before"
    moved = later.upstream.seal(b"after", "place")
    assert running.upstream.open(moved, "place") == b"after"
    assert running.upstream.current == 2
    assert running.settings.current == 1
    assert running.newest() == 2
    assert running.settings.current == 2
    assert add_generated_key(tmp_path) == 3
    assert (tmp_path / "keys" / "upstream").stat().st_mode & 0o777 == 0o600
