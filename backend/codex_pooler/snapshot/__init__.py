"""The process's in-memory view of configuration: an immutable value, its loader and its listener."""
