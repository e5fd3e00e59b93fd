"""Shared fixtures: one embedded PostgreSQL per session, of which every test is lent a database of its own."""

from __future__ import annotations

import base64
import functools
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings

from codex_pooler import __version__
from codex_pooler.accounts.exchange import OwnExchange
from codex_pooler.accounts.flows import Flows
from codex_pooler.accounts.logins import Logins
from codex_pooler.accounts.refresh import Refresher
from codex_pooler.accounts.saved_resets import SavedResets
from codex_pooler.config import Config
from codex_pooler.jobs.queue import Queue
from codex_pooler.operators import passwords
from codex_pooler.quota.quotas import Quotas
from codex_pooler.quota.record import Record
from codex_pooler.quota.windows import Window
from codex_pooler.routing.health import Trouble
from codex_pooler.snapshot.catalog import EMPTY, Catalog
from codex_pooler.storage import migrate
from codex_pooler.storage.database import Database
from codex_pooler.storage.embedded import EmbeddedPostgres
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.secret_spool import SecretSpool
from codex_pooler.upstream.backend import Backend
from codex_pooler.upstream.oauth import SignIn
from codex_pooler.upstream.pool import ConnectionPool
from codex_pooler.upstream.resets import ResetsClient
from codex_pooler.web import spa
from codex_pooler.web.context import WebContext
from tests.databases import Databases, be_careless, dsn_of, execute

PASSWORD_COST = passwords.COST
CHEAPEST_PASSWORD = 4  # the least that bcrypt takes
NOBODY = "http://127.0.0.1:9"  # nothing listens there

settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def cheap() -> Iterator[None]:
    """What every gateway pays for its start: the built console is read once, and passwords cost next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spa, "load_assets", functools.cache(spa.load_assets))
        patch.setattr(passwords, "COST", CHEAPEST_PASSWORD)
        yield


@pytest.fixture
def dear_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords cost what they do outside of tests."""
    monkeypatch.setattr(passwords, "COST", PASSWORD_COST)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The DSN of a server whose database ``template`` has every migration."""
    # Not below pytest's own folder: as root the server runs as another user, and any other pytest that starts
    # meanwhile closes that folder to others.
    with tempfile.TemporaryDirectory(prefix="codex-pooler-tests-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder))
        dsn = server.start()
        be_careless(dsn)
        execute(dsn, "CREATE DATABASE template")
        migrate.upgrade(dsn_of(dsn, "template"))
        yield dsn
        server.stop()


@pytest.fixture(scope="session")
def databases(postgres: str) -> Databases:
    return Databases(postgres)


@pytest.fixture
def dsn(databases: Databases) -> Iterator[str]:
    """A database of this test's own."""
    lent = databases.lend()
    yield lent
    databases.take_back(lent)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    opened = await Database.open(dsn, maxsize=5)
    yield opened
    await opened.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(state_dir=tmp_path, secret_key="s" * 32, chatgpt_url=NOBODY, auth_url=NOBODY, http_port=0)


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(secret=b"s" * 32, upstream={1: b"u" * 32}, totp={1: b"t" * 32})


class QuietLive:
    """Nothing is running and nothing has failed."""

    def in_flight(self, account_id: UUID) -> int:
        return 0

    def cooling_until(self, account_id: UUID) -> datetime | None:
        return None

    def blocked_until(self, account_id: UUID) -> datetime | None:
        return None

    def windows(self, account_id: UUID) -> list[Window]:
        return []

    def record(self, account_id: UUID) -> Record | None:
        return None

    def total_in_flight(self) -> int:
        return 0

    def troubles(self, account_id: UUID) -> list[Trouble]:
        return []

    def catalog(self, pool_id: UUID) -> Catalog:
        return EMPTY

    def explain(self, pool_id: UUID, model: str, route_class: str, seed: str, binding: bytes | None) -> None:
        return None


@pytest.fixture
def context(config: Config, database: Database, keyring: Keyring) -> WebContext:
    logins = Logins(database, keyring.upstream, SecretSpool(config.state_dir / "spool"))
    sign_in = SignIn(config.auth_url)

    async def nothing_to_refresh() -> None:
        return None

    async def nothing_about(account_id: UUID) -> None:
        return None

    backend = Backend(ConnectionPool(config.chatgpt_url))
    return WebContext(
        config=config,
        database=database,
        keyring=keyring,
        live=QuietLive(),
        refresher=Refresher(logins, OwnExchange(sign_in, logins.kept)),
        sign_in=sign_in,
        flows=Flows(database, keyring, sign_in),
        backend=backend,
        saved_resets=SavedResets(
            database, ResetsClient(backend), Quotas(), lambda account_id: None, nothing_about, nothing_about
        ),
        queue=Queue(database),
        refresh_snapshot=nothing_to_refresh,
        bootstrap_token="bootstrap-token-of-the-tests",
        version=__version__,
        started_at=datetime.now(UTC),
    )


def jwt(claims: dict[str, Any]) -> str:
    """An unsigned token with these claims; importing reads claims and leaves signatures to the backend."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, b"signature"))


@pytest.fixture
def make_auth_json() -> Callable[..., dict[str, Any]]:
    """An ``auth.json`` as Codex writes it, for any account."""

    def make(
        account: str = "acct-1", *, user: str | None = "user-1", email: str = "anna@example.com", lifetime: int = 3600
    ) -> dict[str, Any]:
        auth = {"chatgpt_account_id": account, "chatgpt_plan_type": "plus", "workspace_id": "ws-1"}
        auth |= {"chatgpt_user_id": user} if user else {}
        claims = {"email": email, "https://api.openai.com/auth": auth}
        access = {**claims, "exp": int(datetime.now(UTC).timestamp()) + lifetime}
        tokens = {"id_token": jwt(claims), "access_token": jwt(access), "refresh_token": "rt-secret-of-the-test"}
        return {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {**tokens, "account_id": account},
            "last_refresh": "2026-01-01T00:00:00Z",
        }

    return make
