"""Offers a whole gateway to the tests of this folder."""

from tests.integration.whole import gateway
from tests.process.conftest import folder, installation, installed

__all__ = ["folder", "gateway", "installation", "installed"]
