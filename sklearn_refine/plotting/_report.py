"""A page about a fitted search."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._html import page, paragraph, table, text_of
from sklearn_refine.plotting._report_pictures import pictures
from sklearn_refine.results._parameters import MISSING, short
from sklearn_refine.results._smoothing import smooth
from sklearn_refine.results._table import Results, read_search
from sklearn_refine.space._axes import is_number, to_python

PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "joblib", "matplotlib")
#: How many of the best candidates are listed.
N_LISTED = 10


def search_report(
    search: Any,
    path: Any = "report.html",
    X_test: Any = None,
    y_test: Any = None,
    *,
    metric: str | None = None,
) -> Path:
    """Write a page about a fitted search: what it did, found, and may overrate.

    The page is one HTML file with its pictures inside: it needs no network and holds
    no script. It says what was searched, the rounds, the best parameters and
    candidates, the time and number of fits, how far the best score may be too good, and
    the versions of the packages. Everything in it is shown as text, whatever
    it is. The data are not in it.

    Parameters
    ----------
    search : estimator
        A fitted search: anything with ``cv_results_``, scikit-learn's own included.
    path : str or path-like, default="report.html"
        The file to write. A file of that name is replaced.
    X_test : array-like of shape (n_samples, n_features), default=None
        Data that the search has not seen, to score the refitted best candidate on.
    y_test : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Their targets.
    metric : str, default=None
        Which metric, where there are several. None takes the one of `refit`.

    Returns
    -------
    path : pathlib.Path
        The file that was written.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    NotFittedError
        If the search is not fitted.
    TypeError
        If it is no search.
    ValueError
        If it has no such metric, or several and none is named; if `y_test` is given
        without `X_test`, or test data are given to a search that has no refitted best
        estimator.

    See Also
    --------
    SearchHistoryDisplay : The first of its pictures.

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
    results = read_search(search, metric)
    held_out = _held_out(search, results.metric, X_test, y_test)
    estimator = getattr(search, "estimator", None)
    of_what = f" of {type(estimator).__name__}" if estimator is not None else ""
    parts = [
        paragraph(f"Written {datetime.now():%Y-%m-%d %H:%M}.", note=True),
        *_summary(search, results),
        *_best(search, results),
        *_optimism(results, held_out),
        *_rounds(search),
        "<h2>Pictures</h2>",
        *pictures(search, results),
        *_searched(search, results),
        *_versions(),
    ]
    target = Path(path)
    text = page(f"{type(search).__name__}{of_what}", parts)
    target.write_text(text, encoding="utf-8")
    return target


def _held_out(search: Any, metric: str, X: Any, y: Any) -> float | None:
    """Return the score of the refitted best candidate on other data."""
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


def _summary(search: Any, results: Results) -> list[str]:
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
        ("Time of all fits and scores", _duration(float(results.seconds.sum()))),
    ]
    rounds = getattr(search, "rounds_", None)
    if isinstance(rounds, pd.DataFrame):
        passed = _duration(float(rounds["seconds"].sum()))
        rows.append(("Time that passed", f"{passed}, without the refit"))
        rows.append(("Ended", getattr(search, "stop_reason_", "")))
    if hasattr(search, "refit_time_"):
        rows.append(("Time of the refit", _duration(float(search.refit_time_))))
    return ["<h2>Summary</h2>", table(rows)]


def _best(search: Any, results: Results) -> list[str]:
    if results.best is None:
        return [paragraph("No candidate has a score on every split.")]
    chosen = int(getattr(search, "best_index_", results.best))
    parts = ["<h2>Best parameters</h2>"]
    if results.params[chosen]:
        parts.append(table(sorted(results.params[chosen].items())))
    if chosen != results.best:
        parts.append(
            paragraph(
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
            *(_listed(results.parameter(name).values[row]) for name in names),
        ]
        for row in order[:N_LISTED]
    ]
    header = ["candidate", results.label, "spread", *names]
    return [*parts, "<h2>Best candidates</h2>", table(rows, header, wrap=False)]


def _listed(value: Any) -> Any:
    """Return a value for a list of candidates: an estimator by its name."""
    is_plain = value is MISSING or isinstance(value, float | int | str)
    return value if is_plain else short(value)


