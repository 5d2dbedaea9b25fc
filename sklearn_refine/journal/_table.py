"""A journal as a table, for its reader."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_refine._history import Outcome
from sklearn_refine.journal._file import (
    COLUMNS,
    SQLITE_ERRORS,
    JournalError,
    check_file,
    connect_to_read,
    damaged,
    from_row,
    tables_in,
    unusable,
)


def read_journal(path: Any) -> pd.DataFrame:
    """Return the fits in a journal, of all runs and also while a search writes it.

    Nothing is fitted, and the file is not changed.

    Parameters
    ----------
    path : str or path-like
        What was given as `journal` to a search.

    Returns
    -------
    fits : DataFrame
        A row for each finished fit, in the order of finishing: `run` (int; searches
        with the same data, splits, estimator and space are one run), `session` (int;
        each call of ``fit`` is one), `search` and
        `estimator` (their names), `round` (from 1 on), `params` (the candidate's
        parameters, as text), `split` (from 0 on), `status` ('ok', 'failed', 'timeout',
        'died', or 'unscored' where a score is `error_score`), ``test_<metric>`` and, if
        they were asked for, ``train_<metric>``, `fit_time` and `score_time` (seconds),
        `n_test_samples`, `error` (text or None), `finished` (UTC), `host`, `process`
        and `versions` (of Python and libraries, as JSON).

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    JournalError
        A ValueError: the file is not a journal, is damaged, or of another version.

    See Also
    --------
    RefiningGridSearchCV : A search that writes one, as `journal`.
    SuccessiveRandomSearchCV : Another.

    Notes
    -----
    The file is an SQLite database. Version 2 of the schema (``PRAGMA user_version``)
    has the tables `runs`, `sessions` (a process that worked on a run), `fits` and
    `claims` (fits that a process is working on). Rows of `fits` are only appended; of
    several rows with the same `run`, `candidate` and `split`, the last one counts, and
    is the one returned here. Nothing in it is unpickled or run.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, read_journal
    >>> X, y = load_diabetes(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Path(folder) / "search.db"
    ...     search = RefiningGridSearchCV(
    ...         Ridge(), {"alpha": [0.1, 1.0]}, n_rounds=1, cv=2, journal=journal
    ...     ).fit(X, y)
    ...     read_journal(journal)[["round", "params", "split", "status"]]
       round          params  split status
    0      1  {'alpha': 0.1}      0     ok
    1      1  {'alpha': 0.1}      1     ok
    2      1  {'alpha': 1.0}      0     ok
    3      1  {'alpha': 1.0}      1     ok
    """
    path = Path(os.fsdecode(path))
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"journal={str(path)!r} does not exist; name the file that was given to "
            "the search."
        )
    check_file(path)
    names = ["id", *COLUMNS.split(", "), "checksum"]
    sides = ["run", "session", "search", "estimator", "host", "process", "versions"]
    try:
        connection = connect_to_read(path)
    except SQLITE_ERRORS as error:
        raise unusable(path, error) from error
    select = (
        f"SELECT {', '.join('fits.' + name for name in names)}, runs.id, "
        "sessions.id, search, estimator, host, process, versions FROM fits "
        "JOIN runs ON runs.id = fits.run "
        "JOIN sessions ON sessions.id = fits.session "
        "ORDER BY fits.id"
    )
    try:
        # A search that has just begun may not have made the tables yet.
        rows = connection.execute(select).fetchall() if tables_in(connection) else []
    except SQLITE_ERRORS as error:
        raise unusable(path, error) from error
    finally:
        connection.close()
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        number, *of_fit = row[: len(names)]
        position, outcome = from_row(path, number, of_fit)
        about = row[len(names) :]
        if not all(isinstance(value, str) for value in about[2:]):
            raise JournalError(damaged(path, f"the session of fit number {number}"))
        values = dict(zip(names, row, strict=False)) | dict(
            zip(sides, about, strict=True)
        )
        fit = (values["run"], *position)
        table.pop(fit, None)  # the last row of a fit counts, in its own place
        table[fit] = _tidy(values, outcome)
    first = [*sides[:4], "round", "params", "split", "status"]
    frame = pd.DataFrame(list(table.values()), columns=None if table else first)
    frame["finished"] = pd.to_datetime(
        frame["finished"] if table else [], unit="s", utc=True
    )
    return frame


def _tidy(values: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    about = ("run", "session", "search", "estimator")
    first = (*about, "round", "params", "split", "status")
    last = ("fit_time", "score_time", "n_test_samples", "error", "finished")
    tidy = {name: values[name] for name in first}
    for kind in ("test", "train"):
        scores = outcome.get(f"{kind}_scores", {})
        scores = scores if isinstance(scores, dict) else {"score": scores}
        tidy.update({f"{kind}_{metric}": score for metric, score in scores.items()})
    tidy.update({name: values[name] for name in last})
    return tidy | {name: values[name] for name in ("host", "process", "versions")}
