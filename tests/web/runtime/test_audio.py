"""Dictation: a strict form in, text out; the recording's bytes arrive as they were and stay nowhere."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest

from tests.integration.whole import Gateway
from tests.web.runtime.asking import Reply, arrived, ask, forget

PATH = "/backend-api/transcribe"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \r\n--b\r\n\r\n--boundary \x00\xff canary-audio"
KIND = 'multipart/form-data; boundary="boundary"'


def part(name: str, data: bytes, more: str = "", kind: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"{more}\r\n' + (f"Content-Type: {kind}\r\n" if kind else "")
    return b"--boundary\r\n" + head.encode() + b"\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--boundary--\r\n"


def recording(data: bytes = WAV, filename: str = "speech.wav", kind: str = "audio/wav") -> bytes:
    return part("file", data, f'; filename="{filename}"', kind)


async def dictate(gateway: Gateway, body: bytes, kind: str = KIND, **more: Any) -> Reply:
    return await ask(gateway, "POST", PATH, data=io.BytesIO(body), headers={"Content-Type": kind}, **more)


async def test_the_recording_arrives_as_it_was(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    reply = await dictate(gateway, form(recording(), part("prompt", b"canary-prompt"), part("later", b"field")))
    assert reply.status == 200
    assert set(reply.json) == {"text"}
    (arrival,) = await arrived(gateway, PATH)
    assert arrival["sha256"] == hashlib.sha256(WAV).hexdigest()
    assert arrival["body"] == {
        "file": "audio.wav",
        "model": "gpt-4o-transcribe",
        "prompt": "canary-prompt",
        "later": "field",
    }
    (row,) = await gateway.log()
    assert (row["route"], row["transport"], row["status"]) == (PATH, "http_multipart", "succeeded")
    assert row["model"] == "gpt-4o-transcribe"


NAMES = [
    ("../../etc/passwd", "audio/wav", "audio.wav"),
    ("C:\\\\Users\\\\anna\\\\x.mp4", "audio/mp4", "audio.mp4"),
    ("note.webm", "application/octet-stream", "audio.webm"),
    ("note", "", "audio.wav"),
    ("", "audio/ogg; codecs=opus", "audio.ogg"),
    ("x.wav", "audio/mpeg", "audio.mp3"),
]


async def test_the_clients_name_for_it_stays_here(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    for filename, kind, sent in NAMES:
        reply = await dictate(gateway, form(recording(filename=filename, kind=kind)))
        assert reply.status == 200, reply.body
        assert (await arrived(gateway, PATH))[-1]["body"]["file"] == sent


async def test_a_model_the_client_names_is_kept(gateway: Gateway) -> None:
    await gateway.control("POST", "/settings", {"keep_bodies": True})
    assert (await dictate(gateway, form(recording(), part("model", b"gpt-transcribe")))).status == 200
    assert (await arrived(gateway, PATH))[0]["body"]["model"] == "gpt-transcribe"


LATE_BOUNDARY = b"preamble\r\n" + form(recording())
WRONG = {
    "no file": (form(part("prompt", b"x")), "file"),
    "two files": (form(recording(), recording()), "file"),
    "0 bytes": (form(recording(b"")), "file"),
    "another kind": (form(recording(kind="text/html")), "file"),
    "an image": (form(recording(kind="image/png")), "file"),
    "two models": (form(recording(), part("model", b"a"), part("model", b"b")), "model"),
    "model of bytes": (form(recording(), part("model", b"\xff")), "model"),
    "empty": (b"", None),
    "no boundary inside": (b"nothing", None),
    "preamble": (LATE_BOUNDARY, None),
    "no end": (form(recording())[:-4], None),
    "cut": (form(recording())[:60], None),
    "epilogue": (form(recording()) + b"POST / HTTP/1.1\r\n", None),
    "many fields": (form(recording(), *[part(f"f{n}", b"x") for n in range(5_000)]), None),
    "no name": (form(b"--boundary\r\nContent-Disposition: form-data\r\n\r\nx\r\n"), None),
    "no disposition": (form(b"--boundary\r\nContent-Type: audio/wav\r\n\r\nx\r\n"), None),
    "no headers": (form(b"--boundary\r\n\r\nx\r\n"), None),
    "long headers": (form(part("file", b"x", f'; filename="{"a" * 9000}"')), None),
    "name twice": (form(part("file", b"x", '; name="other"')), None),
    "header twice": (form(part("file", b"x", "", "audio/wav\r\nContent-Type: audio/ogg")), None),
    "encoded": (form(part("file", b"eA==", "", "audio/wav\r\nContent-Transfer-Encoding: base64")), None),
    "quoted name": (form(part('fi\\"le', b"x")), None),
}


async def test_a_form_that_is_not_right_is_refused_here(gateway: Gateway) -> None:
    for wrong, (body, param) in WRONG.items():
        reply = await dictate(gateway, body)
        assert (reply.status, reply.code, reply.param) == (400, "invalid_request", param), wrong
        assert b"canary" not in reply.body
    assert await arrived(gateway, PATH) == []


async def test_a_form_without_a_boundary_is_refused(gateway: Gateway) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; x"):
        reply = await dictate(gateway, form(recording()), kind)
        assert (reply.status, reply.code) == (400, "invalid_request"), kind


async def test_only_forms_are_taken(gateway: Gateway) -> None:
    for kind in ("application/json", "audio/wav", "multipart/mixed; boundary=boundary"):
        reply = await dictate(gateway, form(recording()), kind)
        assert (reply.status, reply.code) == (415, "unsupported_media_type"), kind


async def test_a_recording_may_have_25_mib(gateway: Gateway) -> None:
    most = 26_214_400
    assert (await dictate(gateway, form(recording(b"a" * most)))).status == 200
    for size in (most + 1, most + 100_000):
        reply = await dictate(gateway, form(recording(b"a" * size)))
        assert (reply.status, reply.code) == (413, "request_too_large")


async def test_a_failing_account_is_replaced(gateway: Gateway) -> None:
    # the first reset only says that a connection was kept for too long
    for fault, times in (("usage_limit_reached", 1), ("server_error", 1), ("reset_before_headers", 2)):
        forget(gateway)
        await gateway.fault("acct-1", fault, times, route="transcribe")
        assert (await dictate(gateway, form(recording()))).status == 200, fault
        assert [one["account"] for one in await arrived(gateway, PATH)][-2:] == ["acct-1", "acct-2"], fault


async def test_a_key_may_be_for_other_models_and_strangers_are_not_read(gateway: Gateway) -> None:
    body = {"name": "text", "pool_id": gateway.pool_id, "allowed_models": ["gpt-5.5"]}
    key = (await gateway.admin("POST", "/api-keys", body))["secret"]
    reply = await dictate(gateway, form(recording()), key=key)
    assert (reply.status, reply.code) == (403, "model_not_allowed")
    assert (await dictate(gateway, b"nonsense", key="")).status == 401


async def test_nothing_of_a_dictation_is_kept(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    body = form(recording(filename="canary-name.wav"), part("prompt", b"canary-prompt"))
    assert (await dictate(gateway, body)).status == 200
    await gateway.fault("*", "bad_request", route="transcribe")
    assert (await dictate(gateway, body)).status == 400
    rows = await gateway.log()
    assert len(rows) == 2
    assert "canary" not in str(rows) + caplog.text
