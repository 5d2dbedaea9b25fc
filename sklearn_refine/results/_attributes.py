"""The attributes of a fitted search, computed from its history.

Names, order and types must stay the same as in the searches of scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from scipy.stats import rankdata

from sklearn_refine._history import History, Outcome, was_run
from sklearn_refine._sklearn_compat import insert_error_scores

#: Attributes that an earlier fit may have left, of the best candidate and of all.
_BEST_ATTRIBUTES = (
    *("best_index_", "best_params_", "best_score_", "best_estimator_"),
    *("refit_time_", "feature_names_in_"),
)
_OTHER_ATTRIBUTES = ("n_rounds_", "n_fits_", "rounds_", "cv_results_", "multimetric_")


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


def select_preferred(search: Any, history: History) -> int:
    """Return the index of the candidate that a callable ``refit`` selects."""
    with no_warnings():
        results = cv_results(search, history)
    index = search._select_best_index(search.refit, history.metric, results)
    return int(index)


def cv_results(search: Any, history: History) -> dict[str, Any]:
    """Return the history in the form of ``cv_results_``."""
    more: dict[str, list[int]] = {}
    if search._n_rounds_asked() > 1:
        more["round"] = [number + 1 for number in history.round_of]
    n_run = [sum(map(was_run, splits)) for splits in history.outcomes]
    if search.racing:
        more["n_splits_evaluated"] = n_run
    complete = min(n_run) == history.n_splits
    # scikit-learn would warn of a split that was not run as if the fit had failed.
    with nullcontext() if complete else no_warnings():
        results: dict[str, Any] = search._format_results(
            [candidate.params for candidate in history.candidates],
            history.n_splits,
            history.flat_outcomes(),
            more,
        )
    if not complete:
        for name in [name for name in results if name.startswith("rank_")]:
            results[name] = _ranks(results[f"mean_{name.removeprefix('rank_')}"])
        for name in ("fit_time", "score_time"):
            times = history.times(name)
            results[f"mean_{name}"] = np.nanmean(times, axis=1)
            results[f"std_{name}"] = np.nanstd(times, axis=1)
    results["params"] = [candidate.shown for candidate in history.candidates]
    return results


def announce_round(
    search: Any, history: History, n_candidates: int, n_rounds: int
) -> None:
    """Print the number of fits of a round, if the search is `verbose`."""
    if search.verbose <= 0:
        return
    at_most = "at most " if search.racing else ""
    message = (
        f"Fitting {at_most}{history.n_splits} folds for each of {n_candidates} "
        f"candidates, totalling {at_most}{n_candidates * history.n_splits} fits"
    )
    if n_rounds > 1:
        best = f", best {history.metric} so far {history.best_score():.5g}"
        number = len(history.rounds) + 1
        message += f" (round {number} of {n_rounds}{best if history.ranking() else ''})"
    print(message)  # noqa: T201 - as scikit-learn does, at the same verbosity


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
