"""Killing the process that renews a login never costs the login."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web

from codex_pooler.accounts.courier import Courier, carry
from codex_pooler.accounts.exchange import Exchanged, OwnExchange, Spending
from codex_pooler.accounts.kept_logins import KeptLogins
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.storage.vault import SecretBox
from codex_pooler.upstream.oauth import TRANSIENT, RefreshRefused, SignIn

ROOT = bytes(range(32))
PATIENCE_SECONDS = 30.0

# A gateway reduced to the one thing it is killed at.
GATEWAY = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from tests.accounts.test_courier import kept_logins
from codex_pooler.accounts.courier import Courier
from codex_pooler.accounts.exchange import Spending
from codex_pooler.upstream.oauth import SignIn
origin, folder, account = sys.argv[1:]
courier = Courier(SignIn(origin), kept_logins(Path(folder)))
asyncio.run(courier.spend(Spending(UUID(account), 1, "rt-old")))
"""


def kept_logins(folder: Path) -> KeptLogins:
    """Of an installation with a known key."""
    return KeptLogins(SecretBox("upstream", {3: ROOT}), SecretSpool(folder))


class SlowSignIn:
    """A sign-in server that has rotated the token when ``asked`` is set, and answers when it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.tokens: list[str] = []
        self.origin = ""

    async def token(self, request: web.Request) -> web.Response:
        self.tokens.append((await request.json())["refresh_token"])
        self.asked.set()
        await self.may_answer.wait()
        return web.json_response({"access_token": "at-new", "refresh_token": "rt-new", "expires_in": 60})


@asynccontextmanager
async def serving() -> AsyncIterator[SlowSignIn]:
    server, app = SlowSignIn(), web.Application()
    app.router.add_post("/oauth/token", server.token)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        server.may_answer.set()
        await runner.cleanup()


@pytest.fixture
async def sign_in() -> AsyncIterator[SlowSignIn]:
    async with serving() as server:
        yield server


def courier_of(pid: int) -> list[int]:
    """The couriers that a process has started and that still run."""
    parents = (found for found in Path("/proc").glob("[0-9]*/stat") if is_courier(int(found.parent.name)))
    return [int(stat.parent.name) for stat in parents if int(stat.read_text().rpartition(")")[2].split()[1]) == pid]


@pytest.fixture
def couriers() -> Callable[[], list[int]]:
    """Those this test has started and that still run; one that an earlier test left at work is none of them."""
    earlier = courier_of(os.getpid())
    return lambda: [pid for pid in courier_of(os.getpid()) if pid not in earlier]


def is_courier(pid: int) -> bool:
    try:
        return b"codex_pooler.accounts.courier" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def until(condition: object) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.02)


def spending(account_id: UUID) -> Spending:
    return Spending(account_id, 1, "rt-old")


async def test_what_the_courier_brings_is_on_the_disk_before_it_is_told(sign_in: SlowSignIn, tmp_path: Path) -> None:
    sign_in.may_answer.set()
    logins, account = kept_logins(tmp_path), uuid4()
    courier = Courier(SignIn(sign_in.origin), logins)
    done = await courier.spend(spending(account))
    assert (done.renewed.access_token, done.renewed.refresh_token) == ("at-new", "rt-new")
    assert logins.all(account) == [(done.kept, done.renewed)]
    await courier.close()


async def test_many_logins_travel_with_one_courier(
    sign_in: SlowSignIn, couriers: Callable[[], list[int]], tmp_path: Path
) -> None:
    sign_in.may_answer.set()
    logins, accounts = kept_logins(tmp_path), [uuid4() for _ in range(12)]
    courier = Courier(SignIn(sign_in.origin), logins)
    done = await asyncio.gather(*(courier.spend(spending(account)) for account in accounts))
    assert [each.renewed.account_id for each in done] == accounts
    assert len(couriers()) == 1
    await courier.close()
    assert couriers() == []


async def test_a_gateway_killed_between_rotation_and_answer_loses_no_login(sign_in: SlowSignIn, tmp_path: Path) -> None:
    account = uuid4()
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, sign_in.origin, str(tmp_path), str(account)
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sign_in.asked.wait()
    (courier,) = courier_of(gateway.pid)
    gateway.kill()
    await gateway.wait()
    os.kill(courier, signal.SIGTERM)  # as a service manager would end what is left
    sign_in.may_answer.set()
    logins = kept_logins(tmp_path)
    await until(lambda: logins.all(account))
    ((_, renewed),) = logins.all(account)
    assert (renewed.refresh_token, renewed.epoch) == ("rt-new", 1)
    assert sign_in.tokens == ["rt-old"]
    await until(lambda: not is_courier(courier))


async def test_a_courier_that_dies_leaves_the_answer_lost_and_the_next_one_goes(
    sign_in: SlowSignIn, couriers: Callable[[], list[int]], tmp_path: Path
) -> None:
    courier = Courier(SignIn(sign_in.origin), kept_logins(tmp_path))
    flight = asyncio.create_task(courier.spend(spending(uuid4())))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sign_in.asked.wait()
    (child,) = couriers()
    os.kill(child, signal.SIGKILL)
    with pytest.raises(RefreshRefused) as refused:
        await flight
    assert (refused.value.code, refused.value.meaning) == ("sign_in_answer_lost", TRANSIENT)
    sign_in.may_answer.set()
    assert (await courier.spend(spending(uuid4()))).renewed.refresh_token == "rt-new"
    await courier.close()


async def test_a_refusal_comes_back_with_its_meaning(tmp_path: Path) -> None:
    courier = Courier(SignIn("http://127.0.0.1:9"), kept_logins(tmp_path))
    with pytest.raises(RefreshRefused) as refused:
        await courier.spend(spending(uuid4()))
    assert (refused.value.code, refused.value.meaning) == ("sign_in_unreachable", TRANSIENT)
    await courier.close()


async def test_an_errand_that_breaks_off_is_told_and_ends_no_other(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Broken(OwnExchange):
        async def spend(self, spending: Spending) -> Exchanged:
            raise KeyError(spending.refresh_token)

    await carry(Broken(SignIn("http://127.0.0.1:9"), kept_logins(tmp_path)), 5, spending(uuid4()))
    told = capfd.readouterr()
    assert orjson.loads(told.out) == {"number": 5, "code": "sign_in_answer_lost", "meaning": "transient"}
    assert told.err == "the courier could not renew a login: KeyError\n"


async def test_a_courier_without_work_goes_home(
    sign_in: SlowSignIn, couriers: Callable[[], list[int]], tmp_path: Path
) -> None:
    sign_in.may_answer.set()
    courier = Courier(SignIn(sign_in.origin), kept_logins(tmp_path), idle_seconds=0.0)
    await courier.spend(spending(uuid4()))
    found = couriers()
    await until(lambda: not any(map(is_courier, found)))
    await courier.spend(spending(uuid4()))
    await courier.close()


async def test_nothing_secret_is_in_the_couriers_command_line_or_environment(
    sign_in: SlowSignIn, couriers: Callable[[], list[int]], tmp_path: Path
) -> None:
    courier = Courier(SignIn(sign_in.origin), kept_logins(tmp_path))
    flight = asyncio.create_task(courier.spend(spending(uuid4())))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await sign_in.asked.wait()
    (child,) = couriers()
    seen = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
    assert b"rt-old" not in seen
    assert ROOT not in seen
    assert b"rt-old" not in repr((spending(uuid4()), courier)).encode()
    sign_in.may_answer.set()
    await flight
    await courier.close()
