"""Nothing that a turn contains and no credential is found anywhere but where it belongs: on its way, or sealed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from codex_pooler.config import load
from codex_pooler.gateway.turn import TurnRequest
from codex_pooler.protocol.requests import read_fields
from codex_pooler.quota.quotas import Quotas
from codex_pooler.routing.bindings import Bindings
from codex_pooler.routing.candidates import Known, Moment
from codex_pooler.routing.health import Health
from codex_pooler.routing.leases import Leases
from codex_pooler.storage.postgres_binaries import find_bin
from tests.integration.whole import Gateway
from tests.process.served import PASSWORD, Installation, Served, serving, until
from tests.security.wire import exchange

# what clients and the backend say; every one is unlike anything that the product itself would write
SPOKEN = "prompt output tool instructions session agent cookie cachekey metadata query requestid affinity"
MALFORMED = "bearer nul badjson chunksize gzip field adminbody login"
BACKEND = "upstream exhausted stream broken"
PLANTED = {name: f"canary-{name}-Zq7Xw2Kp" for name in f"{SPOKEN} {MALFORMED} {BACKEND}".split()}
TURNS = 6 + 2 + 6  # said, failed, and said again with the database away
RESPONSES = "/backend-api/codex/responses"
TOOL = {"type": "function", "name": "exec_command", "parameters": {"type": "object", "properties": {}}}


def test_the_search_finds_what_there_is(tmp_path: Path) -> None:
    """A search that cannot find anything proves nothing."""
    (tmp_path / "sealed").write_bytes(b"\x00\xff" + base64.b64encode(b"  " + PLANTED["prompt"].encode()))
    assert list(hits("file", (tmp_path / "sealed").read_bytes(), [PLANTED["prompt"]]))
    assert list(hits("dump", PLANTED["tool"].encode().hex().encode(), [PLANTED["tool"]]))
    assert not list(hits("file", b"nothing", PLANTED.values()))


def hits(place: str, found: bytes, secrets: Iterable[str]) -> Iterator[str]:
    """Which of the secrets a place holds: as they are, in hex, or in base64 at any offset."""
    for secret in secrets:
        raw = secret.encode()
        forms = {raw, raw.hex().encode(), *(_base64_core(raw, offset) for offset in range(3))}
        if any(form in found for form in forms):
            yield f"{place}: {secret[:24]}"


def _base64_core(raw: bytes, offset: int) -> bytes:
    """The base64 of ``raw`` in the middle of something: without the letters that its neighbours share."""
    encoded = base64.b64encode(bytes(offset) + raw)
    return encoded[(0, 2, 3)[offset] : -4]


async def test_nothing_said_and_no_credential_is_kept_anywhere(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_BOOTSTRAP_TOKEN=PLANTED["login"]) as served:
        await say_everything(served)
        bodies = await send_what_is_malformed(served)
        bodies += await fail(served)
        spool = spooled(installation)
        await until(lambda: len(installation.rows("SELECT * FROM quota_blocks")) == 2, "a refusal was not stored")
        forget_refusals(installation.dsn)
        served.kill()  # the next process knows nothing of accounts that failed
        await served.restart()
        os.kill(installation.postmaster(), signal.SIGKILL)
        await say_everything(served)
        spool += spooled(installation)
        assert spool.count(b"\nE ") == TURNS, "all that was said went through here"
        await served.rows(TURNS)
        async with served.http.get(f"{served.origin}/metrics") as answer:
            metrics = await answer.read()
        secrets = [*PLANTED.values(), *credentials(served)]
        places = {
            "database": dump(installation.dsn),
            "raw database files": stored(installation.state / "postgres"),
            "spool": spool,
            "metrics": metrics,
            "error bodies": b"\n".join(bodies),
            "log": served.log.read_bytes(),
            "postgres.log": (installation.state / "postgres.log").read_bytes(),
        }
        assert b"codex_exec/0.169.0" in places["database"], "what may be kept is there"
        assert b'codex_pooler_turns_total{status="succeeded"} 6' in metrics
        found = [hit for place, content in places.items() for hit in hits(place, content, secrets)]
        assert found == []
        assert b"Traceback" not in places["log"], places["log"].decode()


def forget_refusals(dsn: str) -> None:
    """Blocks of accounts outlive the process that set them."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM quota_blocks")


