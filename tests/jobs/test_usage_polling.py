"""Usage is asked for as often as an account's life needs it, by one process at a time, and harms no account."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from codex_pooler.jobs import usage_polling
from codex_pooler.jobs.usage_polling import Turn, UsagePolling, interval, is_resting
from codex_pooler.quota.facts import Observation
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.refusals import refusal_of
from codex_pooler.quota.windows import ACCOUNT, Window
from codex_pooler.snapshot.model import Account, Member, Pool, Snapshot
from codex_pooler.storage.database import Database
from codex_pooler.telemetry.metrics import USAGE_POLLS, Metrics
from codex_pooler.upstream import backend as upstream
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.usage import MOST_BYTES, PATHS, LoginDoubted, UsageClient, UsageUnavailable
from tests.quota.statements import NOW, head

MODEL = "gpt-5.5"
JSON_401 = (401, '{"detail": "Unauthorized"}')
JSON_403 = (403, '{"error": {"code": "account_suspended"}}')
CHALLENGE = (403, "<!DOCTYPE html><html>Just a moment...</html>")
USAGE = (200, json.dumps({"plan_type": "pro", "rate_limit": {"allowed": True, "primary_window": {"used_percent": 7}}}))


def account(number: int = 1, **more: Any) -> Account:
    values = {"label": "one", "state": "active", "chatgpt_account_id": f"acct-{number}", "access_token": f"at-{number}"}
    return Account(**{"id": UUID(int=number), "plan_type": "pro", **values, **more})


def snapshot_of(*accounts: Account) -> Snapshot:
    pool = Pool(UUID(int=99), "Team", "active", "fill_first", 4, tuple(Member(each) for each in accounts))
    return Snapshot(MappingProxyType({pool.id: pool}))


class Backend:
    """Answers usage questions as told, by path, and remembers who asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = dict.fromkeys(PATHS, USAGE)
        self.asked: list[web.Request] = []
        self.cookie: str | None = None
        self.at_once = self.most_at_once = 0
        self.seconds = 0.0

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        status, body = self.answers[request.path]
        response = web.Response(status=status, text=body)
        if self.cookie and self.cookie not in request.headers.get("cookie", ""):
            response.headers["set-cookie"] = f"{self.cookie}; Path=/; HttpOnly"
        return response

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


@pytest.fixture
def backend() -> Backend:
    return Backend()


def client_of(origin: str) -> UsageClient:
    return UsageClient(upstream.Backend(ConnectionPool(origin)))


@pytest.fixture
async def client(backend: Backend) -> AsyncIterator[UsageClient]:
    app = web.Application()
    app.router.add_get("/{path:.*}", backend.handle)
    async with TestServer(app) as server:
        yield client_of(f"http://127.0.0.1:{server.port}")


async def nobody(account_id: UUID, token: str) -> None:
    raise AssertionError("no login is doubted here")


def polling(
    database: Database, client: UsageClient, quotas: Quotas, *accounts: Account, doubted: Any = nobody, **more: Any
) -> UsagePolling:
    chance = random.Random(1)
    return UsagePolling(database, client, quotas, lambda: snapshot_of(*accounts), doubted, chance=chance, **more)


# -- asking


async def test_the_first_path_that_answers_is_enough(backend: Backend, client: UsageClient) -> None:
    assert await client.fetch(account()) == USAGE[1].encode()
    assert backend.paths == ["/backend-api/wham/usage"]
    headers = backend.asked[0].headers
    assert headers["authorization"] == "Bearer at-1"
    assert headers["chatgpt-account-id"] == "acct-1"
    assert headers["originator"] == "codex_cli_rs"


@pytest.mark.parametrize("first", [(404, "{}"), (500, "oops"), CHALLENGE, JSON_401, (200, "<html>"), (302, "")])
async def test_otherwise_the_second_path_is_asked(
    backend: Backend, client: UsageClient, first: tuple[int, str]
) -> None:
    backend.answers[PATHS[0]] = first
    assert await client.fetch(account()) == USAGE[1].encode()
    assert backend.paths == [*PATHS]


