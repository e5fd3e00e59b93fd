"""The simulated world: accounts with their plans, windows and credentials, the settings, the faults and the record."""

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from codex_pooler.simulator.faults import FaultBook
from codex_pooler.simulator.record import Record, Usage
from codex_pooler.simulator.tokens import AUTH_CLAIM, CLIENT_ID, ISSUER, PROFILE_CLAIM, Mint, RefreshClaims
from codex_pooler.simulator.windows import Window, windows_for

_DAY_SECONDS = 86_400
_PLANS = ("plus", "pro", "team", "plus", "business")
_CACHE_STEP_TOKENS = 128
_PROMPTS_REMEMBERED = 4_096


@dataclass(slots=True)
class Settings:
    """What the control interface may change for the whole simulator."""

    compact_route: bool = False
    """Whether `/responses/compact` still exists; the current backend has dropped it."""
    compact_status: int = 404
    pacing_ms: float = 0.0
    """Pause between two events of a turn, where the account has none of its own."""
    chunk_bytes: int = 0
    """Split HTTP streams into writes of this many bytes; 0 writes what is ready at once."""
    sse_rate_limit_event: bool = False
    """Whether SSE streams begin with `codex.rate_limits`, as websocket turns always do."""
    empty_completed_output: bool = False
    """Whether `response.completed` leaves `output` empty, as the backend often does."""
    access_lifetime_s: float = 10 * _DAY_SECONDS
    tokens_per_credit: int = 200_000
    websocket_lifetime_s: float = 3_600.0
    websocket_max_bytes: int = 16 * 1024 * 1024
    file_retries: int = 0
    """How often finishing an uploaded file answers `retry` before it succeeds."""
    device_interval_s: int = 5
    login_account: str | None = None
    """Account that signs in by itself at the authorize page."""
    keep_bodies: bool = False