def credentials(served: Served) -> list[str]:
    """Every secret that opens something: of accounts, keys, operators."""
    held = [served.installation.key, served.installation.token, PASSWORD]
    for account in served.world.accounts.values():
        tokens = served.world.auth_json(account)["tokens"]
        held += [account.personal_token, *(tokens[name].rpartition(".")[2] for name in TOKENS)]
    arrived = (served.installation.state / "keys").iterdir()
    return held + [path.read_text().strip() for path in arrived]


TOKENS = ("id_token", "access_token", "refresh_token")


def dump(dsn: str) -> bytes:
    """The whole database as its own tool writes it; binary columns are in hex there."""
    made = subprocess.run([find_bin() / "pg_dump", "--dbname", dsn], capture_output=True, check=True)
    assert b"COPY public.account_secrets" in made.stdout
    return made.stdout


def stored(folder: Path) -> bytes:
    """All tables and their journal as they lie on the disk."""
    places = ("base", "pg_wal", "global")
    return b"".join(path.read_bytes() for name in places for path in (folder / name).rglob("*") if path.is_file())


def spooled(installation: Installation) -> bytes:
    """The journal; a segment keeps what it was told for some time after the database has it."""
    return b"".join(path.read_bytes() for path in (installation.state / "spool").glob("*.log"))


