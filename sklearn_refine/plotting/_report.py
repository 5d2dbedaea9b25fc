"""Write a report about a fitted search as one HTML page.

The page never contains the data. Every name and value in it is escaped.
"""

from __future__ import annotations

import platform
from datetime import datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._advice import advise
from sklearn_refine.plotting._display import search_name
from sklearn_refine.plotting._html import (
    candidate_cell,
    contents_html,
    heading_html,
    list_html,
    page_html,
    paragraph_html,
    table_html,
    value_text,
)
from sklearn_refine.plotting._numbers import (
    duration_text,
    round_to_error,
    with_error,
)
from sklearn_refine.plotting._report_figures import report_figures
from sklearn_refine.plotting._report_rounds import rounds_section
from sklearn_refine.results._from_journal import JournalSearch, as_search
from sklearn_refine.results._held_out import score_held_out
from sklearn_refine.results._names import short_names
from sklearn_refine.results._smoothing import smooth
from sklearn_refine.results._table import Results, read_search
from sklearn_refine.results._variance import (
    Importances,
    comparable_candidates,
    compute_importances,
)
from sklearn_refine.space._axes import to_python

PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "matplotlib")
#: Number of best candidates in the table.
N_LISTED = 10
NO_ADVICE = (
    "Nothing stands out: the best candidate lies inside the range that was tried, and "
    "no fits failed."
)


