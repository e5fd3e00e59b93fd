"""The simulator's one port: every route of the backend, of the sign-in server and of the control interface."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from codex_pooler.simulator import control, files, media, models, oauth, pages, responses, usage, websocket
from codex_pooler.simulator.door import WORLD, Handler, arrive, behind_login
from codex_pooler.simulator.faults import TURN
from codex_pooler.simulator.world import World, new_world

_MAX_BODY_BYTES = 128 * 1024 * 1024
_BACKEND = "/backend-api"

_BEHIND_LOGIN: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/codex/responses", TURN, responses.create),
    ("GET", "/codex/responses", TURN, websocket.upgrade),
    ("POST", "/codex/responses/compact", "compact", responses.compact),
    ("GET", "/codex/models", "models", models.list_models),
    ("GET", "/wham/usage", "usage", usage.usage),
    ("GET", "/codex/usage", "usage", usage.usage),
    ("GET", "/wham/accounts/check", "accounts", usage.accounts_check),
    ("GET", "/wham/rate-limit-reset-credits", "credits", usage.reset_credits),
    ("POST", "/wham/rate-limit-reset-credits/consume", "consume", usage.consume_credit),
    ("POST", "/files", "files", files.create_file),
    ("POST", "/files/{file_id}/uploaded", "files", files.finish_file),
    ("POST", "/transcribe", "transcribe", media.transcribe),
    ("POST", "/codex/images/generations", "images", media.images),
    ("POST", "/codex/images/edits", "images", media.images),
    ("POST", "/codex/alpha/search", "search", media.search),
    ("POST", "/codex/realtime/calls", "helpers", media.realtime_call),
    ("POST", "/codex/memories/trace_summarize", "helpers", media.fixed(200, {"summary": "nothing happened"})),
    ("POST", "/codex/analytics-events/events", "helpers", media.fixed(200, {"status": "ok"})),
    ("GET", "/codex/thread/goal/get", "helpers", media.fixed(200, {"goal": None})),
    ("POST", "/codex/thread/goal/get", "helpers", media.fixed(200, {"goal": None})),
    ("POST", "/codex/thread/goal/set", "helpers", media.fixed(200, {"goal": None})),
    ("POST", "/codex/thread/goal/clear", "helpers", media.fixed(200, {"goal": None})),
    ("POST", "/codex/safety/arc", "helpers", media.fixed(200, {"outcome": "allow"})),
    ("GET", "/codex/agent-identities/jwks", "helpers", media.fixed(200, {"keys": []})),
    ("GET", "/wham/agent-identities/jwks", "helpers", media.fixed(200, {"keys": []})),
    ("GET", "/wham/settings/user", "helpers", media.fixed(404, {"detail": "Not Found"})),
)
_WHOAMI = "/api/accounts/v1/user-auth-credential/whoami"


async def _not_found(request: web.Request) -> web.Response:
    arrive(request.app[WORLD], request).status = 404
    return web.json_response({"detail": "Not Found"}, status=404)


def build_app(world: World) -> web.Application:
    """The application of this world; run it without automatic decompression to see bodies as they came."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app[WORLD] = world
    app.add_routes(control.routes())
    for method, path, name, handler in _BEHIND_LOGIN:
        app.router.add_route(method, _BACKEND + path, behind_login(name, handler))
    app.router.add_get(_WHOAMI, behind_login("whoami", oauth.whoami))
    app.router.add_get("/oauth/authorize", oauth.authorize)
    app.router.add_post("/oauth/token", oauth.token)
    app.router.add_post("/api/accounts/deviceauth/usercode", oauth.user_code)
    app.router.add_post("/api/accounts/deviceauth/token", oauth.device_token)
    app.router.add_get("/codex/device", pages.device_page)
    app.router.add_post("/codex/device", pages.approve_device)
    app.router.add_put("/upload/{file_id}", files.put_blob)
    app.router.add_get("/download/{file_id}", files.get_blob)
    app.router.add_route("*", "/{anything:.*}", _not_found)
    return app


@asynccontextmanager
async def running(world: World, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The world on a port of its own choosing (or yours); yields its base URL."""
    runner = web.AppRunner(build_app(world), auto_decompress=False, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        await site.start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def serve(host: str, port: int, *, seed: int, accounts: int) -> None:
    """Run a seeded world until cancelled; prints its address and how to steer it."""
    async with running(new_world(seed, accounts), port, host) as url:
        print(f"Simulated ChatGPT backend and sign-in server on {url} ({accounts} accounts, seed {seed})", flush=True)  # noqa: T201
        print(f"Control: GET {url}/__control/state; POST accounts, faults, settings; GET record", flush=True)  # noqa: T201
        await asyncio.Event().wait()
