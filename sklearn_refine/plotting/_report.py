"""Write a report about a fitted search as one HTML page.

The page never contains the data. Every name and value in it is escaped.
"""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._html import (
    page_html,
    paragraph_html,
    table_html,
    value_text,
)
from sklearn_refine.plotting._report_figures import report_figures
from sklearn_refine.results._from_journal import as_search
from sklearn_refine.results._parameters import MISSING, short
from sklearn_refine.results._smoothing import smooth
from sklearn_refine.results._table import Results, read_search
from sklearn_refine.space._axes import is_number, to_python

PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "matplotlib")
#: Number of best candidates in the table.
N_LISTED = 10


def search_report(
    search: Any,
    path: Any = "report.html",
    X_test: Any = None,
    y_test: Any = None,
    *,
    metric: str | None = None,
) -> Path:
    """Write a report about a fitted search as one HTML page.

    The page contains its figures, needs no network and has no script. It shows the
    search space, the rounds, the best parameters and candidates, and the time and
    number of fits. It estimates how far the best score may be biased upwards, and lists
    the versions of the packages. It does not contain the data. All names and values
    are escaped.

    Parameters
    ----------
    search : estimator, str or path-like
        Fitted search: any object with ``cv_results_``, including the searches of
        scikit-learn. Or the file that was passed to a search as `journal`, also while
        the search is running.
    path : str or path-like, default="report.html"
        File to write. An existing file is replaced.
    X_test : array-like of shape (n_samples, n_features), default=None
        Held-out data, which the search has not seen, to score `best_estimator_` on.
    y_test : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets of the held-out data.
    metric : str, default=None
        Metric to report, if the search has several. If None, the metric of `refit`.

    Returns
    -------
    path : pathlib.Path
        Path of the written file.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the search is not fitted.
    TypeError
        If `search` is not a search.
    ValueError
        If the search has no such metric, or has several and none is named. If `y_test`
        is given without `X_test`. If test data are given, but the search has no
        `best_estimator_`.

    See Also
    --------
    SearchHistoryDisplay : The first figure of the report.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn_refine import RefiningGridSearchCV, search_report
    >>> X, X_test, y, y_test = train_test_split(
    ...     *load_diabetes(return_X_y=True), random_state=0
    ... )
    >>> search = RefiningGridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]}).fit(X, y)
    >>> with TemporaryDirectory() as folder:
    ...     path = search_report(search, Path(folder) / "report.html", X_test, y_test)
    ...     "Held-out data" in path.read_text(encoding="utf-8")
    True
    """
    search = as_search(search)
    results = read_search(search, metric)
    held_out = _held_out_score(search, results.metric, X_test, y_test)
    estimator = getattr(search, "estimator", None)
    of_estimator = f" of {type(estimator).__name__}" if estimator is not None else ""
    parts = [
        paragraph_html(f"Written {datetime.now():%Y-%m-%d %H:%M}.", note=True),
        *_summary_section(search, results),
        *_best_section(search, results),
        *_optimism_section(results, held_out),
        *_rounds_section(search),
        "<h2>Pictures</h2>",
        *report_figures(search, results),
        *_space_section(search, results),
        *_versions_section(),
    ]
    target = Path(path)
    text = page_html(f"{type(search).__name__}{of_estimator}", parts)
    target.write_text(text, encoding="utf-8")
    return target


def _held_out_score(search: Any, metric: str, X: Any, y: Any) -> float | None:
    """Return the score of `best_estimator_` on held-out data, or None without data."""
    if X is None:
        if y is not None:
            raise ValueError("y_test is given without X_test; pass both, or neither.")
        return None
    best = getattr(search, "best_estimator_", None)
    if best is None:
        raise ValueError(
            "X_test is given, but this search has no best_estimator_ to score: "
            f"refit={getattr(search, 'refit', None)!r}. Fit the search with refit=True "
            "(or the name of a metric), or leave X_test out."
        )
    scorer = search.scorer_
    if isinstance(scorer, dict):
        scorer = scorer[metric]
    score = scorer(best, X, y)
    return float(score[metric] if isinstance(score, dict) else score)


