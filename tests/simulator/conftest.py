"""Gives every test of this room a running simulator."""

from tests.simulator.lab import running_lab

__all__ = ["running_lab"]
