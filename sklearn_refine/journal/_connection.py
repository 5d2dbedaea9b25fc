"""Connections to the SQLite file of a journal, and the errors of opening it.

No connection may run SQL that is stored in a file. Reading a file must not release the
locks that other connections of this process hold on it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BUSY_SECONDS = 30.0  # to wait while another process writes
MAX_VALUE_BYTES = 1 << 24  # of a value that is read

_WRITE_FAILURES = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)

#: Errors of SQLite. The second one is raised for text that is not valid UTF-8.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


class JournalError(ValueError):
    """A file is not a journal, or the journal cannot be used.

    The message says what is wrong with the file and what to do. The file itself is left
    as it is.

    See Also
    --------
    read_journal : Reads the fits in a journal.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> from sklearn_refine import JournalError, read_journal
    >>> with NamedTemporaryFile(suffix=".csv") as file:
    ...     length = file.write(b"C,score")
    ...     file.flush()
    ...     try:
    ...         read_journal(file.name)
    ...     except JournalError as error:
    ...         print(str(error).partition("' is ")[2])
    not a journal, or it is damaged; name another file, or remove this one.
    """


class _Connection(sqlite3.Connection):
    """A connection that this process knows of while it is open.

    If a process opens and closes a file without SQLite, POSIX releases all locks that
    its connections hold on the file. Other processes then overwrite what it writes.
    """

    file: tuple[int, int] | None = None

    def close(self) -> None:
        super().close()
        _CONNECTIONS.discard(self)

    def __del__(self) -> None:
        # Of an interrupt while a journal is opened. Python 3.13 warns if this is left
        # to the base class.
        with suppress(sqlite3.Error):
            super().close()


_CONNECTIONS: weakref.WeakSet[_Connection] = weakref.WeakSet()
#: Held while a file is read without SQLite, and while a connection is registered.
FILE_LOCK = threading.Lock()


def _identify_file(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def is_connected(path: Path) -> bool:
    """Whether this process has an open connection to a file."""
    file = _identify_file(path)
    return file is not None and any(c.file == file for c in list(_CONNECTIONS))


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return a connection that runs no SQL stored in the file."""
    try:
        with FILE_LOCK:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            connection.file = _identify_file(path)
            _CONNECTIONS.add(connection)
    except sqlite3.Error as error:
        raise unusable_error(path, error) from error
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection to a file, also if its directory cannot be written."""
    connection = connect(path, "mode=ro")
    try:
        read_schema(connection)
    except SQLITE_ERRORS as error:
        connection.close()
        if not is_write_failure(error):
            raise
        connection = connect(path, "mode=ro&immutable=1")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write everything inside the block at once, or nothing if it raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def sync_at_checkpoints(connection: sqlite3.Connection) -> None:
    """Let checkpoints wait for the disk, so that a loss of power breaks no file."""
    connection.execute("PRAGMA synchronous = NORMAL")


def read_schema(connection: sqlite3.Connection) -> set[str]:
    """Return the SQL of all tables, indexes, triggers and views of a file."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {str(sql) for (sql,) in rows}


def is_write_failure(error: Exception) -> bool:
    """Whether an error only says that a file cannot be written."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _WRITE_FAILURES


def unusable_error(path: Path, error: Exception) -> JournalError:
    """Return the error for a file that SQLite rejects, with a remedy."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    name = f"journal={str(path)!r}"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalError(
            f"{name} has been locked by another program for {BUSY_SECONDS:g} seconds; "
            "close that program, or name another file."
        )
    if code == sqlite3.SQLITE_CANTOPEN:
        return JournalError(
            f"{name} cannot be opened ({error}); check the permissions of the file "
            "and of its directory, or name another file."
        )
    return damaged_error(path, str(error))


def damaged_error(path: Path, what: str) -> JournalError:
    """Return the error for a damaged file."""
    return JournalError(
        f"journal={str(path)!r} is damaged ({what}); it is left as it is. Name another "
        "file, or put back a copy of this one."
    )
