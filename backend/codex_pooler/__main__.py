"""``python -m codex_pooler`` is the ``codex-pooler`` command."""

from codex_pooler.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