async def say_everything(served: Served) -> None:
    """Turns that carry a secret in each place where a client can put one."""
    headers = {
        "Authorization": f"Bearer {served.installation.key}",
        "session-id": PLANTED["session"],
        "User-Agent": f"codex_exec/0.169.0 (Debian; {PLANTED['agent']}) {PLANTED['agent']}",
        "Cookie": f"AIOHTTP_SESSION={PLANTED['cookie']}; other={PLANTED['cookie']}",
        "x-codex-turn-metadata": PLANTED["metadata"],
        "x-session-affinity": PLANTED["affinity"],
        "X-Request-Id": PLANTED["requestid"],
    }
    prompts = (
        f"Say 3 words about {PLANTED['prompt']}",
        f"Reply with exactly: {PLANTED['output']}",
        f"Run the shell command: `echo {PLANTED['tool']}`",
    )
    for prompt in prompts:
        for stream in (True, False):
            message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
            body = {"model": "gpt-5.5", "input": [message], "stream": stream, "store": False, "tools": [TOOL]}
            body |= {"instructions": PLANTED["instructions"], "prompt_cache_key": PLANTED["cachekey"]}
            url = f"{served.origin}{RESPONSES}?secret={PLANTED['query']}"
            async with served.http.post(url, json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                assert "completed" in await answer.text()


async def send_what_is_malformed(served: Served) -> list[bytes]:
    """What cannot be served, each with a secret where an error message might quote it; all that was answered."""
    key, host = served.installation.key, b"Host: x\r\nConnection: close\r\n"
    post = b"POST " + RESPONSES.encode() + b" HTTP/1.1\r\n" + host
    good = post + f"Authorization: Bearer {key}\r\n".encode()
    bearer = PLANTED["bearer"].encode()
    broken = b'{"model": "gpt-5.5", "input": [' + PLANTED["badjson"].encode()
    wrong = b'{"model": {"%b": 1}, "stream": "%b"}' % ((PLANTED["field"].encode(),) * 2)
    raws = [
        post + b"Authorization: Bearer " + PLANTED["nul"].encode() + b"\x00\r\n\r\n",
        post + b"Authorization: Bearer " + bearer + b"\r\nContent-Length: 0\r\n\r\n",
        post + b"Authorization: Bearer sk-cxp-" + bearer + b"\r\nContent-Length: 0\r\n\r\n",
        post + b"Authorization: Bearer " + bearer * 5000 + b"\r\n\r\n",
        post + b"Authorization: Bearer " + key.encode() + b"\x01\r\n\r\n",
        post + bearer + b" : x\r\n\r\n",
        bearer + b" / HTTP/1.1\r\n\r\n",
        good + b"Content-Length: " + bearer + b"\r\n\r\n",
        good + b"Content-Encoding: " + bearer + b"\r\nContent-Length: 0\r\n\r\n",
        good + b"Content-Length: %d\r\n\r\n" % len(broken) + broken,
        good + b"Content-Length: %d\r\n\r\n" % len(wrong) + wrong,
        good + b"Transfer-Encoding: chunked\r\n\r\n" + PLANTED["chunksize"].encode() + b"\r\n\r\n",
        good + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"mod\r\n' + PLANTED["chunksize"].encode() + b"\r\n\r\n",
        good + b"Content-Encoding: gzip\r\nContent-Length: 24\r\n\r\n" + PLANTED["gzip"].encode().ljust(24),
        b"GET /api/admin/v1/pools HTTP/1.1\r\n" + host + b"Authorization: Bearer pat-cxp-" + bearer + b"\r\n\r\n",
        b"GET /api/admin/v1/pools HTTP/1.1\r\n" + host + b"Authorization: Bearer " + bearer + b"\x00\r\n\r\n",
    ]
    replies = [await exchange(served.origin, raw) for raw in raws]
    assert all(reply.raw for reply in replies)
    return [reply.raw for reply in replies] + await _malformed_for_operators(served)


async def _malformed_for_operators(served: Served) -> list[bytes]:
    headers = {"Authorization": f"Bearer {served.installation.token}", "Content-Type": "application/json"}
    secret = PLANTED["adminbody"]
    tokens = {"access_token": secret, "id_token": f"eyJ{secret}.{secret}.x", "refresh_token": secret}
    calls = [
        ("pools", f'{{"name": "{secret}'),
        ("pools", f'{{"name": {{"a": "{secret}"}}}}'),
        ("upstreams/import", f'{{"pool_id": "{served.installation.pool_id}", "auth_json": "{secret}"}}'),
        ("upstreams/import", json.dumps({"pool_id": served.installation.pool_id, "auth_json": {"tokens": tokens}})),
        ("auth/login", f'{{"email": "owner@example.com", "password": "{secret}"}}'),
        ("bootstrap", f'{{"email": "x@example.com", "password": "{secret}", "token": "{secret}"}}'),
    ]
    answers = []
    for resource, body in calls:
        url = f"{served.origin}/api/admin/v1/{resource}"
        async with served.http.post(url, data=body, headers=headers) as answer:
            assert answer.status >= 400, (resource, await answer.text())
            answers.append(await answer.read())
    return answers


async def fail(served: Served) -> list[bytes]:
    """Both accounts refuse a turn, and then no account is left; what the client heard of it."""
    limit = {"type": "usage_limit_reached", "message": PLANTED["exhausted"], "resets_in_seconds": 60}
    order = {"fault": {"kind": "refuse", "status": 429, "body": {"error": limit}}, "times": 2}
    backend = served.environ["CODEX_POOLER_CHATGPT_URL"]
    async with served.http.post(f"{backend}/__control/faults", json=order) as answer:
        assert answer.status == 200, await answer.text()
    heard = []
    for _ in range(2):
        body = {"model": "gpt-5.5", "input": [], "stream": True, "store": False}
        headers = {"Authorization": f"Bearer {served.installation.key}"}
        async with served.http.post(f"{served.origin}{RESPONSES}", json=body, headers=headers) as answer:
            assert answer.status == 429
            heard.append(await answer.read())
    return heard


def _in_body(preset: str, code: str) -> dict[str, object]:
    return {"preset": preset, "body": {"error": {"message": PLANTED["upstream"], "code": code}}}


BLAMED: list[dict[str, object]] = [
    _in_body("server_error", "server_error"),
    _in_body("token_revoked", "token_revoked"),
    _in_body("insufficient_quota", "insufficient_quota"),
    _in_body("rate_limit_exceeded", "rate_limit_exceeded"),
    _in_body("forbidden", "account_suspended"),
    {"preset": "unavailable", "body": PLANTED["broken"]},
    {"preset": "malformed_error", "body": '{"error": {"message": "' + PLANTED["broken"]},
    {"preset": "challenge", "body": f"<html>{PLANTED['upstream']}</html>"},
    {"preset": "not_sse", "body": PLANTED["broken"]},
    {"preset": "failed_overloaded", "message": PLANTED["stream"]},
    {"preset": "failed_usage_limit", "message": PLANTED["stream"]},
    {"preset": "error_event", "message": PLANTED["stream"]},
]
# the backend's words about the request itself, and after output, reach the client as they came: that is their purpose
PASSED_ON: list[dict[str, object]] = [
    _in_body("bad_request", "invalid_value"),
    {"preset": "failed_context", "message": PLANTED["stream"]},
    {"preset": "failed_after_output", "message": PLANTED["stream"]},
]


async def test_what_the_backend_says_about_an_account_is_not_repeated(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    for fault in [*BLAMED, *PASSED_ON]:
        gateway.process.house.known = Known(Health(), Quotas(), Leases(), Bindings())
        for account in ("acct-1", "acct-2"):
            await gateway.control("POST", "/faults", {"account": account, "fault": fault, "times": 1})
        async with gateway.turn() as answer:
            heard = await answer.read()
        await gateway.control("DELETE", "/faults")
        assert fault in PASSED_ON or not list(hits("client", heard, PLANTED.values())), (fault, heard)
    arrived = (await gateway.control("GET", "/record"))["arrivals"]
    renewed = 1  # a refused token is renewed, and its account then serves
    struck = 2 * len(BLAMED) - renewed + len(PASSED_ON)
    assert len([one for one in arrived if one["fault"]]) == struck, "every fault struck"
    rows = await gateway.log()
    assert len(rows) == len(BLAMED) + len(PASSED_ON)
    database = dump(gateway.process.context.database.dsn)
    places = {"rows": json.dumps(rows).encode(), "database": database, "log": caplog.text.encode()}
    assert [hit for place, content in places.items() for hit in hits(place, content, PLANTED.values())] == []


async def test_no_object_shows_a_secret_when_it_is_printed(gateway: Gateway) -> None:
    headers = {"session-id": PLANTED["session"]}
    async with gateway.turn(f"Reply with exactly: {PLANTED['output']}", headers=headers) as answer:
        await answer.read()
    house = gateway.process.house
    tokens = [member.account.access_token for pool in house.snapshot.current.pools.values() for member in pool.members]
    assert all(tokens)
    names = ("SECRET_KEY", "UPSTREAM_SECRET_KEY", "TOTP_ENCRYPTION_KEY", "BOOTSTRAP_TOKEN")
    config = load({f"CODEX_POOLER_{name}": f"{PLANTED['login']}{name}" for name in names})
    key = next(iter(house.snapshot.current.keys.values()))
    body = b'{"model": "gpt-5.5", "prompt_cache_key": "%b"}' % PLANTED["cachekey"].encode()
    headers = {"authorization": f"Bearer {gateway.key}", "cookie": PLANTED["cookie"]}
    turn = TurnRequest(
        id="turn",
        key=key,
        body=body,
        fields=read_fields(body),
        client_headers=headers,
        seed=PLANTED["session"],
        route=RESPONSES,
        transport="http_sse",
        client=None,
        admitted=Moment(0.0, 0.0),
    )
    printed = [house, house.snapshot, house.snapshot.current, house.backend, house.known, house.journal]
    printed += [gateway.process, gateway.process.context, config, turn, turn.fields, key, *asyncio.all_tasks()]
    shown = "\n".join(map(repr, printed)).replace(repr(gateway), "")
    keys = [gateway.process.context.bootstrap_token or PLANTED["query"], "s" * 32]
    assert list(hits("repr", shown.encode(), [*PLANTED.values(), *tokens, gateway.key, gateway.token, *keys])) == []
