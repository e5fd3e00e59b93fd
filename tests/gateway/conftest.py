"""Offers the scripted backend to the tests of this folder."""

from tests.gateway.scripted import rig

__all__ = ["rig"]
