"""Where mail is handed in: knows the mail server that is set, and opens its password only for the conversation."""

from __future__ import annotations

from dataclasses import dataclass

from codex_pooler.mail.delivery import MailFailed, MailServer, deliver
from codex_pooler.mail.letters import Letter, message
from codex_pooler.snapshot.settings import Smtp, secret_place, settings_of
from codex_pooler.storage import queries_settings as queries
from codex_pooler.storage.database import Database, Session
from codex_pooler.storage.keyring import Keyring
from codex_pooler.storage.vault import SecretError


@dataclass(frozen=True)
class PostOffice:
    """Sends letters by the settings as they are stored now."""

    database: Database
    keyring: Keyring

    async def is_open(self, session: Session) -> bool:
        """Whether mail is switched on."""
        return (await self._settings(session)).enabled

    async def server(self) -> MailServer:
        """The server that mail goes to.  Raises MailFailed."""
        async with self.database.session() as session:
            settings = await self._settings(session)
        if not settings.enabled:
            raise MailFailed("smtp_disabled")
        return server_of(settings, self.keyring)

    async def send(self, letter: Letter) -> None:
        """One try.  Raises MailFailed."""
        server = await self.server()
        await deliver(message(letter, server.sender), server)

    @staticmethod
    async def _settings(session: Session) -> Smtp:
        row = await session.one(queries.ONE, group="smtp")
        return settings_of({"smtp": row.value if row else {}}).smtp


def server_of(settings: Smtp, keyring: Keyring) -> MailServer:
    """The server that settings describe, whether or not mail is on.  Raises MailFailed."""
    if not settings.host:
        raise MailFailed("smtp_host_missing")
    return MailServer(
        host=settings.host,
        port=settings.port,
        sender=settings.from_address,
        username=settings.username,
        password=_password(settings, keyring),
        implicit_tls=settings.ssl,
        starttls=settings.tls,
        verify=settings.verify_certificate,
    )


def _password(settings: Smtp, keyring: Keyring) -> str:
    if not settings.password.is_set:
        return ""
    try:
        return keyring.settings.open(settings.password.sealed, secret_place("smtp", "password")).decode()
    except SecretError:
        raise MailFailed("smtp_password_unreadable") from None
