"""Callables for `refit` that choose otherwise than by the largest mean."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from sklearn_refine.results._smoothing import expected_ranks
from sklearn_refine.results._table import read_results


def one_standard_error(
    param: str, *, larger_is_simpler: bool = True, metric: str = "score"
) -> Callable[[Mapping[str, Any]], int]:
    """Choose the simplest candidate within one standard error of the best.

    To be passed as `refit` of these searches or of scikit-learn's. The standard error
    is that of the best candidate's mean over the splits. Among the candidates whose
    mean is at most that much lower, the one with the simplest value of a parameter is
    chosen; of several, the one with the best mean. The differences that are given up
    are of the size of the noise between splits; what is gained is a model that is
    more regularised, or smaller.

    Parameters
    ----------
    param : str
        The parameter, by its full name such as ``"mlp__alpha"``. Its values are
        numbers, or layer sizes, which are compared by their sum, then their number.
    larger_is_simpler : bool, default=True
        As for `alpha`. False for `C`, depths and sizes.
    metric : str, default="score"
        The metric, where a search has several.

    Returns
    -------
    refit : callable
        Takes ``cv_results_`` and returns ``best_index_``; it can be pickled. A
        candidate that does not set `param`, or sets it to something else such as
        None, is chosen only if it is the best and no other is near.

    Raises
    ------
    ValueError
        When called, if the results have no such parameter or metric, no candidate has
        a score, or no value of the parameter is a number or layer sizes.

    See Also
    --------
    smoothed_best : The candidate with the best score once the scores are smoothed.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression
    Trees" (1984), section 3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, one_standard_error
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.001, 0.01, 0.1, 1.0]}
    >>> best = RefiningGridSearchCV(Ridge(), grid, n_rounds=1).fit(X, y)
    >>> simplest = RefiningGridSearchCV(
    ...     Ridge(), grid, n_rounds=1, refit=one_standard_error("alpha")
    ... ).fit(X, y)
    >>> best.best_params_, simplest.best_params_
    ({'alpha': 0.001}, {'alpha': 0.1})
    """
    return _OneStandardError(param, larger_is_simpler, metric)


@dataclass(frozen=True)
class _OneStandardError:
    param: str
    larger_is_simpler: bool
    metric: str

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        key = f"mean_test_{self.metric}"
        if key not in cv_results:
            known = [k[10:] for k in cv_results if k.startswith("mean_test_")]
            raise ValueError(
                f"one_standard_error: metric={self.metric!r} is not among the search's "
                f"metrics {known}; pass one of these."
            )
        means = np.asarray(cv_results[key], dtype=float)
        if np.isnan(means).all():
            raise ValueError(
                "one_standard_error: no candidate has a score on every split, so none "
                "can be chosen; correct the scorer or the estimator."
            )
        params = cv_results["params"]
        if not any(self.param in candidate for candidate in params):
            raise ValueError(
                f"one_standard_error: param={self.param!r} is a parameter of no "
                f"candidate; pass one of {sorted({k for c in params for k in c})}."
            )
        sizes = [_size(candidate.get(self.param)) for candidate in params]
        if all(size is None for size in sizes):
            value = next(c[self.param] for c in params if self.param in c)
            raise ValueError(
                f"one_standard_error: {self.param}={value!r} is neither a number nor "
                "layer sizes, nor is any other of its values, so it is not known how "
                "simple they are; pass another param."
            )
        best = int(np.nanargmax(means))
        least = means[best] - self._error(cv_results, best)
        near = {
            int(index): size
            for index in np.flatnonzero(means >= least)
            if (size := sizes[index]) is not None
        }
        if not near:
            return best
        simplest = (max if self.larger_is_simpler else min)(near.values())
        equal = [index for index, size in near.items() if size == simplest]
        return max(equal, key=lambda index: means[index])

    def _error(self, cv_results: Mapping[str, Any], index: int) -> float:
        """Return the standard error of a candidate's mean over the splits."""
        scores: list[float] = []
        while (name := f"split{len(scores)}_test_{self.metric}") in cv_results:
            scores.append(cv_results[name][index])
        if len(scores) < 2:
            return 0.0
        return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def _size(value: Any) -> tuple[float, ...] | None:
    """Return how large a number or layer sizes are; None for anything else."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return None if np.isnan(float(value)) else (float(value),)
    if isinstance(value, (tuple, list, np.ndarray)) and all(
        isinstance(width, Real) for width in value
    ):
        return (float(sum(value)), float(len(value)))
    return None


def smoothed_best(metric: str = "score") -> Callable[[Mapping[str, Any]], int]:
    """Choose the candidate whose score is best once it is smoothed.

    To be passed as `refit` of these searches or of scikit-learn's. The best mean of
    many noisy ones is partly luck. Here a Gaussian process is fitted to all of them,
    as a function of the parameters, and the candidate of which most is expected is
    chosen: one that lies among other good ones, rather than one lucky score.

    Parameters
    ----------
    metric : str, default="score"
        The metric, where a search has several.

    Returns
    -------
    refit : callable
        Takes ``cv_results_`` and returns ``best_index_``; it can be pickled. Only
        candidates with a score on every split are learned from and chosen. Where the
        scores cannot be smoothed (fewer than three candidates, all scores equal, a
        covariance that is numerically singular) a UserWarning says so, and the
        candidate with the best mean is chosen.

    Raises
    ------
    ValueError
        When called, if the results have no such metric, or no candidate has a score.

    See Also
    --------
    one_standard_error : The simplest candidate within one standard error of the best.

    Notes
    -----
    The process is that of :class:`SuccessiveRandomSearchCV`, with a Matern 5/2 kernel
    on the ranks of the means. Numbers are read as linear or logarithmic by their
    values, layer sizes by their depth and widths, everything else as choices. The noise
    of each mean is estimated from its splits, drawn toward that of the others. What is
    expected of a candidate is what the process says, and of its own difference from
    that as much as the spread over the splits does not explain. With more than 500
    candidates, the process is fitted to the 250 best and 250 of the others.

    It helps where noise decides between the best: many candidates, few or noisy splits.
    With little noise it may cost a little, since it takes for noise what is particular
    to a candidate (docs/benchmarks measures both). The noise that all splits share
    cannot be seen, nor smoothed away. scikit-learn's halving searches do not call
    `refit`, so it has no effect there.

    References
    ----------
    P. I. Frazier, "A tutorial on Bayesian optimization" (2018), section 4: the
    solution is the point of the best posterior mean. `arXiv:1807.02811
    <https://arxiv.org/abs/1807.02811>`_.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_refine import smoothed_best
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0]}
    >>> search = GridSearchCV(Ridge(), grid, refit=smoothed_best()).fit(X, y)
    >>> search.best_params_
    {'alpha': 0.001}
    """
    return _SmoothedBest(metric)


@dataclass(frozen=True)
class _SmoothedBest:
    metric: str

    def __call__(self, cv_results: Mapping[str, Any]) -> int:
        try:
            results = read_results(cv_results, self.metric)
        except ValueError as error:
            raise ValueError(f"smoothed_best: {error}") from error
        rows = results.rivals
        if not len(rows):
            raise ValueError(
                "smoothed_best: no candidate has a score on every split, so none can "
                "be chosen; correct the scorer or the estimator."
            )
        try:
            expected = expected_ranks(results, rows)
        except (ValueError, np.linalg.LinAlgError) as error:
            warnings.warn(
                f"smoothed_best: the scores were not smoothed, since {error}; the "
                "candidate with the best mean is chosen.",
                UserWarning,
                stacklevel=2,
            )
            expected = results.scores[rows]
        return int(rows[expected.argmax()])
