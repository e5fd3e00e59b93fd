"""Add second factors, reset links, throttled sign-ins, settings' history, events and answers to repeated changes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "admin_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("pool_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("origin", sa.Uuid(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_events")),
    )
    op.create_index("ix_admin_events_at", "admin_events", ["at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idempotency_keys")),
    )
    op.create_table(
        "login_failures",
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_login_failures")),
    )
    op.create_table(
        "operator_recovery_codes",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_operator_recovery_codes_operator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("operator_id", "digest", name=op.f("pk_operator_recovery_codes")),
    )
    op.create_table(
        "password_resets",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_password_resets_operator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_password_resets")),
    )
    op.create_index(op.f("ix_password_resets_operator_id"), "password_resets", ["operator_id"], unique=False)
    op.create_table(
        "pending_logins",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_pending_logins_operator_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_pending_logins")),
    )
    op.create_index(op.f("ix_pending_logins_operator_id"), "pending_logins", ["operator_id"], unique=False)
    op.create_table(
        "settings_history",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=True),
        sa.Column("operator_label", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_settings_history_operator_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings_history")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_settings_history_name_version")),
    )
    op.add_column("operator_sessions", sa.Column("auth_method", sa.Text(), server_default="password", nullable=False))
    op.add_column("operator_sessions", sa.Column("client_ip", sa.Text(), nullable=True))
    op.add_column("operator_sessions", sa.Column("user_agent", sa.Text(), nullable=True))
    op.add_column(
        "operator_sessions",
        sa.Column("proved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    )
    op.add_column("operator_tokens", sa.Column("pool_ids", postgresql.ARRAY(sa.Uuid()), nullable=True))
    op.add_column("operator_tokens", sa.Column("allowed_networks", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("operator_tokens", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("operators", sa.Column("datetime_format", sa.Text(), server_default="default", nullable=False))
    op.add_column(
        "operators",
        sa.Column(
            "preferences",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column(
        "operators", sa.Column("must_change_password", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("operators", sa.Column("totp_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("operators", sa.Column("totp_confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("operators", sa.Column("totp_last_step", sa.BigInteger(), nullable=True))
    op.create_check_constraint(
        op.f("ck_operators_datetime_format"), "operators", "datetime_format IN ('default', 'short', 'long', 'iso8601')"
    )
    op.create_check_constraint(
        op.f("ck_operator_sessions_auth_method"),
        "operator_sessions",
        "auth_method IN ('password', 'password_totp', 'recovery')",
    )


def downgrade() -> None:
    op.drop_column("operators", "totp_last_step")
    op.drop_column("operators", "totp_confirmed_at")
    op.drop_column("operators", "totp_sealed")
    op.drop_column("operators", "must_change_password")
    op.drop_column("operators", "preferences")
    op.drop_column("operators", "datetime_format")
    op.drop_column("operator_tokens", "version")
    op.drop_column("operator_tokens", "allowed_networks")
    op.drop_column("operator_tokens", "pool_ids")
    op.drop_column("operator_sessions", "proved_at")
    op.drop_column("operator_sessions", "user_agent")
    op.drop_column("operator_sessions", "client_ip")
    op.drop_column("operator_sessions", "auth_method")
    op.drop_table("settings_history")
    op.drop_index(op.f("ix_pending_logins_operator_id"), table_name="pending_logins")
    op.drop_table("pending_logins")
    op.drop_index(op.f("ix_password_resets_operator_id"), table_name="password_resets")
    op.drop_table("password_resets")
    op.drop_table("operator_recovery_codes")
    op.drop_table("login_failures")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_admin_events_at", table_name="admin_events")
    op.drop_table("admin_events")
