"""Where a list goes on, as an opaque text: the moment and the id of the last row that was shown."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from codex_pooler.web.admin.problems import Problem


def encode_cursor(moment: datetime, identity: UUID) -> str:
    """The cursor for what comes after a row."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()}|{identity}".encode()).decode()


def decode_cursor(text: str) -> tuple[datetime, UUID]:
    """The row a cursor stands for.  Raises Problem 400 ``invalid_cursor``."""
    try:
        moment, _, identity = base64.b64decode(text.encode(), altchars=b"-_", validate=True).decode().partition("|")
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(identity)
    except (ValueError, OverflowError, binascii.Error):
        raise Problem(400, "invalid_cursor", "The cursor is not one of ours; start again without it.") from None
