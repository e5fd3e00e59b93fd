"""What the simulated issuer signs: JWTs, refresh tokens, and the sealed blobs that only one account can open.

Everything is keyed by the world's seed, so that tokens of a seeded account outlive a restart of the simulator.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
ISSUER = "https://auth.openai.com"
AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"

_HEADER = {"alg": "HS256", "typ": "JWT", "kid": "simulator"}
_MAC_BYTES = 16
_SEAL_VERSION = b"\x80\x00\x00\x00\x00"


def encode(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Inverse of `encode`; raises ValueError on anything else."""
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """Who a refresh token speaks for, and its place in its lineage (each use moves one generation on)."""

    account: str
    lineage: str
    generation: int


@dataclass(frozen=True, slots=True)
class Mint:
    """Signs and reads tokens with a key that depends on the seed alone."""

    key: bytes

    @classmethod
    def of_seed(cls, seed: int) -> "Mint":
        """The mint of a world with this seed."""
        return cls(hashlib.sha256(f"codex-pooler simulator {seed}".encode()).digest())

    def _mac(self, purpose: str, message: str) -> bytes:
        return hmac.digest(self.key, f"{purpose}\0{message}".encode(), "sha256")

    def jwt(self, claims: Mapping[str, Any]) -> str:
        """A compact HS256 JWT carrying `claims`."""
        head = f"{encode(orjson.dumps(_HEADER))}.{encode(orjson.dumps(dict(claims)))}"
        return f"{head}.{encode(self._mac('jwt', head))}"

    def read_jwt(self, token: str) -> dict[str, Any] | None:
        """The claims of a token this mint signed, else None. Expiry is the caller's question."""
        head, _, signature = token.rpartition(".")
        if not hmac.compare_digest(encode(self._mac("jwt", head)), signature):
            return None
        claims: dict[str, Any] = orjson.loads(decode(head.partition(".")[2]))
        return claims

    def refresh(self, claims: RefreshClaims) -> str:
        """The refresh token for these claims; the same claims always give the same token."""
        body = f"{claims.account}:{claims.lineage}:{claims.generation}"
        return f"rt_{encode(body.encode())}.{encode(self._mac('refresh', body))}"

    def read_refresh(self, token: str) -> RefreshClaims | None:
        """The claims of a refresh token this mint made, else None."""
        payload, _, signature = token.removeprefix("rt_").partition(".")
        try:
            body = decode(payload).decode()
            account, lineage, generation = body.split(":")
        except ValueError:
            return None
        if not hmac.compare_digest(encode(self._mac("refresh", body)), signature):
            return None
        return RefreshClaims(account, lineage, int(generation))

    def seal(self, account_id: str, note: str) -> str:
        """An opaque blob, shaped like the backend's, that only `account_id` may send back."""
        nonce = self._mac("nonce", note)
        return encode(_SEAL_VERSION + nonce + self._mac("seal", account_id + nonce.hex())[:_MAC_BYTES] + nonce[:16])

    def opens(self, account_id: str, blob: str) -> bool:
        """Whether `blob` was sealed for this account."""
        try:
            raw = decode(blob)
        except ValueError:
            return False
        start = len(_SEAL_VERSION)
        nonce, mac = raw[start : start + 32], raw[start + 32 : start + 32 + _MAC_BYTES]
        return hmac.compare_digest(self._mac("seal", account_id + nonce.hex())[:_MAC_BYTES], mac)
