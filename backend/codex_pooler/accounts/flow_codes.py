"""Everything that can go wrong while somebody signs in, each with its status and with what to do next."""

from __future__ import annotations

AGAIN = "Start the sign-in again."

# code -> (HTTP status, what happened and the next step)
CODES: dict[str, tuple[int, str]] = {
    # the pasted address
    "invalid_callback_url": (
        400,
        "This is not a complete address. After signing in, copy the whole content of the browser's address bar, from "
        "http:// to its end, and paste it here.",
    ),
    "invalid_callback_origin": (
        400,
        "This is not the address that the sign-in ends at. That begins with http://localhost:1455/auth/callback; the "
        "page that fails to load there is the right one.",
    ),
    "missing_state": (400, "The address lacks its state. Copy all of it; it goes on after the question mark."),
    "duplicate_callback_param": (400, "The address names something twice. Copy it once, exactly as it is."),
    "missing_callback_result": (400, "The address has no code. Finish signing in, then copy the address it ends at."),
    "provider_denied": (400, f"ChatGPT reports that the sign-in was not allowed. {AGAIN} and approve it."),
    "invalid_state": (
        400,
        "This address belongs to another sign-in. Open the link shown here, sign in, and copy the address it ends at.",
    ),
    # the flow
    "not_found": (404, "There is no such sign-in, or you may not see it."),
    "expired_flow": (400, f"This sign-in has expired; each is good for ten minutes. {AGAIN}"),
    "flow_not_pending": (409, f"This sign-in has already been used or has ended. Look at the account, or: {AGAIN}"),
    "stale_flow": (409, "A newer sign-in has taken the place of this one. Use the link of the newest."),
    "superseded": (409, "A newer sign-in has taken the place of this one."),
    "interrupted": (502, f"The gateway was interrupted while it exchanged the code, which works only once. {AGAIN}"),
    "flow_unreadable": (409, f"What was kept for this sign-in cannot be opened with the present keys. {AGAIN}"),
    "login_not_stored": (
        503,
        f"The sign-in succeeded, but the database did not take the login in time, so it is lost. {AGAIN}",
    ),
    # the sign-in server
    "token_exchange_failed": (502, f"The sign-in server did not give a login for this code. {AGAIN}"),
    "sign_in_unavailable": (
        502,
        "The sign-in server could not be asked, so nothing was used up. Try again in a moment.",
    ),
    "egress_proxy_failed": (
        502,
        "The egress proxy let nothing through, so nothing was sent. Check that it runs and that its address is right.",
    ),
    "invalid_egress_proxy": (422, "This cannot be used as the address of a proxy."),
    "access_denied": (400, f"The sign-in was denied on ChatGPT's page. {AGAIN}"),
    "expired_token": (400, f"Nobody entered the code in time. {AGAIN}"),
    # whose login it is
    "identity_mismatch": (409, "The login belongs to another account. Sign in as the person whose account this is."),
    "identity_conflict": (409, "The login belongs to an account here that it cannot be given to. Ask an owner."),
    "account_deleted": (409, "The account was deleted meanwhile. Add it as a new one."),
    "unauthorized_pool": (403, "There is no such pool, or you do not manage it."),
    "invite_email_mismatch": (409, "The login's e-mail address is not the one that was invited."),
}
MAY_GO_ON = frozenset({"sign_in_unavailable", "egress_proxy_failed"})
# a poll that failed for the moment leaves the flow as it was
STILL_OPEN = "The sign-in server could not be asked just now; it is asked again by itself."


class FlowRefused(Exception):
    """The sign-in cannot go on.  ``code`` is safe to show, ``message`` says what to do next, ``status`` is HTTP's."""

    def __init__(self, code: str, message: str | None = None, status: int | None = None) -> None:
        super().__init__(code)
        known_status, known_message = CODES.get(code, (409, f"The sign-in failed. {AGAIN}"))
        self.code, self.message, self.status = code, message or known_message, status or known_status


def detail_of(code: str, *, is_open: bool) -> str:
    """What a stored code means for who looks at the flow."""
    if code in MAY_GO_ON and not is_open:
        return f"{CODES[code][1]} {AGAIN}"
    if code in CODES:
        return CODES[code][1]
    return STILL_OPEN if is_open else f"The sign-in failed. {AGAIN}"