def _summary_section(search: Any, results: Results) -> list[str]:
    """Return the counts, times and the best score of the search."""
    status = pd.Series(results.status)
    n_splits = results.split_scores.shape[1]
    n_fits = getattr(search, "n_fits_", np.isfinite(results.split_scores).sum())
    rows: list[tuple[str, Any]] = []
    if results.best is not None:
        spread = results.split_scores[results.best].std()
        score = f"{results.scores[results.best]:.5g} ± {spread:.2g}"
        rows.append((f"Best {results.label}", f"{score} (mean and spread of splits)"))
    counts = [f"{n} {name}" for name, n in status.value_counts().items()]
    rows += [
        ("Candidates", f"{len(results)}: {', '.join(counts)}"),
        ("Splits", n_splits),
        ("Fits", int(n_fits)),
        ("Time of all fits and scores", _duration_text(float(results.seconds.sum()))),
    ]
    rounds = getattr(search, "rounds_", None)
    if isinstance(rounds, pd.DataFrame):
        duration = _duration_text(float(rounds["seconds"].sum()))
        rows.append(("Time that passed", f"{duration}, without the refit"))
        rows.append(("Ended", getattr(search, "stop_reason_", "")))
    if hasattr(search, "refit_time_"):
        rows.append(("Time of the refit", _duration_text(float(search.refit_time_))))
    return ["<h2>Summary</h2>", table_html(rows)]


def _best_section(search: Any, results: Results) -> list[str]:
    """Return the best parameters, and a table of the best candidates."""
    if results.best is None:
        return [paragraph_html("No candidate has a score on every split.")]
    chosen = int(getattr(search, "best_index_", results.best))
    parts = ["<h2>Best parameters</h2>"]
    if results.params[chosen]:
        parts.append(table_html(sorted(results.params[chosen].items())))
    for name, text in getattr(search, "best_on_edge_", {}).items():
        note = f"{name}: {text}. A wider range may hold better values."
        parts.append(paragraph_html(note, note=True))
    if chosen != results.best:
        parts.append(
            paragraph_html(
                f"The search chose candidate {chosen}, with a mean of "
                f"{results.scores[chosen]:.5g}; candidate {results.best} has the best "
                f"mean of {results.label}, {results.scores[results.best]:.5g}."
            )
        )
    order = results.rivals[np.argsort(-results.scores[results.rivals], kind="stable")]
    names = [parameter.name for parameter in results.varying]
    rows = [
        [
            int(row),
            float(results.scores[row]),
            float(results.split_scores[row].std()),
            *(_candidate_cell(results.parameter(name).values[row]) for name in names),
        ]
        for row in order[:N_LISTED]
    ]
    header = ["candidate", results.label, "spread", *names]
    return [*parts, "<h2>Best candidates</h2>", table_html(rows, header, wrap=False)]


def _candidate_cell(value: Any) -> Any:
    """Return a value for the table of candidates; an estimator becomes its name."""
    is_plain = value is MISSING or isinstance(value, float | int | str)
    return value if is_plain else short(value)


def _optimism_section(results: Results, held_out: float | None) -> list[str]:
    """Compare the best score with less biased estimates."""
    best = results.best
    if best is None:
        return []
    parts = ["<h2>How far the best score may be optimistic</h2>"]
    score, splits = results.scores[best], results.split_scores[best]
    parts.append(
        paragraph_html(
            f"The best score is the highest of {len(results.rivals)} means over "
            f"{len(splits)} splits. Each mean contains noise, so the highest is biased "
            "upwards. The bias grows with more candidates and with fewer splits."
        )
    )
    rows: list[tuple[str, Any]] = [("Best mean", float(score))]
    rows.append(("On each split", ", ".join(f"{value:.4g}" for value in splits)))
    error = float("nan")
    if len(splits) > 1:
        error = float(splits.std(ddof=1) / np.sqrt(len(splits)))
        rows.append(("Standard error over splits", error))
    try:
        smoothed = smooth(results, results.rivals)
        expected = smoothed.predict(results.features(np.array([best]))[0])[0]
        rows.append(("Smoothed over the parameters", float(expected)))
    except (ValueError, np.linalg.LinAlgError):
        pass
    if held_out is not None:
        rows.append(("Held-out data", held_out))
        gap = float(score - held_out)
        in_errors = f" ({abs(gap) / error:.1f} standard errors)" if error > 0 else ""
        higher = "higher" if gap >= 0 else "lower"
        rows.append(("The search's score is", f"{higher} by {abs(gap):.4g}{in_errors}"))
    parts.append(table_html(rows))
    if held_out is None:
        parts.append(
            paragraph_html(
                "No held-out data were given. Only data that the search has not seen "
                "can tell how good the model is: pass X_test and y_test.",
                note=True,
            )
        )
    return parts


