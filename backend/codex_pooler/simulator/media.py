"""The helper routes beside turns: transcription, images, search, and the small ones Codex calls around a session."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from codex_pooler.simulator.answers import Refusal, detail
from codex_pooler.simulator.door import note_body, read_json
from codex_pooler.simulator.record import Arrival
from codex_pooler.simulator.script import word_run
from codex_pooler.simulator.world import Account, World

_ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_IMAGE_USAGE = {
    "input_tokens": 16,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 16},
    "output_tokens": 196,
    "total_tokens": 212,
}
_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=simulated\r\nt=0 0\r\n"
Answer = Callable[[World, Account, web.Request, Arrival], Awaitable[web.StreamResponse]]


async def transcribe(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/transcribe`: a multipart form with `file`; the text follows from the bytes."""
    if request.content_type != "multipart/form-data":
        return detail(422, "A multipart form is required").as_response()
    form = await request.post()
    part = form.get("file")
    if not isinstance(part, web.FileField):
        return detail(422, "file is required").as_response()
    with part.file as audio:
        raw = audio.read()
    note_body(world, arrival, raw)
    if world.settings.keep_bodies:
        arrival.body = {name: part.filename if isinstance(part, web.FileField) else part for name, part in form.items()}
    return web.json_response({"text": word_run(6, hashlib.sha256(raw).digest()[0])})


async def images(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/codex/images/generations` and `/edits`: one pixel of PNG.

    Like the backend it makes one picture, of a size and quality that it chooses itself, whatever it is asked for.
    """
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    asked = read[0]
    if not asked.get("prompt"):
        return detail(400, "prompt is required").as_response()
    if request.path.endswith("/edits") and not _pictured(asked.get("images")):
        return detail(400, "images is required: a list of {image_url}").as_response()
    wanted = asked.get("background", "auto")
    answer = {
        "created": int(world.clock()),
        "data": [{"b64_json": _ONE_PIXEL, "generation_id": world.identifier("gen")}],
        "background": "opaque" if wanted == "auto" else wanted,
        "output_format": "png",
        "quality": "medium",
        "size": "1254x1254",
        "usage": _IMAGE_USAGE,
    }
    return web.json_response(answer)


def _pictured(images: Any) -> bool:
    """Whether these are pictures as the backend takes them."""
    addresses = [one.get("image_url") if isinstance(one, dict) else None for one in images or ()]
    return bool(addresses) and all(isinstance(one, str) and one.startswith(("data:", "https:")) for one in addresses)


async def search(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/codex/alpha/search`: two results that follow from the query."""
    read = await read_json(world, request, arrival)
    if isinstance(read, Refusal):
        return read.as_response()
    seed = hashlib.sha256(str(sorted(read[0].items())).encode()).digest()
    results = [
        {"title": word_run(3, seed[n]), "url": f"https://example.com/{seed[n]}", "snippet": word_run(8, seed[n])}
        for n in range(2)
    ]
    return web.json_response({"results": results})


async def realtime_call(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
    """`POST /backend-api/codex/realtime/calls`: an SDP offer for an SDP answer."""
    note_body(world, arrival, await request.read())
    if request.content_type != "application/sdp":
        return detail(400, "An SDP offer is required").as_response()
    return web.Response(status=201, text=_SDP, content_type="application/sdp", headers={"location": "/calls/rtc_1"})


def fixed(status: int, body: Any) -> Answer:
    """A route that notes what it got and always gives the same answer."""

    async def answer(world: World, account: Account, request: web.Request, arrival: Arrival) -> web.StreamResponse:
        note_body(world, arrival, await request.read())
        return web.json_response(body, status=status)

    return answer
