"""The page of the OpenAI API tells what becomes of every member of a chat request."""

from __future__ import annotations

from pathlib import Path

from codex_pooler.protocol.openai import chat_answer, chat_request
from codex_pooler.protocol.openai.chat_parts import GIVEN
from codex_pooler.protocol.openai.responses_request import ALIASES
from codex_pooler.web.runtime.v1 import chat

PAGE = (Path(__file__).parents[2] / "docs" / "openai-api.md").read_text()
SECTION = PAGE.partition("## Chat Completions")[2].partition("\n## ")[0]
TOGETHER = {"presence_penalty", "frequency_penalty"}  # told as "penalties"
OF_RESPONSES = {"input_text", "output_text", "input_image", "input_file"}


def test_the_route_is_in_the_table() -> None:
    assert f"| `POST {chat.ROUTE}` |" in PAGE


def test_what_is_refused_and_what_changes_nothing_is_named() -> None:
    named = (set(chat_request.REFUSED) | set(chat_request.NO_OPS)) - TOGETHER
    assert {name for name in named if f"`{name}" not in SECTION} == set()


def test_what_has_its_effect_is_named() -> None:
    read = (chat_request.READ | chat_request.PASSED) - ALIASES - {"model", "stream", "instructions"}
    assert {name for name in read if f"{name}" not in SECTION} == set()
    assert {kind for kind in set(GIVEN) - OF_RESPONSES if f"`{kind}`" not in SECTION} == set()


def test_the_reasons_to_finish_are_the_codes_own() -> None:
    cut = {"status": "incomplete"}
    held_back = {"incomplete_details": {"reason": "content_filter"}}
    reasons = {
        chat_answer.finish_reason(answer, called=called) for answer in ({}, cut, held_back) for called in (True, False)
    }
    assert {reason for reason in reasons if f"`{reason}`" not in SECTION} == set()
