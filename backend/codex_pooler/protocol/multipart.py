"""``multipart/form-data`` (RFC 7578), read strictly from a complete body, and written: what is doubtful is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_PARTS = 32
MAX_PART_HEAD = 4096
MAX_PART_HEADERS = 8
MAX_BOUNDARY = 70
FORM_DATA = "multipart/form-data"

BOUNDARY = re.compile(r"""[0-9A-Za-z'()+_,./:=? -]*[0-9A-Za-z'()+_,./:=?-]\Z""")
PARAMETER = re.compile(r""";[ \t]*([A-Za-z][A-Za-z*-]*)=(?:"((?:[^"\\\r\n]|\\.)*)"|([^\s;"]+))[ \t]*""")
HEADER = re.compile(rb"([A-Za-z-]{1,64}):[ \t]*([^\r\n\0]*)\Z")
PLAIN_TRANSFER = (None, "binary", "8bit", "7bit")
NAME = re.compile(r"[^\x00-\x1f\x7f\"\\]{1,128}\Z")


class MalformedForm(Exception):
    """The body is not a form that can be trusted.  The message quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field.  ``filename`` is None for plain values; it is what the client says, and no path to be used."""

    name: str
    data: memoryview = field(repr=False)
    filename: str | None = field(default=None, repr=False)
    content_type: str | None = None

    def text(self) -> str:
        """The value of a plain field.  Raises MalformedForm when it is not UTF-8."""
        try:
            return str(self.data, "utf-8")
        except UnicodeDecodeError:
            raise MalformedForm("a field of the form is not valid UTF-8") from None


def boundary_of(content_type: str) -> bytes:
    """The boundary that a ``Content-Type`` names.  Raises MalformedForm."""
    kind, _, rest = content_type.partition(";")
    if kind.strip().lower() != FORM_DATA:
        raise MalformedForm(f"the content type must be {FORM_DATA}")
    boundary = _parameters(";" + rest if rest else "").get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or not BOUNDARY.match(boundary):
        raise MalformedForm("the content type names no usable boundary")
    return boundary.encode("ascii")


def read_form(body: bytes, content_type: str) -> list[Part]:
    """Every part, in order; their data are views into ``body``.  Raises MalformedForm."""
    delimiter = b"--" + boundary_of(content_type)
    if not body.startswith(delimiter):
        raise MalformedForm("the form does not begin with its boundary")
    parts: list[Part] = []
    for start, end in _spans(body, delimiter):
        if len(parts) == MAX_PARTS:
            raise MalformedForm(f"the form has more than {MAX_PARTS} fields")
        parts.append(_part(body, start, end))
    return parts


def _spans(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Where each part lies between its delimiters; after the last there may only be a line break."""
    position, between = len(delimiter), b"\r\n" + delimiter
    while body[position : position + 2] == b"\r\n":
        end = _next_delimiter(body, between, position)
        yield position + 2, end
        position = end + len(between)
    if body[position : position + 2] != b"--" or body[position + 2 :] not in (b"", b"\r\n"):
        raise MalformedForm("the form does not end with its boundary")


def _next_delimiter(body: bytes, between: bytes, position: int) -> int:
    """The next delimiter that really is one: a line of its own, or the last."""
    while (end := body.find(between, position)) >= 0:
        position = end + len(between)
        if body[position : position + 2] in (b"\r\n", b"--"):
            return end
    raise MalformedForm("the form does not end with its boundary")


def _part(body: bytes, start: int, end: int) -> Part:
    blank = body.find(b"\r\n\r\n", start, min(end, start + MAX_PART_HEAD))
    if blank < 0:
        raise MalformedForm("a field of the form has no proper headers")
    headers = _headers(body[start:blank])
    kind, _, rest = headers.get("content-disposition", "").partition(";")
    parameters = _parameters(";" + rest)
    name = parameters.get("name", "")
    if kind.strip().lower() != "form-data" or not NAME.match(name):
        raise MalformedForm("a field of the form has no usable name")
    if headers.get("content-transfer-encoding", "binary").lower() not in PLAIN_TRANSFER:
        raise MalformedForm("a field of the form is encoded; send its bytes as they are")
    filename = parameters.get("filename", "" if "filename*" in parameters else None)
    return Part(name, memoryview(body)[blank + 4 : end], filename, headers.get("content-type"))


def _headers(raw: bytes) -> dict[str, str]:
    lines = raw.split(b"\r\n")
    matches = [HEADER.match(line) for line in lines]
    found = {match[1].decode().lower(): match[2].decode("utf-8", "replace").strip() for match in matches if match}
    if len(lines) > MAX_PART_HEADERS or len(found) != len(lines):  # malformed or given twice
        raise MalformedForm("a field of the form has no proper headers")
    return found


def _parameters(text: str) -> dict[str, str]:
    """``; name="value"`` and so on; each name once."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text) and text[position:].strip():
        match = PARAMETER.match(text, position)
        if not match or match[1].lower() in found:
            raise MalformedForm("a header of the form has malformed parameters")
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    return found


def write_form(parts: Iterable[Part], boundary: str) -> bytes:
    """The body of these parts.  ``boundary`` must not occur in them; names must be as ``read_form`` allows."""
    pieces: list[bytes | memoryview] = []
    for part in parts:
        filename = "" if part.filename is None else f'; filename="{part.filename}"'
        kind = f"Content-Type: {part.content_type}\r\n" if part.content_type else ""
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{part.name}"{filename}\r\n{kind}\r\n'
        pieces += [head.encode(), part.data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces)
