"""The immutable picture of configuration that a turn is decided on.  Secrets in it never show in a repr."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from uuid import UUID

from codex_pooler.quota.resets import BY_HAND
from codex_pooler.quota.resets import Policy as ResetPolicy
from codex_pooler.snapshot.catalog import EMPTY, Catalog, Listing
from codex_pooler.snapshot.settings import DEFAULTS, Settings

UNREADABLE = "unreadable:"  # the proxy of an account whose own cannot be opened: no address, so nothing leaves by it


@dataclass(frozen=True, slots=True)
class Account:
    """One ChatGPT login.  ``access_token`` is empty when it could not be opened or there is none."""

    id: UUID
    label: str
    state: str
    chatgpt_account_id: str
    access_token: str = field(repr=False)
    access_expires_at: float | None = None  # unix seconds
    residency: str | None = None
    plan_type: str | None = None
    max_concurrency: int | None = None
    models: frozenset[str] | None = field(default=None, repr=False)  # what its catalogue offers; None: unknown
    credential_kind: str = "oauth"  # or "pat", a personal access token: never renewed
    is_fedramp: bool = False
    routing_override: str | None = None  # which region the backend wants to be told with every request
    backend_origin: str | None = None  # where the backend of its workspace is, when not where everybody's is
    proxy_url: str | None = field(default=None, repr=False)  # the only way out for everything it sends
    reset_policy: ResetPolicy = BY_HAND  # what its saved resets may be spent on without a person
    hash_bits: int = field(init=False, repr=False)  # 64 bits of the id, for rendezvous hashing

    def __post_init__(self) -> None:
        digest = hashlib.blake2b(self.id.bytes, digest_size=8).digest()
        object.__setattr__(self, "hash_bits", int.from_bytes(digest, "big"))


@dataclass(frozen=True, slots=True)
class Member:
    """An account's place in one pool.  The highest ``priority`` goes first."""

    account: Account
    enabled: bool = True
    priority: int = 0
    weight: float = 1.0
    max_concurrency: int | None = None
    max_primary_percent: int | None = None  # headroom: not used here once a short window is used up to this
    max_secondary_percent: int | None = None  # the same for weekly and monthly windows

    @property
    def obstacle(self) -> str | None:
        """Why configuration or credentials keep the account from serving here, whatever happens at run time."""
        if not self.enabled:
            return "membership_disabled"
        if self.account.state != "active":
            return self.account.state
        if not self.account.access_token:
            return "credentials_unreadable"
        return "egress_unreadable" if self.account.proxy_url == UNREADABLE else None


@dataclass(frozen=True, slots=True)
class Switches:
    """What a pool allows and how it behaves; the database keeps only what deviates from these defaults."""

    websockets: bool = True  # off: upgrades are answered 426 and Codex goes on over HTTP
    v1_compatibility: bool = True
    v1_strict: bool = False  # /v1 refuses what it cannot carry out; off: it is left out and named in the answer's head
    show_reasoning: bool = False  # chat completions carry the summaries of what the model thought, without being asked
    allow_image_generation: bool = True
    sticky_websocket_sessions: bool = True
    sticky_http_sessions: bool = True
    prompt_cache_affinity: bool = True
    show_quota_to_keys: bool = True  # rate-limit headers, events and usage answers speak of the pool's quota
    show_routing_headers: bool = False  # x-gateway-account (a short hash) and x-gateway-attempts
    allow_search: bool = True
    allow_realtime: bool = True
    allow_memories: bool = True
    allow_thread_goals: bool = True
    allow_safety_check: bool = True
    forward_analytics: bool = False  # off: accepted and counted, but not sent


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a model: ``match`` may have ``*`` in it, and is compared without regard to case."""

    match: str
    model: str

    def fits(self, name: str) -> bool:
        """``name`` in small letters."""
        return fnmatchcase(name, self.match.casefold().replace("[", "[[]"))


@dataclass(frozen=True, slots=True)
class Pool:
    """Accounts that serve one set of keys.  ``fit`` are the members without an obstacle.

    ``redeems``: some account's saved resets may be spent without a person; ``redeems_early``: before its week is used
    up.
    """

    id: UUID
    name: str
    status: str
    strategy: str
    max_attempts: int
    members: tuple[Member, ...]
    switches: Switches = Switches()
    aliases: tuple[Alias, ...] = ()
    fit: tuple[Member, ...] = field(init=False, repr=False)
    redeems: bool = field(init=False, repr=False)
    redeems_early: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        policies = [member.account.reset_policy for member in self.members]
        object.__setattr__(self, "fit", tuple(member for member in self.members if not member.obstacle))
        object.__setattr__(self, "redeems", any(policy.auto_redeem_enabled for policy in policies))
        object.__setattr__(self, "redeems_early", any(policy.watches_threshold for policy in policies))

    def model_named(self, name: str) -> str | None:
        """The model that a name stands for here; None when it is nobody's other name."""
        wanted = name.casefold()
        return next((alias.model for alias in self.aliases if alias.fits(wanted)), None)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``maximum`` of ``metric`` (requests, tokens, cost_micros) per ``window`` (minute, day, week, month).

    With a ``model`` it is for that model alone, and then replaces the key's general limits for it.
    """

    metric: str
    window: str
    maximum: int
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What a key's turns must look like.  Efforts and tiers as clients write them; networks are CIDRs."""

    allowed_models: frozenset[str] | None = None  # None: every model of the pool
    enforced_model: str | None = None
    enforced_effort: str | None = None
    maximum_effort: str | None = None
    enforced_service_tier: str | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    allowed_networks: tuple[IPv4Network | IPv6Network, ...] | None = None  # None: from anywhere


@dataclass(frozen=True, slots=True)
class Key:
    """A Pool API key as its holder's requests see it.  ``epoch`` rises with every change that must end open sockets."""

    id: UUID
    name: str
    pool: Pool
    status: str
    expires_at: float | None = None  # unix seconds
    policy: Policy = Policy()
    limits: tuple[Limit, ...] = ()
    max_concurrency: int | None = None
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``keys`` is indexed by the keyed digest of the whole key."""

    pools: Mapping[UUID, Pool] = field(default_factory=lambda: MappingProxyType({}))
    keys: Mapping[bytes, Key] = field(default_factory=lambda: MappingProxyType({}))
    settings: Settings = DEFAULTS
    catalogs: Mapping[UUID, Catalog] = field(default_factory=lambda: MappingProxyType({}), repr=False)  # by pool

    def listing(self, key: Key) -> Listing:
        """The models that a key's holder is shown, with their ETag."""
        catalog = self.catalogs.get(key.pool.id, EMPTY)
        return catalog.listing(key.policy.allowed_models, key.policy.enforced_model)
