"""Add quota, prices, settings and policy"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


OLD_STRATEGIES = ("capacity_weighted", "bridge_ring", "fill_first")
STRATEGIES = (*OLD_STRATEGIES, "deterministic_rotation", "least_recent_success", "quota_first", "soonest_reset")


def allow_strategies(names: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_pools_strategy"), "pools", type_="check")
    listed = ", ".join(f"'{name}'" for name in names)
    op.create_check_constraint(op.f("ck_pools_strategy"), "pools", f"strategy IN ({listed})")


def upgrade() -> None:
    allow_strategies(STRATEGIES)
    op.create_table(
        "instance_settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instance_settings")),
    )
    op.create_table(
        "price_catalogs",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_price_catalogs")),
    )
    op.create_table(
        "account_models",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("slugs", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_models_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_models")),
    )
    op.create_table(
        "quota_blocks",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("limit_key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), server_default="assumed", nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_blocks_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "limit_key", name=op.f("pk_quota_blocks")),
    )
    op.create_table(
        "quota_polls",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_polls_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_quota_polls")),
    )
    op.create_table(
        "quota_states",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_states_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_quota_states")),
    )
    op.create_table(
        "quota_windows",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("limit_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("used_percent", sa.Float(), nullable=False),
        sa.Column("window_minutes", sa.Integer(), nullable=False),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("flagged", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_windows_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "limit_key", "kind", name=op.f("pk_quota_windows")),
    )
    op.create_table(
        "session_bindings",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_session_bindings_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["pool_id"], ["pools.id"], name=op.f("fk_session_bindings_pool_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session_bindings")),
    )
    op.create_index(op.f("ix_session_bindings_account_id"), "session_bindings", ["account_id"], unique=False)
    op.create_index(op.f("ix_session_bindings_pool_id"), "session_bindings", ["pool_id"], unique=False)
    op.create_index("ix_session_bindings_seen_at", "session_bindings", ["seen_at"], unique=False)
    op.create_table(
        "files",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=True),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="pending", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'uploaded', 'abandoned', 'deleted')", name=op.f("ck_files_status")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_files_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_keys.id"], name=op.f("fk_files_api_key_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_files_pool_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
    )
    op.create_index(op.f("ix_files_account_id"), "files", ["account_id"], unique=False)
    op.create_index(op.f("ix_files_api_key_id"), "files", ["api_key_id"], unique=False)
    op.create_index(
        "ix_files_newest",
        "files",
        ["pool_id", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.add_column("accounts", sa.Column("refresh_failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("accounts", sa.Column("refresh_failed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("accounts", sa.Column("refresh_error", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("refresh_refused", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("accounts", sa.Column("refresh_leased_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("enforced_model", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("enforced_effort", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("maximum_effort", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("enforced_service_tier", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("max_input_tokens", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("max_output_tokens", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("max_concurrency", sa.Integer(), nullable=True))
    op.add_column("api_keys", sa.Column("allowed_networks", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column(
        "api_keys",
        sa.Column(
            "limits", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.add_column("api_keys", sa.Column("notes", sa.Text(), nullable=True))
    op.add_column("pool_accounts", sa.Column("max_primary_percent", sa.SmallInteger(), nullable=True))
    op.add_column("pool_accounts", sa.Column("max_secondary_percent", sa.SmallInteger(), nullable=True))
    op.add_column(
        "pools",
        sa.Column(
            "switches", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    op.alter_column(
        "pools", "max_attempts", existing_type=sa.INTEGER(), server_default=sa.text("4"), existing_nullable=False
    )
    op.add_column("requests", sa.Column("requested_model", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("cost_micros", sa.BigInteger(), nullable=True))
    op.add_column("requests", sa.Column("pricing_status", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("routing", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("requests", sa.Column("session", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("client_ip", sa.Text(), nullable=True))
    op.add_column(
        "usage_hourly", sa.Column("cache_write_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column(
        "usage_hourly", sa.Column("cost_micros", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("usage_hourly", sa.Column("unpriced", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_usage_hourly_api_key", "usage_hourly", ["api_key_id", "hour"], unique=False)


def downgrade() -> None:
    listed = ", ".join(f"'{name}'" for name in OLD_STRATEGIES)
    op.execute(f"UPDATE pools SET strategy = 'capacity_weighted' WHERE strategy NOT IN ({listed})")
    allow_strategies(OLD_STRATEGIES)
    op.drop_index("ix_usage_hourly_api_key", table_name="usage_hourly")
    op.drop_column("usage_hourly", "unpriced")
    op.drop_column("usage_hourly", "cost_micros")
    op.drop_column("usage_hourly", "cache_write_tokens")
    op.drop_column("requests", "client_ip")
    op.drop_column("requests", "session")
    op.drop_column("requests", "routing")
    op.drop_column("requests", "pricing_status")
    op.drop_column("requests", "cost_micros")
    op.drop_column("requests", "cache_write_tokens")
    op.drop_column("requests", "requested_model")
    op.alter_column(
        "pools", "max_attempts", existing_type=sa.INTEGER(), server_default=sa.text("3"), existing_nullable=False
    )
    op.drop_column("pools", "switches")
    op.drop_column("pool_accounts", "max_secondary_percent")
    op.drop_column("pool_accounts", "max_primary_percent")
    op.drop_column("api_keys", "notes")
    op.drop_column("api_keys", "limits")
    op.drop_column("api_keys", "allowed_networks")
    op.drop_column("api_keys", "max_concurrency")
    op.drop_column("api_keys", "max_output_tokens")
    op.drop_column("api_keys", "max_input_tokens")
    op.drop_column("api_keys", "enforced_service_tier")
    op.drop_column("api_keys", "maximum_effort")
    op.drop_column("api_keys", "enforced_effort")
    op.drop_column("api_keys", "enforced_model")
    op.drop_column("accounts", "refresh_leased_until")
    op.drop_column("accounts", "refresh_refused")
    op.drop_column("accounts", "refresh_error")
    op.drop_column("accounts", "refresh_failed_at")
    op.drop_column("accounts", "refresh_failures")
    op.drop_index("ix_files_newest", table_name="files")
    op.drop_index(op.f("ix_files_api_key_id"), table_name="files")
    op.drop_index(op.f("ix_files_account_id"), table_name="files")
    op.drop_table("files")
    op.drop_index("ix_session_bindings_seen_at", table_name="session_bindings")
    op.drop_index(op.f("ix_session_bindings_pool_id"), table_name="session_bindings")
    op.drop_index(op.f("ix_session_bindings_account_id"), table_name="session_bindings")
    op.drop_table("session_bindings")
    op.drop_table("quota_windows")
    op.drop_table("quota_states")
    op.drop_table("quota_polls")
    op.drop_table("quota_blocks")
    op.drop_table("account_models")
    op.drop_table("price_catalogs")
    op.drop_table("instance_settings")
