"""Whatever can be set for a key or a pool is explained in docs/keys.md, and nothing that cannot."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from codex_pooler.keys.limit_names import KEY_LIMITS, WINDOW_LIMITS
from codex_pooler.keys.policy import EFFORTS, TIERS
from codex_pooler.snapshot.model import Switches

TEXT = (Path(__file__).parents[2] / "docs" / "keys.md").read_text()
SAID = set(re.findall(r"`([a-z0-9_]+)`", TEXT))


def test_every_limit_is_documented() -> None:
    known = {*WINDOW_LIMITS, *KEY_LIMITS}
    assert known - SAID == set()
    elsewhere = {"max_primary_percent", "max_secondary_percent", "max"}
    assert {name for name in SAID if name.startswith("max")} - known == elsewhere


def test_every_effort_tier_and_switch_is_documented() -> None:
    assert {*EFFORTS, *TIERS, *(switch.name for switch in fields(Switches))} - SAID == set()
