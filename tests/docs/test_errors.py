"""Every error the gateway makes itself stands in docs/errors.md, with its status, and says what to do next."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codex_pooler.gateway.answers import REASONS
from codex_pooler.gateway.attempt import BROKEN
from codex_pooler.protocol.dialects import WRONG_KEY

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "backend/codex_pooler"
ROOMS = ("gateway", "keys", "protocol", "web/runtime", "web/bodies.py", "web/errors.py", "web/ingress.py")
# what makes an error -> which of its arguments are status, code and message
MAKERS = {
    "Failure": (0, 1, 2),
    "refusal": (0, 1, 2),
    "PolicyRefused": (0, 1, 2),
    "BodyRefused": (0, 1, 2),
    "KeyRefused": (None, 0, 1),
    "FileRefused": (0, 1, 2),
    "BadRequest": (None, None, 0),
}
IMPLIED = {"KeyRefused": (401, ""), "BadRequest": (400, "invalid_request")}
# errors whose code the source computes, or keeps apart from where it makes them
COMPUTED = {
    (WRONG_KEY, 401),
    ("api_key_missing", 401),
    ("api_key_paused", 401),
    ("api_key_revoked", 401),
    ("file_not_found", 404),
    ("file_expired", 410),
    ("file_not_ready", 409),
    ("file_assignment_conflict", 409),
    ("key_limit_reached", 429),
    ("request_too_large", 413),
    ("compressed_request_too_large", 413),
    ("decompressed_request_too_large", 413),
    ("pinned_continuation_unavailable", 503),
    ("pinned_continuation_reauth_required", 503),
    ("previous_response_not_found", 400),
    ("websocket_connection_limit_reached", 400),
    (BROKEN, 502),
    ("unsupported_parameter", 400),
    ("internal_error", 500),
}
NEXT_STEP = re.compile(
    r"\b(again|ask|send|see|add|allow|wait|use|upload|complete|choose|announce|shorten|GET|leave out|set|takes"
    r"|Retrying|goes on over HTTP|spent by operators|operator has to|operator can|may have at most|already sent)\b"
)


@dataclass(frozen=True)
class Made:
    """One place where an error is made; what the source does not spell out is None."""

    place: str
    status: int | None
    code: str | None
    message: str | None


def made() -> Iterator[Made]:
    """Every error the source makes."""
    for room in ROOMS:
        paths = [SOURCE / room] if room.endswith(".py") else sorted((SOURCE / room).rglob("*.py"))
        for path in paths:
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                    yield _read(node, f"{path.relative_to(SOURCE)}:{node.lineno}", _texts(tree))


Texts = Sequence[tuple[str, int, str]]


def _texts(tree: ast.Module) -> Texts:
    """The texts that names are given, and on which lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.append((node.targets[0].id, node.lineno, _text(node.value, (), 0) or ""))
    return sorted(found, key=lambda one: one[1])


def _read(node: ast.Call, place: str, texts: Texts) -> Made:
    assert isinstance(node.func, ast.Name)
    places = MAKERS[node.func.id]
    status, code = IMPLIED.get(node.func.id, (None, None))
    given: Sequence[ast.expr | None] = [
        node.args[at] if at is not None and at < len(node.args) else None for at in places
    ]
    if isinstance(given[0], ast.Constant) and isinstance(given[0].value, int):
        status = given[0].value
    if isinstance(given[1], ast.Constant) and isinstance(given[1].value, str):
        code = given[1].value
    return Made(place, status, code or None, _text(given[2], texts, node.lineno))


def _text(node: ast.expr | None, texts: Texts, line: int) -> str | None:
    """The words of an expression on this line, with what is filled in left out."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, texts, line) or "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return f"{_text(node.left, texts, line) or '…'}{_text(node.right, texts, line) or '…'}"
    if isinstance(node, ast.IfExp):
        return _text(node.body, texts, line)
    if isinstance(node, ast.Name):
        given = [text for name, at, text in texts if name == node.id and at < line and text]
        return given[-1] if given else None
    return None


def documented() -> dict[str, set[int]]:
    """Code -> statuses, as the page has them."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| .+ \| .+ \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    assert len(rows) == len({code for code, _ in rows}), "a code has two rows"
    return {code: {int(status) for status in statuses.split(",")} for code, statuses in rows}


def test_every_error_is_documented_with_its_status_and_every_documented_one_exists() -> None:
    known: dict[str, set[int]] = {}
    for code, status in [(one.code, one.status) for one in made()] + sorted(COMPUTED):
        if code is not None and status is not None:
            known.setdefault(code, set()).add(status)
    assert documented() == known


def test_every_error_says_what_to_do_next() -> None:
    told = [one for one in made() if one.message and one.code != "invalid_request" and one.status is not None]
    assert [(one.place, one.message) for one in told if not NEXT_STEP.search(one.message or "")] == []


def test_every_reason_for_leaving_an_account_out_is_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|\d]+) \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    assert dict(rows) == REASONS
