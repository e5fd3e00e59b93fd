"""What the public APIs have and this gateway has not: always the same answer, to known callers only, that names what to
use instead."""

from __future__ import annotations

from aiohttp import web

from codex_pooler.protocol.dialects import ANTHROPIC, OPENAI, Dialect
from codex_pooler.protocol.failure import Failure
from codex_pooler.web.errors import Handler, refused
from codex_pooler.web.runtime.caller import Caller
from codex_pooler.web.runtime.v1.entry import entered

INVALID = "invalid_request_error"
STORED = "responses are not stored here; use POST /v1/responses and send the whole conversation each time"
ASSISTANTS = "assistants are not available; use POST /v1/responses with instructions and tools"
TUNING = "models cannot be trained or tested here; use those of GET /v1/models as they are"
SPEECH = "speech cannot be made here; use another provider for it"
OPERATING = "the gateway is run in its console and by /api/admin/v1; use GET /v1/usage for what a key has used"
LATER = "batches are not available; send the requests one by one to POST /v1/responses"

# single paths -> what to do instead
PATHS: dict[str, str] = {
    "/v1/responses/compact": "use POST /v1/responses with a last input item of type compaction_trigger",
    "/v1/responses/input_tokens": "tokens are counted when they are used; see the usage in an answer",
    "/v1/completions": "text completions are not available; use POST /v1/chat/completions",
    "/v1/edits": "text edits are not available; use POST /v1/chat/completions",
    "/v1/embeddings": "ChatGPT's plans have no embeddings; use another provider for them",
    "/v1/moderations": "moderation is not available; use another provider for it",
    "/v1/content_provenance_checks": "provenance checks are not available; use another provider for them",
    "/v1/images/variations": "variations are not available; use POST /v1/images/edits and say what may differ",
    "/v1/audio/translations": "use POST /v1/audio/transcriptions, and have a model translate its text",
    "/v1/props": "there is no server with properties behind this; see GET /v1/models",
    "/v1/complete": "text completions are not available; use POST /v1/messages",
}
# paths that have others below them -> what to do instead; some are only below themselves
BRANCHES: dict[str, str] = {
    "/v1/responses/{id}": STORED,
    "/v1/chat/completions/{id}": "chats are not stored here; use POST /v1/chat/completions and keep what it answers",
    "/v1/conversations": "conversations are not stored here; use POST /v1/responses and send all of their items",
    "/v1/engines": "engines are called models by now; see GET /v1/models",
    "/v1/audio/speech": SPEECH,
    "/v1/audio/voices": SPEECH,
    "/v1/audio/voice_consents": SPEECH,
    "/v1/videos": "videos cannot be made here; use another provider for them",
    "/v1/uploads": "uploads in parts are not available; use POST /v1/files",
    "/v1/batches": LATER,
    "/v1/fine_tuning": TUNING,
    "/v1/fine-tunes": TUNING,
    "/v1/evals": TUNING,
    "/v1/graders": TUNING,
    "/v1/assistants": ASSISTANTS,
    "/v1/threads": ASSISTANTS,
    "/v1/vector_stores": "vector stores are not available; use POST /v1/files and name the files in a turn",
    "/v1/containers": "containers are not available; use tools that run on the client's side",
    "/v1/skills": "skills are not kept here; send them as instructions with each request",
    "/v1/realtime": "realtime sessions are not available; use GET /v1/responses with a websocket upgrade",
    "/v1/chatkit": "ChatKit is not available; use POST /v1/responses",
    "/v1/organization": OPERATING,
    "/v1/organizations": OPERATING,
    "/v1/projects": OPERATING,
    "/v1/messages/batches": "batches are not available; send the messages one by one to POST /v1/messages",
}
OF_ANTHROPIC = ("/v1/complete", "/v1/messages/batches")
ANTHROPICS_OWN = "/v1/messages"
NOWHERE = "there is no such route here; see the documentation of the OpenAI API for those that are"
NOT_FOUND = Failure(404, "not_found", NOWHERE, INVALID)
OTHERWISE = "this route takes other methods; use one of those in the header 'allow'"
WRONG_METHOD = Failure(405, "method_not_allowed", OTHERWISE, INVALID)


def add_unsupported_routes(app: web.Application) -> None:
    """Register what there is not, and then everything else under ``/v1``; to be called after all other routes."""
    for path, instead in PATHS.items():
        app.router.add_route("*", path, _refusing(path, instead))
    for path, instead in BRANCHES.items():
        app.router.add_route("*", path, _refusing(path, instead))
        app.router.add_route("*", path + "/{rest:.*}", _refusing(path, instead))
    for path in ("/v1", "/v1/{rest:.*}"):
        app.router.add_route("*", path, anything_else)


def _refusing(path: str, instead: str) -> Handler:
    dialect: Dialect = ANTHROPIC if path in OF_ANTHROPIC else OPENAI
    failure = Failure(404, "unsupported_endpoint", _said(instead), INVALID)

    async def refuse(request: web.Request, caller: Caller) -> web.StreamResponse:
        return refused(failure, dialect)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await entered(request, refuse, dialect)

    return handle


def _said(instead: str) -> str:
    return f"this gateway does not offer this route: {instead}"


async def anything_else(request: web.Request) -> web.StreamResponse:
    """404, or 405 with the methods that the path does take; ``OPTIONS`` is told those."""
    dialect: Dialect = ANTHROPIC if request.path.startswith(ANTHROPICS_OWN) else OPENAI

    async def answer(request: web.Request, caller: Caller) -> web.StreamResponse:
        return await _anything_else(request, dialect)

    return await entered(request, answer, dialect)


async def _anything_else(request: web.Request, dialect: Dialect) -> web.StreamResponse:
    methods = await _methods(request)
    if not methods:
        return refused(NOT_FOUND, dialect)
    allow = {"allow": ", ".join(sorted(methods | {"OPTIONS"}))}
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=allow)
    return refused(WRONG_METHOD, dialect, allow.items())


async def _methods(request: web.Request) -> set[str]:
    """What the routes of this path take."""
    found: set[str] = set()
    for resource in request.app.router.resources():
        _, allowed = await resource.resolve(request)
        found |= allowed
    return found - {"*"}
