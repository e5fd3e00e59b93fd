"""Add linking, invites, saved resets, processes and audit"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

OLD_STATES = ("pending", "active", "paused", "reauth_required", "disabled")
OLD_SECRETS = ("access", "refresh", "id")


def allow(table: str, column: str, *values: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
    listed = ", ".join(f"'{value}'" for value in values)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")


def upgrade() -> None:
    allow("accounts", "state", *OLD_STATES, "draining")
    allow("account_secrets", "kind", *OLD_SECRETS, "egress")
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_label", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_type", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=True),
        sa.Column("target_label", sa.Text(), nullable=True),
        sa.Column("pool_ids", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="success", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("client_ip", sa.Text(), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.CheckConstraint(
            "actor_type IN ('user', 'api_token', 'system', 'visitor')", name=op.f("ck_audit_events_actor_type")
        ),
        sa.CheckConstraint("outcome IN ('success', 'failure')", name=op.f("ck_audit_events_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(
        "ix_audit_events_newest",
        "audit_events",
        [sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_audit_events_target", "audit_events", ["target_id", sa.literal_column("occurred_at DESC")], unique=False
    )
    op.create_table(
        "nodes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("key_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("leads", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
        sa.Column("drains_known", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("drains_busy", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'::uuid[]"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    op.create_table(
        "invites",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="active", nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("invited_by_name", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("issue_api_key", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("email_state", sa.Text(), server_default="not_sent", nullable=False),
        sa.Column("email_error", sa.Text(), nullable=True),
        sa.Column("email_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result_account_id", sa.Uuid(), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "email_state IN ('not_sent', 'queued', 'sent', 'failed')", name=op.f("ck_invites_email_state")
        ),
        sa.CheckConstraint("status IN ('active', 'accepted', 'expired', 'revoked')", name=op.f("ck_invites_status")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_invites_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["operators.id"], name=op.f("fk_invites_invited_by"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_invites_pool_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["result_account_id"], ["accounts.id"], name=op.f("fk_invites_result_account_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("digest", name=op.f("uq_invites_digest")),
    )
    op.create_index(op.f("ix_invites_account_id"), "invites", ["account_id"], unique=False)
    op.create_index(op.f("ix_invites_invited_by"), "invites", ["invited_by"], unique=False)
    op.create_index(
        "ix_invites_newest",
        "invites",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_invites_one_active",
        "invites",
        ["pool_id", "email"],
        unique=True,
        postgresql_where=sa.text("status = 'active'"),
    )
    op.create_index(op.f("ix_invites_result_account_id"), "invites", ["result_account_id"], unique=False)
    op.create_table(
        "quota_samples",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("limit_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_percent", sa.Float(), nullable=False),
        sa.Column("reset_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_quota_samples_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "limit_key", "kind", "observed_at", name=op.f("pk_quota_samples")),
    )
    op.create_index("ix_quota_samples_observed_at", "quota_samples", ["observed_at"], unique=False)
    op.create_index("ix_usage_hourly_account", "usage_hourly", ["account_id", "hour"], unique=False)
    op.create_table(
        "saved_reset_checks",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("available", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_saved_reset_checks_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_saved_reset_checks")),
    )
    op.create_table(
        "saved_reset_claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("credit_id", sa.Text(), nullable=True),
        sa.Column("trigger", sa.Text(), server_default="", nullable=False),
        sa.Column("phase", sa.Text(), server_default="claimed", nullable=False),
        sa.Column("dispatches", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("dispatch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("windows_reset", sa.Integer(), nullable=True),
        sa.Column("used_percent", sa.Float(), nullable=True),
        sa.Column("resets_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("operator_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "phase IN ('claimed', 'sent', 'unknown', 'applied', 'confirmed', 'noop', 'expired')",
            name=op.f("ck_saved_reset_claims_phase"),
        ),
        sa.CheckConstraint(
            "trigger IN ('manual', 'blocked', 'threshold', 'expiry')", name=op.f("ck_saved_reset_claims_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_saved_reset_claims_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_saved_reset_claims_operator_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_reset_claims")),
    )
    op.create_index(
        "ix_saved_reset_claims_newest",
        "saved_reset_claims",
        ["account_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index(
        "ix_saved_reset_claims_open",
        "saved_reset_claims",
        ["account_id"],
        unique=True,
        postgresql_where=sa.text("phase IN ('claimed', 'sent', 'unknown')"),
    )
    op.create_index(op.f("ix_saved_reset_claims_operator_id"), "saved_reset_claims", ["operator_id"], unique=False)
    op.create_table(
        "saved_resets",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("credit_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="available", nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_saved_resets_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "credit_id", name=op.f("pk_saved_resets")),
    )
    op.create_table(
        "oauth_flows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("invite_id", sa.Uuid(), nullable=True),
        sa.Column("operator_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("state_digest", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=True),
        sa.Column("polled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("result_account_id", sa.Uuid(), nullable=True),
        sa.Column("result_created", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('browser', 'device')", name=op.f("ck_oauth_flows_kind")),
        sa.CheckConstraint(
            "state IN ('pending', 'authorizing', 'completed', 'failed', 'expired', 'cancelled')",
            name=op.f("ck_oauth_flows_state"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_oauth_flows_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["invite_id"], ["invites.id"], name=op.f("fk_oauth_flows_invite_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_oauth_flows_operator_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["pool_id"], ["pools.id"], name=op.f("fk_oauth_flows_pool_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["result_account_id"], ["accounts.id"], name=op.f("fk_oauth_flows_result_account_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_flows")),
        sa.UniqueConstraint("state_digest", name=op.f("uq_oauth_flows_state_digest")),
    )
    op.create_index(op.f("ix_oauth_flows_account_id"), "oauth_flows", ["account_id"], unique=False)
    op.create_index(op.f("ix_oauth_flows_invite_id"), "oauth_flows", ["invite_id"], unique=False)
    op.create_index(op.f("ix_oauth_flows_operator_id"), "oauth_flows", ["operator_id"], unique=False)
    op.create_index(op.f("ix_oauth_flows_pool_id"), "oauth_flows", ["pool_id"], unique=False)
    op.create_index(op.f("ix_oauth_flows_result_account_id"), "oauth_flows", ["result_account_id"], unique=False)
    op.add_column("accounts", sa.Column("notes", sa.Text(), nullable=True))
    op.add_column(
        "accounts",
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )
    op.add_column("accounts", sa.Column("is_fedramp", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("accounts", sa.Column("routing_override", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("backend_origin", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "accounts",
        sa.Column(
            "reset_policy",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "account_models",
        sa.Column(
            "missing",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.execute("UPDATE accounts SET state = 'paused' WHERE state = 'draining'")
    op.execute("DELETE FROM account_secrets WHERE kind = 'egress'")
    allow("accounts", "state", *OLD_STATES)
    allow("account_secrets", "kind", *OLD_SECRETS)
    op.drop_column("account_models", "missing")
    op.drop_column("accounts", "reset_policy")
    op.drop_column("accounts", "checked_at")
    op.drop_column("accounts", "backend_origin")
    op.drop_column("accounts", "routing_override")
    op.drop_column("accounts", "is_fedramp")
    op.drop_column("accounts", "tags")
    op.drop_column("accounts", "notes")
    op.drop_index(op.f("ix_oauth_flows_result_account_id"), table_name="oauth_flows")
    op.drop_index(op.f("ix_oauth_flows_pool_id"), table_name="oauth_flows")
    op.drop_index(op.f("ix_oauth_flows_operator_id"), table_name="oauth_flows")
    op.drop_index(op.f("ix_oauth_flows_invite_id"), table_name="oauth_flows")
    op.drop_index(op.f("ix_oauth_flows_account_id"), table_name="oauth_flows")
    op.drop_table("oauth_flows")
    op.drop_table("saved_resets")
    op.drop_index(op.f("ix_saved_reset_claims_operator_id"), table_name="saved_reset_claims")
    op.drop_index(
        "ix_saved_reset_claims_open",
        table_name="saved_reset_claims",
        postgresql_where=sa.text("phase IN ('claimed', 'sent', 'unknown')"),
    )
    op.drop_index("ix_saved_reset_claims_newest", table_name="saved_reset_claims")
    op.drop_table("saved_reset_claims")
    op.drop_table("saved_reset_checks")
    op.drop_index("ix_usage_hourly_account", table_name="usage_hourly")
    op.drop_index("ix_quota_samples_observed_at", table_name="quota_samples")
    op.drop_table("quota_samples")
    op.drop_index(op.f("ix_invites_result_account_id"), table_name="invites")
    op.drop_index("ix_invites_one_active", table_name="invites", postgresql_where=sa.text("status = 'active'"))
    op.drop_index("ix_invites_newest", table_name="invites")
    op.drop_index(op.f("ix_invites_invited_by"), table_name="invites")
    op.drop_index(op.f("ix_invites_account_id"), table_name="invites")
    op.drop_table("invites")
    op.drop_table("nodes")
    op.drop_index("ix_audit_events_target", table_name="audit_events")
    op.drop_index("ix_audit_events_newest", table_name="audit_events")
    op.drop_table("audit_events")
