"""Every place where something sealed is kept, and moving all of it under the newest key while the gateway runs.

A value is replaced only while it is still the one that was read, so a login that is renewed meanwhile is never
overwritten, and running it again goes on where an earlier run was stopped.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.query import Query
from codex_pooler.storage.secret_spool import SUFFIX, replace_kept
from codex_pooler.storage.tables import account_secrets, instance_settings, oauth_flows
from codex_pooler.storage.vault import SecretBox, SecretError

BATCH = 100
MOST_PASSES = 50
TRIED = 5  # values per place when the gateway starts
NOWHERE = UUID(int=0)


@dataclass(frozen=True)
class Sealed:
    """One sealed value: where it is, what it is bound to, and what it is called when it cannot be opened."""

    key: tuple[Any, ...]
    context: str
    sealed: bytes = field(repr=False)


class Place(Protocol):
    """Somewhere that sealed values are kept."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def box(self, keyring: Keyring) -> SecretBox:
        """Whose keys seal what is here."""
        ...

    async def read(self, session: Session, after: tuple[Any, ...] | None) -> list[Sealed]:
        """The next values after a key; none at the end."""
        ...

    async def swap(self, session: Session, found: Sealed, sealed: bytes) -> bool:
        """Put another envelope there; False, and nothing done, when the value is not what was found any more."""
        ...


@dataclass(frozen=True)
class Column:
    """A table's ``sealed`` column."""

    table: sa.Table
    keys: tuple[str, ...]
    first: tuple[Any, ...]  # sorts before every key
    context: Callable[[Any], str]
    purpose: str = "upstream"

    @property
    def name(self) -> str:
        return self.table.name

    def box(self, keyring: Keyring) -> SecretBox:
        return keyring.boxes[self.purpose]

    async def read(self, session: Session, after: tuple[Any, ...] | None) -> list[Sealed]:
        columns, sealed = [self.table.c[name] for name in self.keys], self.table.c.sealed
        beyond = [sa.literal(value, column.type) for column, value in zip(columns, after or self.first, strict=True)]
        rows = await session.fetch(
            sa.select(*columns, sealed)
            .where(sealed.is_not(None), sa.tuple_(*columns) > sa.tuple_(*beyond))
            .order_by(*columns)
            .limit(BATCH)
        )
        return [Sealed(tuple(row)[:-1], self.context(row), bytes(row.sealed)) for row in rows]

    async def swap(self, session: Session, found: Sealed, sealed: bytes) -> bool:
        same = [self.table.c[name] == value for name, value in zip(self.keys, found.key, strict=True)]
        changed = sa.update(self.table).where(*same, self.table.c.sealed == found.sealed).values(sealed=sealed)
        return bool(await session.execute(changed))


COLUMNS = (
    Column(
        account_secrets,
        ("account_id", "kind"),
        (NOWHERE, ""),
        lambda row: f"account_secrets:{row.account_id}:{row.kind}",
    ),
    Column(oauth_flows, ("id",), (NOWHERE,), lambda row: f"oauth_flows:{row.id}"),
)

_MEMBER = sa.func.jsonb_extract_path_text(instance_settings.c.value, sa.bindparam("member", type_=sa.Text))
_GROUP = instance_settings.c.name == sa.bindparam("group_name")
_READ_SETTING = Query(sa.select(_MEMBER.label("sealed")).where(_GROUP))
_SWAP_SETTING = Query(
    sa.update(instance_settings)
    .where(_GROUP, sa.bindparam("known") == _MEMBER)
    .values(
        value=sa.func.jsonb_set(
            instance_settings.c.value,
            sa.func.array_append(sa.cast(sa.literal("{}"), ARRAY(sa.Text)), sa.bindparam("member", type_=sa.Text)),
            sa.func.to_jsonb(sa.cast(sa.bindparam("sealed"), sa.Text)),
        )
    )
)


@dataclass(frozen=True)
class Setting:
    """A secret among the instance settings: base64 inside a group's JSON."""

    group: str
    member: str

    @property
    def name(self) -> str:
        return f"the setting {self.group}.{self.member}"

    def box(self, keyring: Keyring) -> SecretBox:
        return keyring.boxes["settings"]

    async def read(self, session: Session, after: tuple[Any, ...] | None) -> list[Sealed]:
        if after is not None:
            return []
        row = await session.one(_READ_SETTING, group_name=self.group, member=self.member)
        if row is None or not row.sealed:
            return []
        try:
            sealed = base64.b64decode(row.sealed, validate=True)
        except binascii.Error:
            sealed = b""
        return [Sealed((row.sealed,), f"instance_settings:{self.group}:{self.member}", sealed)]

    async def swap(self, session: Session, found: Sealed, sealed: bytes) -> bool:
        values = {"known": found.key[0], "sealed": base64.b64encode(sealed).decode()}
        return bool(await session.execute(_SWAP_SETTING, group_name=self.group, member=self.member, **values))


