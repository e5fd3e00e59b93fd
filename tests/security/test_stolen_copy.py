"""What a thief gets: the database, the logs and the state directory without its keys hold no usable secret."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import aiohttp
import orjson
import psycopg2
import pytest

from tests.integration.whole import OWNER, PASSWORD, Gateway, opened

PROXY_PASSWORD = "the-proxy-password-7f3a"
MAIL_PASSWORD = "the-mail-password-91bc"
PASSPHRASE = "the-passphrase-of-the-bundle"


def forms(secret: str) -> Iterator[bytes]:
    """As it is, and as a dump or a careless program would write it."""
    yield secret.encode()
    yield secret.encode().hex().encode()
    yield base64.b64encode(secret.encode()).rstrip(b"=")[:-2]


def dump(dsn: str) -> bytes:
    """Every row of every table as text."""
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = [name for (name,) in cursor.fetchall()]
        rows = []
        for table in tables:
            cursor.execute(f"SELECT t::text FROM {table} t")  # names from the catalogue itself
            rows += [text for (text,) in cursor.fetchall()]
    connection.close()
    return "\n".join(rows).encode()


def state(folder: Path) -> bytes:
    """Every file of the state directory but the keys."""
    return b"\n".join(
        path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "keys" not in path.relative_to(folder).parts
    )


async def live_through_it(gateway: Gateway) -> set[str]:
    """Import, proxy, renewal, mail password, export; the secrets that there have been."""
    secrets = {gateway.key, gateway.token, PASSWORD, PROXY_PASSWORD, MAIL_PASSWORD, PASSPHRASE}
    for account in gateway.world.accounts.values():
        tokens = gateway.world.auth_json(account)["tokens"]
        secrets |= {tokens[name] for name in ("access_token", "refresh_token", "id_token")}
    listed = (await gateway.admin("GET", "/upstreams"))["items"]
    one = listed[0]["id"]
    proxy = f"http://anna:{PROXY_PASSWORD}@127.0.0.1:9"
    await gateway.admin("PATCH", f"/upstreams/{one}", {"egress_proxy": proxy})
    await gateway.admin("POST", f"/upstreams/{one}/probe")
    await gateway.admin("PATCH", f"/upstreams/{one}", {"egress_proxy": None})
    await gateway.admin("POST", f"/upstreams/{one}/refresh")
    await gateway.admin("PATCH", "/settings/smtp", {"values": {"username": "mail", "password": MAIL_PASSWORD}})
    invite = await gateway.admin("POST", "/invites", {"pool_id": gateway.pool_id, "email": "new@example.com"})
    secrets.add(invite["url"].rsplit("/", 1)[1])
    async with gateway.turn() as answer:
        await answer.read()
    pools = gateway.process.house.snapshot.current.pools
    secrets |= {member.account.access_token for member in pools[UUID(gateway.pool_id)].members}
    return secrets


async def export(gateway: Gateway) -> bytes:
    """The sealed file of all accounts."""
    origin = f"{gateway.origin}/api/admin/v1"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.post(f"{origin}/auth/login", json={"email": OWNER, "password": PASSWORD}) as answer:
            csrf = (await answer.json())["csrf_token"]
        headers = {"X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-origin"}
        body = {"passphrase": PASSPHRASE, "password": PASSWORD}
        async with http.post(f"{origin}/upstreams/export", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            bundle = await answer.read()
    return bundle


async def test_scenario_38_a_stolen_copy_holds_no_usable_secret(
    dsn: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="codex_pooler")
    async with opened(dsn, tmp_path) as gateway:
        secrets = await live_through_it(gateway)
        bundle = await export(gateway)
        audit = orjson.dumps(await gateway.admin("GET", "/audit-logs?limit=200"))
        await gateway.process.writer.drain()
    assert len(secrets) > 10
    for name, loot in (
        ("database", dump(dsn)),
        ("state directory", state(tmp_path)),
        ("log", caplog.text.encode()),
        ("audit trail", audit),
        ("bundle", bundle),
    ):
        found = [secret[:12] for secret in secrets for form in forms(secret) if form in loot]
        assert not found, f"the {name} holds secrets that begin with {found}"
