"""The attributes of a fitted search, computed from its history.

Names, order and types must stay the same as in the searches of scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sklearn_refine._history import History, Outcome, paused_scores, was_run
from sklearn_refine._interrupts import raise_interrupt
from sklearn_refine._sklearn_compat import insert_error_scores
from sklearn_refine.results._messages import warn_about_missing_scores

#: What a race over iterations adds to outcomes.
_EXTRA = ("paused_scores", "n_iter")

#: Attributes that an earlier fit may have left, of the best candidate and of all.
_BEST_ATTRIBUTES = (
    *("best_index_", "best_params_", "best_score_", "best_estimator_"),
    *("refit_time_", "feature_names_in_", "best_on_edge_"),
)
_OTHER_ATTRIBUTES = (
    *("n_rounds_", "n_fits_", "cv_results_", "multimetric_"),
    *("_rounds_table", "_windows_table", "_convergence_note"),
)


def forget_results(search: Any, *, only_best: bool = False) -> None:
    """Remove the attributes of an earlier fit."""
    others = () if only_best else _OTHER_ATTRIBUTES
    for name in (*_BEST_ATTRIBUTES, *others):
        vars(search).pop(name, None)


def record_metrics(search: Any, history: History) -> bool:
    """Set the metric that ranks candidates; return whether there are several."""
    outcomes = [o for o in history.flat_outcomes() if was_run(o)]
    if callable(search.scoring):
        # The metrics of a callable are only known now. Failed fits get the same keys.
        insert_error_scores(outcomes, search.error_score)
    scores = outcomes[0]["test_scores"]
    if not isinstance(scores, dict):
        return False
    if callable(search.scoring):
        search._check_refit_for_multimetric(scores)
    history.metric = _leading_metric(search, scores)
    for outcome in history.flat_outcomes():
        for name in ("test_scores", "train_scores"):
            # This fit failed before the metrics of the callable were known.
            if not isinstance(outcome.get(name, {}), dict):
                outcome[name] = dict.fromkeys(scores, np.nan)
    return True


def leading_score(search: Any, outcome: Outcome) -> float:
    """Return the score of one fit in the metric that ranks candidates."""
    scores = outcome["test_scores"]
    if isinstance(scores, dict):
        scores = scores[_leading_metric(search, scores)]
    return float(scores)


def _leading_metric(search: Any, scores: Mapping[str, Any]) -> str:
    """Return the metric that ranks candidates: the metric of `refit`, or the first."""
    if isinstance(search.refit, str) and search.refit in scores:
        return search.refit
    for name in scores:
        return name
    raise ValueError(
        f"scoring={search.scoring!r} returned a dict without scores: {scores!r}. "
        "Return a number, or a dict with a number for each metric."
    )


def select_preferred(search: Any, history: History) -> int | None:
    """Return the index of the candidate that a callable ``refit`` selects by now.

    An error between rounds is no reason to end the search: the rounds still to come
    may give the callable what it needs.
    """
    try:
        with no_warnings():
            return _call_refit(search, history)
    except Exception as error:
        raise_interrupt()
        warnings.warn(
            f"refit={search.refit!r} raised {type(error).__name__}: {error}. This was "
            "between rounds, so the search continues without its preference and calls "
            "it again after the last round.",
            UserWarning,
            stacklevel=2,
        )
        return None


def select_best(search: Any, history: History) -> int:
    """Return the index of the best candidate, as ``refit`` says."""
    if callable(search.refit):
        return _call_refit(search, history)
    index = search._select_best_index(search.refit, history.metric, search.cv_results_)
    return int(index)


def _call_refit(search: Any, history: History) -> int:
    """Return the index of the candidate that a callable ``refit`` selects.

    It sees what GridSearchCV could have shown it: candidates with a score on every
    split, and listed ones that failed. Its index is mapped back to ``cv_results_``.
    """
    rows = [i for i in range(len(history)) if _is_presentable(history, i)]
    results = cv_results(search, history, rows)
    index = search._select_best_index(search.refit, history.metric, results)
    return int(rows[index])


def _is_presentable(history: History, index: int) -> bool:
    """Whether a candidate has all its scores, or was listed and has failed."""
    outcomes = history.outcomes[index]
    scored = [
        not outcome["fit_error"] and _has_all_scores(outcome)
        for outcome in outcomes
        if was_run(outcome)
    ]
    if all(scored):
        return len(scored) == history.n_splits  # a race stopped the others
    return not history.candidates[index].invented


def _has_all_scores(outcome: Outcome) -> bool:
    scores = outcome["test_scores"]
    numbers = scores.values() if isinstance(scores, dict) else [scores]
    return not any(number != number for number in numbers)


def cv_results(
    search: Any, history: History, rows: Sequence[int] | None = None
) -> dict[str, Any]:
    """Return the history, or some of its candidates, in the form of ``cv_results_``."""
    rows = range(len(history)) if rows is None else rows
    candidates = [history.candidates[row] for row in rows]
    outcomes = [history.outcomes[row] for row in rows]
    more: dict[str, Any] = {}
    if search._n_rounds_asked() > 1:
        more["round"] = [history.round_of[row] + 1 for row in rows]
    n_run = [sum(map(was_run, splits)) for splits in outcomes]
    if search.racing:
        more["n_splits_evaluated"] = n_run
    if search.racing == "iterations":
        more |= _paused_columns(outcomes)
    complete = min(n_run) == history.n_splits
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results: dict[str, Any] = search._format_results(
            [candidate.params for candidate in candidates],
            history.n_splits,
            [
                {name: value for name, value in outcome.items() if name not in _EXTRA}
                for splits in outcomes
                for outcome in splits
            ],
            more,
        )
    if complete:
        warn_about_missing_scores(caught, results, candidates)
    else:
        # scikit-learn warned of a split that was not run as if the fit had failed.
        for name in [name for name in results if name.startswith("rank_")]:
            results[name] = _ranks(results[f"mean_{name.removeprefix('rank_')}"])
        for name in ("fit_time", "score_time"):
            times = history.times(name)[list(rows)]
            with no_warnings():  # of candidates without a whole fit
                results[f"mean_{name}"] = np.nanmean(times, axis=1)
                results[f"std_{name}"] = np.nanstd(times, axis=1)
    results["params"] = [candidate.shown for candidate in candidates]
    return results


def _paused_columns(outcomes: Sequence[Sequence[Outcome]]) -> dict[str, np.ndarray]:
    """Return how many iterations candidates had, and their scores when they paused.

    The scores are means over the splits on which a candidate paused the last time. NaN
    stands for candidates that do not learn in iterations, or had no time to pause.
    """
    n_iter = np.full(len(outcomes), np.nan)
    scores: dict[str, np.ndarray] = {}
    for row, splits in enumerate(outcomes):
        if "n_iter" in splits[0]:
            n_iter[row] = splits[0]["n_iter"]
            if not was_run(splits[0]):
                n_iter[row] = paused_scores(splits[0])[-1][0]
        pauses = [paused_scores(outcome) for outcome in splits]
        last = [of_fit[-1][1] for of_fit in pauses if of_fit]
        several = next((values for values in last if isinstance(values, dict)), None)
        for name in several or (["score"] if last else []):
            values = [v[name] if isinstance(v, dict) else v for v in last]
            column = scores.setdefault(
                f"partial_test_{name}", np.full(len(outcomes), np.nan)
            )
            column[row] = np.mean(values)
    return {"n_iter_evaluated": n_iter, **scores}


def _ranks(means: np.ndarray) -> np.ndarray:
    """Return ranks from 1. Candidates without a mean share the last rank.

    scikit-learn replaces a missing mean by the lowest mean minus 1, which is equal to
    the lowest mean if that one is very large.
    """
    known = ~np.isnan(means)
    ranks = np.full(len(means), known.sum() + 1, dtype=np.int32)
    ranks[known] = rankdata(-means[known], method="min")
    return ranks


@contextmanager
def no_warnings() -> Iterator[None]:
    """Ignore warnings of NaN scores, which the search gives once, at its end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