@dataclass(frozen=True)
class Spool:
    """New logins that wait on this machine's disk for the database."""

    folder: Path
    name: str = "new logins on the disk"

    def box(self, keyring: Keyring) -> SecretBox:
        return keyring.boxes["upstream"]

    async def read(self, session: Session, after: tuple[Any, ...] | None) -> list[Sealed]:
        return [] if after is not None else await asyncio.to_thread(self._found)

    def _found(self) -> list[Sealed]:
        contents = ((path, _content(path)) for path in sorted(self.folder.glob(f"*{SUFFIX}")))
        return [
            Sealed((path,), f"renewed_login:{path.name.partition('.')[0]}", content)
            for path, content in contents
            if content is not None
        ]

    async def swap(self, session: Session, found: Sealed, sealed: bytes) -> bool:
        return await asyncio.to_thread(replace_kept, found.key[0], found.sealed, sealed)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def places(spool: Path, secret_settings: Iterable[tuple[str, str]]) -> tuple[Place, ...]:
    """All of them; ``secret_settings`` are (group, name) of the settings that are kept sealed."""
    return (*COLUMNS, *(Setting(group, member) for group, member in secret_settings), Spool(spool))


@dataclass
class Tally:
    """How many values a place has under which key version, and which of them no key opens."""

    name: str
    newest: int
    versions: Counter[int] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    @property
    def old(self) -> int:
        """Values that are not under the newest key."""
        return self.versions.total() - self.versions[self.newest]


async def tally(database: Database, where: Sequence[Place], keyring: Keyring) -> list[Tally]:
    """Open everything once, and count."""
    async with database.session() as session:
        return [await _tally(session, place, keyring) for place in where]


async def _tally(session: Session, place: Place, keyring: Keyring) -> Tally:
    box = place.box(keyring)
    counted = Tally(place.name, box.current)
    async for found in _all(session, place):
        try:
            counted.versions[box.version(found.sealed)] += 1
            box.open(found.sealed, found.context)
        except SecretError as exc:
            counted.unreadable.append(f"{found.context}: {exc}")
    return counted


async def _all(session: Session, place: Place) -> AsyncIterator[Sealed]:
    after: tuple[Any, ...] | None = None
    while batch := await place.read(session, after):
        for found in batch:
            yield found
        after = batch[-1].key


async def reseal(database: Database, where: Sequence[Place], keyring: Keyring) -> int:
    """Move everything under the newest key; the number of values moved.  What cannot be opened stays as it is.

    Ends when a whole pass has found nothing old, so that what running processes write meanwhile is moved as well.
    """
    moved = 0
    for _ in range(MOST_PASSES):
        async with database.session() as session:
            passed = [await _reseal(session, place, keyring) for place in where]
        moved += sum(done for done, _ in passed)
        if not any(done or missed for done, missed in passed):
            break
    return moved


async def _reseal(session: Session, place: Place, keyring: Keyring) -> tuple[int, int]:
    """How many values were moved, and how many had changed before they could be."""
    box, moved, missed = place.box(keyring), 0, 0
    async for found in _all(session, place):
        try:
            if not box.stale(found.sealed):
                continue
            fresh = box.seal(box.open(found.sealed, found.context), found.context)
        except SecretError:
            continue
        done = await place.swap(session, found, fresh)
        moved, missed = moved + done, missed + (not done)
    return moved, missed


async def unopenable(database: Database, where: Sequence[Place], keyring: Keyring) -> list[str]:
    """One value of every place tried: what the keys given do not open at all, as sentences for the person who starts
    the gateway.  A place of which the first few values cannot be opened counts as that."""
    found = []
    async with database.session() as session:
        for place in where:
            some = await place.read(session, None)
            reasons = [_objection(place, each, keyring) for each in some[:TRIED]]
            if reasons and all(reasons):
                found.append(f"{place.name}: {reasons[0]}")
    return found


def _objection(place: Place, found: Sealed, keyring: Keyring) -> str | None:
    try:
        place.box(keyring).open(found.sealed, found.context)
    except SecretError as exc:
        return str(exc)
    return None
