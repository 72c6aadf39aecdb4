"""The database itself: where it is, opening it, bringing it up to date, and transactions.

SQLite is used in its plain journal mode, for a write-ahead log does not work on a network's file system. Writers wait
for one another: in SQLite at its own lock, in PostgreSQL at an advisory one.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.resources
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.orm import Session

from orchestrator.errors import InfraError, UserError

PATIENCE = 60
"""Seconds that a transaction waits for another one to end."""

_LOCK = 0x77706369
"""The advisory lock of PostgreSQL that writers hold."""


@dataclass(frozen=True)
class Database:
    """A history that is open and up to date. ``name`` is its place without a password."""

    engine: Engine
    name: str

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that sees one state of the database. Raises InfraError."""
        with _one_line(self.name), _understood(self.name), Session(self.engine) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """Yield a session whose changes are all there after the block, or none of them. Raises InfraError."""
        with _one_line(self.name), _exclusive(self.engine) as connection, Session(connection) as session:
            yield session
            session.flush()


def place(url: str | None, results: Path) -> str:
    """Return the URL of the history: the one that is configured, or that of a file beside the runs it tells of.

    Raises UserError for a folder that no URL can name.
    """
    if url:
        return url
    file = (results / "history.db").absolute()
    try:
        str(file).encode()
    except UnicodeEncodeError as error:
        raise UserError(f"history {file}: the name of this folder is not UTF-8; rename it, or set history:") from error
    return f"sqlite:///{file}"


def open_(url: str) -> Database:
    """Open a history, make it where it is not there, and migrate it where it is old.

    Raises UserError for a URL that is none, for a database of a newer version, and for one that holds something else;
    InfraError where it cannot be reached.
    """
    parsed = _parsed(url)
    name = parsed.set(query={}).render_as_string(hide_password=True)
    with _one_line(name):
        engine = _engine(parsed)
        if not _up_to_date(engine, name):
            with _exclusive(engine) as connection:
                if not _is_head(connection, name):  # another process may have been faster
                    command.upgrade(_config(connection), "head")
    return Database(engine, name)


@contextlib.contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Turn what SQLAlchemy and Alembic raise into a fault of the host, without the statement and its values."""
    try:
        yield
    except (SQLAlchemyError, CommandError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise InfraError(f"history {name}: {cause}") from error


@contextlib.contextmanager
def _understood(name: str) -> Iterator[None]:
    """Turn what a word or a time that is none to this version raises into a fault of the host."""
    try:
        yield
    except (LookupError, ValueError) as error:
        raise InfraError(f"history {name}: {error}: a newer version wrote it, or it is damaged") from error


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise UserError("history: not a URL; sqlite:///FILE and postgresql://HOST/DATABASE are") from error
    if parsed.drivername == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _engine(url: URL) -> Engine:
    try:
        if url.get_backend_name() != "sqlite":
            engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": PATIENCE})
            if engine.dialect.name == "postgresql":
                event.listen(engine, "begin", _patient)
            return engine
        if url.database and "uri" not in url.query:  # else it is no path, but a URI of sqlite's own
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": PATIENCE})
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        how = "pip install '.[postgresql]' in a checkout"
        raise UserError(f"history: no driver for {url.drivername}: {how}") from error
    event.listen(engine, "connect", _connected)
    event.listen(engine, "begin", _begun)
    return engine


def _connected(connection: Any, record: object) -> None:
    """Take the transactions of SQLite into our own hands: the driver begins none of itself before DDL."""
    del record
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begun(connection: Connection) -> None:
    """Begin; a writer takes its lock at once, for one that comes to write later can be refused half-way."""
    kind = "IMMEDIATE" if connection.get_execution_options().get("exclusive") else "DEFERRED"
    connection.exec_driver_sql(f"BEGIN {kind}")


def _patient(connection: Connection) -> None:
    """Bound each wait of a transaction of PostgreSQL for another one: by default there is no end to it."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}s'")


@contextlib.contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in a transaction that no other writer overlaps."""
    with engine.execution_options(exclusive=True).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    folder = importlib.resources.files("orchestrator.history") / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _up_to_date(engine: Engine, name: str) -> bool:
    """Whether there is nothing to do.

    What seems to be empty is looked at once more under the lock: it may be in the making, and hold tables a moment
    after it had no version.
    """
    with engine.connect() as connection:
        return _version(connection, name) == _scripts().get_current_head()


def _is_head(connection: Connection, name: str) -> bool:
    """Whether the schema is the one of this program. Raises UserError where it is newer, or none of ours."""
    version = _version(connection, name)
    if version is None and (tables := inspect(connection).get_table_names()):
        raise UserError(f"history {name}: holds something else (table {tables[0]})")
    return version == _scripts().get_current_head()


def _version(connection: Connection, name: str) -> str | None:
    """Return the version of the schema, None where it has none. Raises UserError for one that we do not know."""
    version = MigrationContext.configure(connection).get_current_revision()
    scripts = _scripts()
    if version is not None and version not in {step.revision for step in scripts.walk_revisions()}:
        head = scripts.get_current_head()
        raise UserError(f"history {name}: its version is {version}, this program knows {head}: a newer one made it")
    return version


@functools.cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
