"""The XOR of websocket frames in native code where aiohttp brings it, else in plain Python."""

from __future__ import annotations

import os

from codex_pooler.protocol.websocket import TEXT, Mask, mask_in_place, masked_frame


def _fastest() -> Mask:
    try:
        from aiohttp._websocket.mask import _websocket_mask_cython  # type: ignore[import-not-found]
    except ImportError:
        return mask_in_place
    native: Mask = _websocket_mask_cython
    return native


mask: Mask = _fastest()


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """A frame for the backend, masked with a fresh random key."""
    return masked_frame(payload, os.urandom(4), opcode, mask)
