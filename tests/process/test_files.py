"""Files between processes: what one worker was told, the others know, also when the first is gone."""

from __future__ import annotations

import os
import signal
from typing import Any

import aiohttp

from tests.process.served import Installation, Served, serving, until

FILES = "/backend-api/files"


async def post(served: Served, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """On a connection of its own, so that it may come to any worker."""
    headers = {"Authorization": f"Bearer {served.installation.key}"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{served.origin}{path}", json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


async def announce_and_upload(served: Served) -> str:
    status, made = await post(served, FILES, {"file_name": "report.pdf", "file_size": 5})
    assert status == 200, made
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with served.http.put(made["upload_url"], data=b"bytes", headers=headers) as answer:
        assert answer.status == 201
    return str(made["file_id"])


async def test_any_worker_completes_and_uses_what_another_was_told(installation: Installation) -> None:
    async with serving(installation, CODEX_POOLER_WORKERS="2") as served:
        files = [await announce_and_upload(served) for _ in range(6)]
        for file_id in files:
            assert (await post(served, f"{FILES}/{file_id}/uploaded", {}))[0] == 200
        content = [{"type": "input_file", "file_id": file_id} for file_id in files[:1]]
        message = {"type": "message", "role": "user", "content": content}
        body = {"model": "gpt-5.5", "input": [message], "stream": False, "store": False}
        for _ in range(4):
            assert (await post(served, "/backend-api/codex/responses", body))[0] == 200


async def test_a_killed_gateway_still_knows_its_files(installation: Installation) -> None:
    async with serving(installation) as served:
        file_id = await announce_and_upload(served)
        served.kill()
        await served.restart()
        status, done = await post(served, f"{FILES}/{file_id}/uploaded", {})
        assert (status, done["status"]) == (200, "success")


async def test_files_go_on_while_the_database_is_away(installation: Installation) -> None:
    async with serving(installation) as served:
        os.kill(installation.postmaster(), signal.SIGKILL)
        file_id = await announce_and_upload(served)
        assert (await post(served, f"{FILES}/{file_id}/uploaded", {}))[0] == 200
        stored = "SELECT id FROM files WHERE status = 'uploaded'"
        assert await until(lambda: installation.rows(stored), "the file was never stored") == [{"id": file_id}]
