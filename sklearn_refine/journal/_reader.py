"""The journal for readers: one run with its sessions, notes and fits.

Reading may neither change the file nor hold up the search that writes it. Each read
is one short query for new rows, and the connection is closed before they are checked.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sklearn_refine._history import Outcome
from sklearn_refine.journal._connection import (
    SQLITE_ERRORS,
    JournalError,
    connect_read_only,
    damaged_error,
    read_schema,
    unusable_error,
)
from sklearn_refine.journal._file import check_file
from sklearn_refine.journal._rows import COLUMNS, from_row
from sklearn_refine.journal._sessions import is_active
from sklearn_refine.journal._values import read_facts

_FITS = (
    f"SELECT id, session, {COLUMNS}, checksum FROM fits WHERE run = ? AND id > ? "
    "ORDER BY id"
)
_NOTES = (
    "SELECT session, kind, round, text, written FROM notes "
    "WHERE session IN (SELECT id FROM sessions WHERE run = ?) ORDER BY session"
)
_SESSIONS = "SELECT id, host, process, started, seen FROM sessions WHERE run = ?"


class Fit(NamedTuple):
    """One finished fit."""

    session: int
    round: int
    candidate: str
    split: int
    params: str
    status: str
    outcome: Outcome
    finished: float


class Session(NamedTuple):
    """One call of ``fit``: when it began, was last seen, and whether it still runs."""

    id: int
    host: str
    started: float
    seen: float
    is_active: bool


class Note(NamedTuple):
    """Facts that a session wrote about the run or one of its rounds."""

    session: int
    facts: dict[str, Any]
    written: float


class Run(NamedTuple):
    """One search in a journal."""

    id: int
    search: str
    estimator: str


@dataclass
class Content:
    """Everything known of a run.

    Attributes
    ----------
    path : Path
        The journal.
    run : Run
        The search.
    sessions : list of Session
        In the order of their start.
    notes : dict of (kind, round) to list of Note
        In the order of the sessions.
    fits : dict of (candidate, split) to Fit
        In the order of finishing. The last row of a fit counts.
    """

    path: Path
    run: Run
    sessions: list[Session] = field(default_factory=list)
    notes: dict[tuple[str, int], list[Note]] = field(default_factory=dict)
    fits: dict[tuple[str, int], Fit] = field(default_factory=dict)

    def facts(self, kind: str, number: int = 0) -> dict[str, Any]:
        """Return the last note of a kind, or nothing."""
        notes = self.notes.get((kind, number))
        return notes[-1].facts if notes else {}


class JournalReader:
    """Reads one run of a journal, again and again, each time only what is new.

    Parameters
    ----------
    path : path-like
        The journal.
    run : int, optional
        Number of the run. If None, the run that was worked on last.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    JournalError
        If the file is not a journal, is damaged, or has no such run.
    """

    def __init__(self, path: Any, run: int | None = None) -> None:
        self.path = Path(os.fsdecode(path))
        self._run = run
        self._last_row_id = 0
        self._content: Content | None = None

    def read(self) -> Content:
        """Return the run as it is now."""
        run, sessions, notes, rows = self._query()
        if self._content is None:
            self._content = Content(self.path, run)
        self._run = run.id
        content = self._content
        content.sessions = [
            _to_session(self.path.absolute(), values) for values in sessions
        ]
        content.notes = {}
        for session, kind, number, text, written in notes:
            note = Note(session, read_facts(text), written)
            content.notes.setdefault((kind, number), []).append(note)
        for row_id, session, *row in rows:
            position, outcome = from_row(self.path, row_id, row)
            content.fits.pop(position, None)
            candidate, split = position
            content.fits[position] = Fit(
                session, row[0], candidate, split, row[3], row[4], outcome, row[-2]
            )
            self._last_row_id = row_id
        return content

    def _query(self) -> tuple[Run, list[Any], list[Any], list[Any]]:
        with read_only(self.path) as connection:
            run = self._find_run(_read_runs(connection))
            sessions = connection.execute(_SESSIONS, (run.id,)).fetchall()
            has_notes = any("TABLE notes" in sql for sql in read_schema(connection))
            notes = (
                connection.execute(_NOTES, (run.id,)).fetchall() if has_notes else []
            )
            rows = connection.execute(_FITS, (run.id, self._last_row_id)).fetchall()
        return run, sessions, notes, rows

    def _find_run(self, runs: list[Run]) -> Run:
        """Return the run that was asked for, or else the last one of `runs`."""
        if not runs:
            raise JournalError(
                f"journal={str(self.path)!r} holds no search yet; start one with this "
                "journal, or wait until it has checked its data."
            )
        if self._run is None:
            return runs[-1]
        for run in runs:
            if run.id == self._run:
                return run
        raise JournalError(
            f"journal={str(self.path)!r} has no run {self._run}; it has run "
            f"{', '.join(str(run.id) for run in sorted(runs))}."
        )


def _to_session(path: Path, values: tuple[Any, ...]) -> Session:
    number, host, process, started, seen = values
    try:
        is_open = seen > 0 and is_active(path, number, host, process, seen)
        begun = datetime.fromisoformat(started).astimezone(UTC).timestamp()
        return Session(number, str(host), begun, float(seen), is_open)
    except (TypeError, ValueError, AttributeError):
        raise damaged_error(path, f"session number {number}") from None


def list_runs(path: Any) -> list[Run]:
    """Return the runs of a journal, by number."""
    path = Path(os.fsdecode(path))
    with read_only(path) as connection:
        return sorted(_read_runs(connection))


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect for one short read; raise errors that name the file and the remedy."""
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"journal={str(path)!r} does not exist; name the file that was given to "
            "the search."
        )
    check_file(path)
    try:
        connection = connect_read_only(path)
    except SQLITE_ERRORS as error:
        raise unusable_error(path, error) from error
    try:
        connection.execute("BEGIN")  # all tables as of one moment
        yield connection
    except SQLITE_ERRORS as error:
        raise unusable_error(path, error) from error
    finally:
        connection.close()


def _read_runs(connection: sqlite3.Connection) -> list[Run]:
    """Return all runs; the run that was started or resumed last comes last."""
    # A search that has just begun may not have created the tables yet.
    if not read_schema(connection):
        return []
    rows = connection.execute(
        "SELECT runs.id, search, estimator FROM runs "
        "LEFT JOIN sessions ON sessions.run = runs.id "
        "GROUP BY runs.id ORDER BY max(sessions.id)"
    )
    return [Run(*row) for row in rows]
