"""Reads the address at which a browser sign-in ends, as somebody copied it.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlsplit

from codex_pooler.accounts.flow_codes import FlowRefused

HOSTS = frozenset({"localhost", "127.0.0.1"})
PORT, PATH = 1455, "/auth/callback"
LONGEST = 8192
KNOWN = ("state", "code", "error")


@dataclass(frozen=True)
class Callback:
    """What the address says: a code, or that it was denied."""

    state: str = field(repr=False)
    code: str | None = field(repr=False)

    @property
    def denied(self) -> bool:
        return self.code is None


def parse_callback(given: str) -> Callback:
    """Blanks around the address are ignored.  Raises FlowRefused; its message quotes nothing of the address."""
    parts = _split(given.strip())
    _check_origin(parts)
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=32)
    except ValueError:
        raise FlowRefused("invalid_callback_url") from None
    names = [name for name, _ in pairs if name in KNOWN]
    if len(names) != len(set(names)):
        raise FlowRefused("duplicate_callback_param")
    values = {name: value.strip() for name, value in pairs}
    if not values.get("state"):
        raise FlowRefused("missing_state")
    if values.get("error"):
        return Callback(values["state"], None)
    if not values.get("code"):
        raise FlowRefused("missing_callback_result")
    return Callback(values["state"], values["code"])


def _split(text: str) -> SplitResult:
    if not text or len(text) > LONGEST or not text.isprintable() or " " in text or "://" not in text:
        raise FlowRefused("invalid_callback_url")
    try:
        parts = urlsplit(text)
        usable = bool(parts.scheme and parts.hostname) and (parts.port is None or parts.port >= 0)
    except ValueError:
        usable = False
    if not usable:
        raise FlowRefused("invalid_callback_url")
    return parts


def _check_origin(parts: SplitResult) -> None:
    """The redirect that this product asks for, and nothing that only looks like it."""
    expected = parts.scheme == "http" and parts.hostname in HOSTS and parts.port == PORT and parts.path == PATH
    if not expected or parts.username is not None or parts.password is not None:
        raise FlowRefused("invalid_callback_origin")
