"""How long the backend may be silent, and when a silent stream is kept alive.  All in seconds."""

from __future__ import annotations

from dataclasses import dataclass

from codex_pooler.snapshot.settings import Gateway

AFTER_TERMINAL = 5.0  # from the terminal event to the end of the response
DRAIN = 30.0  # reading on for the usage after the client left


@dataclass(frozen=True, slots=True)
class Budgets:
    """Of one turn, as the settings were when it was sent."""

    first_byte: float = 120.0  # from sending a turn or another call to the response head
    first_event: float = 180.0  # from the head to the first byte of the body
    gap: float = 300.0  # between bytes of the body
    keepalive: float = 10.0  # of silence towards the client; 0: never


DEFAULT = Budgets()


def budgets_of(settings: Gateway) -> Budgets:
    """What the instance's settings say."""
    return Budgets(
        first_byte=settings.upstream_first_byte_timeout_ms / 1000,
        gap=settings.upstream_receive_timeout_ms / 1000,
        keepalive=settings.sse_keepalive_interval_ms / 1000,
    )
