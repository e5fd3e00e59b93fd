"""Rotating keys as an operator does it: the real command, killed in the middle, and run again."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from codex_pooler.storage.database import Database
from codex_pooler.storage.ids import uuid7
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.tables import account_secrets, accounts

ONE, TWO = b"1" * 32, b"2" * 32
ACCOUNTS = 400


def environment(dsn: str, state: Path, *keys: tuple[int, bytes]) -> dict[str, str]:
    listed = ",".join(f"{version}:{base64.b64encode(key).decode()}" for version, key in keys)
    own = {"DATABASE_URL": dsn, "CODEX_POOLER_STATE_DIR": str(state), "CODEX_POOLER_UPSTREAM_SECRET_KEY": listed}
    return {**os.environ, **own}


def rotate(env: dict[str, str], *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codex_pooler", "keys", "rotate", *options]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


async def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = await asyncio.to_thread(process.communicate)
    return process.returncode, said


async def sealed(database: Database) -> list[Any]:
    async with database.session() as session:
        return await session.fetch(sa.select(account_secrets))


async def test_scenario_37_a_rotation_killed_in_the_middle_is_finished_by_the_next(
    database: Database, dsn: str, tmp_path: Path
) -> None:
    old = Keyring(secret=b"s" * 32, upstream={1: ONE}, totp={1: ONE})
    async with database.transaction() as session:
        for number in range(ACCOUNTS):
            account = uuid7()
            row = {"id": account, "label": str(number), "chatgpt_account_id": str(account)}
            await session.execute(sa.insert(accounts).values(**row, identity_key=str(account)))
            secret = old.upstream.seal(str(account).encode(), f"account_secrets:{account}:refresh")
            await session.execute(sa.insert(account_secrets).values(account_id=account, kind="refresh", sealed=secret))
    env = environment(dsn, tmp_path, (2, TWO), (1, ONE))
    killed = rotate(env)
    while not (moved := [row for row in await sealed(database) if bytes(row.sealed)[2] == 2]):
        assert killed.poll() is None
        await asyncio.sleep(0.01)
    killed.kill()
    await ended(killed)
    assert 0 < len(moved) <= ACCOUNTS
    code, said = await ended(rotate(env))
    assert code == 0, said
    new = Keyring(secret=b"s" * 32, upstream={2: TWO}, totp={1: ONE})
    for row in await sealed(database):
        place = f"account_secrets:{row.account_id}:refresh"
        assert new.upstream.open(bytes(row.sealed), place) == str(row.account_id).encode()
    assert (await ended(rotate(environment(dsn, tmp_path, (2, TWO)), "--check")))[0] == 0
    code, said = await ended(rotate(environment(dsn, tmp_path, (1, ONE)), "--check"))
    assert (code, "no key for version 2" in said) == (1, True)
