"""Every instance setting: what it is for, its default and range, and the reading of what the database deviates in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Annotated

from codex_pooler.snapshot.networks import NO_NETWORKS, NetworkSet
from codex_pooler.snapshot.rules import NO_SECRET, Refusal, Rule, Secret, members, read, whole

log = logging.getLogger(__name__)

MINUTE, HOUR = 60_000, 3_600_000  # ms
MIB = 1024 * 1024
ENCODINGS = ("gzip", "deflate", "br", "zstd")
IP_SOURCES = ("x_forwarded_for", "x_real_ip", "peer")
STARTTLS = ("if_available", "always", "never")
HOST = r"([A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?|[0-9A-Fa-f:.]{2,45})?"
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
ONE_LINE = r"[ -~]{0,320}"
VERSION = r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}(-[0-9A-Za-z.]{1,20})?"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of settings."""

    def conflicts(self) -> Iterator[Refusal]:
        """What is acceptable by itself, but not together."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Bulkhead:
    """How many requests of one class a process serves at once, and how many may wait for how long."""

    max_concurrency: Annotated[int, whole("At once", "requests served at the same time", 1, 100_000)]
    queue_limit: Annotated[int, whole("Waiting", "requests that may wait; 0: none", 0, 1_000_000)]
    queue_timeout_ms: Annotated[int, whole("Longest wait", "then a request is refused", 1, 10 * MINUTE, "ms")]


@dataclass(frozen=True, slots=True)
class Bulkheads:
    """One per route class."""

    proxy_stream: Annotated[Bulkhead, members("Streamed turns")] = Bulkhead(256, 1024, 10_000)
    proxy_websocket: Annotated[Bulkhead, members("Turns on websockets")] = Bulkhead(256, 1024, 10_000)
    proxy_http: Annotated[Bulkhead, members("Turns answered as one JSON object")] = Bulkhead(128, 512, 10_000)
    proxy_compact: Annotated[Bulkhead, members("Compactions")] = Bulkhead(8, 32, 10_000)
    proxy_control: Annotated[Bulkhead, members("Models, usage and helper routes")] = Bulkhead(8, 16, 5_000)
    file_upload: Annotated[Bulkhead, members("Files")] = Bulkhead(4, 8, 5_000)
    audio_transcription: Annotated[Bulkhead, members("Transcriptions")] = Bulkhead(4, 8, 5_000)
    images: Annotated[Bulkhead, members("Images")] = Bulkhead(16, 64, 10_000)


@dataclass(frozen=True, slots=True)
class Gateway(Group):
    """How turns are served."""

    sse_keepalive_interval_ms: Annotated[
        int, whole("Keepalive", "silence after which a waiting client is told to wait on; 0: never", 0, 240_000, "ms")
    ] = 10_000
    websocket_idle_timeout_ms: Annotated[
        int, whole("Idle websockets", "a client's socket without a turn for so long is closed", MINUTE, HOUR, "ms")
    ] = 30 * MINUTE
    upstream_connect_timeout_ms: Annotated[
        int, whole("Connect", "longest wait for a connection to the backend, TLS included", 1, 2 * MINUTE, "ms")
    ] = 10_000
    upstream_first_byte_timeout_ms: Annotated[
        int, whole("First byte", "longest wait from sending a turn to the backend's response head", 1, HOUR, "ms")
    ] = 2 * MINUTE
    upstream_receive_timeout_ms: Annotated[
        int, whole("Silence", "longest silence of the backend within a response", 1, HOUR, "ms")
    ] = 5 * MINUTE
    busy_accounts_wait_ms: Annotated[
        int, whole("Busy accounts", "how long a turn waits while all accounts are busy; 0: not at all", 0, MINUTE, "ms")
    ] = 5_000
    circuit_failure_threshold: Annotated[
        int, whole("Failures in a row", "after so many within five minutes an account is left alone", 1, 1000)
    ] = 3
    circuit_open_seconds: Annotated[
        int, whole("Left alone", "for so long at first, and longer while it keeps failing", 1, 600, "s")
    ] = 60
    client_version: Annotated[
        str,
        Rule(
            "text", "Codex version", "what the backend is told; it has its newest models for new versions only"
        ).having(pattern=VERSION),
    ] = "0.169.0"
    model_context_window_overrides: Annotated[
        Mapping[str, int],
        Rule("numbers", "Context windows", "by model, instead of the size that it is listed with").having(
            unit="tokens", low=1, high=100_000_000
        ),
    ] = field(default_factory=lambda: MappingProxyType({}))
    bulkheads: Annotated[Bulkheads, members("Bulkheads")] = Bulkheads()


@dataclass(frozen=True, slots=True)
class Ingress(Group):
    """Who may come in, and how large what they bring may be."""

    firewall_allowlist: Annotated[
        NetworkSet | None,
        Rule(
            "networks", "Allowed networks", "who may use model routes and MCP, not the console; empty: everybody"
        ).having(guards=True),
    ] = NO_NETWORKS
    trusted_proxies: Annotated[
        NetworkSet | None,
        Rule("networks", "Trusted proxies", "whose word about their client's address counts").having(guards=True),
    ] = NO_NETWORKS
    forwarded_client_ip_source: Annotated[
        str, Rule("choice", "Address from", "where a trusted proxy names its client").having(among=IP_SOURCES)
    ] = "x_forwarded_for"
    forwarded_proxy_depth: Annotated[
        int, whole("Depth", "0: the last address that is no trusted proxy; n: the n-th from the right", 0, 16)
    ] = 0
    decompression_algorithms: Annotated[
        tuple[str, ...], Rule("choices", "Encodings", "compressed bodies that are accepted").having(among=ENCODINGS)
    ] = ENCODINGS
    max_compressed_body_bytes: Annotated[
        int, whole("Compressed", "largest body as it arrives compressed", 1024, 64 * MIB, "B")
    ] = 32 * MIB
    max_decompressed_body_bytes: Annotated[
        int, whole("Unpacked", "largest body after unpacking", 1024, 64 * MIB, "B")
    ] = 64 * MIB
    max_decompression_ratio: Annotated[
        int, whole("Ratio", "how many times its compressed size a body may have", 1, 10_000)
    ] = 200
    decompression_timeout_ms: Annotated[int, whole("Unpacking", "longest time for it", 1, 5 * MINUTE, "ms")] = 10_000

    has_firewall: bool = field(init=False, repr=False, compare=False)  # also with an unreadable list

    def __post_init__(self) -> None:
        object.__setattr__(self, "has_firewall", self.firewall_allowlist != NO_NETWORKS)

    def conflicts(self) -> Iterator[Refusal]:
        if self.forwarded_proxy_depth and self.forwarded_client_ip_source != "x_forwarded_for":
            yield Refusal("/forwarded_proxy_depth", "Only x_forwarded_for has a depth; use 0.")


@dataclass(frozen=True, slots=True)
class Files(Group):
    """Files that turns refer to."""

    max_size_bytes: Annotated[int, whole("Largest file", "a larger one is refused", 1, 512 * MIB, "B")] = 25 * MIB
    upload_ttl_seconds: Annotated[int, whole("Upload", "time to finish an upload", 60, 604_800, "s")] = 86_400


@dataclass(frozen=True, slots=True)
class Transcription(Group):
    """Speech to text."""

    max_upload_bytes: Annotated[int, whole("Largest recording", "a larger one is refused", 1, 64 * MIB, "B")] = 25 * MIB


@dataclass(frozen=True, slots=True)
class Catalog(Group):
    """Where prices come from."""

    openai_pricing_url: Annotated[
        str,
        Rule("url", "Price list", "read every hour; empty: the prices this version came with").having(
            applies="within the hour"
        ),
    ] = ""


@dataclass(frozen=True, slots=True)
class Retention(Group):
    """How long history is kept."""

    request_logs_days: Annotated[int, whole("Request log", "0: for ever", 0, 3650, "d", applies="within a day")] = 90
    rollups_days: Annotated[int, whole("Hourly figures", "0: for ever", 0, 3650, "d", applies="within a day")] = 730
    quota_history_days: Annotated[
        int, whole("Quota history", "how full windows were; 0: for ever", 0, 3650, "d", applies="within a day")
    ] = 90
    audit_days: Annotated[
        int, whole("Audit trail", "who changed what, resets spent; 0: for ever", 0, 3650, "d", applies="within a day")
    ] = 365


@dataclass(frozen=True, slots=True)
class Privacy(Group):
    """What the request log knows of clients."""

    store_client_ip: Annotated[bool, Rule("boolean", "Client addresses", "kept with the requests they sent")] = True


@dataclass(frozen=True, slots=True)
class Smtp(Group):
    """How mail leaves: invites, and later everything else that is sent to people."""

    enabled: Annotated[bool, Rule("boolean", "Send mail", "off: links are only copied", "new mail")] = False
    host: Annotated[
        str,
        Rule("text", "Server", "the mail server that accepts mail from here", "new mail").having(
            pattern=HOST, example="a host name or address, such as mail.example.com, or nothing"
        ),
    ] = ""
    port: Annotated[int, whole("Port", "usually 587, with implicit TLS 465", 1, 65_535, applies="new mail")] = 587
    username: Annotated[
        str,
        Rule("text", "User", "empty: the server asks for none", "new mail").having(
            pattern=ONE_LINE, example="one line of plain ASCII, or nothing"
        ),
    ] = ""
    password: Annotated[Secret, Rule("secret", "Password", "kept encrypted and never shown again", "new mail")] = (
        NO_SECRET
    )
    from_address: Annotated[
        str,
        Rule("text", "Sender", "the address that mail comes from", "new mail").having(
            pattern=ADDRESS, example="an e-mail address, such as codex-pooler@example.com"
        ),
    ] = "codex-pooler@example.com"
    ssl: Annotated[bool, Rule("boolean", "Implicit TLS", "encrypted from the first byte", "new mail")] = False
    tls: Annotated[
        str,
        Rule("choice", "STARTTLS", "whether a plain connection is turned into an encrypted one", "new mail").having(
            among=STARTTLS
        ),
    ] = "if_available"
    verify_certificate: Annotated[
        bool, Rule("boolean", "Check the certificate", "off only for a server of your own network", "new mail")
    ] = True

    def conflicts(self) -> Iterator[Refusal]:
        if self.enabled and not self.host:
            yield Refusal("/host", "Name the mail server before mail is switched on.")
        if self.username and not self.password.is_set:
            yield Refusal("/password", "A user needs a password; or take the user away.")
        if self.password.is_set and not self.username:
            yield Refusal("/username", "A password needs a user; or take the password away.")


@dataclass(frozen=True, slots=True)
class Settings:
    """All groups, as one process goes by them."""

    gateway: Gateway = Gateway()
    ingress: Ingress = Ingress()
    files: Files = Files()
    transcription: Transcription = Transcription()
    catalog: Catalog = Catalog()
    retention: Retention = Retention()
    privacy: Privacy = Privacy()
    smtp: Smtp = Smtp()


DEFAULTS = Settings()
GROUPS: Mapping[str, Group] = {each.name: getattr(DEFAULTS, each.name) for each in fields(Settings)}


def secret_place(group: str, name: str) -> str:
    """What a secret setting's sealed value is bound to (storage/vault.py: ``context``)."""
    return f"instance_settings:{group}:{name}"


def settings_of(stored: Mapping[str, object]) -> Settings:
    """Groups by name as the database has them.  What is not acceptable is logged and left at its default; only
    addresses are then unreadable (None), and nobody is let in."""
    known = {name: _group(name, stored[name]) for name in GROUPS if name in stored}
    return Settings(**known)  # type: ignore[arg-type]


def _group(name: str, stored: object) -> Group:
    value, refusals = read(GROUPS[name], stored)
    for refusal in refusals:
        log.error("the stored setting %s%s is not acceptable and does not count", name, refusal.pointer)
    return value