async def test_scenario_30_json_refusals_on_all_paths_doubt_the_login(backend: Backend, client: UsageClient) -> None:
    backend.answers = {PATHS[0]: JSON_401, PATHS[1]: JSON_403}
    with pytest.raises(LoginDoubted):
        await client.fetch(account())


@pytest.mark.parametrize("answers", [(CHALLENGE, CHALLENGE), (JSON_401, CHALLENGE), (JSON_401, (500, "{}"))])
async def test_scenario_30_challenge_pages_and_failures_say_nothing_about_the_login(
    backend: Backend, client: UsageClient, answers: tuple[tuple[int, str], tuple[int, str]]
) -> None:
    backend.answers = dict(zip(PATHS, answers, strict=True))
    with pytest.raises(UsageUnavailable):
        await client.fetch(account())


async def test_a_pass_handed_out_with_a_challenge_is_shown_once_and_only_for_its_account(
    backend: Backend, client: UsageClient
) -> None:
    backend.answers = dict.fromkeys(PATHS, CHALLENGE)
    backend.cookie = "cf_clearance=pass"
    with pytest.raises(UsageUnavailable):
        await client.fetch(account())
    assert [request.headers.get("cookie") for request in backend.asked] == [None, *["cf_clearance=pass"] * 2]
    backend.answers = dict.fromkeys(PATHS, USAGE)
    await client.fetch(account(2))
    assert "cookie" not in backend.asked[-1].headers


async def test_other_cookies_are_left_behind(backend: Backend, client: UsageClient) -> None:
    backend.cookie = "session=secret"
    await client.fetch(account())
    await client.fetch(account())
    assert "cookie" not in backend.asked[-1].headers


async def test_a_document_without_end_is_not_read(backend: Backend, client: UsageClient) -> None:
    backend.answers = dict.fromkeys(PATHS, (200, " " * (MOST_BYTES + 1)))
    with pytest.raises(UsageUnavailable):
        await client.fetch(account())


async def test_an_absent_backend_is_unavailable() -> None:
    with pytest.raises(UsageUnavailable):
        await client_of("http://127.0.0.1:9").fetch(account())


# -- taking in


async def test_usage_becomes_evidence(database: Database, client: UsageClient) -> None:
    quotas = Quotas()
    await polling(database, client, quotas, account()).ask(account())
    record = quotas.record(UUID(int=1))
    assert record is not None
    assert record.windows["account", "5h"].used_percent == 7.0


async def test_a_plan_that_changed_is_stored_and_announced(database: Database, client: UsageClient) -> None:
    async with database.session() as session:
        await session.run(
            "INSERT INTO accounts (id, label, chatgpt_account_id, identity_key, plan_type)"
            " VALUES ('00000000-0000-0000-0000-000000000001', 'one', 'acct-1', 'k', 'plus')"
        )
    await polling(database, client, Quotas()).ask(account(plan_type="plus"))
    async with database.session() as session:
        await session.run("SELECT plan_type FROM accounts")
        assert await session.cursor.fetchone() == ("pro",)


async def test_what_is_no_usage_document_is_unavailable(
    backend: Backend, database: Database, client: UsageClient
) -> None:
    backend.answers = dict.fromkeys(PATHS, (200, "[]"))
    with pytest.raises(UsageUnavailable):
        await polling(database, client, Quotas()).ask(account())


# -- when


def test_serving_accounts_and_nearly_used_ones_are_asked_often_and_idle_ones_seldom() -> None:
    quotas, one = Quotas(), UUID(int=1)
    assert interval(None, NOW) == 300
    quotas.observe(one, head(79), NOW)
    assert interval(quotas.record(one), NOW) == 300
    quotas.served(one, MODEL, NOW)
    assert interval(quotas.record(one), NOW + 299) == 75
    assert interval(quotas.record(one), NOW + 300) == 300
    quotas.observe(one, head(80, at=NOW + 300), NOW + 300)
    assert interval(quotas.record(one), NOW + 301) == 75


def asked_again_after(quotas: Quotas, turn: Turn) -> int:
    """Seconds after it was asked about that the account's turn comes again."""
    record = quotas.record(UUID(int=1))
    return next(s for s in range(4_000) if turn.is_due(record, NOW + s, 1_000.0 + s))


