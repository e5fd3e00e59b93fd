"""Offers a whole gateway to the tests of this folder."""

from tests.integration.whole import gateway

__all__ = ["gateway"]
