"""The one history of the CRM's tables, for SQLite and MySQL alike.

Starting Alembic costs seconds, so the start compares the stored revision with HEAD and imports Alembic only when
they differ; a test holds HEAD against the newest revision file.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, create_engine, inspect, text

from omnicrm.paths import MIGRATIONS

HEAD = "0002"


def stored_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.scalar(text("SELECT version_num FROM alembic_version"))


def revision_of(url: str) -> str | None:
    """The revision of the tables there; None for a database without any. Raises OperationalError."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return stored_revision(connection)
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the tables up to date. The engine is Alembic's own: with foreign keys on, SQLite would drop child rows
    while a table is rebuilt."""
    engine: Engine = create_engine(url)
    try:
        with engine.connect() as connection:
            _run(connection, revision)
    finally:
        engine.dispose()


def _run(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    if connection.dialect.name == "mysql":
        # Two processes that start at once must not both build the tables.
        connection.execute(text("SELECT GET_LOCK('omnicrm.migrate', 600)"))
    try:
        command.upgrade(config, revision)
        connection.commit()
    finally:
        if connection.dialect.name == "mysql":
            connection.execute(text("SELECT RELEASE_LOCK('omnicrm.migrate')"))