@dataclass(slots=True)
class Account:
    """One ChatGPT account of the simulated world."""

    name: str
    account_id: str
    user_id: str
    email: str
    plan: str
    windows: dict[str, Window]
    models: list[str] | None = None
    pacing_ms: float | None = None
    logged_out: bool = False
    deactivated: bool = False
    called_deactivated: bool = False
    """Whether the account check says so, whatever becomes of other requests."""
    personal_token: str = ""
    workspace: str | None = None
    """The workspace that its tokens name; real ones mostly name none."""
    fedramp: bool = False
    routing_override: str = "NO_CONSTRAINT"
    backend_origin: str | None = None
    """Where the workspace's own backend is, when it is not this one."""
    reset_credits: list[dict[str, Any]] = field(default_factory=list)
    redeemed: dict[str, str] = field(default_factory=dict)
    """Request id -> the saved reset that it spent."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def roll(self, now: float) -> None:
        """Let windows whose reset time has passed begin anew."""
        for window in self.windows.values():
            window.roll(now)

    def exhausted(self) -> Window | None:
        """The full window with the latest reset, if any window is full."""
        full = [window for window in self.windows.values() if window.used_percent >= 100]
        return max(full, key=lambda window: window.reset_at, default=None)


@dataclass(slots=True)
class World:
    """Everything the simulator knows. Ids depend on the seed and on the order of requests, never on chance."""

    seed: int
    clock: Callable[[], float] = time.time
    settings: Settings = field(default_factory=Settings)
    accounts: dict[str, Account] = field(default_factory=dict)
    faults: FaultBook = field(default_factory=FaultBook)
    record: Record = field(default_factory=Record)
    revoked: set[str] = field(default_factory=set)
    """Lineages (sign-ins) whose access and refresh tokens no longer hold."""
    generations: dict[tuple[str, str], int] = field(default_factory=dict)
    """Account and lineage -> the only generation of its refresh token that is still good."""
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    prompts: dict[tuple[str, str], int] = field(default_factory=dict)
    counter: int = 0

    @property
    def mint(self) -> Mint:
        """The signer of this world's tokens."""
        return Mint.of_seed(self.seed)

    def digest(self, purpose: str) -> str:
        """64 hex digits that depend on the seed and `purpose` alone."""
        return hashlib.sha256(f"{self.seed}:{purpose}".encode()).hexdigest()

    def identifier(self, prefix: str) -> str:
        """The next id, such as `resp_` with 48 hex digits."""
        self.counter += 1
        return f"{prefix}_{self.digest(f'{prefix}:{self.counter}')[:48]}"

    def add_account(self, name: str, plan: str = "plus", email: str | None = None) -> Account:
        """Create an account with fresh windows; its ids follow from the seed and its name."""
        account_id = str(uuid.UUID(self.digest(f"account:{name}")[:32], version=4))
        user_id = f"user-{self.digest(f'user:{name}')[:24]}"
        windows = windows_for(plan, self.settings.tokens_per_credit, self.clock())
        account = Account(name, account_id, user_id, email or f"{name}@example.com", plan, windows)
        account.personal_token = f"at-{self.digest(f'personal:{name}')[:40]}"
        self.accounts[name] = account
        return account

    def named(self, account_id: str) -> Account | None:
        """The account with this ChatGPT account id."""
        return next((one for one in self.accounts.values() if one.account_id == account_id), None)

    def cached_tokens(self, account: Account, cache_key: str, input_tokens: int) -> int:
        """How much of the input a prompt cache already holds; remembers this input for the next time."""
        key = (account.name, cache_key)
        known = self.prompts.pop(key, 0)
        self.prompts[key] = input_tokens
        if len(self.prompts) > _PROMPTS_REMEMBERED:
            del self.prompts[next(iter(self.prompts))]
        return min(known, input_tokens) // _CACHE_STEP_TOKENS * _CACHE_STEP_TOKENS

    def spend(self, account: Account, usage: Usage) -> None:
        """Charge a turn to every window of the account."""
        account.roll(self.clock())
        for window in account.windows.values():
            window.spent += usage.total_tokens

    def issue(self, account: Account, lineage: str | None = None) -> dict[str, Any]:
        """Tokens for a sign-in (no `lineage`) or for the next generation of a refresh lineage."""
        now = int(self.clock())
        self.counter += 1
        lineage = lineage or self.digest(f"lineage:{account.name}:{self.counter}")[:16]
        generation = self.generations.get((account.name, lineage), 0) + 1
        self.generations[account.name, lineage] = generation
        lifetime = self.settings.access_lifetime_s
        shared = {
            "iat": now,
            "nbf": now,
            "iss": ISSUER,
            "sub": f"auth0|{account.user_id}",
            "session_id": lineage,
            "jti": self.digest(f"jti:{lineage}:{generation}:{self.counter}")[:32],
            AUTH_CLAIM: {
                "chatgpt_account_id": account.account_id,
                "chatgpt_plan_type": account.plan,
                "chatgpt_user_id": account.user_id,
                "user_id": account.user_id,
                "chatgpt_compute_residency": "no_constraint",
                **({"workspace_id": account.workspace} if account.workspace else {}),
            },
        }
        access = {"aud": ["https://api.openai.com/v1"], "client_id": CLIENT_ID, "exp": now + int(lifetime)}
        access |= {"scp": ["openid", "profile", "email", "offline_access"], PROFILE_CLAIM: {"email": account.email}}
        identity = {"aud": [CLIENT_ID], "exp": now + 3_600, "email": account.email, "email_verified": True}
        identity |= {"name": account.name, "auth_provider": "password"}
        return {
            "id_token": self.mint.jwt(shared | identity),
            "access_token": self.mint.jwt(shared | access),
            "refresh_token": self.mint.refresh(RefreshClaims(account.name, lineage, generation)),
            "expires_in": int(lifetime),
            "token_type": "Bearer",
        }

    def revoke(self, account: Account) -> int:
        """End every session the account has now; returns how many refresh lineages ended."""
        ended = [lineage for owner, lineage in self.generations if owner == account.name]
        self.revoked.update(ended)
        return len(ended)

    def auth_json(self, account: Account) -> dict[str, Any]:
        """A fresh sign-in in the shape of Codex's `auth.json`, ready for import."""
        issued = self.issue(account)
        names = ("id_token", "access_token", "refresh_token")
        last_refresh = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(self.clock()))
        return {
            "auth_mode": "chatgpt",
            "OPENAI_API_KEY": None,
            "tokens": {name: issued[name] for name in names} | {"account_id": account.account_id},
            "last_refresh": last_refresh,
        }


def new_world(seed: int = 1, accounts: int = 0, clock: Callable[[], float] = time.time) -> World:
    """A world with `accounts` accounts named `acct-1`, `acct-2`, … on plans that vary."""
    world = World(seed, clock)
    for number in range(1, accounts + 1):
        world.add_account(f"acct-{number}", _PLANS[(number - 1) % len(_PLANS)])
    return world


def change(target: object, values: dict[str, Any]) -> None:
    """Set known fields of a dataclass; raises ValueError naming the first unknown one."""
    known = {one.name for one in fields(target)}  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown setting {name!r}; known are {', '.join(sorted(known))}")
        setattr(target, name, value)
