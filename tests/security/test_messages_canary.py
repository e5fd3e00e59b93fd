"""What is said in Anthropic's words passes through, and is found nowhere after."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from codex_pooler.telemetry.metrics import Metrics
from tests.integration.test_v1_messages import BASH, THINKING, ask
from tests.integration.whole import Gateway
from tests.security.test_canary import dump, hits

SAID = (
    "system",
    "question",
    "answer",
    "result",
    "picture",
    "thought",
    "seal",
    "user",
    "session",
    "tool",
    "stop",
    "file",
)
PLANTED = {name: f"canary-{name}-Kq7Vd2Xn" for name in SAID}


async def test_nothing_of_a_message_is_kept_anywhere(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for stream in (True, False):
        assert (await say_everything(gateway, stream=stream)).status == 200
    for fault in ("failed_after_output", "context_length_exceeded", "server_error", "truncated_after_output"):
        await gateway.fault("*", fault)
        await say_everything(gateway, stream=True)
    refused = await ask(gateway, {"role": "user", "content": [{"type": "image", "title": PLANTED["picture"]}]})
    assert refused.status == 400
    await ask(gateway, PLANTED["question"], path="/v1/messages/count_tokens")
    await gateway.log()
    metrics: Metrics = gateway.process.house.metrics
    places = {
        "database": dump(gateway.process.context.database.dsn),
        "spool": b"".join(path.read_bytes() for path in (tmp_path / "spool").glob("*.log")),
        "metrics": metrics.text(gateway.process.gauges())[0],
        "log": caplog.text.encode(),
        "objects": repr(gateway.process.house).replace(repr(gateway), "").encode(),
    }
    assert b"/v1/messages" in places["database"], "what may be kept is there"
    assert [hit for place, found in places.items() for hit in hits(place, found, PLANTED.values())] == []


async def say_everything(gateway: Gateway, *, stream: bool) -> Any:
    """One turn that has a secret in every place."""
    picture = {"type": "base64", "media_type": "image/png", "data": PLANTED["picture"]}
    paper = {"type": "text", "media_type": "text/plain", "data": PLANTED["file"]}
    said = [
        {"type": "thinking", "thinking": PLANTED["thought"], "signature": PLANTED["seal"]},
        {"type": "text", "text": PLANTED["answer"]},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": PLANTED["tool"]}},
    ]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": PLANTED["result"]}
    return await ask(
        gateway,
        {"role": "user", "content": [{"type": "image", "source": picture}, {"type": "document", "source": paper}]},
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result, {"type": "text", "text": f"Reply with exactly: {PLANTED['question']}"}]},
        system=PLANTED["system"],
        metadata={"user_id": f"user_session_{PLANTED['user']}"},
        stop_sequences=[PLANTED["stop"]],
        headers={"X-Claude-Code-Session-Id": PLANTED["session"]},
        tools=[BASH],
        stream=stream,
        **THINKING,
    )
