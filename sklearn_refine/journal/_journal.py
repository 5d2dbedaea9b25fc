"""The record of a search on disk: one SQLite file, a row for each finished fit.

Nothing in the file is ever unpickled or run: parameters and scores are text, and the
candidates of a search are proposed anew when it is run again.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sklearn_refine._history import Outcome
from sklearn_refine.journal._file import (
    COLUMNS,
    SQLITE_ERRORS,
    JournalError,
    connect,
    connect_to_read,
    from_row,
    is_read_only,
    open_file,
    to_rows,
    transaction,
    unusable,
    wait_for_disk,
)

SILENT_SECONDS = 900.0  # after which another machine is taken to have stopped
SEEN_SECONDS = 1.0  # between notes that this session is at work
_INSERT = (
    f"INSERT INTO fits (run, session, {COLUMNS}, checksum) "
    f"VALUES ({', '.join('?' * 15)})"
)
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib", "sklearn-refine")

#: A candidate's digest and the index of a split.
Position = tuple[str, int]


class Journal:
    """The fits of one run in a journal, read and written.

    Parameters
    ----------
    path : path-like
        The file; made if there is none.
    fingerprint : str
        Of the run.
    search, estimator : str
        What the run is, for its reader.

    Raises
    ------
    JournalError
        If the file is not a journal, is damaged, locked, of another version or cannot
        be opened. It is left as it is. A journal that can only be read is read, with
        a warning.
    """

    def __init__(
        self, path: Any, fingerprint: str, *, search: str, estimator: str
    ) -> None:
        self.path = Path(path)
        self._place = self.path.absolute()  # the process may change its directory
        self._session: int | None = None
        self._lock = threading.RLock()  # joblib asks for work from threads of its own
        self._known: dict[Position, Outcome] = {}
        self._in_work: set[Position] = set()
        self._alone = False
        self._seen = 0.0
        self._last = 0
        self._version = -1
        self._writes = True
        try:
            self._open((fingerprint, search, estimator, _now()))
        except SQLITE_ERRORS as error:
            is_there = self.path.exists() and self.path.stat().st_size > 0
            code = getattr(error, "sqlite_errorcode", 0)
            cannot_be_made = code == sqlite3.SQLITE_CANTOPEN
            if not is_read_only(error) or (cannot_be_made and not is_there):
                raise unusable(self.path, error) from error
            if is_there:
                self._only_read(fingerprint)
            self._stop_writing(error)

    def _open(self, run: tuple[str, str, str, str]) -> None:
        self._connection = open_file(self.path)
        try:
            # What is there is checked before anything is written.
            self._run = self._number_of(run[0])
            self._read_new()
            self._start(run)
            self._file = self._identity()
            self._alone = not self._others()
        except BaseException:
            _OPEN.discard((self._place, self._session))
            self._session = None
            self._connection.close()
            raise

    def _start(self, run: tuple[str, str, str, str]) -> None:
        """Find or make the run, and say that this session works on it."""
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR IGNORE INTO runs (fingerprint, search, estimator, started) "
                "VALUES (?, ?, ?, ?)",
                run,
            )
            self._run = self._number_of(run[0])
            cursor = self._connection.execute(
                "INSERT INTO sessions (run, host, process, versions, started, seen) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (self._run, *_me(), _versions(), _now(), time.time()),
            )
            self._session = cursor.lastrowid
        _OPEN.add((self._place, self._session))
        wait_for_disk(self._connection)

    def _number_of(self, fingerprint: str) -> int:
        row = self._connection.execute(
            "SELECT id FROM runs WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return -1 if row is None else int(row[0])

    def _only_read(self, fingerprint: str) -> None:
        """Read what is there of a file that cannot be written."""
        try:
            self._connection = connect_to_read(self.path)
            self._run = self._number_of(fingerprint)
            self._read_new()
        except SQLITE_ERRORS as error:
            raise unusable(self.path, error) from error

    def _stop_writing(self, why: Exception | str) -> None:
        """Go on without the file, and say so once."""
        if self._writes:
            self._writes = False
            _OPEN.discard((self._place, self._session))
            with suppress(sqlite3.Error, AttributeError):
                self._connection.close()
            warnings.warn(
                f"journal={str(self.path)!r} cannot be written ({why}). The search "
                "goes on, but its fits from here on are not kept there. Make room or "
                "make the file writable, and run the search again to keep them.",
                UserWarning,
                stacklevel=2,
            )

    def _identity(self) -> tuple[int, int]:
        status = os.stat(self._place)
        return status.st_dev, status.st_ino

    @property
    def is_empty(self) -> bool:
        """Whether nothing was finished before, nor by another process."""
        return not self._known

    def known(self, position: Position) -> Outcome | None:
        """Return what is known to have come of a fit."""
        outcome = self._known.get(position)
        return None if outcome is None else dict(outcome)

    def claim(self, positions: Iterable[Position]) -> set[Position]:
        """Say that fits are about to start here, unless another process makes them.

        What other processes have finished by now is `known` afterwards.

        Parameters
        ----------
        positions : iterable of (str, int)
            The fits.

        Returns
        -------
        taken : set of (str, int)
            Those that another process is working on.
        """
        with self._lock:
            if not self._writes:
                return set()
            try:
                if self._is_alone():
                    # Nothing is written, so that another process that starts now may
                    # begin some of the same fits; it sees the later ones.
                    self._in_work.update(p for p in positions if p not in self._known)
                    return set()
                with transaction(self._connection):
                    self._read_new()
                    return self._claim([p for p in positions if p not in self._known])
            except (*SQLITE_ERRORS, JournalError) as error:
                self._stop_writing(error)
                return set()

    def _is_alone(self) -> bool:
        """Whether no other process works on this run."""
        if self._alone and self._changed():
            self._alone = not self._others()
            self._read_new()
        return self._alone

    def _claim(self, positions: Sequence[Position]) -> set[Position]:
        others = self._others()
        taken = set()
        for position in positions if others else ():
            row = self._connection.execute(
                "SELECT session FROM claims "
                "WHERE run = ? AND candidate = ? AND split = ?",
                (self._run, *position),
            ).fetchone()
            if row is not None and row[0] in others:
                taken.add(position)
        self._in_work.update(p for p in positions if p not in taken)
        self._connection.executemany(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
            [(self._run, *p, self._session) for p in self._in_work],
        )
        self._say_seen(time.time())
        return taken

    def _others(self) -> set[int]:
        """Return the sessions that work on this run beside this one."""
        rows = self._connection.execute(
            "SELECT id, host, process, seen FROM sessions "
            "WHERE run = ? AND id != ? AND seen > 0",
            (self._run, self._session),
        ).fetchall()
        return {row[0] for row in rows if self._works(*row)}

    def _works(self, session: int, host: str, process: str, seen: float) -> bool:
        """Whether a session may still be at work."""
        me = _me()
        if host != me[0] or ":" not in me[1]:
            return seen > time.time() - SILENT_SECONDS
        if process == me[1]:
            return (self._place, session) in _OPEN
        return process == _process(process.partition(":")[0])

    def _say_seen(self, seen: float) -> None:
        if 0.0 < seen - self._seen < SEEN_SECONDS:
            return
        self._seen = seen
        self._connection.execute(
            "UPDATE sessions SET seen = ? WHERE id = ?", (seen, self._session)
        )

    def save(self, number: int, fits: Sequence[tuple[Position, str, Outcome]]) -> None:
        """Write fits down; they are kept even if the process is killed at once.

        Parameters
        ----------
        number : int
            Of the round, from 1 on.
        fits : sequence of (position, params, outcome)
            What was finished, with the parameters as text.
        """
        with self._lock:
            if not self._writes:
                return
            try:
                if self._identity() != self._file:
                    raise FileNotFoundError("another file is in its place")
                now = time.time()
                of_run = (self._run, self._session)
                rows = [of_run + row for row in to_rows(number, fits, now)]
                with transaction(self._connection):
                    self._connection.executemany(_INSERT, rows)
                    if not self._alone:
                        self._connection.executemany(
                            "DELETE FROM claims "
                            "WHERE run = ? AND candidate = ? AND split = ?",
                            [(self._run, *position) for position, _, _ in fits],
                        )
                    self._say_seen(now)
                self._in_work.difference_update(position for position, _, _ in fits)
            except (sqlite3.Error, OSError, TypeError, ValueError) as error:
                self._stop_writing(error)

    def close(self) -> None:
        """Give back what was claimed, and close the file."""
        with self._lock:
            try:
                with suppress(*SQLITE_ERRORS, OSError, JournalError):
                    self._give_back()
            finally:
                _OPEN.discard((self._place, self._session))
                self._session = None
                self._writes = False
                with suppress(sqlite3.Error, AttributeError):
                    self._connection.close()

    def _give_back(self) -> None:
        """Let others have what was claimed, also where writing had to stop before."""
        if self._session is None:
            return
        if not self._writes:
            if self._identity() != self._file:
                return
            self._connection = connect(self._place, "mode=rw")
        with transaction(self._connection):
            self._connection.execute(
                "DELETE FROM claims WHERE session = ?", (self._session,)
            )
            self._say_seen(0.0)

    def _changed(self) -> bool:
        """Whether another process has written to the file."""
        (now,) = self._connection.execute("PRAGMA data_version").fetchone()
        return bool(now != self._version)

    def _read_new(self) -> None:
        """Read what others have written since the last time."""
        if not self._changed():
            return
        (self._version,) = self._connection.execute("PRAGMA data_version").fetchone()
        rows = self._connection.execute(
            f"SELECT id, {COLUMNS}, checksum FROM fits WHERE run = ? AND id > ? "
            "ORDER BY id",
            (self._run, self._last),
        )
        for number, *row in rows:
            position, outcome = from_row(self.path, number, row)
            self._known[position] = outcome
            self._last = number


#: The sessions of this very process.
_OPEN: set[tuple[Path, int | None]] = set()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def _versions() -> str:
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):  # a copy on the path has no metadata
            found[name] = version(name)
    return json.dumps(found)


def _me() -> tuple[str, str]:
    """Return the host, and the process with the time of its start."""
    return socket.gethostname(), _process(str(os.getpid()))


def _process(number: str) -> str:
    """Return a process with the time of its start, where the system tells it.

    Numbers are used again, after a restart of a container even the very same. One that
    has ended may be listed until its parent asks for it, in state Z or X.
    """
    try:
        text = Path(f"/proc/{number}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return number if fields[0] in "ZX" else f"{number}:{fields[19]}"
    except (OSError, IndexError):
        return number
