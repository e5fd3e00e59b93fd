"""How an account is named without telling who it is: plan, masked e-mail, short reference."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field


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


WORKSPACE_PLANS = frozenset({"team", "business", "enterprise", "edu"})


@dataclass(frozen=True)
class Identity:
    """What is known of whose login something is; None where nobody said."""

    account_id: str
    workspace_id: str | None
    user_id: str | None
    email: str | None = field(repr=False)
    plan_type: str | None

    @property
    def key(self) -> str:
        """The same as ``identity_key``."""
        return identity_key(self.account_id, self.workspace_id, self.user_id)


def is_same(stored: Identity, brought: Identity) -> bool:
    """Whether a login may take the place of the stored one.

    Nothing that both name may differ.  Without a workspace on one side the plans must fit each other; without a user
    the e-mail addresses decide, and without those only a stored login that never had a user can be claimed.
    """
    if stored.account_id != brought.account_id or _differ(stored.workspace_id, brought.workspace_id):
        return False
    if _differ(stored.user_id, brought.user_id):
        return False
    if stored.workspace_id != brought.workspace_id and not _plans_fit(stored.plan_type, brought.plan_type):
        return False
    if stored.user_id and brought.user_id:
        return True
    if stored.email and brought.email:
        return stored.email.casefold() == brought.email.casefold()
    return stored.user_id is None


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def _plans_fit(one: str | None, other: str | None) -> bool:
    """A person changes from Plus to Pro, and a workspace from Team to Business, but neither becomes the other."""
    families = [plan_of(plan).family for plan in (one, other)]
    return None in families or len({family in WORKSPACE_PLANS for family in families}) == 1