def _optimism(results: Results, held_out: float | None) -> list[str]:
    """Say how far the best score may be too good."""
    best = results.best
    if best is None:
        return []
    parts = ["<h2>How far the best score may be optimistic</h2>"]
    score, splits = results.scores[best], results.split_scores[best]
    parts.append(
        paragraph(
            f"It is the best of {len(results.rivals)} means over {len(splits)} splits, "
            "each with its own luck, and so partly the luckiest. The more candidates "
            "and the fewer splits, the more it flatters itself."
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
    parts.append(table(rows))
    if held_out is None:
        parts.append(
            paragraph(
                "No held-out data were given. Only data that the search has not seen "
                "can tell how good the model is: pass X_test and y_test.",
                note=True,
            )
        )
    return parts


def _rounds(search: Any) -> list[str]:
    rounds = getattr(search, "rounds_", None)
    if not isinstance(rounds, pd.DataFrame):
        return []
    of_round = [name for name in rounds.columns if not name.startswith("window_")]
    parts = ["<h2>Rounds</h2>"]
    parts.append(table([*rounds[of_round].itertuples()], ["round", *of_round]))
    names = [name for name in rounds.columns if name not in of_round]
    if names:
        rows = [
            [str(row[0]), *map(_window, row[1:])] for row in rounds[names].itertuples()
        ]
        header = ["round", *(name.removeprefix("window_") for name in names)]
        text = "What each round looked at, around each of its centers:"
        parts += [paragraph(text), table(rows, header, wrap=False)]
    return parts


def _window(windows: list[tuple[Any, ...]]) -> str:
    """Return the ranges or choices of some windows, different ones a line each."""
    lines = []
    for window in windows:
        different = dict.fromkeys(map(short, window))
        is_range = len(window) == 2 and all(map(is_number, window))
        lines.append((" to " if is_range else ", ").join(different))
    return "\n".join(dict.fromkeys(lines)) or "not set"


def _searched(search: Any, results: Results) -> list[str]:
    parts = ["<h2>What was searched</h2>"]
    kinds = {
        "linear": "numbers",
        "log": "numbers (log)",
        "layers": "layer sizes",
    }
    rows = []
    for parameter in results.parameters:
        levels = [text_of(level) for level in parameter.levels]
        if parameter.is_number and len(levels) > 8:
            levels = [f"{len(levels)} from {levels[0]} to {levels[-1]}"]
        elif len(levels) > 20:
            levels = [*levels[:20], f"… {len(levels)} in all"]
        kind = kinds.get(parameter.kind, "choices")
        rows.append((parameter.name, kind, "; ".join(levels)))
    if rows:
        parts.append(table(rows, ["parameter", "read as", "values tried"]))
    if hasattr(search, "get_params"):
        given = search.get_params(deep=False)
        settings = [row for item in sorted(given.items()) for row in _setting(*item)]
        parts += ["<h2>Settings of the search</h2>", table(settings)]
    return parts


def _setting(name: str, value: Any) -> list[tuple[str, str]]:
    """Return a parameter of the search as rows, a search space as one a parameter."""
    if isinstance(value, dict) and value:
        rows = [f"{key}: {_given(part)}" for key, part in value.items()]
        return [(name if place == 0 else "", row) for place, row in enumerate(rows)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        parts = enumerate(value)
        return [row for n, part in parts for row in _setting(f"{name}[{n}]", part)]
    return [(name, _given(value))]


def _given(value: Any) -> str:
    """Return how a value may have been written; scipy's distributions do not say."""
    dist: Any = getattr(value, "dist", None)
    if not hasattr(dist, "name") or not hasattr(value, "kwds"):
        return repr(value)
    given = [repr(to_python(argument)) for argument in value.args]
    given += [f"{key}={to_python(part)!r}" for key, part in value.kwds.items()]
    return f"{dist.name}({', '.join(given)})"


def _versions() -> list[str]:
    import sklearn_refine

    rows = [("Python", f"{platform.python_version()} on {platform.system()}")]
    rows.append(("sklearn_refine", sklearn_refine.__version__))
    for name in PACKAGES:
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:  # installed in another way
            continue
    return ["<h2>Versions</h2>", table(rows)]


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
