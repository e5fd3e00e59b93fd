"""The kinds of load the benchmark applies, and how each is turned into one figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, cast

Mode = Literal["sse", "json", "ws", "wsidle"]
Unit = Literal["turn", "event", "MB"]
Shape = Literal["native", "responses", "chat", "messages"]


@dataclass(frozen=True)
class Scenario:
    """One kind of load; CPU time is divided by the `unit`s of work that were done."""

    title: str
    mode: Mode
    unit: Unit
    clients: int
    seconds: float
    events_per_turn: int
    event_gap_us: int = 0
    ramp_seconds: float = 0.0
    settle_seconds: float = 0.5
    body_bytes: int = 2000
    fresh_process: bool = False
    """Whether the memory of a newly started process is read before and after the clients connect."""
    shape: Shape = "native"
    """The protocol that the clients speak; one that is not the backend's own only the gateway understands."""


ENDLESS = 1_000_000

SCENARIOS: dict[str, Scenario] = {
    "sse_turn": Scenario("short turn: 20 events at once", "sse", "turn", 32, 4, 20),
    "sse_real": Scenario("real turn: 40 events, 10 ms apart", "sse", "turn", 64, 4, 40, 10_000, settle_seconds=1),
    "sse_paced": Scenario("300 streams, 20 events/s each", "sse", "event", 300, 6, ENDLESS, 50_000, 2, 1),
    "sse_mem": Scenario("1000 quiet streams", "sse", "event", 1000, 2, ENDLESS, 1_000_000, 4, 1, fresh_process=True),
    "json": Scenario("one JSON answer per request", "json", "turn", 32, 3, 20),
    "body1m": Scenario("request body of 1 MB", "sse", "MB", 4, 3, 1, body_bytes=1_000_000),
    "ws_turn": Scenario("websocket, short turn", "ws", "turn", 32, 4, 20),
    "ws_real": Scenario("websocket, real turn", "ws", "turn", 64, 4, 40, 10_000, settle_seconds=1),
    "ws_paced": Scenario("websocket, 300 streams, 20 events/s", "ws", "event", 300, 6, ENDLESS, 50_000, 2, 1),
    "ws_mem": Scenario("1000 idle websockets", "wsidle", "turn", 1000, 3, 1, 0, 4, 1, fresh_process=True),
}

# Turns of other protocols, and the native turn of the same length.
TRANSLATED = {"responses": "sse_turn", "chat": "sse_turn", "messages": "sse_turn"}
TRANSLATED_REAL = {"responses_real": "sse_real", "chat_real": "sse_real", "messages_real": "sse_real"}
SCENARIOS |= {
    name: replace(SCENARIOS[native], shape=cast("Shape", name.removesuffix("_real")))
    for name, native in {**TRANSLATED, **TRANSLATED_REAL}.items()
}
PATHS: dict[Shape, str] = {
    "native": "/backend-api/codex/responses",
    "responses": "/v1/responses",
    "chat": "/v1/chat/completions",
    "messages": "/v1/messages",
}
FLAGS: dict[Shape, list[str]] = {"native": [], "responses": [], "chat": ["-C"], "messages": ["-A"]}
TIMES_NATIVE_GOAL = 1.6

USUAL = ("sse_turn", *TRANSLATED, "sse_real", "sse_paced", "sse_mem")
WEBSOCKET = ("ws_turn", "ws_real", "ws_paced", "ws_mem")


@dataclass(frozen=True)
class Goal:
    """What a figure must reach: at most so many times nginx, so many times the plain proxy, or so much in itself."""

    times_nginx: float | None = None
    times_plain: float | None = None
    at_most: float | None = None


# The figure of a scenario is its CPU per unit, for the memory scenarios KB per connection.
GOALS: dict[str, Goal] = {
    "sse_turn": Goal(times_nginx=2.0, times_plain=0.6),
    "sse_real": Goal(times_nginx=1.7, times_plain=0.6),
    "sse_paced": Goal(times_nginx=2.0, times_plain=0.6),
    "sse_mem": Goal(at_most=24),
    "body1m": Goal(at_most=2500),
    "ws_real": Goal(times_nginx=1.6, times_plain=0.6),
    "ws_turn": Goal(times_plain=0.6),
    "ws_paced": Goal(times_plain=0.6),
    "ws_mem": Goal(at_most=16),
}
READY_SECONDS_GOAL = 2.0
IDLE_MEGABYTES_GOAL = 90.0
ADDED_LATENCY_GOAL_US = {"p50": 150.0, "p99": 1000.0}
