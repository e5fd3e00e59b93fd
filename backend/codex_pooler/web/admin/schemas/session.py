"""Shapes of first set-up, sign-in and the signed-in operator."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.storage.tables import ROLES
from codex_pooler.web.admin.schemas.common import Instant, Shape, count, line, list_of, nested, out, text

SET_UP = ("pending", "completed")


def _email() -> fields.Email:
    return fields.Email(required=True, validate=validate.Length(max=254))


def _password() -> fields.String:
    return fields.String(required=True, validate=validate.Length(1, 1024))


class BootstrapState(Shape):
    """Whether the first owner exists, and what creating one takes."""

    state = text(among=SET_UP)
    token_required = out(fields.Boolean)
    min_password_length = count()


class BootstrapInput(Shape):
    """The first owner."""

    token = fields.String(allow_none=True, validate=validate.Length(max=200))
    email = _email()
    display_name = line(1, 100)
    password = _password()
    timezone = line(1, 64)


class LoginInput(Shape):
    """Who signs in."""

    email = fields.String(required=True, validate=validate.Length(1, 254))
    password = _password()


class SignedInOperator(Shape):
    """The person behind the session."""

    id = out(fields.UUID)
    email = text()
    display_name = text()
    role = text(among=ROLES)
    timezone = text()
    initials = text()


class SessionPoolScope(Shape):
    """Which pools the operator sees."""

    all = out(fields.Boolean)
    pool_ids = list_of(fields.UUID())


class Session(Shape):
    """The state of the sign-in; ``csrf_token`` goes into ``X-CSRF-Token`` with every change."""

    authenticated = out(fields.Boolean)
    bootstrap = text(among=SET_UP)
    csrf_token = text(null=True)
    expires_at = out(Instant, null=True)
    operator = nested(SignedInOperator, null=True)
    capabilities = list_of(fields.String())
    pool_scope = nested(SessionPoolScope)


class Meta(Shape):
    """Facts about this instance.  ``roles_alive``: what its processes are, as heard within seconds."""

    version = text()
    origin = text()
    started_at = out(Instant)
    database = text(among=("embedded", "external"))
    timezone_list = out(fields.List, fields.String(), null=True)
    roles_alive = list_of(fields.String())
