"""One routing question: who asks for what, when, and which account it would rather have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from codex_pooler.snapshot.model import Pool

PROXY_STREAM = "proxy_stream"
PROXY_HTTP = "proxy_http"
PROXY_WEBSOCKET = "proxy_websocket"
PROXY_COMPACT = "proxy_compact"
PROXY_CONTROL = "proxy_control"
FILE_UPLOAD = "file_upload"
AUDIO_TRANSCRIPTION = "audio_transcription"
IMAGES = "images"
ROUTE_CLASSES = (
    PROXY_STREAM,
    PROXY_HTTP,
    PROXY_WEBSOCKET,
    PROXY_COMPACT,
    PROXY_CONTROL,
    FILE_UPLOAD,
    AUDIO_TRANSCRIPTION,
    IMAGES,
)
# These spend nothing of a plan: an exhausted account may serve them, after all others.
WITHOUT_QUOTA = frozenset({PROXY_CONTROL, FILE_UPLOAD})


class Moment(NamedTuple):
    """One instant on both clocks: unix seconds for what the backend names, monotonic for our own waits."""

    wall: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """Requests with the same ``seed`` prefer the same account.  ``model`` is empty for routes without one.

    ``owner`` is the account this session is bound to and goes first while it is fit; ``pinned`` is the only account
    that can serve at all, because it holds a file or a response that the request refers to.
    """

    pool: Pool
    model: str
    route_class: str
    seed: str
    owner: UUID | None = None
    pinned: UUID | None = None
