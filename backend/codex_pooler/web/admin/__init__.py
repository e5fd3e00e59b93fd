"""The REST admin API, one module per console page."""
