"""Scores smoothed over the parameters, by the Gaussian process of the searches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_refine.proposal._gaussian_process import (
    GaussianProcess,
    gaussian_process,
)
from sklearn_refine.proposal._surrogate import normal_scores, without_rounding
from sklearn_refine.results._table import Results

#: The fewest candidates that are smoothed, and the most that are learned from: half of
#: them the best, half of them evenly from the others.
FEWEST, MOST = 3, 500


@dataclass(frozen=True)
class Smooth:
    """A smooth function of the parameters that explains the scores.

    Attributes
    ----------
    process : GaussianProcess
        Of the normal scores: the normal quantiles of the ranks.
    normal, scores : ndarray
        Pairs of a normal score and a score, ascending.
    """

    process: GaussianProcess
    normal: np.ndarray
    scores: np.ndarray

    def rank(self, X: np.ndarray) -> np.ndarray:
        """Return the expected normal scores at the rows of X."""
        return self.process.predict(X)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the scores at the rows of X, within the range of those seen."""
        return np.asarray(np.interp(self.rank(X), self.normal, self.scores))


def smooth(results: Results, rows: np.ndarray) -> Smooth:
    """Return the smooth function of the scores of some candidates.

    Parameters
    ----------
    results : Results
        The results of a search.
    rows : ndarray of int
        Which candidates to learn from; all of them have a score.

    Raises
    ------
    ValueError
        If they are too few, or all scores are equal, or no parameter differs.
    numpy.linalg.LinAlgError
        If the covariance cannot be factored.
    """
    scores = without_rounding(results.scores[rows])
    if len(rows) < FEWEST:
        raise ValueError(f"only {len(rows)} candidates have a score")
    if scores.min() == scores.max():
        raise ValueError("all scores are equal")
    if len(rows) > MOST:
        order = np.argsort(-scores, kind="stable")
        rest = np.linspace(MOST // 2, len(rows) - 1, MOST - MOST // 2).astype(int)
        kept = np.sort(order[np.r_[: MOST // 2, rest]])
        rows, scores = rows[kept], scores[kept]
    X, groups = results.features(rows)
    if not X.shape[1]:
        raise ValueError("the candidates differ in no parameter")
    y = normal_scores(scores)
    process = gaussian_process(X, y, groups, noise_of(results.split_scores[rows]))
    normal, first = np.unique(y, return_index=True)
    return Smooth(process, normal, scores[first])


def expected_ranks(results: Results, rows: np.ndarray) -> np.ndarray:
    """Return how good candidates are expected to be, as normal scores.

    That is what the smooth function says, and of each candidate's own difference from
    it the part that is no noise: the process takes all of it for noise, but the splits
    say how much of it can be.

    Parameters
    ----------
    results : Results
        The results of a search.
    rows : ndarray of int
        Which candidates; all of them have a score.

    Raises
    ------
    ValueError, numpy.linalg.LinAlgError
        As :func:`smooth`.
    """
    smoothed = smooth(results, rows)
    mean = smoothed.rank(results.features(rows)[0])
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


def noise_of(splits: np.ndarray) -> np.ndarray:
    """Return how noisy each candidate's mean is, relative to the others.

    What a split adds to the scores of all is no noise. The variance over a few splits
    is itself uncertain, so it is drawn toward the average, which counts as ten splits.
    """
    n_splits = splits.shape[1]
    if n_splits < 2 or not np.isfinite(splits).all():
        return np.ones(len(splits))
    variance = _without_main_effects(splits).var(axis=1)
    average = np.median(variance)
    if not average > 0:
        return np.ones(len(splits))
    weight = n_splits / (n_splits + 10)
    return np.asarray(1 - weight + weight * np.minimum(variance / average, 10.0))


def _without_main_effects(splits: np.ndarray) -> np.ndarray:
    """Return what neither the split nor the candidate explains of each score."""
    rest = splits - splits.mean(axis=0)
    return np.asarray(rest - rest.mean(axis=1, keepdims=True))