def search_report(
    search: Any,
    path: Any = "report.html",
    X_test: Any = None,
    y_test: Any = None,
    *,
    metric: str | None = None,
) -> ReportPath:
    """Write a report about a fitted search as one HTML page.

    The page contains its figures, needs no network and has no script. It shows the best
    parameters and candidates, the rounds, the search space, and the time and number of
    fits. It says what to do next: best values on an end of their range, parameters
    without effect, failed and unconverged fits, and candidates that are as good as the
    best within the noise. It estimates how far the best score may be biased upwards. It
    does not contain the data. All names and values are escaped.

    Parameters
    ----------
    search : estimator, str or path-like
        Fitted search: any object with ``cv_results_``, including the searches of
        scikit-learn. Or the file that was passed to a search as `journal`, also while
        the search is running.
    path : str or path-like, default="report.html"
        File to write. An existing file is replaced.
    X_test : array-like of shape (n_samples, n_features), default=None
        Held-out data, which the search has not seen, to score `best_estimator_` on. The
        standard error of that score is estimated from bootstrap samples of the rows.
    y_test : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets of the held-out data.
    metric : str, default=None
        Metric to report, if the search has several. If None, the metric of `refit`.

    Returns
    -------
    path : ReportPath
        Path of the written file, a :class:`pathlib.Path`. A notebook shows it as a
        link.

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
    _check_held_out(search, X_test, y_test)
    held_out = None
    if X_test is not None:
        held_out = score_held_out(search, results.metric, X_test, y_test)
    estimator = getattr(search, "estimator", None)
    of_estimator = f" of {type(estimator).__name__}" if estimator is not None else ""
    if isinstance(search, JournalSearch):
        of_estimator = f" of {search.estimator_name}"
    best = results.best
    error = float("nan") if best is None else float(results.standard_errors[best])
    importances = _importances(results)
    advice = advise(search, results, importances)
    sections = {
        "Summary": _summary_section(search, results),
        "What to do next": [
            list_html(advice, "advice") if advice else paragraph_html(NO_ADVICE)
        ],
        **_best_sections(search, results),
        "How optimistic the score is": _optimism_section(results, held_out),
        "Rounds": rounds_section(search, error),
        "Pictures": report_figures(search, results, importances),
        "What was searched": _space_section(results),
        "Settings of the search": _settings_section(search),
        "Versions": _versions_section(),
    }
    sections = {title: parts for title, parts in sections.items() if parts}
    parts = [
        paragraph_html(f"Written {datetime.now():%Y-%m-%d %H:%M}.", note=True),
        contents_html(sections),
    ]
    for title, section in sections.items():
        parts += [heading_html(title), *section]
    target = ReportPath(path)
    text = page_html(f"{search_name(search)}{of_estimator}", parts)
    target.write_text(text, encoding="utf-8")
    return target


class ReportPath(type(Path())):  # type: ignore[misc]  # until Python 3.11 is dropped
    """The path of a report. A notebook shows it as a link."""

    def _repr_html_(self) -> str:
        try:  # a notebook opens what is in its folder
            target = self.resolve().relative_to(Path.cwd()).as_posix()
        except ValueError:
            target = self.resolve().as_uri()
        return (
            f'Report: <a href="{escape(target)}" target="_blank">'
            f"{escape(str(self))}</a>"
        )


def _check_held_out(search: Any, X: Any, y: Any) -> None:
    """Raise if there are no data, or no model, to compute the held-out score with."""
    if X is None:
        if y is not None:
            raise ValueError("y_test is given without X_test; pass both, or neither.")
    elif getattr(search, "best_estimator_", None) is None:
        raise ValueError(
            "X_test is given, but this search has no best_estimator_ to score: "
            f"refit={getattr(search, 'refit', None)!r}. Fit the search with refit=True "
            "(or the name of a metric), or leave X_test out."
        )


def _importances(results: Results) -> Importances | None:
    """Return the importances of parameters, if there are enough candidates."""
    if len(comparable_candidates(results)) < 3 or not results.varying:
        return None
    return compute_importances(results, 0)


def _summary_section(search: Any, results: Results) -> list[str]:
    """Return the counts, times and the best score of the search."""
    counts = pd.Series(results.status).value_counts()
    status = ", ".join(f"{n} {name}" for name, n in counts.items())
    if len(counts) == 1:
        status = f"all {counts.index[0]}"
    n_splits = results.split_scores.shape[1]
    n_fits = getattr(search, "n_fits_", np.isfinite(results.split_scores).sum())
    rows: list[tuple[str, Any]] = []
    if results.best is not None:
        error = results.standard_errors[results.best]
        score = with_error(results.scores[results.best], error)
        if n_splits > 1:
            score += f" (mean and standard error of {n_splits} splits)"
        rows.append((f"Best {results.label}", score))
    rows += [
        ("Candidates", f"{len(results)}: {status}"),
        ("Splits", n_splits),
        ("Fits", int(n_fits)),
        ("Time of all fits and scores", duration_text(float(results.seconds.sum()))),
    ]
    rounds = getattr(search, "rounds_", None)
    if isinstance(rounds, pd.DataFrame):
        duration = duration_text(float(rounds["seconds"].sum()))
        rows.append(("Time that passed", f"{duration}, without the refit"))
        rows.append(("Ended", getattr(search, "stop_reason_", None) or "not yet"))
    if hasattr(search, "refit_time_"):
        rows.append(("Time of the refit", duration_text(float(search.refit_time_))))
    return [table_html(rows)]


def _best_sections(search: Any, results: Results) -> dict[str, list[str]]:
    """Return the best parameters, and a table of the best candidates."""
    if results.best is None:
        text = "No candidate has a score on every split."
        return {"Best candidates": [paragraph_html(text)]}
    chosen = int(getattr(search, "best_index_", results.best))
    parts = []
    if results.params[chosen]:
        parts.append(table_html(sorted(results.params[chosen].items())))
    for name, text in getattr(search, "best_on_edge_", {}).items():
        parts.append(paragraph_html(f"{name}: {text}.", note=True))
    errors = results.standard_errors
    if chosen != results.best:
        both = (chosen, results.best)
        own, best = (with_error(results.scores[row], errors[row]) for row in both)
        parts.append(
            paragraph_html(
                f"The search chose candidate {chosen}, with a mean of {own}; candidate "
                f"{results.best} has the best mean of {results.label}, {best}."
            )
        )
    order = results.rivals[np.argsort(-results.scores[results.rivals], kind="stable")]
    parameters = results.varying
    names = short_names([parameter.name for parameter in parameters])
    rows = [
        [
            int(row),
            round_to_error(results.scores[row], errors[results.best]),
            round_to_error(errors[row], errors[results.best]),
            *(candidate_cell(parameter.values[row]) for parameter in parameters),
        ]
        for row in order[:N_LISTED]
    ]
    header = ["candidate", results.label, "SE", *names.values()]
    full = {name: full for full, name in names.items()}
    full = {"SE": "standard error of the mean over the splits"} | full
    table = table_html(rows, header, wrap=False, full_names=full)
    return {"Best parameters": parts, "Best candidates": [table]}


def _optimism_section(
    results: Results, held_out: tuple[float, float] | None
) -> list[str]:
    """Compare the best score with less biased estimates."""
    best = results.best
    if best is None:
        return []
    score, splits = results.scores[best], results.split_scores[best]
    error = float(results.standard_errors[best])
    parts = [
        paragraph_html(
            f"The best score is the highest of {len(results.rivals)} means over "
            f"{len(splits)} splits. Each mean contains noise, so the highest is biased "
            "upwards. The bias grows with more candidates and with fewer splits."
        )
    ]
    rows: list[tuple[str, Any]] = [("Best mean", with_error(score, error))]
    values = ", ".join(round_to_error(value, error) for value in splits)
    rows.append(("On each split", values))
    try:
        smoothed = smooth(results, results.rivals)
        expected = smoothed.predict(results.features(np.array([best]))[0])[0]
        text = round_to_error(float(expected), error)
        rows.append(("Smoothed over the parameters", text))
    except (ValueError, np.linalg.LinAlgError):
        pass
    if held_out is None:
        note = (
            "No held-out data were given. Only data that the search has not seen can "
            "tell how good the model is: pass X_test and y_test."
        )
        return [*parts, table_html(rows), paragraph_html(note, note=True)]
    rows.append(("Held-out data", with_error(*held_out)))
    rows.append(("The best mean is", _gap_text(score, error, *held_out)))
    note = (
        "The standard error of the best mean is over the splits. The standard error "
        "of the held-out score is over bootstrap samples of its rows. A gap of less "
        "than two standard errors may be chance."
        if np.isfinite(held_out[1])
        else "The standard error of the held-out score cannot be estimated: samples of "
        "its rows all have the same score, or none."
    )
    return [*parts, table_html(rows), paragraph_html(note, note=True)]


def _gap_text(score: float, error: float, held_out: float, its_error: float) -> str:
    """Return how far two scores differ, also in standard errors of the difference."""
    gap = float(score - held_out)
    both = float(np.hypot(error, its_error))
    side = "higher" if gap >= 0 else "lower"
    text = f"{side} by {with_error(abs(gap), both)}"
    if np.isfinite(both) and both > 0:
        text += f" ({abs(gap) / both:.1f} standard errors of the difference)"
    return text


def _space_section(results: Results) -> list[str]:
    """Return the values tried of each parameter."""
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
    return [table_html(rows, ["parameter", "read as", "values tried"])] if rows else []


def _settings_section(search: Any) -> list[str]:
    """Return the parameters of the search."""
    if not hasattr(search, "get_params"):
        return []
    given = sorted(search.get_params(deep=False).items())
    settings = [row for item in given for row in _setting_rows(*item)]
    return [table_html(settings)]


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
    return [table_html(rows)]
