"""The files that a Responses body refers to: they belong to one account, and so must the turn that uses them."""

from __future__ import annotations

from typing import Any

import msgspec

MARK = b'"file_id"'
FILE_PARTS = frozenset({"input_file", "input_image"})


class _Piece(msgspec.Struct):
    type: Any = None
    file_id: Any = None


class _Item(msgspec.Struct):
    type: Any = None
    file_id: Any = None
    content: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()  # of a tool call; it may be a list like a message's content


class _Body(msgspec.Struct):
    input: msgspec.Raw = msgspec.Raw()


_body = msgspec.json.Decoder(_Body)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_item = msgspec.json.Decoder(_Item)
_pieces = msgspec.json.Decoder(list[_Piece])


def referenced_files(body: bytes) -> frozenset[str]:
    """The ``file_id`` of every ``input_file`` and ``input_image``; empty for a body that is none of ours to judge.

    Costs one search through the bytes unless they mention a ``file_id`` at all.
    """
    if body.rfind(MARK) < 0:  # twice as fast as looking from the front
        return frozenset()
    try:
        items = _items.decode(_body.decode(body).input)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return frozenset()
    found: set[str] = set()
    for item in items:
        if MARK in bytes(item):
            found |= _of_item(item)
    return frozenset(found)


def _of_item(raw: msgspec.Raw) -> set[str]:
    try:
        item = _item.decode(raw)
    except msgspec.DecodeError:
        return set()
    pieces = [_Piece(item.type, item.file_id)]
    for nested in (item.content, item.output):
        try:
            pieces += _pieces.decode(nested) if bytes(nested).startswith(b"[") else ()
        except msgspec.DecodeError:
            continue
    return {piece.file_id for piece in pieces if _names_a_file(piece)}


def _names_a_file(piece: _Piece) -> bool:
    kind, file_id = piece.type, piece.file_id
    return isinstance(kind, str) and kind in FILE_PARTS and isinstance(file_id, str) and bool(file_id)
