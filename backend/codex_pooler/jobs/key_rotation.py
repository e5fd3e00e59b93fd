"""``codex-pooler keys rotate``: moves everything sealed under the newest key, and says what stands in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_pooler.snapshot.rules import rules_of
from codex_pooler.snapshot.settings import GROUPS
from codex_pooler.storage import queries_nodes
from codex_pooler.storage.announce import announce_config
from codex_pooler.storage.audit import SYSTEM, Event, record
from codex_pooler.storage.database import Database
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.rotation import Place, Tally, places, reseal, tally, unopenable

Tell = Callable[[str], object]
LOOK_SECONDS = 1.0


def sealed_places(state_dir: Path) -> tuple[Place, ...]:
    """Everything this installation keeps sealed."""
    settings = [
        (group, name)
        for group, default in GROUPS.items()
        for name, rule in rules_of(type(default)).items()
        if rule.kind == "secret"
    ]
    return places(state_dir / "spool", settings)


async def refusal_to_start(database: Database, keyring: Keyring, state_dir: Path) -> str | None:
    """Why a gateway with these keys would be of no use; None when what is stored can be opened."""
    wrong = await unopenable(database, sealed_places(state_dir), keyring)
    if not wrong:
        return None
    return (
        f"the keys do not open what is stored ({'; '.join(wrong)}). Start with the CODEX_POOLER_UPSTREAM_SECRET_KEY, "
        "or the state directory, that it was sealed with; older keys may follow the newest in a list"
    )


@dataclass(frozen=True)
class Rotation:
    """One run of the command.  ``patience_seconds``: how long it waits for processes that do not know the key yet;
    ``settle_seconds``: how long after it is done nothing may appear under an older key."""

    database: Database
    keyring: Keyring
    where: Sequence[Place]
    tell: Tell
    patience_seconds: float = 20.0
    settle_seconds: float = 3.0

    async def check(self) -> bool:
        """Tell what is under which key.  True when all is under the newest and can be opened."""
        counted = await tally(self.database, self.where, self.keyring)
        for each in counted:
            self.tell(_line(each))
            for reason in each.unreadable:
                self.tell(f"  cannot be opened: {reason}")
        return not any(each.old or each.unreadable for each in counted)

    async def run(self) -> bool:
        """Move everything.  True when nothing is left under an older key, and nothing is lost either way."""
        behind = await self._wait_for_processes()
        for node in behind:
            self.tell(
                f"the {node.role} process {node.pid} on {node.host} only knows keys up to {node.key_version} and could "
                f"not open anything that is moved: restart it with key {self.newest} in its list, then run this again"
            )
        if behind:
            return False
        moved = await reseal(self.database, self.where, self.keyring)
        self.tell(f"{moved} secrets were moved under key {self.newest}")
        await self._write_down(moved)
        await asyncio.sleep(self.settle_seconds)
        again = await reseal(self.database, self.where, self.keyring)
        if again:
            self.tell(
                f"{again} secrets were written under an older key meanwhile and have been moved as well: a process "
                "still runs with the old list. Restart it, then run this again"
            )
        return await self.check() and not again

    @property
    def newest(self) -> int:
        return self.keyring.upstream.current

    async def _wait_for_processes(self) -> list[Any]:
        """Running processes that do not know the newest key; those that read it from the disk get time to do so."""
        deadline = asyncio.get_running_loop().time() + self.patience_seconds
        while True:
            async with self.database.session() as session:
                values = {"seconds": queries_nodes.ALIVE_SECONDS, "key_version": self.newest}
                behind = await session.fetch(queries_nodes.BEHIND, **values)
            if not behind or asyncio.get_running_loop().time() >= deadline:
                return behind
            await asyncio.sleep(LOOK_SECONDS)

    async def _write_down(self, moved: int) -> None:
        async with self.database.transaction() as session:
            details = {"count": moved, "result": f"key {self.newest}"}
            await record(session, Event("instance.keys_rotate", "instance", actor=SYSTEM, details=details))
            await announce_config(session)


def _line(counted: Tally) -> str:
    shares = [
        f"{count} under key {version}{'' if version == counted.newest else ' (old)'}"
        for version, count in sorted(counted.versions.items(), reverse=True)
    ]
    return f"{counted.name}: {', '.join(shares) or 'nothing stored'}"
