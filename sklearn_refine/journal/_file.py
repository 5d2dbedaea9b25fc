"""The file of a journal: its schema, creating it and checking it.

The text of the schema must not change without a new version: a file with other tables
is rejected as damaged.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
from pathlib import Path

from sklearn_refine.journal._connection import (
    FILE_LOCK,
    JournalError,
    connect,
    damaged_error,
    is_connected,
    read_schema,
    transaction,
)

VERSION = 3  # of the schema; PRAGMA user_version
OLDEST_VERSION = 2  # that is still read and continued; it has no table of notes
APPLICATION = 0x736B7266  # "skrf"; PRAGMA application_id

#: Rows of fits are only appended. An index would take a third or more of SQLite's time.
#: A fit that was repeated has several rows, and the last one counts.
SCHEMA = (
    """CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    search TEXT NOT NULL,
    estimator TEXT NOT NULL,
    started TEXT NOT NULL)""",
    """CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    host TEXT NOT NULL,
    process TEXT NOT NULL,
    versions TEXT NOT NULL,
    started TEXT NOT NULL,
    seen REAL NOT NULL)""",
    """CREATE TABLE fits (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    session INTEGER NOT NULL,
    round INTEGER NOT NULL,
    candidate TEXT NOT NULL,
    split INTEGER NOT NULL,
    params TEXT NOT NULL,
    status TEXT NOT NULL,
    test_scores TEXT NOT NULL,
    train_scores TEXT,
    fit_time REAL NOT NULL,
    score_time REAL NOT NULL,
    n_test_samples INTEGER NOT NULL,
    error TEXT,
    finished REAL NOT NULL,
    checksum TEXT NOT NULL)""",
    """CREATE TABLE claims (
    run INTEGER NOT NULL,
    candidate TEXT NOT NULL,
    split INTEGER NOT NULL,
    session INTEGER NOT NULL,
    PRIMARY KEY (run, candidate, split))""",
    """CREATE TABLE notes (
    session INTEGER NOT NULL,
    kind TEXT NOT NULL,
    round INTEGER NOT NULL,
    text TEXT NOT NULL,
    written REAL NOT NULL,
    PRIMARY KEY (session, kind, round))""",
)
_NOTES = SCHEMA[-1]


def open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a journal; create the file if it is missing.

    Raises
    ------
    JournalError
        If the file is something else; it is left as it is.
    sqlite3.Error
        If the file cannot be read or written.
    """
    check_file(path)
    connection = connect(path, "mode=rwc")
    try:
        _create_or_check_tables(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _create_or_check_tables(connection: sqlite3.Connection, path: Path) -> None:
    tables = read_schema(connection)
    if not tables:
        # Nothing can be lost yet. Waiting for the disk ten times could take as long as
        # writing thousands of fits. `sync_at_checkpoints` ends this.
        connection.execute("PRAGMA synchronous = OFF")
        with transaction(connection):
            if not read_schema(connection):
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
        tables = read_schema(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_version(path, application, version)
    expected = set(SCHEMA) if version == VERSION else set(SCHEMA) - {_NOTES}
    if tables != expected:
        raise damaged_error(path, "it has other tables than a journal")
    # WAL allows many readers and one writer. Written rows survive a killed process.
    if os.access(path, os.W_OK):
        connection.execute("PRAGMA journal_mode = WAL").fetchone()


def upgrade(connection: sqlite3.Connection) -> None:
    """Add what a file of an older version lacks; called inside a transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        connection.execute(_NOTES)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def check_file(path: Path) -> None:
    """Read the first bytes of a file, and raise an error if it is not a journal."""
    name = f"journal={str(path)!r}"
    mode = _read_mode(path)
    if stat.S_ISDIR(mode):
        raise JournalError(
            f"{name} is a directory; name a file in it, such as "
            f"{str(path / 'search.db')!r}."
        )
    if not path.parent.is_dir():
        raise JournalError(
            f"{name}: there is no directory {str(path.parent)!r}; make it, or name "
            "another."
        )
    if mode and not stat.S_ISREG(mode):
        raise JournalError(f"{name} is a device or a pipe; name a file.")
    try:
        with FILE_LOCK:
            if is_connected(path):
                return  # the file was checked when the connection was opened
            with open(path, "rb") as file:
                head = file.read(100)
                size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable_error(path, error) from error
    # A file with a rollback journal comes from a process that was killed while it
    # created the file. SQLite repairs or rejects it.
    if head and not os.path.exists(f"{path}-journal"):
        _check_header(path, head, size)


def _check_header(path: Path, head: bytes, size: int) -> None:
    """Raise an error if the first 100 bytes or the size are not a journal's."""
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise JournalError(
            f"journal={str(path)!r} is not a journal, or it is damaged; name another "
            "file, or remove this one."
        )
    (version,) = struct.unpack(">i", head[60:64])
    (application,) = struct.unpack(">i", head[68:72])
    _check_version(path, application, version)
    page_size, n_pages = struct.unpack(">H", head[16:18])[0], head[28:32]
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(n_pages, "big")
    if size < expected and not Path(f"{path}-wal").exists():
        raise damaged_error(path, f"{expected - size} bytes are missing")


def _read_mode(path: Path) -> int:
    """Return the type and permissions of a file, or 0 if there is none."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise _unreadable_error(path, error) from error


def _unreadable_error(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"journal={str(path)!r} cannot be read "
        f"({getattr(error, 'strerror', error)}); change its permissions, or name "
        "another file."
    )


def _check_version(path: Path, application: int, version: int) -> None:
    """Raise an error if a database is not a journal of this version."""
    if application != APPLICATION:
        raise JournalError(
            f"journal={str(path)!r} is a database of another program; name another "
            "file."
        )
    if version < OLDEST_VERSION:
        raise JournalError(
            f"journal={str(path)!r} was written by an earlier version of "
            f"sklearn_refine (schema {version}; this version knows {VERSION}); name "
            "another file, or use the version that wrote it."
        )
    if version > VERSION:
        raise JournalError(
            f"journal={str(path)!r} was written by a later version of sklearn_refine "
            f"(schema {version}; this version knows {VERSION}); upgrade it, or name "
            "another file."
        )
