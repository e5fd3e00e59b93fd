"""PostgreSQL, secrets at rest, and the crash-safe journal."""
