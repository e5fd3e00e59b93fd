"""The surface that coding tools talk to."""
