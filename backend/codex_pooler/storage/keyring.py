"""The installation's keys: taken from the environment, or made once in the state directory (mode 0600)."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from codex_pooler.storage.vault import SecretBox, SecretError, parse_root_key

DIGEST_PURPOSES = (
    "api_key",
    "operator_token",
    "mcp_token",
    "csrf",
    "bootstrap",
    "session_ref",
    "prompt_cache",
    "oauth_state",
    "invite",
    "invite_link",
)


class Keyring:
    """Boxes that seal secrets and keyed digests that recognise tokens, each derived for one purpose only."""

    def __init__(
        self,
        *,
        secret: bytes,
        upstream: Mapping[int, bytes],
        totp: Mapping[int, bytes],
        upstream_again: Callable[[], Mapping[int, bytes]] | None = None,
    ) -> None:
        self.upstream = SecretBox("upstream", upstream, upstream_again)
        self.totp = SecretBox("totp", totp)
        self.settings = SecretBox("settings", upstream, upstream_again)
        self.boxes = {box.purpose: box for box in (self.upstream, self.totp, self.settings)}
        self._digest_keys = {purpose: _derive(secret, f"digest/{purpose}") for purpose in DIGEST_PURPOSES}

    def newest(self) -> int:
        """The version that accounts' secrets are sealed with, a key that was added meanwhile included."""
        for box in (self.upstream, self.settings):
            with suppress(OSError, SecretError):  # the keys that are known are good for going on
                box.look_again()
        return self.upstream.current

    def digest(self, purpose: str, token: str) -> bytes:
        """Keyed HMAC-SHA-256 of a token: 32 bytes, useless to who has only the database."""
        return hmac.digest(self._digest_keys[purpose], token.encode(), "sha256")


def load_keyring(
    state_dir: Path,
    *,
    secret_key: str | None,
    upstream_key: str | None,
    upstream_version: int = 1,
    totp_key: str | None,
    totp_version: int = 1,
) -> Keyring:
    """Build the keyring; what the environment does not give is generated into ``state_dir/keys``.

    Raises SecretError when a given key is not 32 bytes (raw, base64 or hex) or a versioned list is malformed.
    """
    keys = state_dir / "keys"

    def upstream() -> dict[int, bytes]:
        return parse_keyring(upstream_key or _generated(keys / "upstream"), upstream_version)

    return Keyring(
        secret=_secret_bytes(secret_key or _generated(keys / "secret")),
        upstream=upstream(),
        totp=parse_keyring(totp_key or _generated(keys / "totp"), totp_version),
        upstream_again=None if upstream_key else upstream,
    )


def add_generated_key(state_dir: Path, upstream_version: int = 1) -> int:
    """Put a new version in front of the generated key; the older ones stay, because they open what is stored.

    Returns the new version.  Running processes of this state directory find it by themselves.
    """
    path = state_dir / "keys" / "upstream"
    text = _generated(path)
    known = parse_keyring(text, upstream_version)
    listed = text if ":" in text else f"{upstream_version}:{text}"
    version = max(known) + 1
    draft = _draft(path, f"{version}:{secrets.token_hex(32)},{listed}")
    draft.rename(path)
    _flush_folder(path.parent)
    return version


def parse_keyring(value: str, version: int) -> dict[int, bytes]:
    """``2:KEY,1:KEY`` is a list of versions; a single key gets ``version``."""
    if ":" not in value:
        return {version: parse_root_key(value)}
    roots: dict[int, bytes] = {}
    for entry in value.split(","):
        number, _, key = entry.strip().partition(":")
        if not number.isdigit() or not 1 <= int(number) <= 0xFFFF or int(number) in roots:
            raise SecretError("write a key list as VERSION:KEY,VERSION:KEY with distinct versions from 1 to 65535")
        roots[int(number)] = parse_root_key(key)
    return roots


def _secret_bytes(value: str) -> bytes:
    """The general secret only feeds key derivation, so any text of at least 32 characters will do."""
    if len(value.encode()) < 32:
        raise SecretError("CODEX_POOLER_SECRET_KEY must have at least 32 characters")
    return value.encode()


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"codex-pooler/" + purpose.encode()).derive(secret)


def _generated(path: Path) -> str:
    """Read the key at ``path``, or make it: the first process to link the file into place wins."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = _draft(path, secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _draft(path: Path, content: str) -> Path:
    """A file beside ``path`` that is on the disk before anything is called by its name."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
