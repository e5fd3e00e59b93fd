"""Reads forms with a file in them from requests, within the limit of their route."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.protocol.multipart import FORM_DATA, MalformedForm, Part, read_form
from codex_pooler.protocol.requests import BadRequest
from codex_pooler.web.bodies import BodyRefused, read_body

FIELDS_BYTES = 64 * 1024  # what a form may have besides its file


async def read_parts(request: web.Request, limit: int, what: str, field: str = "file") -> list[Part]:
    """The parts of a form whose file may have ``limit`` bytes; ``what`` it is and in which ``field`` it
    comes, for those who send something else.

    Raises BadRequest, BodyRefused.
    """
    if request.content_type != FORM_DATA:
        raise BodyRefused(415, "unsupported_media_type", f"send {what} as {FORM_DATA} with a field '{field}'")
    body = await read_body(request, limit + FIELDS_BYTES)
    try:
        return read_form(body, request.headers.get("Content-Type", ""))
    except MalformedForm as exc:
        raise BadRequest(f"{exc}; send a form with a field '{field}'") from None
