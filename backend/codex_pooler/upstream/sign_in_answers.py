"""What the sign-in server's answers about people who sign in mean: approvals, refusals, and who somebody is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from codex_pooler.protocol.errors import UpstreamError
from codex_pooler.upstream.sign_in_wire import NotAnswered, Reply

INTERVAL_SECONDS = 5  # between two polls, where the server names none
LONGEST_INTERVAL_SECONDS = 60
LONGEST_LIFETIME_SECONDS = 10 * 365 * 86400
LONGEST_TEXT = 2048
PASSING_STATUSES = frozenset({408, 425, 429})
SHOWABLE_CODE = re.compile(r"[a-z][a-z0-9_]{2,59}")


class SignInRefused(Exception):
    """The sign-in server's no, in its own word; ``code`` is safe to store and to show."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Waiting(Enum):
    """Nobody has approved the device code yet; SLOW_DOWN also asks to be asked less often."""

    PENDING = "pending"
    SLOW_DOWN = "slow_down"


@dataclass(frozen=True)
class DeviceStart:
    """A device sign-in that somebody has to approve by typing ``user_code``."""

    device_auth_id: str = field(repr=False)
    user_code: str = field(repr=False)
    interval_seconds: int
    expires_in_seconds: float | None


@dataclass(frozen=True)
class DeviceGranted:
    """The approval; one exchange turns it into tokens."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True)
class WhoAmI:
    """Whom a personal access token belongs to."""

    account_id: str
    user_id: str | None
    email: str | None = field(repr=False)
    plan_type: str | None
    is_fedramp: bool


def device_start_of(reply: Reply) -> DeviceStart:
    """Raises NotAnswered, SignInRefused."""
    told = _accepted(reply).document
    device_id, user_code = text_of(told.get("device_auth_id")), text_of(told.get("user_code") or told.get("usercode"))
    if not device_id or not user_code:
        raise NotAnswered("sign_in_answer_unreadable")
    return DeviceStart(device_id, user_code, _interval(told.get("interval")), seconds_of(told.get("expires_in")))


def approval_of(reply: Reply) -> DeviceGranted | Waiting:
    """Raises NotAnswered when it stays open whether somebody approves, SignInRefused when nobody will."""
    if reply.status != 200:
        return _not_approved(reply)
    told = reply.document
    code, verifier = text_of(told.get("authorization_code")), text_of(told.get("code_verifier"))
    if not code or not verifier:
        raise NotAnswered("sign_in_answer_unreadable")
    return DeviceGranted(code, verifier)


def person_of(reply: Reply) -> WhoAmI:
    """Raises NotAnswered, SignInRefused when the token is nobody's."""
    told = _accepted(reply).document
    account_id = text_of(told.get("chatgpt_account_id"))
    if account_id is None:
        raise NotAnswered("sign_in_answer_unreadable")
    return WhoAmI(
        account_id=account_id,
        user_id=text_of(told.get("chatgpt_user_id")),
        email=text_of(told.get("email")),
        plan_type=text_of(told.get("chatgpt_plan_type")),
        is_fedramp=told.get("chatgpt_account_is_fedramp") is True,
    )


def refused(reply: Reply) -> SignInRefused:
    """The refusal that a reply is."""
    return SignInRefused(showable_code(reply.error) or f"sign_in_{reply.status}")


def is_the_servers_own(reply: Reply) -> bool:
    """Whether the server itself said no; a page, an overload or a gateway's error says nothing about what was asked."""
    return 400 <= reply.status < 500 and reply.status not in PASSING_STATUSES and reply.error.is_json


def showable_code(error: UpstreamError) -> str:
    """The server's own word for it; OAuth's older form puts it where others have the message."""
    return next((word for word in (error.code, error.message) if SHOWABLE_CODE.fullmatch(word)), "")


def text_of(value: object, longest: int | None = LONGEST_TEXT) -> str | None:
    """A string that can be stored and sent on; None for anything else."""
    if not isinstance(value, str):
        return None
    cleaned = value.strip()
    fits = longest is None or len(cleaned) <= longest
    return cleaned if cleaned and fits and cleaned.isprintable() else None


def seconds_of(value: object) -> float | None:
    """A lifetime; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < LONGEST_LIFETIME_SECONDS else None


def _accepted(reply: Reply) -> Reply:
    if reply.status == 200:
        return reply
    raise refused(reply) if is_the_servers_own(reply) else NotAnswered(f"sign_in_{reply.status}")


def _not_approved(reply: Reply) -> Waiting:
    code = showable_code(reply.error)
    if code == "slow_down" or reply.status == 429:
        return Waiting.SLOW_DOWN
    if code in ("access_denied", "expired_token"):
        raise SignInRefused(code)
    if code == "authorization_pending" or (reply.status in (403, 404) and reply.error.is_json):
        return Waiting.PENDING
    raise refused(reply) if is_the_servers_own(reply) else NotAnswered(f"sign_in_{reply.status}")


def _interval(value: object) -> int:
    """The server writes it as a string."""
    text = str(value)
    return min(max(int(text), 1), LONGEST_INTERVAL_SECONDS) if text.isdecimal() and len(text) < 6 else INTERVAL_SECONDS
