"""What a client is told when its request fails, before it is said in the client's own dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SOON_SECONDS = 60  # within which clients try again by themselves
USED_UP = "usage_limit_reached"  # the kind of failure that a plan's or a key's budget makes


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client is told: an HTTP status and an error in the shape every surface can translate."""

    status: int
    code: str
    message: str
    kind: str = "server_error"
    retry_after: int | None = None  # seconds
    extra: Mapping[str, Any] = field(default_factory=dict)
    verbatim: bytes | None = field(default=None, repr=False)  # the backend's own body, passed through as it came
    param: str | None = None  # the member of the request that is at fault
    headers: tuple[tuple[str, str], ...] = ()  # of the refusal, beside those that every one has

    def members(self) -> dict[str, Any]:
        """What its error object has beside message, type and code."""
        return {"param": self.param, **self.extra}

    @property
    def lasts(self) -> bool:
        """Trying again soon cannot help."""
        if self.kind != USED_UP:
            return self.extra.get("retryable") is False
        seconds = self.extra.get("resets_in_seconds")
        return not isinstance(seconds, int | float) or seconds > SOON_SECONDS
