"""Lines and warnings of a search for its user: rounds, failed fits, ends of ranges.

Only `print_line` prints, at the verbosity at which scikit-learn does.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_refine._history import Candidate, History, Outcome, is_failed, was_run
from sklearn_refine._sklearn_compat import warn_or_raise_about_fit_failures
from sklearn_refine.results._names import short_names
from sklearn_refine.space._axes import to_python, value_key

#: Most parameter values that a warning names.
MAX_NAMED = 6
#: What to do about errors that data without preparation cause; the first one that fits.
REMEDIES = {
    "could not convert string to float": "X has columns of text. Encode them in a "
    "pipeline, for example with OneHotEncoder in a ColumnTransformer.",
    "Input y contains NaN": "y has missing values. Leave these rows out, for example "
    "with table.dropna(subset=[column]).",
    "NaN": "X has missing values. Fill them in a pipeline, for example with "
    "SimpleImputer, or use a model that accepts them.",
}


def announce_round(
    search: Any, history: History, n_candidates: int, n_rounds: int, seconds: float
) -> None:
    """Print the size of a round and, from the second on, how long it will take."""
    at_most = "at most " if search.racing else ""
    message = (
        f"Fitting {at_most}{history.n_splits} folds for each of {n_candidates} "
        f"candidates, totalling {at_most}{n_candidates * history.n_splits} fits"
    )
    if n_rounds > 1:
        number = len(history.rounds) + 1
        notes = [f"round {number} of {n_rounds}"]
        if history.ranking():
            best = history.best_score()
            notes.append(f"best {_score_name(search, history)} so far {best:.5g}")
        if history.rounds:
            notes.append(f"about {_duration(seconds)}")
        message += f" ({', '.join(notes)})"
    print_line(search, message)


def announce_end(search: Any, history: History, seconds: float) -> None:
    """Print the best score, and why the search ended; a search of one round does not.

    The searches of scikit-learn print nothing here.
    """
    if search._n_rounds_asked() == 1:
        return
    after = f"after {history.n_fits()} fits in {_duration(seconds)}"
    found = "No best candidate"
    index = getattr(search, "best_index_", None)
    if index is not None and not np.isnan(score := history.mean_scores()[index]):
        number = history.round_of[index] + 1
        name = _score_name(search, history)
        found = f"Best {name} {score:.5g} (candidate {index}, round {number})"
    print_line(search, f"{found} {after}: {_describe_end(search)}.")


def explain_resuming(search: Any, error: BaseException) -> None:
    """Add to the error that interrupts a search how to go on from its journal."""
    if search.journal is not None:
        error.add_note(
            f"Finished fits are in the journal {str(search.journal)!r}. Run the same "
            "search on the same data again to go on from there."
        )


def _score_name(search: Any, history: History) -> str:
    is_named = history.metric == "score" and isinstance(search.scoring, str)
    return str(search.scoring if is_named else history.metric)


def _describe_end(search: Any) -> str:
    """Return why a search ended, in words."""
    return {
        "completed": "all rounds were run",
        "exhausted": "no new candidates were left",
        "tol": f"the last round gained less than tol={search.tol}",
        "time_budget": f"time_budget={search.time_budget} s was spent",
        "callback": "a callback asked to stop",
    }[search.stop_reason_]


def announce_edges(search: Any, edges: Mapping[str, str]) -> None:
    """Print the parameters of the best candidate that lie on an end."""
    if edges:
        texts = "; ".join(f"{name}: {text}" for name, text in edges.items())
        print_line(search, f"The best candidate lies on an end of the space. {texts}")


def print_line(search: Any, message: str) -> None:
    """Print a line if the search is `verbose`."""
    if search.verbose > 0:
        print(message)  # noqa: T201 - as scikit-learn does, at the same verbosity


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def check_early_end(search: Any, history: History) -> None:
    """Raise if a round has ended before its last fit, without a result to keep."""
    if search.time_budget is None:
        raise ValueError(
            f"No fits were performed: pre_dispatch={search.pre_dispatch!r} hands out "
            "none. Give 1 or more, or the default, '2*n_jobs'."
        )
    if not history.n_complete():
        raise ValueError(
            f"time_budget={search.time_budget} seconds were over before any candidate "
            f"had run on all {history.n_splits} splits, so none can be chosen; raise "
            "time_budget, or take fewer splits or rows."
        )


def raise_all_failed(outcomes: list[Outcome], error_score: Any) -> None:
    """Raise scikit-learn's error, with a note on the most common cause."""
    causes = Counter(first_line_of_error(outcome["fit_error"]) for outcome in outcomes)
    text, n = causes.most_common(1)[0]
    remedies = (f"\n{remedy}" for part, remedy in REMEDIES.items() if part in text)
    try:
        warn_or_raise_about_fit_failures(outcomes, error_score)
    except ValueError as error:
        error.add_note(f"The error of {n} of these fits: {text}{next(remedies, '')}")
        raise


