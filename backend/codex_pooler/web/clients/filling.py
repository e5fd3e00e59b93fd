"""Fills facts into a template so that whatever a model is called, the result stays valid in its language.

A template says ``@{name}`` where a fact goes.  A name or an address stands inside double quotes there and is escaped as
the language wants it; numbers, truth values and lists stand for themselves.  The lines between ``@each`` and ``@end``
come once per model, and ``@{,}`` is a comma after all but the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]  # str, int, bool, or a sequence of str

PLACE = re.compile(r"@\{([a-z_]+|,)\}")
EACH = re.compile(r"^[ ]*@each\n(.*?)^[ ]*@end\n", re.MULTILINE | re.DOTALL)


def _as_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _as_shell(text: str) -> str:
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _as_powershell(text: str) -> str:
    return re.sub(r'([`"$])', r"`\1", text)


def _as_prose(text: str) -> str:
    return text


# How text inside double quotes is written.  JSON's way is understood by all others of these languages.
ESCAPES: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(("json", "json5", "toml", "yaml", "javascript", "typescript", "python"), _as_json),
    **dict.fromkeys(("shell", "dotenv"), _as_shell),
    "powershell": _as_powershell,
    "text": _as_prose,
}
LANGUAGES = tuple(sorted(ESCAPES))


def filled(template: str, language: str, values: Values, models: Sequence[Values] = ()) -> str:
    """The template in ``language`` with its facts.  Raises KeyError for a name that no fact has."""
    parts = EACH.split(template)  # what stands once and what comes per model, in turn
    return "".join(
        "".join(_each(part, language, values, models)) if number % 2 else _put(part, language, values)
        for number, part in enumerate(parts)
    )


def _each(lines: str, language: str, values: Values, models: Sequence[Values]) -> Iterator[str]:
    for model in models:
        comma = "" if model is models[-1] else ","
        yield _put(lines, language, {**values, **model, ",": comma})


def _put(text: str, language: str, values: Values) -> str:
    escape = ESCAPES[language]

    def one(match: re.Match[str]) -> str:
        value = values[match[1]]
        return escape(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return PLACE.sub(one, text)
