"""Turns of the simulated backend, as bytes, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from codex_pooler.simulator.events import Turn, compose
from codex_pooler.simulator.faults import HTTP
from codex_pooler.simulator.responses import open_turn
from codex_pooler.simulator.world import new_world


def played(prompt: str, *, tool: str = "shell", **settings: Any) -> bytes:
    """The events of one turn for the prompt, with one function offered as a tool."""
    world = new_world(seed=3, accounts=1)
    for name, value in settings.items():
        setattr(world.settings, name, value)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}
    tools = [{"type": "function", "name": tool, "parameters": {}}]
    body = {"model": "gpt-5.5", "stream": True, "store": False, "input": [item], "tools": tools}
    turn = open_turn(world, next(iter(world.accounts.values())), body, (), 10, HTTP)
    assert isinstance(turn, Turn)
    return b"".join(event.sse for event in compose(turn, world).events)
