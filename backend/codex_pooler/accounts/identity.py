"""How an account is named without telling who it is: plan, masked e-mail, short reference."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A subscription: slug for grouping, label for people; family None when the backend did not say."""

    family: str | None
    label: str


PLANS = {
    "free": Plan("free", "Free"),
    "go": Plan("go", "Go"),
    "plus": Plan("plus", "Plus"),
    "pro": Plan("pro", "Pro"),
    "team": Plan("team", "Team"),
    "business": Plan("business", "Business"),
    "enterprise": Plan("enterprise", "Enterprise"),
    "edu": Plan("edu", "Edu"),
    "education": Plan("edu", "Edu"),
}


def plan_of(plan_type: str | None) -> Plan:
    """The plan a token names, as its claim spells it; unknown names are shown as they are."""
    slug = re.sub(r"[^a-z0-9]+", "_", (plan_type or "").lower()).strip("_").removeprefix("chatgpt_")
    if not slug:
        return Plan(None, "Unknown")
    return PLANS.get(slug) or Plan(slug, slug.replace("_", " ").capitalize())


def masked_email(email: str | None) -> str | None:
    """``a***@example.com``."""
    if not email:
        return None
    local, at, domain = email.partition("@")
    return f"{local[:1]}***{at}{domain}"


def account_ref(chatgpt_account_id: str) -> str:
    """A short stable reference from which the account id cannot be told."""
    return f"acc:{hashlib.sha256(chatgpt_account_id.encode()).hexdigest()[:8]}"


def identity_key(account_id: str, workspace_id: str | None, user_id: str | None) -> str:
    """What makes two logins the same account; unknown parts are empty."""
    return "|".join((account_id, workspace_id or "", user_id or ""))
