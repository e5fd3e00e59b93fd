"""The only code that dials ChatGPT."""
