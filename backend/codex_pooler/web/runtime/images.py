"""Images: JSON bodies that go to the backend and back as they are."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from codex_pooler.keys.policy import PolicyRefused, check_model
from codex_pooler.protocol.json_shape import check_object
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.snapshot.model import Key
from codex_pooler.web.bodies import BodyRefused, read_body
from codex_pooler.web.errors import answered
from codex_pooler.web.runtime.caller import Caller, caller_of
from codex_pooler.web.runtime.calls import JSON, answer_call, call_of

PATHS = ("/codex/images/generations", "/codex/images/edits")
ROUTE_CLASS = "images"
FIRST_BYTE_SECONDS = 300.0  # a large picture takes its time, and nothing is heard of it before it is done


class _Image(msgspec.Struct):
    model: Any = None


_image = msgspec.json.Decoder(_Image)


def add_image_routes(app: web.Application) -> None:
    """Register generations and edits."""
    for path in PATHS:
        app.router.add_post(f"/backend-api{path}", partial(create_image, path=path))


async def create_image(request: web.Request, path: str) -> web.StreamResponse:
    """One picture, made or edited."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _create_image(request, path)

    return await answered(request, serve)


async def _create_image(request: web.Request, path: str) -> web.StreamResponse:
    caller = caller_of(request)
    check_allowed(caller)
    if request.content_type != JSON:
        raise BodyRefused(415, "unsupported_media_type", f"send the body as {JSON}")
    body = await read_body(request)
    call = call_of(
        caller,
        path=path,
        route=f"/backend-api{path}",
        route_class=ROUTE_CLASS,
        body=body,
        model=checked_model(caller.key, body),
        first_byte_seconds=FIRST_BYTE_SECONDS,
    )
    return await answer_call(caller, call)


def check_allowed(caller: Caller) -> None:
    """Raises PolicyRefused where the pool has pictures switched off."""
    if not caller.key.pool.switches.allow_image_generation:
        message = "Image generation is disabled for this pool; an operator can allow it in the console under Pools"
        raise PolicyRefused(403, "image_generation_disabled", message)


def checked_model(key: Key, body: bytes) -> str | None:
    """The model the picture is for.  Raises BadRequest, and PolicyRefused when the key may not use it."""
    check_object(body)
    model = _image.decode(body).model
    if model is not None and not isinstance(model, str):
        raise BadRequest("the member 'model' has the wrong type", "model")
    if model is None and key.policy.allowed_models is not None:
        raise BadRequest("this key is for certain models only; name the one to use in the member 'model'", "model")
    if model is not None:
        check_model(key, model)
    return model
