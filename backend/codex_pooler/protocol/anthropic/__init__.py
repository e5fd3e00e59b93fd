"""Anthropic's Messages API, in both directions: requests become turns of the backend, its events become messages."""
