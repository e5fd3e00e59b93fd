"""Building blocks of every shape: strict objects, trimmed lines, UTC instants, references and pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from marshmallow import RAISE, Schema, ValidationError, fields, validate

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Shape(Schema):
    """An object that refuses fields it does not know, so that a typing error is told and not ignored."""

    class Meta:
        unknown = RAISE


class Line(fields.String):
    """One line of text, trimmed, without control characters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        if CONTROL.search(text):
            raise ValidationError("Use one line of plain text.")
        return text


class Instant(fields.AwareDateTime):
    """A moment: any RFC 3339 offset is accepted (none means UTC), UTC with ``Z`` is answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return instant_text(value)


def instant_text(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds and ``Z``; None stays None."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def line(low: int = 1, high: int = 200, **kwargs: Any) -> Line:
    """A line whose length is bounded, for input."""
    return Line(validate=validate.Length(low, high), **kwargs)


def whole(low: int, high: int, **kwargs: Any) -> fields.Integer:
    """A whole number in a range, for input; ``"3"`` and ``3.0`` are refused."""
    return fields.Integer(strict=True, validate=validate.Range(low, high), **kwargs)


def out(kind: type[fields.Field[Any]], *args: Any, null: bool = False, **kwargs: Any) -> Any:
    """A field that is always present in an answer; ``null`` says that it may be null."""
    return kind(*args, required=True, allow_none=null, **kwargs)


def text(*, null: bool = False, among: tuple[str, ...] = ()) -> Any:
    """A string in an answer, from a closed list when ``among`` is given."""
    return out(fields.String, null=null, validate=validate.OneOf(among) if among else None)


def count(*, null: bool = False) -> Any:
    """A whole number in an answer."""
    return out(fields.Integer, null=null)


def nested(shape: type[Schema], *, null: bool = False) -> Any:
    """One object in an answer."""
    return out(fields.Nested, shape, null=null)


def list_of(kind: Any) -> Any:
    """A list in an answer, of shapes or of plain fields."""
    if isinstance(kind, type) and issubclass(kind, Schema):
        return out(fields.List, fields.Nested(kind))
    return out(fields.List, kind)


class Ref(Shape):
    """A link to another object, with its name, so that tables need no second request."""

    id = out(fields.UUID)
    name = text()


class PastRef(Shape):
    """A link out of history: the name as it was then, the id null when the object is gone."""

    id = out(fields.UUID, null=True)
    name = text()


class PageInfo(Shape):
    """Where the list goes on: pass ``next_cursor`` as ``cursor``; null means that this was the end."""

    limit = count()
    next_cursor = text(null=True)


class AllowedAction(Shape):
    """What may be done with an object now, or why not."""

    action = text()
    enabled = out(fields.Boolean)
    reason = text(null=True)


class FieldProblem(Shape):
    """One thing wrong with one field; ``pointer`` is an RFC 6901 JSON pointer into the body."""

    pointer = text()
    code = text()
    message = text()


class ProblemBody(Shape):
    """An RFC 9457 problem document."""

    type = text()
    title = text()
    status = count()
    detail = text()
    instance = text()
    code = text()
    request_id = text()
    errors = list_of(FieldProblem)


def ref(identity: UUID, name: str) -> dict[str, Any]:
    """A Ref or PastRef, ready to be dumped."""
    return {"id": identity, "name": name}


def past_ref(identity: UUID | None, name: str | None) -> dict[str, Any] | None:
    """A PastRef, or None when history names nothing."""
    if identity is None and name is None:
        return None
    return {"id": identity, "name": name or "deleted"}


def page(items: list[Any], *, limit: int | None = None, next_cursor: str | None = None) -> dict[str, Any]:
    """Wrap a list as every list is wrapped; without a limit it is the whole list."""
    return {"items": items, "page": {"limit": len(items) if limit is None else limit, "next_cursor": next_cursor}}
