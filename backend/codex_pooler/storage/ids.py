"""Identifiers of new rows: UUID version 7 (RFC 9562), so that ids sort by time."""

from __future__ import annotations

import os
import time
from uuid import UUID


def uuid7() -> UUID:
    """48 bits of milliseconds, then random bits."""
    return UUID(int=_uuid7())


def uuid7_text() -> str:
    """The same, as text, for the request path: an object would only be turned into text again."""
    digits = f"{_uuid7():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _uuid7() -> int:
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62
