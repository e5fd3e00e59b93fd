"""One installation set up per session, and a copy of it for every test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.served import Installation, install, public_folder


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """Set up from nothing, once; stopped."""
    with public_folder() as folder:
        yield asyncio.run(install(folder))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for state that goes with the test."""
    with public_folder() as made:
        yield made


@pytest.fixture
def installation(installed: Installation, folder: Path) -> Installation:
    """A copy of the installation, to be hurt."""
    return installed.copy(folder)
