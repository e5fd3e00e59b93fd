"""Log lines: one format, and a last guard that blacks out anything shaped like a secret."""

from __future__ import annotations

import logging
import re
import sys

# our own tokens, JWTs, personal access tokens, and whatever follows the word Bearer
SECRETS = re.compile(
    r"(?:sk-cxp|mcp-cxp|pat-cxp)-[0-9a-f]{12}-[\w-]{20,}|eyJ[\w-]{8,}\.[\w.-]{8,}|\bat-[\w-]{20,}|(?i:bearer\s+)\S{8,}"
)
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Formats the record, traceback included, and then removes secrets from the text."""

    def format(self, record: logging.LogRecord) -> str:
        return SECRETS.sub("[redacted]", super().format(record))


def set_up(level: int = logging.INFO) -> None:
    """Send the process's log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("alembic", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