def test_turns_keep_their_distance_and_their_own_pace() -> None:
    quotas = Quotas()
    assert asked_again_after(quotas, Turn(0.0, 1.0, 1_000.0, NOW)) == 300
    assert asked_again_after(quotas, Turn(0.0, 0.8, 1_000.0, NOW)) == 240
    assert asked_again_after(quotas, Turn(1_030.0, 1.0)) == 30


def test_failures_slow_down_to_half_an_hour() -> None:
    waits = [asked_again_after(Quotas(), Turn(0.0, 1.0, 1_000.0, NOW, failures=n)) for n in range(5)]
    assert waits == [300, 600, 1_200, 1_800, 1_800]


def test_who_rests_is_asked_about_every_quarter_of_an_hour() -> None:
    quotas, one = Quotas(), UUID(int=1)
    quotas.served(one, MODEL, NOW)
    assert interval(quotas.record(one), NOW, resting=True) == 900
    quotas.observe(one, head(100, resets_in=7_200), NOW)
    assert Turn(0.0, 1.0, 0.0, NOW).is_due(quotas.record(one), NOW, 899.0, resting=False)
    assert not Turn(0.0, 1.0, 0.0, NOW).is_due(quotas.record(one), NOW, 899.0, resting=True)


@pytest.mark.parametrize(
    ("state", "used", "hours", "rests"),
    [
        ("active", 99, 20, False),
        ("active", 100, 0.5, False),
        ("active", 100, 20, True),
        ("draining", 10, 20, False),
        ("paused", 10, 20, True),
    ],
)
def test_who_is_paused_or_away_for_long_rests(state: str, used: float, hours: float, rests: bool) -> None:
    quotas, one = Quotas(), account(state=state)
    window = Window(ACCOUNT, 10_080, used, NOW, "usage", NOW + hours * 3_600)
    quotas.observe(one.id, Observation("usage", NOW, windows=(window,)), NOW)
    assert is_resting(one, quotas.standing(one.id, "", NOW), NOW) is rests


def test_a_usage_limit_is_looked_at_after_a_minute() -> None:
    quotas = Quotas()
    quotas.refuse(UUID(int=1), refusal_of("usage_limit_reached", NOW + 7_200, None, "", MODEL), NOW + 10)
    assert asked_again_after(quotas, Turn(0.0, 1.0, 1_000.0, NOW)) == 70


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """First questions at once, and a fast tick."""
    for name, value in (("TICK_SECONDS", 0.01), ("SOONEST_SECONDS", 0.0), ("SPREAD_SECONDS", 0.05)):
        monkeypatch.setattr(usage_polling, name, value)
    monkeypatch.setattr(usage_polling, "SPREAD_PER_ACCOUNT", 0.001)


async def run_until(enough: Callable[[], bool], *pollings: UsagePolling) -> None:
    """Let them run until there is enough, and a little longer, so that too much shows as well."""
    tasks = [asyncio.create_task(each.run()) for each in pollings]
    latest = time.monotonic() + 20
    while not enough() and time.monotonic() < latest:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def stored(database: Database) -> list[Account]:
    """Twenty accounts that the database knows."""
    async with database.session() as session:
        await session.run(
            "INSERT INTO accounts (id, label, chatgpt_account_id, identity_key, plan_type)"
            " SELECT lpad(to_hex(n), 32, '0')::uuid, 'one', 'acct-' || n, n::text, 'pro' FROM generate_series(1, 20) n"
        )
    return [account(number) for number in range(1, 21)]


@pytest.mark.usefixtures("hurry")
async def test_every_account_is_asked_about_once_and_never_many_at_once(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account]
) -> None:
    backend.seconds = 0.02
    counted = Metrics()
    asking = polling(database, client, Quotas(), *stored, metrics=counted)
    await run_until(lambda: counted.counts[USAGE_POLLS, "read"] >= 20, asking)
    assert sorted(request.headers["authorization"] for request in backend.asked) == sorted(
        f"Bearer {each.access_token}" for each in stored
    )
    assert backend.most_at_once <= 4


