"""A mail server on this machine that takes what it is told to take, and keeps it."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Mailbox:
    """How the server answers, and what it got.  ``replies``: a command -> what is answered instead of success."""

    replies: Mapping[str, str] = field(default_factory=dict)
    extensions: tuple[str, ...] = ("AUTH PLAIN LOGIN",)
    silent: bool = False
    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    talks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.talks.add(task)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self.talks.discard(task)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def hang_up(self) -> None:
        """End every conversation, and leave no connection behind."""
        for task in list(self.talks):
            task.cancel()
        while self.talks:
            await asyncio.wait(list(self.talks))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.silent:
            await reader.read()
            return
        writer.write(self._said("GREETING", "220 mail.test"))
        while line := await reader.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            self.commands.append(verb)
            writer.write(self._said(verb, self._usual(verb, rest)))
            if verb == "QUIT":
                return
            if verb == "DATA" and "DATA" not in self.replies:
                writer.write(await self._take(reader))
            if verb == "STARTTLS" and self.tls:
                await _secured(writer, self.tls)

    def _said(self, verb: str, usual: str) -> bytes:
        return (self.replies.get(verb, usual) + "\r\n").encode()

    def _usual(self, verb: str, rest: str) -> str:
        if verb == "EHLO":
            offered = [*self.extensions, *(["STARTTLS"] if self.tls else [])]
            return "\r\n".join(["250-mail.test", *(f"250-{each}" for each in offered), "250 SIZE 1000000"])
        if verb == "AUTH" and "AUTH" not in self.replies:
            _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
            self.logins.append((user, password))
            return "235 welcome"
        return {"DATA": "354 go on", "QUIT": "221 bye", "STARTTLS": "220 ready"}.get(verb, "250 ok")

    async def _take(self, reader: asyncio.StreamReader) -> bytes:
        raw = await reader.readuntil(b"\r\n.\r\n")
        made = message_from_bytes(raw[:-3].replace(b"\r\n..", b"\r\n."), policy=policy.default)
        assert isinstance(made, EmailMessage)
        reply = self._said("END", "250 accepted")
        if reply.startswith(b"2"):
            self.mails.append(made)
        return reply


async def _secured(writer: asyncio.StreamWriter, tls: ssl.SSLContext) -> None:
    """A handshake that fails leaves the plain connection to whoever asked for it."""
    plain = writer.transport
    try:
        await writer.start_tls(tls)
    except BaseException:
        plain.abort()
        raise


@asynccontextmanager
async def mail_server(box: Mailbox, implicit_tls: ssl.SSLContext | None = None) -> AsyncIterator[Mailbox]:
    """Serve the mailbox on a port of its own."""
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=implicit_tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await box.hang_up()


def certificate(folder: Path, host: str = "localhost") -> ssl.SSLContext:
    """A server's context with a certificate that nobody has signed but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path = folder / "server.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
