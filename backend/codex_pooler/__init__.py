"""Codex Pooler: one gateway for many Codex accounts."""

__version__ = "0.1.0"
