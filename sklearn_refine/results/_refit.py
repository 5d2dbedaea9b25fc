"""Callables for `refit` that do not simply choose the best mean score.

They work with every search that passes ``cv_results_`` to `refit`, and can be pickled.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from sklearn_refine._interrupts import raise_interrupt
from sklearn_refine.results._smoothing import expected_normal_scores
from sklearn_refine.results._table import find_metrics, read_results, read_splits


def one_standard_error(
    param: str, *, larger_is_simpler: bool = True, metric: str = "score"
) -> Callable[[Mapping[str, Any]], int]:
    """Choose the simplest candidate within one standard error of the best.

    Pass the result as `refit` to a search of this package or of scikit-learn. The
    standard error is the error of the best candidate's mean over the splits. All
    candidates whose mean is at most one standard error lower are near the best. The one
    with the simplest value of a parameter is chosen. If several are equally simple, the
    one with the best mean is chosen. The loss in score is of the size of the noise
    between splits. The gain is a smaller or more regularized model.

    Parameters
    ----------
    param : str
        Full name of the parameter that measures simplicity, such as ``"mlp__alpha"``.
        Its values are numbers or layer sizes. Layer sizes are compared by their sum,
        then by their number.
    larger_is_simpler : bool, default=True
        Whether larger values are simpler, as for `alpha`. Set to False for `C`, depths
        and sizes.
    metric : str, default="score"
        Name of the metric, for a search with several metrics.

    Returns
    -------
    refit : callable
        Takes ``cv_results_`` and returns ``best_index_``. It can be pickled. A
        candidate that does not set `param`, or sets it to another type of value such
        as None, is chosen only if it is the best and no other candidate is near.

    Raises
    ------
    ValueError
        When called, if the results have no such parameter or metric, no candidate has
        a score, or no value of the parameter is a number or layer sizes.

    See Also
    --------
    smoothed_best : Choose the candidate with the best smoothed score.

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
            raise ValueError(
                f"one_standard_error: metric={self.metric!r} is not among the search's "
                f"metrics {find_metrics(cv_results)}; pass one of these."
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
        threshold = means[best] - self._standard_error(cv_results, best)
        near = {
            int(index): size
            for index in np.flatnonzero(means >= threshold)
            if (size := sizes[index]) is not None
        }
        if not near:
            return best
        simplest = (max if self.larger_is_simpler else min)(near.values())
        equal = [index for index, size in near.items() if size == simplest]
        return max(equal, key=lambda index: means[index])

    def _standard_error(self, cv_results: Mapping[str, Any], index: int) -> float:
        """Return the standard error of a candidate's mean over the splits."""
        scores = [split[index] for split in read_splits(cv_results, self.metric)]
        if len(scores) < 2:
            return 0.0
        return float(np.std(scores, ddof=1) / np.sqrt(len(scores)))


def _size(value: Any) -> tuple[float, ...] | None:
    """Return a sort key for numbers and layer sizes, or None for other values."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return None if np.isnan(float(value)) else (float(value),)
    if isinstance(value, (tuple, list, np.ndarray)) and all(
        isinstance(width, Real) for width in value
    ):
        return (float(sum(value)), float(len(value)))
    return None


def smoothed_best(metric: str = "score") -> Callable[[Mapping[str, Any]], int]:
    """Choose the candidate with the best smoothed score.

    Pass the result as `refit` to a search of this package or of scikit-learn. The best
    mean of many noisy means is partly luck. Here a Gaussian process is fitted to all
    means, as a function of the parameters, and the candidate with the best expected
    score is chosen. This favors a candidate among other good candidates over a single
    lucky score.

    Parameters
    ----------
    metric : str, default="score"
        Name of the metric, for a search with several metrics.

    Returns
    -------
    refit : callable
        Takes ``cv_results_`` and returns ``best_index_``. It can be pickled. Only
        candidates with a score on every split are used and chosen. If the scores
        cannot be smoothed, the candidate with the best mean is chosen, with a
        UserWarning. This happens with fewer than three candidates, equal scores, or a
        numerically singular covariance.

    Raises
    ------
    ValueError
        When called, if the results have no such metric, or no candidate has a score.

    See Also
    --------
    one_standard_error : Choose the simplest candidate within one standard error.

    Notes
    -----
    The Gaussian process is the same as in :class:`SuccessiveRandomSearchCV`, with a
    Matern 5/2 kernel on the ranks of the means. Numbers are linear or logarithmic by
    their values. Layer sizes are described by depth and widths. All other values are
    choices. The noise of each mean is estimated from its splits and shrunk toward the
    noise of the other means. The expected score of a candidate is the prediction of
    the process, plus the part of its own difference from the prediction that the
    spread over the splits does not explain. With more than 500 candidates, the process
    is fitted to the 250 best and 250 of the others.

    Smoothing helps if noise decides between the best candidates: with many candidates,
    and with few or noisy splits. With little noise it may cost a little, since the
    process treats the special quality of a single candidate as noise. The benchmarks
    in docs/benchmarks measure both cases. Noise that all splits share cannot be seen
    or smoothed away. scikit-learn's halving searches do not call `refit`, so
    `smoothed_best` has no effect there.

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
            expected = expected_normal_scores(results, rows)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise_interrupt()
            warnings.warn(
                f"smoothed_best: the scores were not smoothed, since {error}; the "
                "candidate with the best mean is chosen.",
                UserWarning,
                stacklevel=2,
            )
            expected = results.scores[rows]
        return int(rows[expected.argmax()])
