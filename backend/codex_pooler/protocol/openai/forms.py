"""Forms as the OpenAI SDKs send them: single values, values in lists (``name[]``), and files."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from codex_pooler.protocol.multipart import MalformedForm, Part
from codex_pooler.protocol.requests import BadRequest


class Form:
    """The fields of a form by their names, without the brackets of lists."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts: dict[str, list[Part]] = {}
        for part in parts:
            self._parts.setdefault(part.name.partition("[")[0], []).append(part)

    def files(self, name: str) -> list[Part]:
        """Every file under this name."""
        return self._parts.get(name, [])

    def file(self, name: str, what: str) -> Part:
        """The one file of this name.  Raises BadRequest."""
        found = self.files(name)
        if len(found) != 1:
            raise BadRequest(f"the form must have one field '{name}' with {what}", name)
        if not len(found[0].data):
            raise BadRequest(f"the field '{name}' is empty; send {what} in it", name)
        return found[0]

    def texts(self, name: str) -> list[str]:
        """The values under this name, empty ones left out.  Raises BadRequest."""
        try:
            values = [part.text().strip() for part in self._parts.get(name, [])]
        except MalformedForm as exc:
            raise BadRequest(str(exc), name) from None
        return [value for value in values if value]

    def text(self, name: str) -> str | None:
        """The one value under this name; None without.  Raises BadRequest."""
        values = self.texts(name)
        if len(values) > 1:
            raise BadRequest(f"the form must have the field '{name}' only once", name)
        return values[0] if values else None

    def flag(self, name: str) -> bool:
        """Whether this is switched on.  Raises BadRequest."""
        value = (self.text(name) or "false").lower()
        if value not in ("true", "false", "1", "0"):
            raise BadRequest(f"the field '{name}' must be true or false", name)
        return value in ("true", "1")

    def others(self, known: Collection[str]) -> list[str]:
        """The names that a route does not know."""
        return [name for name in self._parts if name not in known]
