"""Passwords: what is accepted, and bcrypt on threads of its own so that a login flood cannot slow anything else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor

import bcrypt

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 1024
COST = 12
# The hash of a password nobody has: checking it takes as long as checking a real one.
DUMMY_HASH = "$2b$12$HElmvkc4E9fO/JIgb7c1qeGitWJzaPlXM.7nqlaEA0ui8XSnHc27i"

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="passwords")


class WeakPassword(Exception):
    """The password is not acceptable; the message says why."""


def check_policy(password: str, *, email: str, display_name: str) -> None:
    """Raises WeakPassword."""
    if len(password) < MIN_PASSWORD_LENGTH:
        raise WeakPassword(f"Use at least {MIN_PASSWORD_LENGTH} characters.")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise WeakPassword(f"Use at most {MAX_PASSWORD_LENGTH} characters.")
    if password.lower() in (email.lower(), display_name.lower()) or len(set(password)) < 4:
        raise WeakPassword("This password is too easy to guess.")


async def hash_password(password: str) -> str:
    """A bcrypt hash at cost 12; takes about a third of a second of one thread."""
    loop = asyncio.get_running_loop()
    hashed = await loop.run_in_executor(_threads, bcrypt.hashpw, _folded(password), bcrypt.gensalt(COST))
    return hashed.decode()


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is right; without a hash it takes as long and answers False."""
    loop = asyncio.get_running_loop()
    known = (password_hash or DUMMY_HASH).encode()
    matches = await loop.run_in_executor(_threads, bcrypt.checkpw, _folded(password), known)
    return matches and password_hash is not None


def _folded(password: str) -> bytes:
    """bcrypt reads at most 72 bytes and stops at NUL; the digest in base64 has neither problem."""
    return base64.b64encode(hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest())
