"""The one written form of every token we issue: ``<brand>-<12 hex>-<43 base64url>``, 32 random bytes of secret."""

from __future__ import annotations

import re
import secrets

API_KEY = "sk-cxp"
OPERATOR_TOKEN = "pat-cxp"
MCP_TOKEN = "mcp-cxp"

_FORMS = {
    kind: re.compile(rf"{kind}-[0-9a-f]{{12}}-[A-Za-z0-9_-]{{43}}") for kind in (API_KEY, OPERATOR_TOKEN, MCP_TOKEN)
}


def generate(kind: str) -> str:
    """A new token.  It must be shown once and never stored: keep ``prefix_of`` and its keyed digest."""
    return f"{kind}-{secrets.token_hex(6)}-{secrets.token_urlsafe(32)}"


def looks_like(kind: str, text: str) -> bool:
    """Whether ``text`` has the form of this kind of token; says nothing about its being valid."""
    return _FORMS[kind].fullmatch(text) is not None


def prefix_of(token: str) -> str:
    """The part that may be shown and stored.  Raises ValueError for something that is no token of ours."""
    if not any(form.fullmatch(token) for form in _FORMS.values()):
        raise ValueError("not a token of this product")
    return token[:-44]
