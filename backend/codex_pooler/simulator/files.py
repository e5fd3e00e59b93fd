"""Files: created with an upload address, filled by a plain PUT, finished with a download address."""

from typing import Any

from aiohttp import web

from codex_pooler.simulator.answers import Refusal, detail
from codex_pooler.simulator.door import WORLD, arrive, note_body, read_json
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.world import Account, World


async def create_file(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/files`: a file id and where to put its bytes."""
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    body = read[0]
    if not body.get("file_name") or not body.get("file_size") or body.get("use_case") != "codex":
        return detail(422, "file_name, file_size and use_case are required").as_response()
    file_id = world.identifier("file")
    signature = world.digest(f"upload:{file_id}")[:32]
    account.files[file_id] = {
        "name": body["file_name"],
        "size": int(body["file_size"]),
        "signature": signature,
        "received": None,
        "content": b"",
        "retries": world.settings.file_retries,
    }
    upload_url = f"{request.scheme}://{request.host}/upload/{file_id}?sig={signature}"
    return web.json_response({"status": "success", "file_id": file_id, "upload_url": upload_url})


async def put_blob(request: web.Request) -> web.Response:
    """`PUT /upload/{id}`: the blob store; it wants its own header and no bearer token."""
    world = request.app[WORLD]
    arrival = arrive(world, request)
    entry = _entry(world, request.match_info["file_id"])
    raw = await request.read()
    note_body(world, arrival, raw)
    if entry is None or request.query.get("sig") != entry["signature"] or "authorization" in request.headers:
        return web.Response(status=403, text="AuthenticationFailed")
    if request.headers.get("x-ms-blob-type") != "BlockBlob":
        return web.Response(status=400, text="MissingRequiredHeader")
    entry["received"], entry["content"] = len(raw), raw
    return web.Response(status=201)


async def get_blob(request: web.Request) -> web.Response:
    """`GET /download/{id}`: the bytes, for whoever has the signed address."""
    world = request.app[WORLD]
    arrive(world, request)
    entry = _entry(world, request.match_info["file_id"])
    if entry is None or entry["received"] is None or request.query.get("sig") != entry["signature"]:
        return web.Response(status=403, text="AuthenticationFailed")
    return web.Response(body=entry["content"], content_type="application/octet-stream")


def _entry(world: World, file_id: str) -> dict[str, Any] | None:
    return next((one.files[file_id] for one in world.accounts.values() if file_id in one.files), None)


async def finish_file(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.Response:
    """`POST /backend-api/files/{id}/uploaded`: `retry` until the bytes are there, then the download address."""
    file_id = request.match_info["file_id"]
    entry = account.files.get(file_id)
    if entry is None:
        return web.json_response({"detail": "File not found"}, status=404)
    if entry["received"] is None or entry["retries"] > 0:
        entry["retries"] -= 1
        return web.json_response({"status": "retry"})
    return web.json_response(
        {
            "status": "success",
            "file_name": entry["name"],
            "file_size_bytes": entry["received"],
            "mime_type": "application/octet-stream",
            "download_url": f"{request.scheme}://{request.host}/download/{file_id}?sig={entry['signature']}",
        }
    )
