"""Every route under ``/v1``."""

from __future__ import annotations

from aiohttp import web


def add_v1_routes(app: web.Application) -> None:
    """Register what tools that do not speak Codex may ask for."""
