"""The boot-time environment, read once into a frozen value.  Everything else lives in the database."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROLES = ("web", "worker", "scheduler", "all")


class ConfigError(Exception):
    """An environment variable has a value the product cannot start with; the message names it and the fix."""


@dataclass(frozen=True)
class Config:
    """Boot-time settings.  Secret fields hold what the environment gave, or None when they are to be generated."""

    state_dir: Path
    database_url: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 4000
    public_url: str | None = None
    role: str = "all"
    workers: int = 1
    chatgpt_url: str = "https://chatgpt.com"
    auth_url: str = "https://auth.openai.com"
    secret_key: str | None = field(default=None, repr=False)
    upstream_secret_key: str | None = field(default=None, repr=False)
    upstream_secret_key_version: int = 1
    totp_encryption_key: str | None = field(default=None, repr=False)
    totp_key_version: int = 1
    bootstrap_token: str | None = field(default=None, repr=False)

    @property
    def origin(self) -> str:
        """The address people open, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = "localhost" if self.http_host in ("127.0.0.1", "0.0.0.0", "::", "::1") else self.http_host
        return f"http://{host}:{self.http_port}"


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Where state lives when nothing is said: a system folder for root, the user's data folder otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/codex-pooler")
    home = environ.get("HOME") or tempfile.gettempdir()
    return Path(environ.get("XDG_DATA_HOME") or Path(home, ".local", "share")) / "codex-pooler"


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read the environment.  Raises ConfigError with the variable's name and what it accepts."""
    state = environ.get("CODEX_POOLER_STATE_DIR")
    role = environ.get("CODEX_POOLER_ROLE") or "all"
    if role not in ROLES:
        raise ConfigError(f"CODEX_POOLER_ROLE is {role!r}; use one of {', '.join(ROLES)}")
    return Config(
        state_dir=Path(state).expanduser().resolve() if state else default_state_dir(environ),
        database_url=environ.get("DATABASE_URL") or None,
        http_host=environ.get("CODEX_POOLER_HTTP_HOST") or "127.0.0.1",
        http_port=_number(environ, "CODEX_POOLER_HTTP_PORT", 4000, 0, 65535),
        public_url=_url(environ, "CODEX_POOLER_PUBLIC_URL", None),
        role=role,
        workers=_number(environ, "CODEX_POOLER_WORKERS", 1, 1, 256),
        chatgpt_url=_url(environ, "CODEX_POOLER_CHATGPT_URL", "https://chatgpt.com") or "",
        auth_url=_url(environ, "CODEX_POOLER_AUTH_URL", "https://auth.openai.com") or "",
        secret_key=environ.get("CODEX_POOLER_SECRET_KEY") or environ.get("SECRET_KEY_BASE") or None,
        upstream_secret_key=environ.get("CODEX_POOLER_UPSTREAM_SECRET_KEY") or None,
        upstream_secret_key_version=_number(environ, "CODEX_POOLER_UPSTREAM_SECRET_KEY_VERSION", 1, 1, 65535),
        totp_encryption_key=environ.get("CODEX_POOLER_TOTP_ENCRYPTION_KEY") or None,
        totp_key_version=_number(environ, "CODEX_POOLER_TOTP_KEY_VERSION", 1, 1, 65535),
        bootstrap_token=environ.get("CODEX_POOLER_BOOTSTRAP_TOKEN") or None,
    )


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdigit() or not low <= int(text) <= high:
        raise ConfigError(f"{name} is {text!r}; use a whole number from {low} to {high}")
    return int(text)


def _url(environ: Mapping[str, str], name: str, default: str | None) -> str | None:
    text = environ.get(name) or default
    if text is None:
        return None
    if not text.startswith(("http://", "https://")):
        raise ConfigError(f"{name} is {text!r}; use an address that begins with http:// or https://")
    return text.rstrip("/")
