"""The installation's keys: taken from the environment, or made once in the state directory (mode 0600)."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from codex_pooler.storage.vault import SecretBox, SecretError, parse_root_key

DIGEST_PURPOSES = ("api_key", "operator_token", "mcp_token", "csrf", "bootstrap", "session_ref", "oauth_state", "invite", "invite_link")


class Keyring:
    """Boxes that seal secrets and keyed digests that recognise tokens, each derived for one purpose only."""

    def __init__(self, *, secret: bytes, upstream: Mapping[int, bytes], totp: Mapping[int, bytes]) -> None:
        self.upstream = SecretBox("upstream", upstream)
        self.totp = SecretBox("totp", totp)
        self.settings = SecretBox("settings", upstream)
        self._digest_keys = {purpose: _derive(secret, f"digest/{purpose}") for purpose in DIGEST_PURPOSES}

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
    return Keyring(
        secret=_secret_bytes(secret_key or _generated(keys / "secret")),
        upstream=parse_keyring(upstream_key or _generated(keys / "upstream"), upstream_version),
        totp=parse_keyring(totp_key or _generated(keys / "totp"), totp_version),
    )


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
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
