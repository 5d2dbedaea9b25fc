"""The file of a journal: its schema, opening and checking it, rows and values."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import struct
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any
from zlib import crc32

from sklearn_refine._history import DIED, TIMED_OUT, Outcome

VERSION = 2  # of the schema; PRAGMA user_version
APPLICATION = 0x736B7266  # "skrf"; PRAGMA application_id
BUSY_SECONDS = 30.0  # to wait for another process that is writing
LONGEST = 1 << 24  # bytes of a value that is read
ERROR_LENGTH = 20_000  # characters kept of an error's text

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
)
# Rows of fits are only appended: to keep an index of them takes a third or more of the
# time in SQLite. A fit that was made again has another row, and the last one counts.
#: Of a fit, in the order of the values that its checksum is made of.
COLUMNS = (
    "round, candidate, split, params, status, test_scores, train_scores, fit_time, "
    "score_time, n_test_samples, error, finished"
)
_TYPES: tuple[type | tuple[type, ...], ...] = (
    int,
    str,
    int,
    str,
    str,
    str,
    (str, type(None)),
    float,
    float,
    int,
    (str, type(None)),
    float,
)
_NUMBERS = struct.Struct("<qqqddd")
_READ_ONLY = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)


#: Of SQLite; the second where a text in the file is no UTF-8.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


class JournalError(ValueError):
    """A file that is no journal, or none that can be used."""


class _Connection(sqlite3.Connection):
    """A connection that is known while it is open.

    A process that opens and closes a file by itself loses all locks that its
    connections hold on it (POSIX), and other processes overwrite what it writes.
    """

    file: tuple[int, int] | None = None

    def close(self) -> None:
        super().close()
        _CONNECTED.discard(self)


_CONNECTED: weakref.WeakSet[_Connection] = weakref.WeakSet()
_LOCK = threading.Lock()  # held while a file is read, or a connection becomes known


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_connected(path: Path) -> bool:
    file = _identity(path)
    return file is not None and any(c.file == file for c in list(_CONNECTED))


def open_file(path: Path) -> sqlite3.Connection:
    """Return a connection to a journal, which is made if there is none.

    Raises
    ------
    JournalError
        If the file is something else; it is left as it is.
    sqlite3.Error
        If it cannot be read or written.
    """
    check_file(path)
    connection = connect(path, "mode=rwc")
    try:
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Return a connection that runs nothing that stands in the file."""
    try:
        with _LOCK:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?{mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            connection.file = _identity(path)
            _CONNECTED.add(connection)
    except sqlite3.Error as error:
        raise unusable(path, error) from error
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection to a file that may be all that can be read there."""
    connection = connect(path, "mode=ro")
    try:
        tables_in(connection)
    except SQLITE_ERRORS as error:
        connection.close()
        if not is_read_only(error):
            raise
        connection = connect(path, "mode=ro&immutable=1")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all that is done inside at once, or nothing of it."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def check_file(path: Path) -> None:
    """Read the first bytes of a file, and raise where it is not a journal."""
    name = f"journal={str(path)!r}"
    mode = _mode(path)
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
        with _LOCK:
            if _is_connected(path):
                return  # it was checked then
            with open(path, "rb") as file:
                head = file.read(100)
                size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(path, error) from error
    if not head or os.path.exists(f"{path}-journal"):
        return  # empty, or a process was killed as it made it: SQLite will say
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        raise JournalError(
            f"{name} is not a journal, or it is damaged; name another file, or remove "
            "this one."
        )
    (version,) = struct.unpack(">i", head[60:64])
    (application,) = struct.unpack(">i", head[68:72])
    _check_kind(path, application, version)
    page_size, n_pages = struct.unpack(">H", head[16:18])[0], head[28:32]
    expected = (65536 if page_size == 1 else page_size) * int.from_bytes(n_pages, "big")
    if size < expected and not Path(f"{path}-wal").exists():
        raise JournalError(damaged(path, f"{expected - size} bytes are missing"))


def _mode(path: Path) -> int:
    """Return the kind of a file and its permissions, 0 where there is none."""
    try:
        return os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> JournalError:
    return JournalError(
        f"journal={str(path)!r} cannot be read "
        f"({getattr(error, 'strerror', error)}); change its permissions, or name "
        "another file."
    )


def _check_kind(path: Path, application: int, version: int) -> None:
    if application != APPLICATION:
        raise JournalError(
            f"journal={str(path)!r} is a database of another program; name another "
            "file."
        )
    if version < VERSION:
        raise JournalError(
            f"journal={str(path)!r} was written by an earlier version of "
            f"sklearn_refine (schema {version}; this version knows {VERSION}); name "
            "another file, or go on with the version that wrote it."
        )
    if version > VERSION:
        raise JournalError(
            f"journal={str(path)!r} was written by a later version of sklearn_refine "
            f"(schema {version}; this version knows {VERSION}); upgrade it, or name "
            "another file."
        )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where there are none; check them where there are."""
    tables = tables_in(connection)
    if not tables:
        # Nothing can be lost yet, and waiting for the disk ten times can take as long
        # as writing thousands of fits. `wait_for_disk` is for what follows.
        connection.execute("PRAGMA synchronous = OFF")
        with transaction(connection):
            if not tables_in(connection):
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
        tables = tables_in(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    _check_kind(path, application, version)
    if tables != set(SCHEMA):
        raise JournalError(damaged(path, "it has other tables than a journal"))
    # Readers and one writer at a time; what is written survives the process at once.
    if os.access(path, os.W_OK):
        connection.execute("PRAGMA journal_mode = WAL").fetchone()


def wait_for_disk(connection: sqlite3.Connection) -> None:
    """Let checkpoints wait for the disk: a loss of power must not break the file."""
    connection.execute("PRAGMA synchronous = NORMAL")


def tables_in(connection: sqlite3.Connection) -> set[str]:
    """Return the statements that made the tables of a file, and what else is there."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {str(sql) for (sql,) in rows}


def unusable(path: Path, error: Exception) -> JournalError:
    """Say what is wrong with a file that SQLite does not take."""
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
    return JournalError(damaged(path, str(error)))


def damaged(path: Path, what: str) -> str:
    """Return the message of a damaged file."""
    return (
        f"journal={str(path)!r} is damaged ({what}); it is left as it is. Name another "
        "file, or put back a copy of this one."
    )


def is_read_only(error: Exception) -> bool:
    """Whether an error says that a file cannot be written, and no more."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _READ_ONLY


def to_rows(
    number: int, fits: Iterable[tuple[tuple[str, int], str, Outcome]], finished: float
) -> Iterator[tuple[Any, ...]]:
    """Yield the values of fits in the order of `COLUMNS`, and the checksum of each.

    Parameters
    ----------
    number : int
        Of the round.
    fits : iterable of ((candidate, split), params, outcome)
        The fits; those of a candidate best follow each other.
    finished : float
        The time.
    """
    last: tuple[str, str] | None = None
    start = 0
    for (candidate, split), params, o in fits:
        if last != (candidate, params):
            last = candidate, params
            start = _checksum_of_candidate(candidate, params)
        error = o["fit_error"]
        status = "unscored" if o.get("unscored") else "ok"
        if error is not None:
            error = error[-ERROR_LENGTH:].encode("utf-8", "backslashreplace").decode()
            status = _status(error)
        test = _dump(o["test_scores"])
        train = _dump(o["train_scores"]) if "train_scores" in o else None
        fit_time, score_time = float(o["fit_time"]), float(o["score_time"])
        n = int(o["n_test_samples"])
        checksum = _checksum(
            start,
            (status, test, train, error),
            _NUMBERS.pack(number, split, n, fit_time, score_time, finished),
        )
        yield (
            number,
            candidate,
            split,
            params,
            status,
            test,
            train,
            fit_time,
            score_time,
            n,
            error,
            finished,
            checksum,
        )


def _status(error: str) -> str:
    if error.startswith(TIMED_OUT):
        return "timeout"
    return "died" if error.startswith(DIED) else "failed"


def _dump(scores: Any) -> str:
    if type(scores) is float and isfinite(scores):
        return repr(scores)  # as json writes it, in less time
    if isinstance(scores, Mapping) and not all(type(name) is str for name in scores):
        raise TypeError(f"names of metrics are not text: {list(scores)!r}")
    return json.dumps(scores)


def from_row(path: Path, number: int, row: Sequence[Any]) -> tuple[Any, Outcome]:
    """Return which fit a row is, and its outcome."""
    *values, checksum = row
    if not all(map(isinstance, values, _TYPES)) or checksum != checksum_of(values):
        raise JournalError(damaged(path, f"fit number {number}"))
    _, candidate, split, _, status, test, train, fit_time, score_time, n, error, _ = (
        values
    )
    outcome: Outcome = {
        "fit_error": error,
        "test_scores": _load(path, number, test),
        "n_test_samples": n,
        "fit_time": fit_time,
        "score_time": score_time,
    }
    if train is not None:
        outcome["train_scores"] = _load(path, number, train)
    if status == "unscored":
        outcome["unscored"] = True
    return (candidate, split), outcome


def _load(path: Path, number: int, text: str) -> Any:
    """Return a score, or scores by metric."""
    try:
        scores = json.loads(text)
    except (ValueError, RecursionError):
        scores = None
    numbers = scores.values() if isinstance(scores, dict) else [scores]
    if not all(isinstance(score, int | float) for score in numbers):
        raise JournalError(damaged(path, f"the scores of fit number {number}"))
    return scores


def checksum_of(values: Sequence[Any]) -> str:
    """Return what tells a row that was damaged from one that was not."""
    number, candidate, split, params, status, test, train, *seconds, n, error, at = (
        values
    )
    return _checksum(
        _checksum_of_candidate(candidate, params),
        (status, test, train, error),
        _NUMBERS.pack(number, split, n, *seconds, at),
    )


def _checksum_of_candidate(candidate: str, params: str) -> int:
    return crc32(f"{candidate}\0{params}\0".encode("utf-8", "backslashreplace"))


def _checksum(start: int, texts: Iterable[str | None], numbers: bytes) -> str:
    """Go on from the checksum of a candidate."""
    text = "\0".join(text or "" for text in texts)
    start = crc32(text.encode("utf-8", "backslashreplace"), start)
    return f"{crc32(numbers, start):08x}"
