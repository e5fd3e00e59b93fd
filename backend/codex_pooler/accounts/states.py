"""What an operator may do with an account in which state, and what state follows."""

from __future__ import annotations

from collections.abc import Mapping

ACTIONS = (
    *("pause", "drain", "reactivate", "refresh", "probe", "relink", "replace", "reinvite"),
    *("rename", "assign", "export", "delete"),
)
RESULT = {"pause": "paused", "drain": "draining", "reactivate": "active"}
NEEDS_LOGIN = "The sign-in server refused this login for good. Import a new one."
LOGIN_IS_GOOD = "This account's login is good. Only one that needs a new login can be reinvited."
EMAIL_UNKNOWN = "The account's e-mail address is not known. Relink it yourself."
NOT_RENEWABLE = "An access token is never renewed. Replace it when it stops working."

# Action -> the states it is possible in, and what to say elsewhere.  An action without a row is always possible.
POSSIBLE: Mapping[str, tuple[frozenset[str], str]] = {
    "pause": (frozenset({"active", "draining", "reauth_required"}), "Only an account in service can be paused."),
    "drain": (frozenset({"active"}), "Only an account in service has turns to finish."),
    "reactivate": (
        frozenset({"draining", "paused", "disabled"}),
        "Only a draining, paused or disabled account can be reactivated; one that needs a new login gets it by import.",
    ),
    "refresh": (
        frozenset({"active", "draining", "paused"}),
        "There is no good login to renew here. Link the account again, or reactivate it if it is disabled.",
    ),
    "probe": (
        frozenset({"active", "draining", "paused"}),
        "There is no good login to try out. Import a new one, or reactivate the account.",
    ),
}


class AccountActionRefused(Exception):
    """The account's state does not allow the action; the message says what would."""


def refusals(state: str, *, login_refused: bool = False, renewable: bool = True) -> dict[str, str | None]:
    """For every action None when it is possible, else why not."""
    found = {action: _refusal(action, state, login_refused) for action in ACTIONS}
    return found if renewable else found | {"refresh": NOT_RENEWABLE}


def after(action: str, state: str, *, login_refused: bool = False) -> str:
    """The state an action leads to; without a good login it is the need for one.  Raises AccountActionRefused."""
    reason = _refusal(action, state, login_refused)
    if reason is not None:
        raise AccountActionRefused(reason)
    return "reauth_required" if login_refused and action == "reactivate" else RESULT[action]


def _refusal(action: str, state: str, login_refused: bool) -> str | None:
    if action == "refresh" and login_refused:
        return NEEDS_LOGIN
    if action == "reinvite":
        return None if login_refused or state == "reauth_required" else LOGIN_IS_GOOD
    if action not in POSSIBLE:
        return None
    states, reason = POSSIBLE[action]
    return None if state in states else reason
