"""Serves the built console: precompressed, immutably cached, under a strict content security policy."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from aiohttp import hdrs, web

from codex_pooler.web.errors import not_found

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
IMMUTABLE = "public, max-age=31536000, immutable"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
# paths that belong to programs: a miss there is a JSON 404, whatever the client accepts
API_PREFIXES = ("/backend-api", "/api", "/v1", "/mcp", "/wham", "/healthz", "/readyz", "/metrics")
NOT_BUILT = (
    b"<!doctype html><title>Codex Pooler</title><p>The console is not built here. Run <code>make run</code> on a "
    b"machine with Node 20 or newer; the gateway itself is running.</p>"
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the build, in memory."""

    body: bytes
    content_type: str
    etag: str
    encoded: dict[str, bytes]
    immutable: bool


def dist_folder() -> Path:
    """``frontend/dist`` in a checkout, or the copy that an installed wheel carries."""
    checkout = Path(__file__).resolve().parents[3] / "frontend" / "dist"
    return checkout if checkout.exists() else Path(__file__).resolve().parents[1] / "_console"


def load_assets(dist: Path) -> dict[str, Asset]:
    """The whole build by URL path, read once (under 2 MB); a deploy is a restart."""
    files = (path for path in dist.rglob("*") if path.is_file() and not path.is_symlink())
    assets = {}
    for path in files:
        name = path.relative_to(dist).as_posix()
        if path.suffix in {".br", ".gz", ".map"} or name.startswith(".vite/"):
            continue
        body = path.read_bytes()
        siblings = ((encoding, path.with_name(path.name + suffix)) for encoding, suffix in ENCODINGS)
        assets[f"/{name}"] = Asset(
            body=body,
            content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            etag=sha256(body).hexdigest()[:20],
            encoded={encoding: sibling.read_bytes() for encoding, sibling in siblings if sibling.exists()},
            immutable=name.startswith("assets/"),
        )
    return assets


def respond(request: web.Request, asset: Asset) -> web.Response:
    """The asset in the best encoding the browser takes, or 304."""
    headers = {
        hdrs.CACHE_CONTROL: IMMUTABLE if asset.immutable else "no-cache",
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        hdrs.ETAG: f'"{asset.etag}"',
        "Content-Security-Policy": CSP,
        **SECURITY_HEADERS,
    }
    if any(tag.value == asset.etag for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    accepted = request.headers.get(hdrs.ACCEPT_ENCODING, "")
    encoding = next((name for name, _ in ENCODINGS if name in accepted and name in asset.encoded), None)
    if encoding:
        headers[hdrs.CONTENT_ENCODING] = encoding
    body = asset.encoded[encoding] if encoding else asset.body
    return web.Response(body=body, content_type=asset.content_type, headers=headers)


def add_console(app: web.Application, dist: Path) -> None:
    """Put the console behind every route already added; call it last."""
    assets = load_assets(dist)
    headers = {"Content-Security-Policy": CSP, **SECURITY_HEADERS}

    async def serve(request: web.Request) -> web.StreamResponse:
        path = request.path
        if request.method not in ("GET", "HEAD") or is_api(path):
            return not_found(request)
        if asset := assets.get(path):
            return respond(request, asset)
        # a missing file must be a 404, or the address of an old chunk would answer with HTML
        if path.startswith("/assets/") or "." in path.rsplit("/", 1)[-1] or not wants_page(request):
            return not_found(request)
        if index := assets.get("/index.html"):
            return respond(request, index)
        return web.Response(status=503, body=NOT_BUILT, content_type="text/html", headers=headers)

    app.router.add_route("*", "/{path:.*}", serve)


def is_api(path: str) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in API_PREFIXES)


def wants_page(request: web.Request) -> bool:
    """Navigations accept HTML; programs that guess at paths do not."""
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")
