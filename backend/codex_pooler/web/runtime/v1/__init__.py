"""The surface for tools that do not speak Codex: the OpenAI API and Anthropic's messages."""
