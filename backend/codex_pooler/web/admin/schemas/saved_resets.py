"""Shapes of saved resets: what an account has, what may be spent by itself, and what was spent."""

from __future__ import annotations

from marshmallow import fields, validate

from codex_pooler.quota.resets import BOUNDS, TRIGGER_MODES
from codex_pooler.web.admin.schemas.common import Instant, Shape, count, list_of, nested, out, text, whole

TRIGGERS = ("manual", "blocked", "threshold", "expiry")
RESET_STATES = ("available", "awaiting_confirmation", "consumed", "expired")
REDEMPTION_STATES = ("awaiting_confirmation", "confirmed", "not_applied", "confirmation_expired")


class SavedResetPolicy(Shape):
    """What an account's saved resets may be spent on without a person."""

    auto_redeem_enabled = out(fields.Boolean)
    trigger_mode = text(among=TRIGGER_MODES)
    quota_threshold_percent = count()
    min_blocked_minutes = count()
    keep_credits = count()


class SavedResetPolicyInput(Shape):
    """The whole policy as it shall be."""

    auto_redeem_enabled = fields.Boolean(required=True, truthy={True}, falsy={False})
    trigger_mode = fields.String(required=True, validate=validate.OneOf(TRIGGER_MODES))
    quota_threshold_percent = whole(*BOUNDS["quota_threshold_percent"], required=True)
    min_blocked_minutes = whole(*BOUNDS["min_blocked_minutes"], required=True)
    keep_credits = whole(*BOUNDS["keep_credits"], required=True)


class SavedResetsBrief(Shape):
    """An account's saved resets in short; ``available`` is null where the backend never told."""

    available = count(null=True)
    next_expires_at = out(Instant, null=True)
    policy = nested(SavedResetPolicy)
    awaiting_confirmation = out(fields.Boolean)


class SavedReset(Shape):
    """One saved reset.  ``banked_at`` is when the backend granted it, where it says so."""

    id = text()
    banked_at = out(Instant, null=True)
    first_seen_at = out(Instant)
    expires_at = out(Instant, null=True)
    state = text(among=RESET_STATES)


class Redemption(Shape):
    """One attempt to spend a saved reset, and what came of it; ``outcome`` is the backend's own word."""

    id = out(fields.UUID)
    reset_id = text(null=True)
    trigger = text(among=TRIGGERS)
    state = text(among=REDEMPTION_STATES)
    outcome = text(null=True)
    windows_reset = count(null=True)
    attempts = count()
    created_at = out(Instant)
    applied_at = out(Instant, null=True)
    finished_at = out(Instant, null=True)


class SavedResets(SavedResetsBrief):
    """Everything about an account's saved resets.  ``redeem_refusal`` says why none can be spent by hand now."""

    checked_at = out(Instant, null=True)
    redeem_refusal = text(null=True)
    items = list_of(SavedReset)
    redemptions = list_of(Redemption)


class RedeemInput(Shape):
    """A person's word that one saved reset shall be spent, and how many they believe there are."""

    confirm = fields.Boolean(required=True, truthy={True}, falsy={False})
    expected_available = whole(1, BOUNDS["keep_credits"][1], required=True)
