"""The fits of one run in a journal: claimed, saved, and read by several processes.

Nothing in the file is ever unpickled or run: parameters and scores are text. A repeated
search proposes its candidates again. A failure to write may not end the search. The
exception of an alarm, such as TimeoutError, is an OSError and may not be taken for one:
it is raised after the file was read or written.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sklearn_refine._history import Outcome
from sklearn_refine._interrupts import defer_interrupts
from sklearn_refine.journal._connection import (
    SQLITE_ERRORS,
    JournalError,
    connect,
    connect_read_only,
    is_write_failure,
    sync_at_checkpoints,
    transaction,
    unusable_error,
)
from sklearn_refine.journal._file import open_file, upgrade
from sklearn_refine.journal._rows import COLUMNS, from_row, to_rows
from sklearn_refine.journal._sessions import (
    OPEN_SESSIONS,
    describe_versions,
    format_now,
    identify_process,
    is_active,
)

SEEN_SECONDS = 1.0  # between two updates of the time when a session was last seen
_INSERT = (
    f"INSERT INTO fits (run, session, {COLUMNS}, checksum) "
    f"VALUES ({', '.join('?' * 15)})"
)

#: One fit: the digest of a candidate and the index of a split.
Position = tuple[str, int]


class Journal:
    """The fits of one run in a journal.

    Parameters
    ----------
    path : path-like
        The file; created if it is missing.
    fingerprint : str
        Identifies the run: what was searched, then, after a space, where.
    search, estimator : str
        Names of the classes, shown by `read_journal`.

    Raises
    ------
    JournalError
        If the file is not a journal, is damaged, locked, of another version or cannot
        be opened. The file is left as it is. A journal without permission to write is
        only read, with a warning.

    Attributes
    ----------
    run_elsewhere : str or None
        If the run has no fits yet: the fingerprint of the last run with fits that
        differs only after the space.
    """

    def __init__(
        self, path: Any, fingerprint: str, *, search: str, estimator: str
    ) -> None:
        self.path = Path(path)
        self._absolute_path = self.path.absolute()  # the directory may change
        self._session: int | None = None
        self._lock = threading.RLock()  # joblib calls from its own threads
        self._outcomes: dict[Position, Outcome] = {}
        self._claimed: set[Position] = set()
        self._is_only_session = False
        self._last_seen = 0.0
        self._last_row_id = 0
        self._data_version = -1
        self._can_write = True
        self.run_elsewhere: str | None = None
        with defer_interrupts():
            self._open_or_read((fingerprint, search, estimator, format_now()))

    def _open_or_read(self, run: tuple[str, str, str, str]) -> None:
        """Open the file; only read it if it cannot be written."""
        try:
            self._open(run)
        except SQLITE_ERRORS as error:
            is_there = self.path.exists() and self.path.stat().st_size > 0
            code = getattr(error, "sqlite_errorcode", 0)
            cannot_be_made = code == sqlite3.SQLITE_CANTOPEN
            if not is_write_failure(error) or (cannot_be_made and not is_there):
                raise unusable_error(self.path, error) from error
            if is_there:
                self._open_read_only(run[0])
            self._stop_writing(error)

    def _open(self, run: tuple[str, str, str, str]) -> None:
        self._connection = open_file(self.path)
        try:
            # Existing rows are checked before anything is written.
            self._read_run(run[0])
            self._register_session(run)
            self._opened_file = self._identify_file()
            self._is_only_session = not self._find_other_sessions()
        except BaseException:
            OPEN_SESSIONS.discard((self._absolute_path, self._session))
            self._session = None
            self._connection.close()
            raise

    def _register_session(self, run: tuple[str, str, str, str]) -> None:
        """Find or create the run, and register a session of it."""
        with transaction(self._connection):
            upgrade(self._connection)
            self._connection.execute(
                "INSERT OR IGNORE INTO runs (fingerprint, search, estimator, started) "
                "VALUES (?, ?, ?, ?)",
                run,
            )
            self._run = self._find_run(run[0])
            cursor = self._connection.execute(
                "INSERT INTO sessions (run, host, process, versions, started, seen) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    self._run,
                    *identify_process(),
                    describe_versions(),
                    format_now(),
                    time.time(),
                ),
            )
            self._session = cursor.lastrowid
        OPEN_SESSIONS.add((self._absolute_path, self._session))
        sync_at_checkpoints(self._connection)

    def _read_run(self, fingerprint: str) -> None:
        """Read the fits of the run, or find the same run in another environment."""
        self._run = self._find_run(fingerprint)
        self._read_new_rows()
        if self.is_empty:
            content = fingerprint.partition(" ")[0]
            row = self._connection.execute(
                "SELECT fingerprint FROM runs "
                "WHERE substr(fingerprint, 1, ?) = ? AND id != ? "
                "AND EXISTS (SELECT 1 FROM fits WHERE fits.run = runs.id) "
                "ORDER BY id DESC",
                (len(content), content, self._run),
            ).fetchone()
            self.run_elsewhere = None if row is None else row[0]

    def _find_run(self, fingerprint: str) -> int:
        row = self._connection.execute(
            "SELECT id FROM runs WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return -1 if row is None else int(row[0])

    def _open_read_only(self, fingerprint: str) -> None:
        """Read the fits of a file that cannot be written."""
        try:
            self._connection = connect_read_only(self.path)
            self._read_run(fingerprint)
        except SQLITE_ERRORS as error:
            raise unusable_error(self.path, error) from error

    def _stop_writing(self, why: Exception | str) -> None:
        """Continue without the file, and warn once."""
        if self._can_write:
            self._can_write = False
            OPEN_SESSIONS.discard((self._absolute_path, self._session))
            with suppress(sqlite3.Error, AttributeError):
                self._connection.close()
            warnings.warn(
                f"journal={str(self.path)!r} cannot be written ({why}). The search "
                "continues, but its fits from now on are not saved there. Make room or "
                "make the file writable, and run the search again to save them.",
                UserWarning,
                stacklevel=2,
            )

    def _identify_file(self) -> tuple[int, int]:
        status = os.stat(self._absolute_path)
        return status.st_dev, status.st_ino

    @property
    def is_empty(self) -> bool:
        """Whether no finished fit is known, from earlier or from other processes."""
        return not self._outcomes

    def known(self, position: Position) -> Outcome | None:
        """Return the outcome of a fit, or None if it is not known to be finished."""
        outcome = self._outcomes.get(position)
        return None if outcome is None else dict(outcome)

    def claim(self, positions: Iterable[Position]) -> set[Position]:
        """Claim fits for this session, unless another process is running them.

        Afterwards, `known` includes the fits that other processes have finished by now.

        Parameters
        ----------
        positions : iterable of (str, int)
            The fits.

        Returns
        -------
        taken : set of (str, int)
            The fits that another process is running.
        """
        with defer_interrupts(), self._lock:
            if not self._can_write:
                return set()
            try:
                if self._check_only_session():
                    # No claims are written. A process that starts now may therefore
                    # run some of the same fits, but it sees later claims.
                    self._claimed.update(
                        p for p in positions if p not in self._outcomes
                    )
                    return set()
                with transaction(self._connection):
                    self._read_new_rows()
                    return self._write_claims(
                        [p for p in positions if p not in self._outcomes]
                    )
            except (*SQLITE_ERRORS, JournalError) as error:
                self._stop_writing(error)
                return set()

    def _check_only_session(self) -> bool:
        """Whether no other process works on this run; checked if the file changed."""
        if self._is_only_session and self._has_changed():
            self._is_only_session = not self._find_other_sessions()
            self._read_new_rows()
        return self._is_only_session

    def _write_claims(self, positions: Sequence[Position]) -> set[Position]:
        others = self._find_other_sessions()
        taken = set()
        for position in positions if others else ():
            row = self._connection.execute(
                "SELECT session FROM claims "
                "WHERE run = ? AND candidate = ? AND split = ?",
                (self._run, *position),
            ).fetchone()
            if row is not None and row[0] in others:
                taken.add(position)
        self._claimed.update(p for p in positions if p not in taken)
        self._connection.executemany(
            "INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)",
            [(self._run, *p, self._session) for p in self._claimed],
        )
        self._update_seen(time.time())
        return taken

    def _find_other_sessions(self) -> set[int]:
        """Return the other sessions that work on this run."""
        rows = self._connection.execute(
            "SELECT id, host, process, seen FROM sessions "
            "WHERE run = ? AND id != ? AND seen > 0",
            (self._run, self._session),
        ).fetchall()
        return {row[0] for row in rows if is_active(self._absolute_path, *row)}

    def _update_seen(self, seen: float) -> None:
        """Write when this session was last seen; 0 means that it has ended."""
        if 0.0 < seen - self._last_seen < SEEN_SECONDS:
            return
        self._last_seen = seen
        self._connection.execute(
            "UPDATE sessions SET seen = ? WHERE id = ?", (seen, self._session)
        )

    def save(
        self, round_number: int, fits: Sequence[tuple[Position, str, Outcome]]
    ) -> None:
        """Write finished fits; they survive if the process is killed afterwards.

        Parameters
        ----------
        round_number : int
            Number of the round, from 1.
        fits : sequence of (position, params, outcome)
            The finished fits, with the parameters as text.
        """
        with defer_interrupts(), self._lock:
            if not self._can_write:
                return
            try:
                if self._identify_file() != self._opened_file:
                    raise FileNotFoundError("another file is in its place")
                now = time.time()
                ids = (self._run, self._session)
                rows = [ids + row for row in to_rows(round_number, fits, now)]
                with transaction(self._connection):
                    self._connection.executemany(_INSERT, rows)
                    if not self._is_only_session:
                        self._connection.executemany(
                            "DELETE FROM claims "
                            "WHERE run = ? AND candidate = ? AND split = ?",
                            [(self._run, *position) for position, _, _ in fits],
                        )
                    self._update_seen(now)
                self._claimed.difference_update(position for position, _, _ in fits)
            except (sqlite3.Error, OSError, TypeError, ValueError) as error:
                self._stop_writing(error)

    def note(self, kind: str, round_number: int, text: str) -> None:
        """Write what a reader of the file wants to know besides the fits.

        A later note of the same kind and round replaces the earlier one.
        """
        with defer_interrupts(), self._lock:
            if not self._can_write:
                return
            try:
                with transaction(self._connection):
                    self._connection.execute(
                        "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?)",
                        (self._session, kind, round_number, text, time.time()),
                    )
            except SQLITE_ERRORS as error:
                self._stop_writing(error)

    def close(self) -> None:
        """Release the claims of this session, and close the file."""
        with defer_interrupts(), self._lock:
            try:
                with suppress(*SQLITE_ERRORS, OSError, JournalError):
                    self._release_claims()
            finally:
                OPEN_SESSIONS.discard((self._absolute_path, self._session))
                self._session = None
                self._can_write = False
                with suppress(sqlite3.Error, AttributeError):
                    self._connection.close()

    def _release_claims(self) -> None:
        """Release the claims, even if writing had stopped before."""
        if self._session is None:
            return
        if not self._can_write:
            if self._identify_file() != self._opened_file:
                return
            self._connection = connect(self._absolute_path, "mode=rw")
        with transaction(self._connection):
            self._connection.execute(
                "DELETE FROM claims WHERE session = ?", (self._session,)
            )
            self._update_seen(0.0)

    def _has_changed(self) -> bool:
        """Whether another process has written to the file."""
        (now,) = self._connection.execute("PRAGMA data_version").fetchone()
        return bool(now != self._data_version)

    def _read_new_rows(self) -> None:
        """Read the rows that were written since the last call."""
        if not self._has_changed():
            return
        (self._data_version,) = self._connection.execute(
            "PRAGMA data_version"
        ).fetchone()
        rows = self._connection.execute(
            f"SELECT id, {COLUMNS}, checksum FROM fits WHERE run = ? AND id > ? "
            "ORDER BY id",
            (self._run, self._last_row_id),
        )
        for row_id, *row in rows:
            position, outcome = from_row(self.path, row_id, row)
            self._outcomes[position] = outcome
            self._last_row_id = row_id
