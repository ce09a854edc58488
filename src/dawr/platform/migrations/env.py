"""What Alembic runs around the revisions. ``dawr.platform.migrate`` hands it a connection that holds the lock."""

from alembic import context

_given = context.config.attributes

context.configure(
    connection=_given["connection"],
    transaction_per_migration=True,
    on_version_apply=lambda *, step, **_: _given["applied"].append(step.up_revision_id),
)
with context.begin_transaction():
    context.run_migrations()
