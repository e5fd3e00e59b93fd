"""A refused account is left alone exactly as long as it said, within reason."""

from __future__ import annotations

from uuid import UUID

from codex_pooler.quota.blocks import LONGEST_SECONDS, USAGE_LIMITED, Blocks

A = UUID(int=1)


def test_a_named_reset_is_kept() -> None:
    blocks = Blocks()
    blocks.put(A, USAGE_LIMITED, 1000.0, resets_at=1600.0, otherwise=60.0)
    block = blocks.current(A, 1599.0)
    assert block is not None
    assert block.until == 1600.0
    assert blocks.current(A, 1600.0) is None


def test_without_a_named_reset_an_assumed_time_passes() -> None:
    blocks = Blocks()
    blocks.put(A, USAGE_LIMITED, 1000.0, resets_at=None, otherwise=60.0)
    assert blocks.current(A, 1059.0)
    assert not blocks.current(A, 1060.0)


def test_resets_in_the_past_or_far_away_are_not_believed() -> None:
    blocks = Blocks()
    blocks.put(A, USAGE_LIMITED, 1000.0, resets_at=10.0, otherwise=60.0)
    assert blocks.current(A, 1004.0)
    blocks.put(A, USAGE_LIMITED, 1000.0, resets_at=1e12, otherwise=60.0)
    assert not blocks.current(A, 1001.0 + LONGEST_SECONDS)


def test_success_lifts_a_block() -> None:
    blocks = Blocks()
    blocks.put(A, USAGE_LIMITED, 1000.0, resets_at=None, otherwise=60.0)
    blocks.lift(A)
    assert blocks.current(A, 1001.0) is None
