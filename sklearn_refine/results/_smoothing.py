"""Scores smoothed over the parameters, by the Gaussian process of the searches.

`smoothed_best`, the report and the landscape use it. All three need the same function.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from sklearn_refine.proposal._gaussian_process import (
    GaussianProcess,
    gaussian_process,
)
from sklearn_refine.proposal._scores import normal_scores, without_rounding
from sklearn_refine.results._score_range import score_limits
from sklearn_refine.results._table import Results

MIN_CANDIDATES = 3
#: The largest number of candidates that the process is fitted to. Half of them are the
#: best candidates, the other half is spread evenly over the ranks of the others.
MAX_CANDIDATES = 500


@dataclass(frozen=True)
class SmoothedScores:
    """A smooth function of the parameters that explains the scores.

    Attributes
    ----------
    process : GaussianProcess
        Fitted to the normal scores, the normal quantiles of the ranks.
    normal, scores : ndarray
        Pairs of a normal (or standardized) score and a score, ascending.
    """

    process: GaussianProcess
    normal: np.ndarray
    scores: np.ndarray

    def predict_normal(self, X: np.ndarray) -> np.ndarray:
        """Return the expected normal scores at the rows of X."""
        return self.process.predict(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the scores at the rows of X, within the range of the known scores."""
        return np.asarray(np.interp(self.predict_normal(X), self.normal, self.scores))

    def predict_band(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the scores one standard deviation below and above the expected."""
        mean, std = self.predict_normal(X), self.relative_std(X) * self._prior_std
        low, high = (
            np.interp(mean + shift, self.normal, self.scores) for shift in (-std, std)
        )
        return np.asarray(low), np.asarray(high)

    def relative_std(self, X: np.ndarray) -> np.ndarray:
        """Return the uncertainty at the rows of X, from 0 to 1 (nothing is known)."""
        covariances = self.process.kernel(self.process.X, X)
        half = solve_triangular(self.process.root, covariances, lower=True)
        known = np.sum(half**2, axis=0) / self._prior_std**2
        return np.asarray(np.sqrt(np.clip(1 - known, 0, 1)))

    @property
    def _prior_std(self) -> float:
        return float(np.exp(self.process.kernel.theta[-2] / 2))


def smooth(
    results: Results, rows: np.ndarray, *, ranked: bool = True
) -> SmoothedScores:
    """Fit a smooth function to the scores of some candidates.

    Parameters
    ----------
    results : Results
        The results of a search.
    rows : ndarray of int
        The candidates to learn from; all of them have a score.
    ranked : bool, default=True
        Whether to fit the ranks of the scores, which resolves differences between good
        candidates. If False, the scores are fitted, with very bad ones moved to the
        lowest score of interest, which keeps distances.

    Raises
    ------
    ValueError
        If there are too few candidates, all scores are equal, or no parameter differs.
    numpy.linalg.LinAlgError
        If the covariance cannot be factored.
    """
    scores = without_rounding(results.scores[rows])
    if len(rows) < MIN_CANDIDATES:
        raise ValueError(f"only {len(rows)} candidates have a score")
    if scores.min() == scores.max():
        raise ValueError("all scores are equal")
    if len(rows) > MAX_CANDIDATES:
        order = np.argsort(-scores, kind="stable")
        n_best = MAX_CANDIDATES // 2
        n_others = MAX_CANDIDATES - n_best
        others = np.linspace(n_best, len(rows) - 1, n_others).astype(int)
        kept = np.sort(order[np.r_[:n_best, others]])
        rows, scores = rows[kept], scores[kept]
    X, groups = results.features(rows)
    if not X.shape[1]:
        raise ValueError("the candidates differ in no parameter")
    if ranked:
        y = normal_scores(scores)
    else:
        scores = np.maximum(scores, score_limits(scores)[0])
        y = (scores - scores.mean()) / scores.std()
    process = gaussian_process(X, y, groups, estimate_noise(results.split_scores[rows]))
    normal, first = np.unique(y, return_index=True)
    return SmoothedScores(process, normal, scores[first])


def expected_normal_scores(results: Results, rows: np.ndarray) -> np.ndarray:
    """Return the expected quality of candidates, as normal scores.

    The expectation is the smooth function, plus the part of each candidate's difference
    from it that is not noise. The process treats the whole difference as noise, but the
    spread over the splits shows how much of it can be noise.

    Parameters
    ----------
    results : Results
        The results of a search.
    rows : ndarray of int
        The candidates; all of them have a score.

    Raises
    ------
    ValueError, numpy.linalg.LinAlgError
        See :func:`smooth`.
    """
    smoothed = smooth(results, rows)
    mean = smoothed.predict_normal(results.features(rows)[0])
    splits = results.split_scores[rows]
    n_splits = splits.shape[1]
    if n_splits < 2 or not np.isfinite(splits).all():
        return mean
    scores = results.scores[rows]
    error = np.sqrt(np.mean(_without_main_effects(splits).var(axis=1)) / (n_splits - 1))
    below, own, above = (
        np.interp(scores + shift, smoothed.scores, smoothed.normal)
        for shift in (-error, 0.0, error)
    )
    noise = np.mean((above - below) ** 2) / 4
    kept = max(0.0, 1 - float(noise) / smoothed.process.kernel.noise)
    return np.asarray(mean + kept * (own - mean))


def estimate_noise(splits: np.ndarray) -> np.ndarray:
    """Return the noise variance of each candidate's mean, relative to the others.

    An effect of a split on all scores is not noise. The variance over a few splits is
    itself uncertain, so it is shrunk toward the median, which counts as ten splits.
    """
    n_splits = splits.shape[1]
    if n_splits < 2 or not np.isfinite(splits).all():
        return np.ones(len(splits))
    variance = _without_main_effects(splits).var(axis=1)
    typical = np.median(variance)
    if not typical > 0:
        return np.ones(len(splits))
    weight = n_splits / (n_splits + 10)
    return np.asarray(1 - weight + weight * np.minimum(variance / typical, 10.0))


def _without_main_effects(splits: np.ndarray) -> np.ndarray:
    """Return each score without the effects of its split and of its candidate."""
    rest = splits - splits.mean(axis=0)
    return np.asarray(rest - rest.mean(axis=1, keepdims=True))
