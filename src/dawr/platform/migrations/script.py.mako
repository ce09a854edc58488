"""${message}"""

from alembic import op

from dawr.platform.migrate import run_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    run_file(op.get_bind(), "${up_revision}.sql")
