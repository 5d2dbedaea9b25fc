"""Scores as a model of them is fitted to: estimated, without rounding, transformed.

A change to a transformation changes which candidates later rounds try.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata

from sklearn_refine._history import History, paused_scores, was_run

#: Relative difference below which two scores are equal.
ROUNDING = 1e-12
#: Weights of the scores where the ranks have the weight 1. The first one is for scores
#: without noise. The second one is for a relative noise of `MAX_NOISE` or more.
EXACT_WEIGHT, NOISY_WEIGHT, MAX_NOISE = 4.0, 1.0, 0.25


def estimate_scores(history: History) -> tuple[np.ndarray, np.ndarray]:
    """Return a score for each candidate, and the number of splits behind it.

    The score is the mean over the splits. If a candidate was stopped early, its score
    is the mean over its splits plus a correction: the difference of the complete
    candidates' means over all splits and over these splits. If it was stopped at a
    pause, it is the score there plus what complete candidates gained since; it counts
    as a part of a split. If a fit failed or has no score, the score is NaN. Scores that
    differ only by rounding are made equal.
    """
    scores = history.split_scores()
    means = scores.mean(axis=1)
    n_run = np.full(len(scores), history.n_splits, dtype=float)
    gaps = np.isnan(scores)
    incomplete = np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1)).tolist()
    complete = scores[~gaps.any(axis=1)]
    for row in incomplete:
        run = np.array([was_run(outcome) for outcome in history.outcomes[row]])
        if (gaps[row] & run).any():
            continue
        means[row] = scores[row, run].mean()
        n_run[row] = run.sum()
        if len(complete):
            means[row] += complete.mean() - complete[:, run].mean()
    for row in np.flatnonzero(gaps.all(axis=1)).tolist():
        means[row], n_run[row] = _estimate_from_pause(history, row, means)
    return without_rounding(means), n_run


def _estimate_from_pause(
    history: History, row: int, means: np.ndarray
) -> tuple[float, float]:
    """Return the score of a candidate without a whole fit, and the splits behind it."""
    outcomes = history.outcomes[row]
    at_pauses = history.scores_at_pauses(row)
    if any(map(was_run, outcomes)) or not at_pauses.size:
        return np.nan, float(history.n_splits)
    last = at_pauses[-1]
    gains = [
        means[other] - others[len(at_pauses) - 1].mean()
        for other in range(len(history))
        if all(map(was_run, history.outcomes[other]))
        and (others := history.scores_at_pauses(other)).shape[1:] == last.shape
        and len(others) >= len(at_pauses)
    ]
    gains = [gain for gain in gains if np.isfinite(gain)]
    n_iter, limit = next(
        (outcome["n_iter"], paused_scores(outcome)[-1][0])
        for outcome in outcomes
        if paused_scores(outcome)
    )
    share = limit / n_iter
    return last.mean() + (np.mean(gains) if gains else 0.0), share * len(last)


def without_rounding(scores: np.ndarray) -> np.ndarray:
    """Make scores equal that differ only by rounding.

    The last digits of a mean depend on the order of its numbers.
    """
    order = np.argsort(scores)
    ordered = scores[order]
    sizes = np.abs(ordered)
    with np.errstate(invalid="ignore"):
        tied = np.diff(ordered) <= ROUNDING * np.minimum(sizes[1:], sizes[:-1])
    firsts = np.arange(len(scores))
    firsts[1:][tied] = 0
    equal = np.empty_like(ordered)
    equal[order] = ordered[np.maximum.accumulate(firsts)]
    return equal


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """Return the normal quantiles of the ranks. NaN has the lowest rank.

    So the result depends neither on the scale of the scores nor on outliers.
    """
    # rankdata gets integers: in scipy 1.10 it overflows for the largest floats.
    _, places = np.unique(nan_as_lowest(scores), return_inverse=True)
    y = norm.ppf((rankdata(places) - 0.5) / len(scores))
    return np.asarray((y - y.mean()) / y.std())


def nan_as_lowest(scores: np.ndarray) -> np.ndarray:
    """Replace NaN by minus infinity; infinite scores do not change."""
    return np.asarray(np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf))


def relative_noise(split_scores: np.ndarray) -> float:
    """Return the noise of a mean score, relative to the deviation of the means.

    The noise is what differs between splits, apart from what a split adds to all
    candidates. Only the better half of the complete candidates counts, for a model has
    to tell these apart. The result is 1 if it cannot be told.

    Parameters
    ----------
    split_scores : ndarray of shape (n_candidates, n_splits)
        Score of each candidate on each split, with NaN where there is none.
    """
    complete = split_scores[np.isfinite(split_scores).all(axis=1)]
    if len(complete) < 2 or complete.shape[1] < 2:
        return 1.0
    with np.errstate(all="ignore"):  # scores may be huge, or all equal
        means = complete.mean(axis=1)
        is_better = means >= np.median(means)
        better, means = complete[is_better], means[is_better]
        rest = better - means[:, np.newaxis] - better.mean(axis=0) + means.mean()
        n_candidates, n_splits = better.shape
        variance = (rest**2).sum() / ((n_candidates - 1) * (n_splits - 1)) / n_splits
        noise = np.sqrt(variance) / means.std(ddof=1) if n_candidates > 1 else np.nan
    return float(noise) if np.isfinite(noise) else 1.0


def target_scores(scores: np.ndarray, typical: float, noise: float) -> np.ndarray:
    """Return a weighted mean of normal scores and of the scores themselves.

    Ranks alone would stretch the differences between the best candidates, and scores
    alone those between the worst. The more exact the scores are, the larger is their
    own weight. They are clipped as far below a median as the best is above it. Where
    scores are exact, this is the typical score, which is lower than the median of a
    search that has found good candidates.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Score of each candidate.
    typical : float
        Median of scores that no search has selected.
    noise : float
        Noise of the scores, as `relative_noise` returns it.

    Returns
    -------
    y : ndarray of shape (n,)
        Values with mean 0 and variance 1; zeros if all scores are equal.
    """
    if len(scores) < 2 or scores.min() == scores.max():
        return np.zeros(len(scores))
    ranks = normal_scores(scores)
    # Halves do not overflow.
    limits = np.finfo(float).max * np.array([-0.25, 0.25])
    halves, typical = np.clip(scores, *limits), np.clip(typical, *limits)
    share = min(noise / MAX_NOISE, 1.0)
    median = (1 - share) * typical + share * np.median(halves)
    weight = (1 - share) * EXACT_WEIGHT + share * NOISY_WEIGHT
    best = halves.max()
    if not best > median:
        return ranks
    raw = np.maximum((halves - median) / (best - median), -1.0)
    y = ranks + weight * (raw - raw.mean()) / raw.std()
    return np.asarray((y - y.mean()) / y.std())
