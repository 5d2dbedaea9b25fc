"""Map scores to axis limits and to colors.

Scores that differ only by rounding errors must look equal everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.plotting._style import number_labels
from sklearn_refine.results._score_range import round_scores, score_limits


@dataclass(frozen=True)
class ScoreScale:
    """The scores that an axis shows, and their direction.

    Attributes
    ----------
    low, high : float
        Worst and best score to show, before `sign`.
    sign : {1, -1}
        Factor of the drawn scores. With -1, lower is better.
    """

    low: float
    high: float
    sign: int

    @classmethod
    def of(cls, scores: np.ndarray, sign: int) -> ScoreScale:
        """Return the scale for all these scores but very bad ones."""
        return cls(*score_limits(scores), sign)

    @property
    def edge(self) -> float:
        """The edge of bad scores, as a share of the height of the axes."""
        return 0.0 if self.sign > 0 else 1.0

    @property
    def worse_marker(self) -> str:
        """Marker of scores that are too bad to be shown, at the edge."""
        return "v" if self.sign > 0 else "^"

    @property
    def worse_label(self) -> str:
        """Legend of scores that are too bad to be shown."""
        word = "below" if self.sign > 0 else "above"
        return f"{word} {number_labels([self.sign * self.low, self.high])[0]}"

    def set_limits(self, ax: Any) -> None:
        """Set the limits of a vertical axis, with room for text at both ends.

        Scores that the axes already show stay visible.
        """
        bad, good = self.sign * self.low, self.sign * self.high
        ends = [bad - 0.1 * (good - bad), good + 0.1 * (good - bad)]
        if ax.has_data():
            ends += ax.get_ylim()
        ax.set_ylim(min(ends), max(ends))


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
