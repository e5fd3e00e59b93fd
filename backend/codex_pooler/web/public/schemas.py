"""Shapes of what an invite's link shows."""

from __future__ import annotations

from codex_pooler.web.admin.schemas.common import Instant, Shape, count, nested, out, text

STATES = ("ready", "device_pending", "device_error", "accepted", "expired", "revoked", "invalid")


class Nothing(Shape):
    """An empty object: what is sent as JSON cannot come from a form on another site."""


class DeviceCode(Shape):
    """What to enter where, and how often to ask whether it was entered."""

    user_code = text()
    verification_url = text()
    expires_at = out(Instant)
    interval_s = count()


class Trouble(Shape):
    """Why the last sign-in came to nothing, and what to do next."""

    code = text()
    detail = text()


class PublicInvite(Shape):
    """How far an invite has come.  Of one that has ended only its state is told; ``api_key`` is told once."""

    state = text(among=STATES)
    pool_name = text(null=True)
    invited_email_masked = text(null=True)
    expires_at = out(Instant, null=True)
    flow = nested(DeviceCode, null=True)
    error = nested(Trouble, null=True)
    client_config = text(null=True)
    api_key = text(null=True)
