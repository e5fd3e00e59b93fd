"""Pictures, recordings, searches, call offers, goals and upload addresses pass through and are found nowhere after."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from codex_pooler.telemetry.metrics import Metrics
from codex_pooler.web.runtime.helpers import OBJECT, OBJECT_OR_ARRAY, ROUTES, SDP, SDP_TEXT, HelperRoute
from tests.integration.whole import Gateway
from tests.security.test_canary import dump, hits
from tests.web.runtime.asking import ask, forget, switch
from tests.web.runtime.test_audio import KIND, form, part, recording

SAID = ("body", "query", "picture", "speech", "hint", "name", "bytes", "cookie", "signature", "refused")
PLANTED = {name: f"canary-{name}-Wm4Zr8Tq" for name in SAID}
JSON = {"Content-Type": "application/json", "Cookie": PLANTED["cookie"]}
REFUSAL = {"preset": "bad_request", "body": {"error": {"message": PLANTED["refused"], "code": "invalid_value"}}}
FAILURE = {"preset": "server_error", "body": PLANTED["refused"]}


async def test_nothing_of_a_call_is_kept_anywhere(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await switch(gateway, forward_analytics=True)
    await say_everything(gateway, expected=200)
    for fault in (REFUSAL, FAILURE):
        for route in ("helpers", "search", "images", "transcribe"):
            await gateway.control("POST", "/faults", {"fault": fault, "route": route})
        await say_everything(gateway)
        await gateway.control("DELETE", "/faults")
        forget(gateway)
    urls = await upload(gateway)
    await gateway.log()
    places = {
        "database": dump(gateway.process.context.database.dsn),
        "spool": b"".join(path.read_bytes() for path in (tmp_path / "spool").glob("*.log")),
        "metrics": _metrics(gateway),
        "log": caplog.text.encode(),
        "objects": repr(gateway.process.house).replace(repr(gateway), "").encode(),
    }
    assert b"/backend-api/codex/alpha/search" in places["database"], "what may be kept is there"
    assert [hit for place, found in places.items() for hit in hits(place, found, [*PLANTED.values(), *urls])] == []


def _metrics(gateway: Gateway) -> bytes:
    metrics: Metrics = gateway.process.house.metrics
    return metrics.text(gateway.process.gauges())[0]


async def say_everything(gateway: Gateway, expected: int | None = None) -> None:
    for row in ROUTES:
        status = await _say(gateway, row)
        assert expected is None or status in (200, 201), row
    picture = f'{{"model": "gpt-image-2", "prompt": "{PLANTED["picture"]}", "images": [{{"image_url": "data:x"}}]}}'
    voice = recording(PLANTED["speech"].encode(), filename=f"{PLANTED['name']}.wav")
    replies = [
        await ask(gateway, "POST", "/backend-api/codex/images/edits", data=picture, headers=JSON),
        await ask(
            gateway,
            "POST",
            "/backend-api/transcribe",
            data=form(voice, part("prompt", PLANTED["hint"].encode())),
            headers={"Content-Type": KIND},
        ),
    ]
    assert expected is None or [reply.status for reply in replies] == [200, 200]


async def _say(gateway: Gateway, row: HelperRoute) -> int:
    text: dict[Any, bytes] = {
        SDP_TEXT: b"v=0 " + PLANTED["body"].encode(),
        OBJECT: f'{{"query": "{PLANTED["body"]}"}}'.encode(),
        OBJECT_OR_ARRAY: f'["{PLANTED["body"]}"]'.encode(),
    }
    headers = JSON | ({"Content-Type": SDP} if row.body is SDP_TEXT else {})
    url = f"{row.route}?q={PLANTED['query']}"
    return (await ask(gateway, row.method, url, data=text.get(row.body), headers=headers)).status


async def upload(gateway: Gateway) -> list[str]:
    """A file, whose name may be kept; the signatures of its addresses may not."""
    made = await ask(gateway, "POST", "/backend-api/files", json={"file_name": "report.pdf", "file_size": 9})
    url = made.json["upload_url"]
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with gateway.http.put(url, data=PLANTED["bytes"].encode(), headers=headers) as answer:
        assert answer.status == 201
    done = await ask(gateway, "POST", f"/backend-api/files/{made.json['file_id']}/uploaded", json={})
    assert done.status == 200
    return [url.partition("sig=")[2], done.json["download_url"].partition("sig=")[2], "/download/"]
