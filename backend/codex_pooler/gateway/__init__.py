"""The heart: one model turn."""
