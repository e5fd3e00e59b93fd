"""What an installation starts with and all its processes share: its keys, and the word for its first visitor."""

from __future__ import annotations

import secrets

from codex_pooler.config import Config
from codex_pooler.storage.keyring import Keyring, load_keyring


def keyring_of(config: Config) -> Keyring:
    """The installation's keys.  Raises SecretError."""
    return load_keyring(
        config.state_dir,
        secret_key=config.secret_key,
        upstream_key=config.upstream_secret_key,
        upstream_version=config.upstream_secret_key_version,
        totp_key=config.totp_encryption_key,
        totp_version=config.totp_key_version,
    )


def bootstrap_token(config: Config) -> str:
    """The word that lets the first visitor become owner; made once when the environment gives none."""
    if config.bootstrap_token:
        return config.bootstrap_token
    path = config.state_dir / "keys" / "bootstrap-token"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24))
    return path.read_text().strip()
