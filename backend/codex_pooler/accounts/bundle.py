"""The file that accounts are moved in: one JSON document, its content sealed under a passphrase.

The head is readable and authenticated, so nobody can change how the file is to be opened without it failing to open.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

FORMAT, VERSION = "codex-pooler.accounts", 1
LEAST_PASSPHRASE = 16  # characters
ITERATIONS, MEMORY_KIB, LANES = 3, 128 * 1024, 1
# What a file may ask for when it is opened: a file from elsewhere must not be able to stop this process.
MOST_ITERATIONS, MOST_MEMORY_KIB, MOST_LANES = 10, 256 * 1024, 4
MOST_ACCOUNTS = 1000
MOST_BYTES = 16 * 1024 * 1024

# one at a time: each takes its memory
_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bundles")


class BundleRefused(Exception):
    """The file cannot be opened, or not be made.  ``code`` for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


NOT_ONE = BundleRefused("invalid_bundle", "This is not a bundle of accounts, or it is damaged.")


async def sealed_bundle(accounts: Sequence[Mapping[str, Any]], passphrase: str, created_at: str) -> dict[str, Any]:
    """The document.  Takes a second or two of a thread.  Raises BundleRefused for a short passphrase."""
    if len(passphrase) < LEAST_PASSPHRASE:
        message = f"Use a passphrase of at least {LEAST_PASSPHRASE} characters; whoever has it has the accounts."
        raise BundleRefused("weak_passphrase", message)
    salt, nonce = os.urandom(16), os.urandom(12)
    head = {
        "format": FORMAT,
        "version": VERSION,
        "created_at": created_at,
        "accounts": len(accounts),
        "kdf": {
            "name": "argon2id",
            "salt": _text(salt),
            "iterations": ITERATIONS,
            "memory_kib": MEMORY_KIB,
            "lanes": LANES,
        },
        "cipher": {"name": "aes-256-gcm", "nonce": _text(nonce)},
    }
    key = await _key(passphrase, salt, ITERATIONS, MEMORY_KIB, LANES)
    content = AESGCM(key).encrypt(nonce, orjson.dumps(list(accounts)), _authenticated(head))
    return {**head, "ciphertext": _text(content)}


async def opened_bundle(document: Any, passphrase: str) -> list[dict[str, Any]]:
    """The accounts in a document.  Raises BundleRefused."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise NOT_ONE
    if document.get("version") != VERSION:
        raise BundleRefused("unsupported_bundle", "This bundle was made by a newer version. Upgrade, then import it.")
    try:
        head = {name: value for name, value in document.items() if name != "ciphertext"}
        content, nonce = _bytes(document["ciphertext"], MOST_BYTES), _bytes(head["cipher"]["nonce"], 12)
        salt, costs = _bytes(head["kdf"]["salt"], 64), _costs(head["kdf"])
        named = (head["kdf"]["name"], head["cipher"]["name"])
    except (KeyError, TypeError, ValueError):
        raise NOT_ONE from None
    if named != ("argon2id", "aes-256-gcm") or len(nonce) != 12 or len(salt) < 16:
        raise NOT_ONE
    key = await _key(passphrase, salt, *costs)
    try:
        return _accounts(AESGCM(key).decrypt(nonce, content, _authenticated(head)))
    except InvalidTag:
        message = "The passphrase is not right, or the file was changed."
        raise BundleRefused("wrong_passphrase", message) from None


def _accounts(plain: bytes) -> list[dict[str, Any]]:
    found = orjson.loads(plain)
    if not isinstance(found, list) or len(found) > MOST_ACCOUNTS or not all(isinstance(one, dict) for one in found):
        raise NOT_ONE
    return found


def _costs(kdf: Mapping[str, Any]) -> tuple[int, int, int]:
    given = (kdf["iterations"], kdf["memory_kib"], kdf["lanes"])
    most = (MOST_ITERATIONS, MOST_MEMORY_KIB, MOST_LANES)
    least = (1, 8 * 1024, 1)
    if not all(type(cost) is int and low <= cost <= high for cost, low, high in zip(given, least, most, strict=True)):
        raise ValueError
    return given


async def _key(passphrase: str, salt: bytes, iterations: int, memory_kib: int, lanes: int) -> bytes:
    def derive() -> bytes:
        kdf = Argon2id(salt=salt, length=32, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
        return kdf.derive(passphrase.encode("utf-8", "surrogatepass"))

    return await asyncio.get_running_loop().run_in_executor(_thread, derive)


def _authenticated(head: Mapping[str, Any]) -> bytes:
    return orjson.dumps(head, option=orjson.OPT_SORT_KEYS)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: Any, most: int) -> bytes:
    if not isinstance(text, str) or len(text) > (most + 2) // 3 * 4 + 4:
        raise ValueError
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
