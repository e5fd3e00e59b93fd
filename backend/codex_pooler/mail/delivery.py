"""One conversation with a mail server, in a thread of its own, and what its failures mean."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from ipaddress import ip_address

STEP_SECONDS = 10.0
LONGEST_SECONDS = 45.0

# code -> what to do about it; the first sentence says what happened
ADVICE = {
    "smtp_disabled": "Mail is switched off. An owner sets a mail server under Settings, Mail.",
    "smtp_host_missing": "No mail server is set. Name one under Settings, Mail.",
    "smtp_password_unreadable": "The stored password cannot be decrypted with this instance's key. Enter it again.",
    "smtp_timeout": "The mail server did not answer in time. Check host and port, and the network between.",
    "smtp_connection_failed": "There is no connection to the mail server. Check host and port.",
    "smtp_tls_unavailable": "The mail server offers no STARTTLS. Use another port, or allow plain connections.",
    "smtp_tls_failed": "Encryption failed. Check the certificate, and whether the port wants implicit TLS.",
    "smtp_auth_unavailable": "The mail server takes no password on this port. Use another port, or no user.",
    "smtp_auth_unencrypted": "The password is not sent over a plain connection. Use TLS, or set STARTTLS to never.",
    "smtp_auth_failed": "The mail server refused user and password. Enter them again.",
    "smtp_sender_refused": "The mail server refused the sender. Set an address that this user may send from.",
    "smtp_recipient_refused": "The mail server refused the recipient's address. Check it.",
    "smtp_temporary_failure": "The mail server cannot take mail at the moment. Try again later.",
    "smtp_rejected": "The mail server refused the message. Its own log says why.",
    "smtp_unexpected_response": "What answers there does not speak like a mail server. Check host and port.",
}
PASSING = frozenset({"smtp_timeout", "smtp_connection_failed", "smtp_temporary_failure"})


class MailFailed(Exception):
    """The mail did not go out, or nobody knows.  ``code`` is one of ADVICE; ``may_pass``: another try makes sense."""

    def __init__(self, code: str) -> None:
        super().__init__(ADVICE[code])
        self.code, self.may_pass = code, code in PASSING


@dataclass(frozen=True)
class MailServer:
    """Where mail goes, and how.  ``starttls``: always, if_available or never."""

    host: str
    port: int
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    starttls: str = "if_available"
    verify: bool = True


async def deliver(mail: EmailMessage, server: MailServer, longest_seconds: float = LONGEST_SECONDS) -> None:
    """Hand the mail to the server.  Raises MailFailed.

    A caller that is cancelled does not wait; the thread then ends by its own timeouts and never holds up the process.
    """
    conversation = _Conversation(mail, server)
    try:
        async with asyncio.timeout(longest_seconds):
            await _in_a_thread(conversation.run)
    except (TimeoutError, smtplib.SMTPException, OSError, ValueError) as exc:
        raise MailFailed(meaning(exc)) from None
    finally:
        conversation.give_up()


async def _in_a_thread(run: Callable[[], None]) -> None:
    """Not an executor: the interpreter waits for an executor's threads before it exits."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def work() -> None:
        error = None
        try:
            run()
        except Exception as exc:
            error = exc
        with suppress(RuntimeError):  # the loop is gone, and nobody wants to know any more
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=work, name="smtp", daemon=True).start()
    await done


class _Conversation:
    """What is said to the server; blocking."""

    def __init__(self, mail: EmailMessage, server: MailServer) -> None:
        self._mail, self._server = mail, server
        self._client: smtplib.SMTP | None = None

    def run(self) -> None:
        server = self._server
        self._client = client = self._connected()
        client.ehlo_or_helo_if_needed()
        encrypted = server.implicit_tls or self._secured(client)
        if server.username:
            if not (encrypted or server.starttls == "never" or _is_this_machine(server.host)):
                raise MailFailed("smtp_auth_unencrypted")
            client.login(server.username, server.password)
        client.send_message(self._mail)
        with suppress(smtplib.SMTPException, OSError):  # the mail is accepted; how they part does not matter
            client.quit()

    def give_up(self) -> None:
        """End a conversation that may still be going on; does nothing to one that has ended."""
        if self._client is not None:
            self._client.close()

    def _connected(self) -> smtplib.SMTP:
        server, name = self._server, self._server.sender.rpartition("@")[2]
        if server.implicit_tls:
            return smtplib.SMTP_SSL(
                server.host, server.port, local_hostname=name, timeout=STEP_SECONDS, context=_context(server)
            )
        return smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=STEP_SECONDS)

    def _secured(self, client: smtplib.SMTP) -> bool:
        """A handshake that fails is never followed by a plain try: somebody in between could want just that."""
        if self._server.starttls == "never":
            return False
        if not client.has_extn("starttls"):
            if self._server.starttls == "always":
                raise MailFailed("smtp_tls_unavailable")
            return False
        client.starttls(context=_context(self._server))
        client.ehlo()
        return True


def _context(server: MailServer) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not server.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def meaning(error: BaseException) -> str:
    """The code of a failed conversation."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        statuses = [status for status, _ in error.recipients.values()]
        return _by_status(min(statuses, default=550), "smtp_recipient_refused")
    for kind, code in MEANINGS:
        if isinstance(error, kind):
            return _by_status(error.smtp_code, code) if isinstance(error, smtplib.SMTPResponseException) else code
    within = error.__context__  # smtplib tells a timeout while it reads as a lost connection
    return "smtp_timeout" if isinstance(within, TimeoutError) else "smtp_connection_failed"


def _by_status(status: int, code: str) -> str:
    return "smtp_temporary_failure" if 400 <= status < 500 else code


# First match wins; what answers with a status of its own for the moment is temporary.
MEANINGS: tuple[tuple[type[BaseException], str], ...] = (
    (smtplib.SMTPAuthenticationError, "smtp_auth_failed"),
    (smtplib.SMTPSenderRefused, "smtp_sender_refused"),
    (smtplib.SMTPDataError, "smtp_rejected"),
    (smtplib.SMTPConnectError, "smtp_unexpected_response"),
    (smtplib.SMTPHeloError, "smtp_unexpected_response"),
    (smtplib.SMTPNotSupportedError, "smtp_auth_unavailable"),
    (smtplib.SMTPResponseException, "smtp_unexpected_response"),
    (ssl.SSLError, "smtp_tls_failed"),
    (TimeoutError, "smtp_timeout"),
)
