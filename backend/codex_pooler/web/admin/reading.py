"""Reads what a request brings, query string and body, and refuses what is wrong, too large or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from marshmallow import Schema, ValidationError, fields

from codex_pooler.web.admin.problems import Problem
from codex_pooler.web.bodies import BodyRefused, read_body


def load_query(shape: type[Schema] | None, request: web.Request) -> Mapping[str, Any]:
    """Read the query string.  Raises Problem 400 ``unknown_parameter`` or ``invalid_filter``."""
    known = {f.data_key or name: f for name, f in shape().fields.items()} if shape else {}
    unknown = [name for name in request.query if name not in known]
    if unknown:
        accepted = ", ".join(sorted(known)) or "none"
        raise Problem(
            400, "unknown_parameter", f"The parameter {unknown[0][:60]!r} is not known; accepted: {accepted}."
        )
    values: dict[str, Any] = {}
    for name in request.query:
        given = [value for value in request.query.getall(name) if value]
        if given:
            values[name] = given if isinstance(known[name], fields.List) else given[-1]
    if shape is None:
        return {}
    try:
        loaded: Mapping[str, Any] = shape().load(values)
    except ValidationError as exc:
        raise Problem(400, "invalid_filter", f"Check the parameter {next(iter(exc.messages_dict))}.") from None
    return loaded


BODY_CODES = {400: "malformed_body", 413: "body_too_large"}


async def read_limited(request: web.Request, limit_bytes: int) -> bytes:
    """The decoded body, or Problem 400, 408, 413 or 415 before more than the limit is held in memory."""
    try:
        return await read_body(request, limit_bytes)
    except BodyRefused as exc:
        code, message = BODY_CODES.get(exc.status, exc.code), f"{exc.message[0].upper()}{exc.message[1:]}."
        raise Problem(exc.status, code, message, headers={"Connection": "close"}) from None


def parse_json(raw: bytes) -> Any:
    """Parse a body.  orjson itself refuses deep nesting; NUL is refused because PostgreSQL text cannot hold it."""
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Problem(400, "malformed_json", "The body is not valid JSON.") from None
    if b"\\u0000" in raw:
        raise Problem(400, "malformed_json", "The body contains a NUL character.")
    return document
