"""Upstream account identities: import, states, credentials."""
