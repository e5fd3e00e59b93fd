"""What is read of the backend's events: of each only as much as a message needs, and pieces of text as they came."""

from __future__ import annotations

from typing import Any

import msgspec


class Delta(msgspec.Struct):
    delta: msgspec.Raw
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0


class Part(msgspec.Struct):
    annotations: Any = None


class PartDone(msgspec.Struct):
    part: Part | None = None
    output_index: int = 0
    content_index: int = 0


class ItemEvent(msgspec.Struct):
    item: dict[str, Any]
    output_index: int = 0


class Begun(msgspec.Struct):
    id: str | None = None


class Created(msgspec.Struct):
    response: Begun | None = None


class Output(msgspec.Struct):
    output: list[dict[str, Any]] | None = None


class Ended(msgspec.Struct):
    response: Output | None = None


read_delta = msgspec.json.Decoder(Delta).decode
read_part_done = msgspec.json.Decoder(PartDone).decode
read_item_event = msgspec.json.Decoder(ItemEvent).decode
read_created = msgspec.json.Decoder(Created).decode
read_ended = msgspec.json.Decoder(Ended).decode
