"""``python -m codex_pooler.web.clients`` writes every file of a checkout that is made from the templates."""

from __future__ import annotations

from pathlib import Path

from codex_pooler.web.clients.document import document, module

CHECKOUT = Path(__file__).resolve().parents[4]
WRITTEN = {"docs/clients.md": document, "frontend/mocks/client-configs.gen.ts": module}


def main() -> None:
    """Write them all anew."""
    for name, written in WRITTEN.items():
        (CHECKOUT / name).write_text(written(), "utf-8")


if __name__ == "__main__":
    main()
