"""Add the job queue and the record of its runs"""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = Path(__file__).parents[1] / "sql" / "procrastinate_3_10_0.sql"
TABLES = ("events", "periodic_defers", "jobs", "workers")
TYPES = ("job_to_defer_v1", "job_event_type", "job_status")
DROP_FUNCTIONS = r"""
DO $$
DECLARE
    found regprocedure;
BEGIN
    FOR found IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE proname LIKE 'procrastinate\_%' AND pronamespace = current_schema()::regnamespace
    LOOP
        EXECUTE 'DROP FUNCTION ' || found;
    END LOOP;
END;
$$
"""


def run(script: str) -> None:
    """On the driver's own cursor: to SQLAlchemy's way a percent sign is a parameter."""
    op.get_bind().connection.cursor().execute(script)


def upgrade() -> None:
    run(SCHEMA.read_text())
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('completed', 'retryable', 'discarded', 'cancelled')", name=op.f("ck_job_runs_outcome")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
    )
    op.create_index(op.f("ix_job_runs_job_id"), "job_runs", ["job_id"], unique=False)
    op.create_index(
        "ix_job_runs_newest",
        "job_runs",
        ["name", sa.literal_column("finished_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_job_runs_newest", table_name="job_runs")
    op.drop_index(op.f("ix_job_runs_job_id"), table_name="job_runs")
    op.drop_table("job_runs")
    for table in TABLES:
        run(f"DROP TABLE procrastinate_{table} CASCADE")
    run(DROP_FUNCTIONS)
    for name in TYPES:
        run(f"DROP TYPE procrastinate_{name}")