@pytest.mark.usefixtures("hurry")
async def test_one_process_of_several_asks(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account]
) -> None:
    several = [polling(database, client, Quotas(), *stored) for _ in range(3)]
    await run_until(lambda: len(backend.asked) >= 20, *several)
    assert len(backend.asked) == 20


@pytest.mark.usefixtures("hurry")
async def test_polling_goes_on_without_the_database(dsn: str, backend: Backend, client: UsageClient) -> None:
    away = await Database.open(dsn, minsize=1, maxsize=1, timeout=0.5)
    async with away.session():
        await run_until(lambda: bool(backend.asked), polling(away, client, Quotas(), account()))
    await away.close()
    assert len(backend.asked) == 1


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("state", ["active", "draining", "paused"])
async def test_accounts_that_serve_nothing_are_asked_about_too(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account], state: str
) -> None:
    quotas = Quotas()
    await run_until(lambda: bool(backend.asked), polling(database, client, quotas, replace(stored[0], state=state)))
    assert len(backend.asked) == 1
    assert quotas.record(stored[0].id) is not None


@pytest.mark.usefixtures("hurry")
async def test_only_accounts_that_can_be_asked_are(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account]
) -> None:
    one = stored[0]
    states = [replace(one, state=state) for state in ("pending", "reauth_required", "disabled")]
    others = [*states, replace(one, access_token=""), replace(one, access_expires_at=5.0)]
    for other in others:
        await run_until(lambda: True, polling(database, client, Quotas(), other))
    assert backend.asked == []


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("served", [False, True])
async def test_a_doubted_login_is_looked_into_unless_it_has_just_served(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account], served: bool
) -> None:
    backend.answers = dict.fromkeys(PATHS, JSON_401)
    quotas, doubts = Quotas(), []

    async def doubted(account_id: UUID, token: str) -> None:
        doubts.append((account_id, token))

    if served:
        quotas.served(stored[0].id, MODEL, time.time())
    await run_until(lambda: len(backend.asked) >= 2, polling(database, client, quotas, stored[0], doubted=doubted))
    assert doubts == ([] if served else [(UUID(int=1), "at-1")])


@pytest.mark.usefixtures("hurry")
async def test_trouble_with_one_account_does_not_end_the_polling(
    database: Database, backend: Backend, client: UsageClient, stored: list[Account]
) -> None:
    async def broken(account_id: UUID, token: str) -> None:
        raise RuntimeError("broken")

    backend.answers = dict.fromkeys(PATHS, JSON_401)
    counted = Metrics()
    doubtful = polling(database, client, Quotas(), *stored[:3], doubted=broken, metrics=counted)
    await run_until(lambda: counted.counts.total() >= 3, doubtful)
    assert len(backend.asked) == 6
    assert counted.counts == {(USAGE_POLLS, "login_refused"): 3}


def test_an_account_that_comes_later_is_asked_about_within_seconds(database: Database, client: UsageClient) -> None:
    present = [account()]
    asking = UsagePolling(database, client, Quotas(), lambda: snapshot_of(*present), nobody, chance=random.Random(1))
    asking._due(NOW, 1_000.0)
    newcomer = account(2)
    present.append(newcomer)
    asking._due(NOW, 1_100.0)
    assert newcomer.id in [one.id for one in asking._due(NOW, 1_104.0)]


async def test_asked_for_by_hand_accounts_are_asked_about_whosever_turn_it_is(
    backend: Backend, client: UsageClient, database: Database
) -> None:
    both = polling(database, client, Quotas(), account(1), account(2))
    async with database.session() as session:
        for number in (1, 2):
            await session.run(
                "INSERT INTO accounts (id, label, chatgpt_account_id, identity_key)"
                " VALUES (%(id)s, 'x', %(id)s, %(id)s)",
                {"id": str(UUID(int=number))},
            )
    assert await both.ask_now(UUID(int=2)) == (1, 1)
    assert [request.headers["chatgpt-account-id"] for request in backend.asked] == ["acct-2"]
    assert await both.ask_now() == (1, 1), "what was told a moment ago is not asked for again"
    assert await both.ask_now(UUID(int=9)) == (0, 0)
    assert both._due(time.time(), time.monotonic()) == []
