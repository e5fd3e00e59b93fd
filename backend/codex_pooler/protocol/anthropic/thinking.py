"""Thinking: how much effort a client's settings stand for, and how the backend's sealed reasoning travels through a
client that gives back what it was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codex_pooler.protocol.anthropic.wire import Block, Thinking

EFFORTS = ("low", "medium", "high", "xhigh", "max")
LEAST_EFFORT = EFFORTS[0]
# a budget of up to so many tokens -> effort
BUDGETS = ((4_096, "low"), (16_384, "medium"), (32_768, "high"))
LARGEST = "xhigh"
SEALED = "cxp1."  # what we sealed begins with it; any other signature is another model's and says nothing here
BETWEEN_SUMMARIES = "\n\n"


def effort_of(thinking: Thinking | None, asked: str | None) -> str | None:
    """The backend's effort; None leaves it to the model.  ``asked`` is ``output_config.effort`` and goes first."""
    if asked is not None:
        return asked
    if thinking is None:
        return None
    if thinking.type == "disabled":
        return LEAST_EFFORT
    budget = thinking.budget_tokens
    if thinking.type != "enabled" or budget is None:
        return None
    return next((effort for most, effort in BUDGETS if budget <= most), LARGEST)


def fitted(effort: str, offered: Sequence[str]) -> str:
    """The effort that a model which offers only these gets: the highest of them that is not above it."""
    if not offered or effort in offered or effort not in EFFORTS:
        return effort
    lesser = [each for each in EFFORTS[: EFFORTS.index(effort)] if each in offered]
    return lesser[-1] if lesser else offered[0]


def is_shown(thinking: Thinking | None) -> bool:
    """Whether the client expects blocks of thinking; others must not get any."""
    return thinking is not None and thinking.type in ("enabled", "adaptive")


def reasoning_item(block: Block) -> dict[str, Any] | None:
    """The backend's reasoning again, out of a block that we made of it; None for anybody else's."""
    seal = block.signature or block.data
    if not seal.startswith(SEALED):
        return None
    summary = [{"type": "summary_text", "text": block.thinking}] if block.thinking else []
    return {"type": "reasoning", "summary": summary, "encrypted_content": seal[len(SEALED) :]}


def thinking_block(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a client is shown of a reasoning item: its summary, or that there was something; None for nothing."""
    parts = item.get("summary")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    told = BETWEEN_SUMMARIES.join(text for text in texts if isinstance(text, str))
    seal = seal_of(item.get("encrypted_content"))
    if told:
        return {"type": "thinking", "thinking": told, "signature": seal}
    return {"type": "redacted_thinking", "data": seal} if seal else None


def seal_of(encrypted: Any) -> str:
    """The signature that stands for encrypted reasoning; empty when there is none."""
    return SEALED + encrypted if isinstance(encrypted, str) and encrypted else ""
