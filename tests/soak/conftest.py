"""How much of it there is to be: a short form with every other test, ten thousand turns with ``make soak``."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.whole import Gateway, opened
from tests.soak.crowd import Plan

ACCOUNTS = 4


@pytest.fixture
def plan() -> Plan:
    """``SOAK_TURNS`` says how many turns, ``SOAK_SEED`` repeats the choices of an earlier run."""
    seed = int(os.environ.get("SOAK_SEED") or random.SystemRandom().randrange(1_000_000))
    return Plan(turns=int(os.environ.get("SOAK_TURNS", "600")), seed=seed)


@pytest.fixture
async def gateway(dsn: str, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with opened(dsn, tmp_path, ACCOUNTS) as made:
        yield made
