"""A journal as a DataFrame.

Reading may not change the file, also while a search writes it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from sklearn_refine._history import Outcome
from sklearn_refine.journal._connection import damaged_error, read_schema
from sklearn_refine.journal._reader import read_only
from sklearn_refine.journal._rows import COLUMNS, from_row
from sklearn_refine.journal._values import read_params

_FIT_COLUMNS = ["id", *COLUMNS.split(", "), "checksum"]
_SESSION_COLUMNS = [
    *("run", "session", "search", "estimator", "host", "process", "versions")
]
_SELECT = (
    f"SELECT {', '.join('fits.' + name for name in _FIT_COLUMNS)}, runs.id, "
    "sessions.id, search, estimator, host, process, versions FROM fits "
    "JOIN runs ON runs.id = fits.run "
    "JOIN sessions ON sessions.id = fits.session "
    "ORDER BY fits.id"
)
#: The columns of the table that come first, also if there are no fits.
_FIRST_COLUMNS = [
    *("run", "session", "search", "estimator", "round", "params", "split", "status")
]
_END_COLUMNS = [
    *("fit_time", "score_time", "n_test_samples", "error", "finished"),
    *("host", "process", "versions"),
]


def read_journal(
    path: Any, params: Literal["columns", "text"] = "columns"
) -> pd.DataFrame:
    """Read the fits in a journal as a DataFrame, also while a search is running.

    A journal is the checkpoint file of a search: it holds each finished fit, and the
    same search resumes from it. Nothing is fitted here, and the file is not changed.

    Parameters
    ----------
    path : str or path-like
        The file that was passed to a search as `journal`.
    params : {"columns", "text"}, default="columns"
        How to show the parameters of a candidate. "columns" gives one column per
        parameter, ``param_<name>``, with numbers, strings and tuples as such. Other
        objects, such as estimators, are text. "text" gives one column `params`.

    Returns
    -------
    fits : DataFrame
        One row for each finished fit, in the order of finishing, with these columns.

        - `run`: int. Searches with the same data, splits, estimator, space and
          scikit-learn configuration are one run.
        - `session`: int. Each call of ``fit`` is one session.
        - `search` and `estimator`: names of the classes.
        - `round`: from 1.
        - ``param_<name>``: the value of a parameter. NaN if the candidate does not
          set it. (With ``params="text"``: `params`, all parameters as text.)
        - `split`: from 0.
        - `status`: 'ok', 'failed', 'timeout', 'died', or 'unscored' if a score is
          `error_score`.
        - ``test_<metric>`` and, with `return_train_score`, ``train_<metric>``.
        - `fit_time` and `score_time`: in seconds.
        - `n_test_samples`: number of samples in the test set.
        - `error`: text or None.
        - `finished`: time in UTC.
        - `host`, `process` and `versions`: where the fit was run, and the versions of
          Python and of the libraries, as JSON.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    JournalError
        A ValueError. The file is not a journal, is damaged, or is of another version.
    ValueError
        If `params` is neither "columns" nor "text".

    See Also
    --------
    search_results : The candidates with their mean scores, best first.
    RefiningGridSearchCV : A search that writes a journal.
    SuccessiveRandomSearchCV : Another search that writes a journal.

    Notes
    -----
    The file is an SQLite database. Version 3 of the schema (``PRAGMA user_version``)
    has five tables: `runs`, `sessions` (processes that worked on a run), `fits`,
    `claims` (fits that a process is running), and `notes` (the plan, the rounds and the
    end of a search, as JSON; version 2 has none). Rows of `fits` are only appended. If
    several rows have the same `run`, `candidate` and `split`, the last one counts, and
    only that row is returned here. Nothing in the file is unpickled or run.

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
    ...     read_journal(journal)[["round", "param_alpha", "split", "status"]]
       round  param_alpha  split status
    0      1          0.1      0     ok
    1      1          0.1      1     ok
    2      1          1.0      0     ok
    3      1          1.0      1     ok
    """
    if params not in ("columns", "text"):
        raise ValueError(f"params={params!r} is not known; pass 'columns' or 'text'.")
    path = Path(os.fsdecode(path))
    table: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in _read_rows(path):
        fit, about = row[: len(_FIT_COLUMNS)], row[len(_FIT_COLUMNS) :]
        row_id, *of_fit = fit
        position, outcome = from_row(path, row_id, of_fit)
        if not all(isinstance(value, str) for value in about[2:]):
            raise damaged_error(path, f"the session of fit number {row_id}")
        values = dict(zip(_FIT_COLUMNS, fit, strict=True))
        values |= dict(zip(_SESSION_COLUMNS, about, strict=True))
        key = (values["run"], *position)
        table.pop(key, None)  # the last row of a fit counts, in the order of the rows
        table[key] = _to_table_row(values, outcome)
    rows = list(table.values())
    frame = pd.DataFrame(rows, columns=None if rows else _FIRST_COLUMNS + _END_COLUMNS)
    frame["finished"] = pd.to_datetime(frame["finished"], unit="s", utc=True)
    return frame if params == "text" else _split_params(frame)


def _split_params(frame: pd.DataFrame) -> pd.DataFrame:
    """Replace the text of the parameters by one column per parameter."""
    texts = frame.pop("params").tolist()
    known = {text: read_params(text) for text in dict.fromkeys(texts)}
    names = sorted({name for values in known.values() for name in values})
    columns = {
        f"param_{name}": [known[text].get(name, float("nan")) for text in texts]
        for name in names
    }
    at = frame.columns.get_loc("split")
    parts = [frame.iloc[:, :at], pd.DataFrame(columns), frame.iloc[:, at:]]
    return pd.concat(parts, axis=1)


def _read_rows(path: Path) -> list[tuple[Any, ...]]:
    """Return all rows of fits, each with its run and session."""
    with read_only(path) as connection:
        # A search that has just begun may not have created the tables yet.
        has_tables = bool(read_schema(connection))
        return connection.execute(_SELECT).fetchall() if has_tables else []


def _to_table_row(values: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    row = {name: values[name] for name in _FIRST_COLUMNS}
    for kind in ("test", "train"):
        scores = outcome.get(f"{kind}_scores", {})
        scores = scores if isinstance(scores, dict) else {"score": scores}
        row.update({f"{kind}_{metric}": score for metric, score in scores.items()})
    return row | {name: values[name] for name in _END_COLUMNS}
