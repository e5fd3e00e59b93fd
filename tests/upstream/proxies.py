"""A proxy for tests that speaks HTTP CONNECT and SOCKS5, knows names that nobody else knows, and can misbehave."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
BACKEND = "backend.test"  # a name that only the proxy can look up: whatever arrives there came through it


@dataclass
class ProxyServer:
    """``names`` says where a host really is.  ``tunnels`` are the destinations asked for, ``outgoing`` the ports that
    it called them from.  ``behaviour``: "", or one of silent, close, garbage, chatty, dribble or an HTTP status."""

    names: Mapping[str, int] = field(default_factory=dict)
    credentials: tuple[str, str] | None = None
    behaviour: str = ""
    port: int = 0
    tunnels: list[tuple[str, int]] = field(default_factory=list)
    outgoing: set[int] = field(default_factory=set)
    knocks: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    def url(self, scheme: str = "http", user: str = "") -> str:
        """Its address; ``user`` as it stands before the host."""
        return f"{scheme}://{user + '@' if user else ''}127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.knocks += 1
        self.open.add(writer)
        try:
            await self._serve(reader, writer)
        finally:
            self.open.discard(writer)

    def cut(self) -> None:
        """End every connection at once."""
        for writer in self.open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        if self.behaviour == "close":
            return
        if self.behaviour == "silent":
            await reader.read()
            return
        if self.behaviour == "garbage":
            writer.write(b"220 mail.example ESMTP\r\n\r\n")
            await reader.read()
            return
        destination = await (self._socks(reader, writer) if first == b"\x05" else self._http(reader, writer))
        if destination is None:
            await reader.read()
            return
        self.tunnels.append(destination)
        there = self.names.get(destination[0], destination[1])
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", there)
        self.outgoing.add(inner_writer.get_extra_info("sockname")[1])
        try:
            await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        finally:
            inner_writer.transport.abort()

    async def _say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        pieces = [data[i : i + 1] for i in range(len(data))] if self.behaviour == "dribble" else [data]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        head = (b"C" + await reader.readuntil(b"\r\n\r\n")).decode()
        host, _, port = head.split(" ")[1].rpartition(":")
        if self.credentials:
            pair = base64.b64encode(":".join(self.credentials).encode()).decode()
            if f"proxy-authorization: Basic {pair}\r\n" not in head:
                await self._say(writer, b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                return None
        if self.behaviour.isdigit():
            await self._say(writer, f"HTTP/1.1 {self.behaviour} Nope\r\ncontent-length: 2\r\n\r\nno".encode())
            return None
        early = b"hello" if self.behaviour == "chatty" else b""
        await self._say(writer, b"HTTP/1.1 200 Connection established\r\nvia: test\r\n\r\n" + early)
        return host.strip("[]"), int(port)

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int] | None:
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        wanted = 2 if self.credentials else 0
        if wanted not in methods:
            await self._say(writer, b"\x05\xff")
            return None
        await self._say(writer, bytes((5, wanted)))
        if self.credentials:
            assert await reader.readexactly(1) == b"\x01"
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            right = (user.decode(), password.decode()) == self.credentials
            await self._say(writer, b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return None
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        host = await _socks_host(reader)
        port = int.from_bytes(await reader.readexactly(2), "big")
        if self.behaviour.isdigit():
            await self._say(writer, bytes((5, int(self.behaviour) % 256, 0, 1)) + bytes(6))
            return None
        bound = b"\x03\x04here" if self.behaviour == "dribble" else b"\x01" + bytes(4)
        await self._say(writer, b"\x05\x00\x00" + bound + bytes(2))
        return host, port


async def _socks_host(reader: asyncio.StreamReader) -> str:
    kind = (await reader.readexactly(1))[0]
    if kind == 3:
        return (await reader.readexactly((await reader.readexactly(1))[0])).decode()
    assert kind == 1
    return ".".join(map(str, await reader.readexactly(4)))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


@asynccontextmanager
async def proxying(
    names: Mapping[str, int] | None = None,
    *,
    credentials: tuple[str, str] | None = None,
    behaviour: str = "",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ProxyServer]:
    """A proxy on this machine; with ``tls`` one that is itself spoken to over TLS."""
    proxy = ProxyServer(names or {}, credentials, behaviour)
    async with listening(proxy.serve, tls) as proxy.port:
        yield proxy


@asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on this machine, and nothing of it is left afterwards; the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await talk(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks)
        await server.wait_closed()


def certified(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """How a server of these names shows itself, and how a client checks it; nobody else trusts either."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    shown, secret = folder / f"{names[0]}.pem", folder / f"{names[0]}.key"
    shown.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(shown, secret)
    return server, ssl.create_default_context(cafile=str(shown))
