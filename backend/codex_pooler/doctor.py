"""``codex-pooler doctor``: checks what the gateway needs, one line each, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import psycopg2

from codex_pooler.config import Config
from codex_pooler.jobs.key_rotation import sealed_places
from codex_pooler.storage import migrate
from codex_pooler.storage.database import Database
from codex_pooler.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.postgres_binaries import NoPostgres
from codex_pooler.storage.rotation import Tally, tally
from codex_pooler.storage.vault import SecretError

REACH_SECONDS = 5.0
MOST_SKEW_SECONDS = 60.0
LEAST_FREE_BYTES = 1 << 30
OLDEST_POSTGRES = 140000


@dataclass(frozen=True)
class Finding:
    """One check's result.  ``advice`` says what to do; it is empty when all is well."""

    check: str
    detail: str
    advice: str = ""
    fatal: bool = True


def examine(config: Config, tell: Callable[[str], object]) -> bool:
    """Run every check and tell its line.  True when something is wrong that stops the gateway."""
    broken = False
    for finding in findings(config):
        mark = "ok  " if not finding.advice else "FAIL" if finding.fatal else "warn"
        tell(f"{mark}  {finding.check}: {finding.detail}")
        if finding.advice:
            tell(f"      -> {finding.advice}")
        broken = broken or bool(finding.advice and finding.fatal)
    return broken


def findings(config: Config) -> Iterator[Finding]:
    """In the order a person would fix them."""
    yield state_directory(config)
    yield from keys_and_database(config)
    yield port(config)
    yield clock_and_reach("ChatGPT", config.chatgpt_url)
    yield clock_and_reach("sign-in server", config.auth_url)


def state_directory(config: Config) -> Finding:
    folder = config.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as exc:
        advice = "make it writable for this user, or set CODEX_POOLER_STATE_DIR to a folder that is"
        return Finding("state directory", f"{folder}: {exc.strerror}", advice)
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        advice = "free some space: the journal and the embedded database live here"
        return Finding("state directory", f"{folder} has only {free >> 20} MiB left", advice, fatal=False)
    return Finding("state directory", f"{folder} ({free >> 30} GiB free)")


def keys_and_database(config: Config) -> Iterator[Finding]:
    from codex_pooler.process.installation import keyring_of

    keyring: Keyring | None = None
    try:
        keyring = keyring_of(config)
        yield Finding("keys", f"version {keyring.upstream.current} encrypts account credentials")
    except (SecretError, OSError) as exc:
        advice = "give CODEX_POOLER_SECRET_KEY and CODEX_POOLER_UPSTREAM_SECRET_KEY valid values, or unset them"
        yield Finding("keys", str(exc), advice)
    try:
        server = None if config.database_url else EmbeddedPostgres(config.state_dir)
        dsn = config.database_url or (server.start() if server else "")
    except (NoPostgres, EmbeddedPostgresError, OSError) as exc:
        yield Finding("database", str(exc), "see the log it names, or set DATABASE_URL to a PostgreSQL 14 or newer")
        return
    try:
        yield from database(dsn, config, keyring)
    finally:
        if server:
            server.stop()


def database(dsn: str, config: Config, keyring: Keyring | None) -> Iterator[Finding]:
    try:
        connection = psycopg2.connect(dsn, connect_timeout=int(REACH_SECONDS))
    except psycopg2.OperationalError as exc:
        reason = str(exc).strip().splitlines()[0]
        yield Finding("database", reason, "check DATABASE_URL, and that the server runs and lets this machine in")
        return
    with connection:
        version = connection.server_version
        advice = "" if version >= OLDEST_POSTGRES else "use PostgreSQL 14 or newer"
        yield Finding("database", f"PostgreSQL {version // 10000}.{version % 10000}", advice)
        at, head = migrate.revisions(dsn)
        yield Finding(
            "migrations", f"at {at or 'none'}, newest is {head}", "" if at == head else "run codex-pooler migrate"
        )
    connection.close()
    if at == head and keyring:
        yield _stored_secrets(asyncio.run(_counted(dsn, config, keyring)))


def _stored_secrets(counted: Sequence[Tally]) -> Finding:
    """Every stored secret opened for a test: a wrong key is found here and not at three in the morning."""
    total, old = sum(each.versions.total() for each in counted), sum(each.old for each in counted)
    unreadable = [reason for each in counted for reason in each.unreadable]
    if unreadable:
        advice = (
            "start with the CODEX_POOLER_UPSTREAM_SECRET_KEY that sealed them (or the state directory it was in), or "
            "link these accounts again"
        )
        return Finding("stored secrets", f"{len(unreadable)} of {total} cannot be opened; {unreadable[0]}", advice)
    if old:
        advice = "run codex-pooler keys rotate; the old key is needed until then"
        return Finding("stored secrets", f"{old} of {total} are under an older key", advice, fatal=False)
    return Finding("stored secrets", f"{total}, all can be opened" if total else "none yet")


async def _counted(dsn: str, config: Config, keyring: Keyring) -> Sequence[Tally]:
    database = await Database.open(dsn, maxsize=1)
    try:
        return await tally(database, sealed_places(config.state_dir), keyring)
    finally:
        await database.close()


def port(config: Config) -> Finding:
    where = f"{config.http_host}:{config.http_port}"
    with socket.socket(socket.AF_INET6 if ":" in config.http_host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.http_host, config.http_port))
        except OSError as exc:
            advice = "fine if this is the running gateway; else stop what uses it or set CODEX_POOLER_HTTP_PORT"
            return Finding("port", f"{where}: {os.strerror(exc.errno or 0)}", advice, fatal=False)
    return Finding("port", f"{where} is free")


def clock_and_reach(name: str, url: str) -> Finding:
    """Any answer will do: its date tells how far our clock is off."""
    parts = urlsplit(url)
    make = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = make(parts.hostname or "", parts.port, timeout=REACH_SECONDS)
    try:
        connection.request("HEAD", parts.path or "/")
        answer = connection.getresponse()
    except ssl.SSLError as exc:
        return Finding(
            name, f"{url}: {exc.reason}", "install CA certificates, or check the proxy in between", fatal=False
        )
    except (OSError, HTTPException) as exc:
        advice = "check DNS, the firewall, and CODEX_POOLER_CHATGPT_URL / CODEX_POOLER_AUTH_URL"
        return Finding(name, f"{url} cannot be reached ({exc})", advice, fatal=False)
    finally:
        connection.close()
    date = answer.headers.get("Date")
    skew = abs(parsedate_to_datetime(date).timestamp() - time.time()) if date else 0.0
    if skew > MOST_SKEW_SECONDS:
        advice = "set the clock (NTP): token expiry and quota resets depend on it"
        return Finding(name, f"{url} answers, and the clock is {skew:.0f} s off", advice, fatal=False)
    return Finding(name, f"{url} answers, clocks agree")
