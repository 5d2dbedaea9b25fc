"""Map scores to axis limits and to colors.

Scores that differ only by rounding errors must look equal everywhere.
"""

from __future__ import annotations

from typing import Any

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


def set_score_limits(ax: Any, low: float, high: float) -> None:
    """Set the limits of a vertical score axis, with room for a line of text below."""
    ax.set_ylim(low - 0.12 * (high - low), high + 0.08 * (high - low))


def color_levels(scores: np.ndarray) -> np.ndarray:
    """Return ascending scores that divide the candidates into tenths.

    Colors change at these levels, so one very bad score does not use up the colors.
    """
    finite = round_scores(scores[np.isfinite(scores)])
    if not len(finite) or finite.min() == finite.max():
        return np.repeat(finite[0] if len(finite) else 0.0, 2)
    return np.unique(round_scores(np.quantile(finite, np.linspace(0, 1, 11))))


def color_positions(scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the positions of scores between the levels, counted from 0.

    Colors are assigned by position. matplotlib cannot distinguish levels that are close
    together compared with the distance to the worst score.
    """
    return np.asarray(np.interp(round_scores(scores), levels, np.arange(len(levels))))


def round_scores(scores: np.ndarray) -> np.ndarray:
    """Return scores rounded to twelve digits, so that equal means compare equal.

    The last digits of a mean depend on the order of the splits.
    """
    return np.array([float(f"{score:.12g}") for score in scores.ravel()]).reshape(
        scores.shape
    )
