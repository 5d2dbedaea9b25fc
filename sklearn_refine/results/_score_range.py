"""The range of scores that is of interest, and equality of scores.

Plots and importances must leave out the same very bad scores.
"""

from __future__ import annotations

import numpy as np


def score_limits(scores: np.ndarray) -> tuple[float, float]:
    """Return the lowest and highest score to show.

    Very bad scores would hide the differences between the others. They are left out,
    but never more than a quarter of all scores.
    """
    finite = scores[np.isfinite(scores)]
    if not len(finite):
        return 0.0, 1.0
    high = float(finite.max())
    usual = float(np.sort(finite)[len(finite) // 4])
    low = float(finite[finite >= usual - 3 * (high - usual)].min())
    if np.ptp(round_scores(np.array([low, high]))) == 0:
        margin = abs(high) * 0.01 or 0.01
        return low - margin, high + margin
    return low, high


def round_scores(scores: np.ndarray) -> np.ndarray:
    """Return scores rounded to twelve digits, so that equal means compare equal.

    The last digits of a mean depend on the order of the splits.
    """
    return np.array([float(f"{score:.12g}") for score in scores.ravel()]).reshape(
        scores.shape
    )
