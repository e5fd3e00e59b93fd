"""The OpenAPI 3.1 document of the admin API, made from the endpoints' own declarations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from codex_pooler.web.admin.api import PUBLIC, VISITOR, Endpoint
from codex_pooler.web.admin.schemas.common import ProblemBody

BASE_PATH = "/api/admin/v1"
JSON = "application/json"
OPEN = (PUBLIC, VISITOR)
PROBLEM = {"application/problem+json": {"schema": ProblemBody}}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Build the document; the same endpoints always give the same document."""
    spec = APISpec(
        title="Codex Pooler admin API",
        version="1",
        openapi_version="3.1.0",
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        info={"license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        servers=[{"url": BASE_PATH}],
    )
    spec.components.security_scheme("session", {"type": "apiKey", "in": "cookie", "name": "codex_pooler_session"})
    spec.components.security_scheme("access_token", {"type": "http", "scheme": "bearer"})
    spec.components.response("Problem", {"description": "What went wrong", "content": PROBLEM})
    for endpoint in endpoints:
        spec.path(path=endpoint.path, operations={endpoint.method.lower(): operation(endpoint)})
    plain: dict[str, Any] = orjson.loads(orjson.dumps(spec.to_dict(), option=orjson.OPT_SORT_KEYS))
    return plain


# how the application's own document is had; made at the first request, because most processes are never asked
DOCUMENT: web.AppKey[Callable[[], str]] = web.AppKey("document")


def rendered(endpoints: Iterable[Endpoint]) -> str:
    """The document as it is committed for the console's type generation."""
    return orjson.dumps(document(endpoints), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def operation(endpoint: Endpoint) -> dict[str, Any]:
    """One operation object."""
    summary = (endpoint.handler.__doc__ or "").strip().splitlines()[0]
    described: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": summary,
        "tags": [endpoint.tag],
        "parameters": _parameters(endpoint),
        "responses": _responses(endpoint),
        "security": [] if endpoint.needs in OPEN else [{"session": []}, {"access_token": []}],
        "x-capability": endpoint.needs,
    }
    if endpoint.body:
        content = {"application/json": {"schema": endpoint.body}}
        described["requestBody"] = {"required": not endpoint.optional_body, "content": content}
    return described


def possible_errors(endpoint: Endpoint) -> list[int]:
    """Every problem status an endpoint may answer."""
    statuses = {400, 503, *endpoint.errors}
    if endpoint.needs not in OPEN:
        statuses |= {401, 403}
    if endpoint.needs == VISITOR:
        statuses |= {401}
    if endpoint.is_unsafe:
        statuses |= {403}
    if endpoint.path_names:
        statuses |= {404}
    if endpoint.body:
        statuses |= {413, 415, 422}
    if endpoint.versioned:
        statuses |= {412}
    return sorted(statuses)


def _parameters(endpoint: Endpoint) -> list[Any]:
    listed: list[Any] = [
        {"in": "path", "name": name, "required": True, "schema": _named(name)} for name in endpoint.path_names
    ]
    if endpoint.query:
        listed.append({"in": "query", "schema": endpoint.query})
    if endpoint.versioned:
        listed.append(_header("If-Match", 'The version that was read, such as "7"; "*" or absent for any.'))
    if endpoint.is_unsafe and endpoint.needs not in OPEN:
        listed.append(_header("X-CSRF-Token", "From GET /session; not needed with an access token."))
    return listed


def _named(name: str) -> dict[str, Any]:
    """Everything but ids is named in the address by a word."""
    return {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"in": "header", "name": name, "required": False, "description": description, "schema": {"type": "string"}}


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {str(status): "Problem" for status in possible_errors(endpoint)}
    for status in (endpoint.status, *endpoint.also):
        responses[str(status)] = {"description": HTTPStatus(status).phrase, **_content(endpoint)}
    return responses


def _content(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.returns:
        return {"content": {endpoint.media_type: {"schema": endpoint.returns}}}
    if endpoint.status == HTTPStatus.NO_CONTENT:
        return {}
    plain = {"type": "object"} if endpoint.media_type == JSON else {"type": "string"}
    return {"content": {endpoint.media_type: {"schema": plain}}}


def _schema_name(shape: Any) -> str:
    kind = shape if isinstance(shape, type) else type(shape)
    return {"ProblemBody": "Problem"}.get(kind.__name__, kind.__name__)