def first_line_of_error(traceback: str) -> str:
    """Return the class and the first line of the message of an error."""
    lines = traceback.strip().splitlines()
    code = [place for place, line in enumerate(lines) if line.startswith("  ")]
    return lines[min(max(code, default=-1) + 1, len(lines) - 1)]


def warn_about_failures(search: Any, history: History) -> None:
    """Give scikit-learn's warning about failed fits, and say which were invented."""
    outcomes = [outcome for outcome in history.flat_outcomes() if was_run(outcome)]
    if not any(outcome["fit_error"] for outcome in outcomes):
        return
    error_score = np.nan if search.error_score == "raise" else search.error_score
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_or_raise_about_fit_failures(outcomes, error_score)
    for warning in caught:
        text = f"{warning.message}{_explain_invented_failures(history)}"
        warnings.warn(text, warning.category, stacklevel=4)


class _Counts(Protocol):
    """How many fits of a search have not converged."""

    n_fits: int
    texts: Counter[str]
    limits: Counter[tuple[str, Any]]


def warn_about_convergence(search: Any, counts: _Counts) -> None:
    """Give one ConvergenceWarning for all fits that did not converge."""
    search._convergence_note = text = describe_convergence(counts)
    if text:
        common = counts.texts.most_common(1)[0][0].splitlines()[0]
        warnings.warn(
            f"{text} To see the warning of each fit, call "
            'warnings.simplefilter("always", ConvergenceWarning) before fit. The most '
            f"common one was:\n{common}",
            ConvergenceWarning,
            stacklevel=4,
        )


def describe_convergence(counts: _Counts) -> str:
    """Return how many fits have not converged, and what to do about it."""
    n = counts.texts.total()
    if not n:
        return ""
    where, remedy = "", "Raise the number of iterations"
    if counts.limits:
        short = short_names({name for name, _ in counts.limits})
        limits = sorted({f"{short[name]}={value}" for name, value in counts.limits})
        where = f" at {' or '.join(limits[:MAX_NAMED])}"
        remedy = f"Raise {' and '.join(sorted(set(short.values())))}"
    return (
        f"{n} of {counts.n_fits} fits stopped{where} before they converged. {remedy}, "
        "scale the features, or accept it: the candidates were compared as they were "
        "when they stopped."
    )


def _explain_invented_failures(history: History) -> str:
    """Return how many failures the search caused itself, and what they share."""
    failed: list[Candidate] = []
    others: list[Candidate] = []
    n_fits = 0
    for candidate, outcomes in zip(history.candidates, history.outcomes, strict=True):
        n_failed = sum(bool(outcome["fit_error"]) for outcome in outcomes)
        if candidate.invented and n_failed:
            n_fits += n_failed
        if candidate.invented and is_failed(outcomes):
            failed.append(candidate)
        else:
            others.append(candidate)
    if not n_fits:
        return ""
    text = (
        f"\n\n{n_fits} of these failed fits are of candidates that the search itself "
        "proposed in later rounds, with values that are not in param_grid."
    )
    shown = {
        (name, value_key(value)): f"{name}={to_python(value)!r}"
        for candidate in failed
        for name, value in candidate.params.items()
    }
    names = "these parameters"
    if only_failed := shown.keys() - _values(others):
        texts = sorted(shown[place] for place in only_failed)
        more = ", ..." if len(texts) > MAX_NAMED else ""
        values = ", ".join(texts[:MAX_NAMED]) + more
        text += f" No fit with these values succeeded: {values}."
        names = ", ".join(sorted({repr(name) for name, _ in only_failed}))
    return (
        f"{text} Pass bounds={{name: (low, high)}} for {names} to say which values "
        "later rounds may try."
    )


def warn_about_missing_scores(
    caught: Iterable[warnings.WarningMessage],
    results: Mapping[str, Any],
    candidates: Sequence[Candidate],
) -> None:
    """Give scikit-learn's warnings about scores, and say which were invented."""
    means = [results[name] for name in results if name.startswith("mean_test_")]
    missing = ~np.isfinite(np.array(means)).all(axis=0)
    invented = np.array([candidate.invented for candidate in candidates])
    note = ""
    if n_invented := int((missing & invented).sum()):
        note = (
            f"\n\nThe search itself proposed {n_invented} of the candidates without a "
            "score in later rounds. Pass bounds={name: (low, high)} to say "
            "which values later rounds may try."
        )
    for warning in caught:
        warnings.warn_explicit(
            f"{warning.message}{note}",
            warning.category,
            warning.filename,
            warning.lineno,
        )


def _values(candidates: Iterable[Candidate]) -> set[tuple[str, Any]]:
    return {(n, value_key(v)) for c in candidates for n, v in c.params.items()}