def _rounds_section(search: Any) -> list[str]:
    """Return the tables of the rounds and of their windows."""
    rounds = getattr(search, "rounds_", None)
    if not isinstance(rounds, pd.DataFrame):
        return []
    columns = [name for name in rounds.columns if not name.startswith("window_")]
    parts = ["<h2>Rounds</h2>"]
    parts.append(table_html([*rounds[columns].itertuples()], ["round", *columns]))
    names = [name for name in rounds.columns if name not in columns]
    if names:
        rows = [
            [str(row[0]), *map(_windows_text, row[1:])]
            for row in rounds[names].itertuples()
        ]
        header = ["round", *(name.removeprefix("window_") for name in names)]
        text = "The windows of each round, one line per distinct window:"
        parts += [paragraph_html(text), table_html(rows, header, wrap=False)]
    windows = search.windows_[["round", "parameter", "why"]].drop_duplicates()
    rows = [[str(row[0]), *row[1:]] for row in windows.values.tolist() if row[-1]]
    if rows:
        text = "Why windows step past the values tried, or stop there:"
        parts += [paragraph_html(text), table_html(rows, ["round", "parameter", "why"])]
    return parts


def _windows_text(windows: list[tuple[Any, ...]]) -> str:
    """Return the ranges or choices of the windows of a round, one line per window."""
    lines = []
    for window in windows:
        different = dict.fromkeys(map(short, window))
        is_range = len(window) == 2 and all(map(is_number, window))
        lines.append((" to " if is_range else ", ").join(different))
    return "\n".join(dict.fromkeys(lines)) or "not set"


def _space_section(search: Any, results: Results) -> list[str]:
    """Return the values tried of each parameter, and the settings of the search."""
    parts = ["<h2>What was searched</h2>"]
    kinds = {
        "linear": "numbers",
        "log": "numbers (log)",
        "layers": "layer sizes",
    }
    rows = []
    for parameter in results.parameters:
        levels = [value_text(level) for level in parameter.levels]
        if parameter.is_number and len(levels) > 8:
            levels = [f"{len(levels)} from {levels[0]} to {levels[-1]}"]
        elif len(levels) > 20:
            levels = [*levels[:20], f"… {len(levels)} in all"]
        kind = kinds.get(parameter.kind, "choices")
        rows.append((parameter.name, kind, "; ".join(levels)))
    if rows:
        parts.append(table_html(rows, ["parameter", "read as", "values tried"]))
    if hasattr(search, "get_params"):
        given = sorted(search.get_params(deep=False).items())
        settings = [row for item in given for row in _setting_rows(*item)]
        parts += ["<h2>Settings of the search</h2>", table_html(settings)]
    return parts


def _setting_rows(name: str, value: Any) -> list[tuple[str, str]]:
    """Return the rows of one setting; a search space has one row per parameter."""
    if isinstance(value, dict) and value:
        rows = [f"{key}: {_setting_text(part)}" for key, part in value.items()]
        return [(name if index == 0 else "", row) for index, row in enumerate(rows)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        parts = enumerate(value)
        return [row for n, part in parts for row in _setting_rows(f"{name}[{n}]", part)]
    return [(name, _setting_text(value))]


def _setting_text(value: Any) -> str:
    """Return a setting as source code; scipy distributions have no useful repr."""
    dist: Any = getattr(value, "dist", None)
    if not hasattr(dist, "name") or not hasattr(value, "kwds"):
        return repr(value)
    arguments = [repr(to_python(argument)) for argument in value.args]
    arguments += [f"{key}={to_python(part)!r}" for key, part in value.kwds.items()]
    return f"{dist.name}({', '.join(arguments)})"


def _versions_section() -> list[str]:
    """Return the versions of Python and the packages."""
    import sklearn_refine

    rows = [("Python", f"{platform.python_version()} on {platform.system()}")]
    rows.append(("sklearn_refine", sklearn_refine.__version__))
    for name in PACKAGES:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:  # no metadata, e.g. a source tree on the path
            continue
    return ["<h2>Versions</h2>", table_html(rows)]


def _duration_text(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
