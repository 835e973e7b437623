"""Alembic environment: runs migrations on the given connection, or on ``sqlalchemy.url`` of the configuration file."""

import sqlalchemy as sa
from alembic import context
from sqlalchemy.engine import Connection

from genreatlas.web import work
from genreatlas.web.database import metadata

#: Modules that declare tables.
DECLARED = (work,)


def _run(connection: Connection) -> None:
    # Batch mode, because SQLite can alter a table only by copying it.
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    with sa.create_engine(context.config.get_main_option("sqlalchemy.url") or "").begin() as opened:
        _run(opened)
