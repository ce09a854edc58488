"""Everything the first release stands on: the tables of every slice, and procrastinate's (3.10) for background jobs."""

from alembic import op

from dawr.platform.migrate import run_file

revision = "0001_ground"
down_revision = None


def upgrade() -> None:
    run_file(op.get_bind(), "0001_ground.sql")
    run_file(op.get_bind(), "0001_jobs.sql")
    op.execute("INSERT INTO log_epoch DEFAULT VALUES")
