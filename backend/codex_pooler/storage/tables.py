"""Every table of the product.  Migrations are compared with this file; history tables hold snapshots of names."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def instant(name: str, *, nullable: bool = False, now: bool = False) -> sa.Column[Any]:
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=default)


def one_of(column: str, *values: str) -> sa.CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def key() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, primary_key=True)


def text(name: str, default: str | None = "", *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=None if nullable else default)


def number(name: str, default: int = 0, kind: Any = sa.Integer) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=sa.text(str(default)))


def flag(name: str, default: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())


POOL_STATES = ("active", "disabled", "archived")
STRATEGIES = (
    "capacity_weighted",
    "bridge_ring",
    "deterministic_rotation",
    "least_recent_success",
    "quota_first",
    "soonest_reset",
    "fill_first",
)
ACCOUNT_STATES = ("pending", "active", "draining", "paused", "reauth_required", "disabled")
KEY_STATES = ("active", "paused", "revoked")
ROLES = ("instance_owner", "instance_admin", "instance_viewer")
REQUEST_STATES = ("succeeded", "failed", "rejected", "cancelled", "interrupted")

pools = sa.Table(
    "pools",
    metadata,
    key(),
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    text("description", nullable=True),
    text("status", "active"),
    text("strategy", "capacity_weighted"),
    number("max_attempts", 4),
    # what deviates from snapshot/model.Switches, by name
    sa.Column("switches", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    # other names for models: [{"match", "model"}], the first that matches counts
    sa.Column("model_aliases", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    number("version", 1),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    one_of("status", *POOL_STATES),
    one_of("strategy", *STRATEGIES),
)

accounts = sa.Table(
    "accounts",
    metadata,
    key(),
    sa.Column("label", sa.Text, nullable=False),
    text("email", nullable=True),
    sa.Column("chatgpt_account_id", sa.Text, nullable=False),
    text("chatgpt_user_id", nullable=True),
    text("workspace_id", nullable=True),
    text("workspace_label", nullable=True),
    text("plan_type", nullable=True),
    text("residency", nullable=True),
    # "account|workspace|user", empty where unknown: one unique index is the identity
    sa.Column("identity_key", sa.Text, nullable=False, unique=True),
    text("onboarding", "import"),
    text("state", "active"),
    text("state_reason", nullable=True),
    instant("state_changed_at", now=True),
    text("credential_kind", "oauth"),
    number("credential_epoch", 1, sa.BigInteger),
    instant("access_expires_at", nullable=True),
    instant("last_refresh_at", nullable=True),
    # attempts to renew the login since it was last renewed; the lease keeps two processes from spending one token
    number("refresh_failures", 0),
    instant("refresh_failed_at", nullable=True),
    text("refresh_error", nullable=True),
    flag("refresh_refused", False),  # for good: only a new login helps
    instant("refresh_leased_until", nullable=True),
    sa.Column("max_concurrency", sa.Integer),
    text("notes", nullable=True),
    sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    # what the backend says of the account's workspace: where and how its requests must go
    flag("is_fedramp", False),
    text("routing_override", nullable=True),
    text("backend_origin", nullable=True),
    instant("checked_at", nullable=True),
    # what deviates from quota/resets.py: Policy, by name
    sa.Column("reset_policy", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    number("version", 1),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    one_of("state", *ACCOUNT_STATES),
    one_of("credential_kind", "oauth", "pat"),
)

account_secrets = sa.Table(
    "account_secrets",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),  # storage/vault.py: purpose "upstream"
    instant("updated_at", now=True),
    one_of("kind", "access", "refresh", "id", "egress"),  # egress: the proxy's address with its password
)

pool_accounts = sa.Table(
    "pool_accounts",
    metadata,
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, index=True),
    flag("enabled", True),
    number("priority", 0, sa.SmallInteger),  # the highest goes first
    sa.Column("weight", sa.Float, nullable=False, server_default=sa.text("1")),
    sa.Column("max_concurrency", sa.Integer),
    # headroom: stop routing here once a window is used up to so many percent
    sa.Column("max_primary_percent", sa.SmallInteger),
    sa.Column("max_secondary_percent", sa.SmallInteger),
    instant("created_at", now=True),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    key(),
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),  # keyed HMAC-SHA-256 of the whole key
    text("status", "active"),
    sa.Column("allowed_models", ARRAY(sa.Text)),  # null: every model of the pool
    text("enforced_model", nullable=True),
    text("enforced_effort", nullable=True),
    text("maximum_effort", nullable=True),
    text("enforced_service_tier", nullable=True),
    sa.Column("max_input_tokens", sa.BigInteger),  # per request
    sa.Column("max_output_tokens", sa.BigInteger),  # per request
    sa.Column("max_concurrency", sa.Integer),
    sa.Column("allowed_networks", ARRAY(sa.Text)),  # null: from anywhere; else CIDRs
    # [{"metric", "window", "model", "maximum"}], see keys/limits.py
    sa.Column("limits", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    text("notes", nullable=True),
    instant("expires_at", nullable=True),
    instant("last_used_at", nullable=True),
    number("revoked_epoch", 0),
    number("version", 1),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    one_of("status", *KEY_STATES),
)

operators = sa.Table(
    "operators",
    metadata,
    key(),
    sa.Column("email", sa.Text, nullable=False, unique=True),  # stored lower-case
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),  # bcrypt of base64(sha256(password))
    text("role", "instance_owner"),
    text("status", "active"),
    text("timezone", "UTC"),
    number("version", 1),
    instant("last_login_at", nullable=True),
    instant("password_changed_at", now=True),
    instant("created_at", now=True),
    instant("updated_at", now=True),
    one_of("role", *ROLES),
    one_of("status", "active", "disabled"),
)

operator_sessions = sa.Table(
    "operator_sessions",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),  # SHA-256 of the cookie's token
    sa.Column("id", sa.Uuid, nullable=False, unique=True),
    sa.Column("operator_id", sa.Uuid, sa.ForeignKey("operators.id", ondelete="CASCADE"), index=True),
    sa.Column("data", JSONB, nullable=False),
    instant("created_at", now=True),
    instant("seen_at", now=True),
    instant("expires_at"),
)

operator_tokens = sa.Table(
    "operator_tokens",
    metadata,
    key(),
    sa.Column("operator_id", sa.Uuid, sa.ForeignKey("operators.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    instant("expires_at"),
    instant("last_used_at", nullable=True),
    instant("created_at", now=True),
)

operator_pools = sa.Table(
    "operator_pools",
    metadata,
    sa.Column("operator_id", sa.Uuid, sa.ForeignKey("operators.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# One row per finished turn, never updated; partitions are made by jobs/partitions.py and dropped by retention.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("admitted_at", sa.DateTime(timezone=True), primary_key=True),
    instant("completed_at"),
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="SET NULL")),
    text("pool_name", nullable=True),
    sa.Column("api_key_id", sa.Uuid, sa.ForeignKey("api_keys.id", ondelete="SET NULL")),
    text("api_key_name", nullable=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL")),
    text("account_label", nullable=True),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    text("client", nullable=True),
    text("model", nullable=True),
    text("requested_model", nullable=True),  # only where the key's policy or an alias replaced it
    text("served_model", nullable=True),  # only where the backend says that another one answered
    text("effort", nullable=True),
    text("service_tier", nullable=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("http_status", sa.Integer),
    text("error_code", nullable=True),
    sa.Column("ttft_ms", sa.Integer),
    sa.Column("duration_ms", sa.Integer, nullable=False),
    sa.Column("input_tokens", sa.BigInteger),  # null: the backend reported no usage
    sa.Column("cached_tokens", sa.BigInteger),
    sa.Column("cache_write_tokens", sa.BigInteger),
    sa.Column("output_tokens", sa.BigInteger),
    sa.Column("reasoning_tokens", sa.BigInteger),
    sa.Column("cost_micros", sa.BigInteger),  # millionths of a US dollar; null: unpriced
    text("pricing_status", nullable=True),
    number("request_bytes", 0, sa.BigInteger),
    number("response_bytes", 0, sa.BigInteger),
    sa.Column("attempts", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
    sa.Column("excluded", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),  # reason -> accounts
    sa.Column("routing", JSONB),  # how the account was chosen: strategy, affinity, ranked candidates with reasons
    text("session", nullable=True),  # a keyed digest: tells sessions apart, names none
    text("client_ip", nullable=True),
    one_of("status", *REQUEST_STATES),
    sa.Index("ix_requests_newest", sa.text("admitted_at DESC"), sa.text("id DESC")),
    sa.Index("ix_requests_pool", "pool_id", sa.text("admitted_at DESC")),
    sa.Index("ix_requests_api_key", "api_key_id", sa.text("admitted_at DESC")),
    sa.Index("ix_requests_account", "account_id", sa.text("admitted_at DESC")),
    postgresql_partition_by="RANGE (admitted_at)",
)

usage_hourly = sa.Table(
    "usage_hourly",
    metadata,
    sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
    # no foreign keys: the rollup outlives what it counted, and a null id would break its uniqueness
    sa.Column("pool_id", sa.Uuid, nullable=False),
    sa.Column("api_key_id", sa.Uuid, nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),  # all zeros: no account served it
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("service_tier", sa.Text, nullable=False),
    *(
        number(name, 0, sa.BigInteger)
        for name in (
            "requests",
            "succeeded",
            "failed",
            "rejected",
            "cancelled",
            "input_tokens",
            "cached_tokens",
            "cache_write_tokens",
            "output_tokens",
            "reasoning_tokens",
            "cost_micros",
            "unpriced",
            "duration_ms",
            "ttft_ms",
            "ttft_count",
        )
    ),
    sa.PrimaryKeyConstraint("hour", "pool_id", "api_key_id", "account_id", "model", "service_tier"),
    sa.Index("ix_usage_hourly_api_key", "api_key_id", "hour"),
    sa.Index("ix_usage_hourly_account", "account_id", "hour"),
)

# -- what is known of accounts beyond their configuration; written behind, never awaited by a turn

account_models = sa.Table(
    "account_models",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("slugs", ARRAY(sa.Text), nullable=False),
    sa.Column("entries", sa.LargeBinary, nullable=False),  # the backend's catalogue as a JSON array, members sorted
    sa.Column("digest", sa.Text, nullable=False),  # of the entries: most accounts share one catalogue
    text("etag", nullable=True),
    instant("fetched_at", now=True),
    # models the backend does not list any more, and how many syncs in a row: offered until it is certain
    sa.Column("missing", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
)

quota_windows = sa.Table(
    "quota_windows",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("limit_key", sa.Text, primary_key=True),  # "account", or the backend's name of a narrower limit
    sa.Column("kind", sa.Text, primary_key=True),  # by duration: "5h", "7d", "30d", "<n>m"
    sa.Column("used_percent", sa.Float, nullable=False),
    sa.Column("window_minutes", sa.Integer, nullable=False),
    instant("reset_at", nullable=True),
    instant("observed_at"),
    text("source"),
    flag("flagged", False),  # named a reset that cannot be true
    text("label", nullable=True),
    text("model", nullable=True),  # the model a narrower limit is for, where named
)

# one row per account: plan, provider's own verdict, credits, spend control, models it may not use
quota_states = sa.Table(
    "quota_states",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("state", JSONB, nullable=False),
    instant("observed_at"),
)

quota_blocks = sa.Table(
    "quota_blocks",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("limit_key", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    instant("until"),
    instant("set_at"),
    text("source", "assumed"),  # of the end: announced by the backend, or assumed
)

# which process asked for an account's usage last, so that no two ask at the same time
quota_polls = sa.Table(
    "quota_polls",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    instant("claimed_at"),
)

session_bindings = sa.Table(
    "session_bindings",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),  # HMAC of key id, kind and the client's name for it
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),  # "session" or "response"
    instant("seen_at", now=True),
    sa.Index("ix_session_bindings_seen_at", "seen_at"),
)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # the backend's file id
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), nullable=False),
    sa.Column("api_key_id", sa.Uuid, sa.ForeignKey("api_keys.id", ondelete="SET NULL"), index=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    text("status", "pending"),
    instant("created_at", now=True),
    instant("expires_at"),
    one_of("status", "pending", "uploaded", "abandoned", "deleted"),
    sa.Index("ix_files_newest", "pool_id", sa.text("created_at DESC"), sa.text("id DESC")),
)

price_catalogs = sa.Table(
    "price_catalogs",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),  # digest of the document
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("document", JSONB, nullable=False),
    instant("fetched_at", now=True),
)

# one row per group of storage-side settings; what a row leaves out has its default in snapshot/settings.py
instance_settings = sa.Table(
    "instance_settings",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", JSONB, nullable=False),
    number("version", 1),
    instant("updated_at", now=True),
)

# -- logins on their way in

oauth_flows = sa.Table(
    "oauth_flows",
    metadata,
    key(),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), index=True),  # null: a new one
    sa.Column("invite_id", sa.Uuid, sa.ForeignKey("invites.id", ondelete="CASCADE"), index=True),
    sa.Column("operator_id", sa.Uuid, sa.ForeignKey("operators.id", ondelete="SET NULL"), index=True),
    text("state", "pending"),
    sa.Column("state_digest", sa.LargeBinary, unique=True),  # keyed digest of OAuth's state parameter
    sa.Column("sealed", sa.LargeBinary),  # verifier, device codes, egress proxy; gone once the flow has ended
    sa.Column("interval_seconds", sa.Integer),
    instant("polled_at", nullable=True),
    text("error", nullable=True),
    sa.Column("result_account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL"), index=True),
    sa.Column("result_created", sa.Boolean),
    instant("created_at", now=True),
    instant("expires_at"),
    instant("finished_at", nullable=True),
    one_of("kind", "browser", "device"),
    one_of("state", "pending", "authorizing", "completed", "failed", "expired", "cancelled"),
)

invites = sa.Table(
    "invites",
    metadata,
    key(),
    sa.Column("pool_id", sa.Uuid, sa.ForeignKey("pools.id", ondelete="CASCADE"), nullable=False),
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), index=True),  # to be relinked
    sa.Column("email", sa.Text, nullable=False),  # stored lower-case
    text("status", "active"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),  # keyed digest of the link's token
    sa.Column("invited_by", sa.Uuid, sa.ForeignKey("operators.id", ondelete="SET NULL"), index=True),
    text("invited_by_name", nullable=True),
    text("note", nullable=True),
    flag("issue_api_key", False),
    text("email_state", "not_sent"),
    text("email_error", nullable=True),
    instant("email_sent_at", nullable=True),
    sa.Column("result_account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="SET NULL"), index=True),
    instant("accepted_at", nullable=True),
    instant("created_at", now=True),
    instant("expires_at"),
    one_of("status", "active", "accepted", "expired", "revoked"),
    one_of("email_state", "not_sent", "queued", "sent", "failed"),
    sa.Index("ix_invites_one_active", "pool_id", "email", unique=True, postgresql_where=sa.text("status = 'active'")),
    sa.Index("ix_invites_newest", sa.text("created_at DESC"), sa.text("id DESC")),
)

# -- what became of quota over time, and the resets that an account has saved

quota_samples = sa.Table(
    "quota_samples",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("limit_key", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("observed_at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("used_percent", sa.Float, nullable=False),
    instant("reset_at", nullable=True),
    sa.Index("ix_quota_samples_observed_at", "observed_at"),
)

saved_resets = sa.Table(
    "saved_resets",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("credit_id", sa.Text, primary_key=True),  # the backend's name for it
    text("status", "available"),
    instant("granted_at", nullable=True),
    instant("expires_at", nullable=True),
    instant("first_seen_at", now=True),
    instant("seen_at", now=True),
)

# how many the backend said there are, and which process asked for the list last
saved_reset_checks = sa.Table(
    "saved_reset_checks",
    metadata,
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    instant("claimed_at"),
    instant("checked_at", nullable=True),  # null: never answered
    sa.Column("available", sa.Integer),
    number("failures", 0),  # in a row
)

# an account's open claim is the lock: whoever could insert it may spend, nobody else
saved_reset_claims = sa.Table(
    "saved_reset_claims",
    metadata,
    key(),  # also what the backend is told, so that a repeated request spends nothing twice
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("credit_id", sa.Text),
    text("trigger"),
    text("phase", "claimed"),
    number("dispatches", 0),
    instant("dispatch_at", nullable=True),
    text("outcome", nullable=True),  # the backend's own word
    sa.Column("windows_reset", sa.Integer),
    # what the week looked like when it was claimed: later evidence is held against this
    sa.Column("used_percent", sa.Float),
    instant("resets_at", nullable=True),
    sa.Column("operator_id", sa.Uuid, sa.ForeignKey("operators.id", ondelete="SET NULL"), index=True),
    instant("created_at", now=True),
    instant("sent_at", nullable=True),
    instant("applied_at", nullable=True),
    instant("finished_at", nullable=True),
    one_of("trigger", "manual", "blocked", "threshold", "expiry"),
    one_of("phase", "claimed", "sent", "unknown", "applied", "confirmed", "noop", "expired"),
    sa.Index(
        "ix_saved_reset_claims_open",
        "account_id",
        unique=True,
        postgresql_where=sa.text("phase IN ('claimed', 'sent', 'unknown')"),
    ),
    sa.Index("ix_saved_reset_claims_newest", "account_id", sa.text("created_at DESC")),
)

# -- the processes of this installation, and what was done

nodes = sa.Table(
    "nodes",
    metadata,
    key(),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    number("key_version", 0),  # the newest key that the process knows for accounts' secrets
    sa.Column("leads", ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),  # names of loops
    # accounts that are being drained: which of them the process knows of, and which still serve a turn there
    sa.Column("drains_known", ARRAY(sa.Uuid), nullable=False, server_default=sa.text("'{}'::uuid[]")),
    sa.Column("drains_busy", ARRAY(sa.Uuid), nullable=False, server_default=sa.text("'{}'::uuid[]")),
    instant("started_at", now=True),
    instant("seen_at", now=True),
)

# one row per ended attempt of a background job; the queue's own tables come with migration 0004 and are procrastinate's
job_runs = sa.Table(
    "job_runs",
    metadata,
    key(),
    sa.Column("job_id", sa.BigInteger, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    text("code", nullable=True),
    text("message", nullable=True),
    instant("started_at"),
    instant("finished_at"),
    one_of("outcome", "completed", "retryable", "discarded", "cancelled"),
    sa.Index("ix_job_runs_newest", "name", sa.text("finished_at DESC"), sa.text("id DESC")),
)

audit_events = sa.Table(
    "audit_events",
    metadata,
    key(),
    instant("occurred_at", now=True),
    sa.Column("actor_type", sa.Text, nullable=False),
    sa.Column("actor_id", sa.Uuid),
    text("actor_label", nullable=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target_type", sa.Text, nullable=False),
    sa.Column("target_id", sa.Uuid),
    text("target_label", nullable=True),
    sa.Column("pool_ids", ARRAY(sa.Uuid), nullable=False, server_default=sa.text("'{}'::uuid[]")),
    text("outcome", "success"),
    text("reason", nullable=True),
    text("client_ip", nullable=True),
    sa.Column("details", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    one_of("actor_type", "user", "api_token", "system", "visitor"),
    one_of("outcome", "success", "failure"),
    sa.Index("ix_audit_events_newest", sa.text("occurred_at DESC"), sa.text("id DESC")),
    sa.Index("ix_audit_events_target", "target_id", sa.text("occurred_at DESC")),
)
