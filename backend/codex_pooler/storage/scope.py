"""Restrict a query to the pools somebody sees; the restriction costs nothing for those who see all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

EVERYTHING: Any = sa.bindparam("everything", type_=sa.Boolean)


def id_list(name: str) -> Any:
    """``column == id_list("ids")`` is true for any of the UUIDs bound to ``ids``."""
    return sa.any_(sa.bindparam(name, type_=ARRAY(sa.Uuid)))


def among_visible(column: Any) -> Any:
    """True when the caller sees the pool in ``column``; the values come from ``seen``."""
    return sa.or_(EVERYTHING, column == id_list("visible"))


def seen(visible: Sequence[UUID] | None) -> dict[str, Any]:
    """The values for ``among_visible``; None means all pools."""
    return {"everything": visible is None, "visible": list(visible or ())}
