"""Draw the score of every candidate in the order tried, and the best score so far.

The display draws what `frame` returns and changes nothing of the search.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._figures import new_axes
from sklearn_refine.plotting._frames import candidates_frame
from sklearn_refine.plotting._options import merge_line_options, merge_point_options
from sklearn_refine.plotting._scores import score_limits, set_score_limits
from sklearn_refine.plotting._style import (
    RASTERIZE_ABOVE,
    add_legend_above,
    escape_dollars,
    point_size,
)
from sklearn_refine.results._table import read_search


class SearchHistoryDisplay:
    """Score of every candidate in the order tried, and the best score so far.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    data : DataFrame
        The table that :meth:`frame` returns.

    score_name : str
        Name of the score, used as axis label.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        Figure that contains `ax_`. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters.
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    If a few scores are so bad that they would hide the differences between the others,
    they are drawn as triangles at the lower edge. A failed candidate, without a score
    on some split, is drawn as a cross at the lower edge. A candidate that racing
    stopped is drawn as a hollow point at the mean of the splits it was evaluated on.
    Those splits may be easier than the others. One that was stopped after a part of its
    iterations is drawn as a hollow diamond at its score there.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, SearchHistoryDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = RefiningGridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]}).fit(X, y)
    >>> display = SearchHistoryDisplay.from_search(search)
    >>> display.frame()[["round", "best_so_far"]].round(3).iloc[-1].tolist()
    [3.0, 0.482]
    >>> display = display.plot()
    """

    def __init__(self, *, data: pd.DataFrame, score_name: str) -> None:
        self.data = data
        self.score_name = score_name

    @classmethod
    def from_search(
        cls, search: Any, *, metric: str | None = None
    ) -> SearchHistoryDisplay:
        """Create a display from a fitted search, without drawing it.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.

        Returns
        -------
        display : SearchHistoryDisplay
            The display; :meth:`plot` draws it.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If `search` is not a search.
        ValueError
            If the search has no such metric, or has several and none is named.
        """
        results = read_search(search, metric)
        data = candidates_frame(results)
        data["best_so_far"] = results.best_so_far
        data["seconds"] = results.seconds.cumsum()
        return cls(data=data, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row per candidate, in the order tried. The columns are `round`, `status`
            ("complete", "failed", "dropped" or "paused"), `score`, `best_so_far` and
            `seconds`. `round` is 1 in a search without rounds. In a halving search,
            each iteration is a round, and `best_so_far` starts again with each
            iteration. `seconds` is the total time of all fits and scores up to this
            candidate.
        """
        return self.data.copy()

    def plot(
        self,
        ax: Any = None,
        *,
        x: str = "candidates",
        scatter_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> SearchHistoryDisplay:
        """Draw the scores and the best score so far.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        x : {"candidates", "seconds"}, default="candidates"
            Horizontal axis: the number of candidates, or the total time of their fits
            and scores.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the points.
        line_kw : dict, default=None
            Options of ``Axes.step`` for the best score so far.

        Returns
        -------
        display : SearchHistoryDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `x` is neither "candidates" nor "seconds".
        """
        if x not in ("candidates", "seconds"):
            raise ValueError(f"x={x!r} is unknown; use 'candidates' or 'seconds'.")
        ax = new_axes(type(self).__name__, ax)
        data = self.data
        positions = np.arange(1.0, len(data) + 1)
        if x == "seconds":
            positions = data["seconds"].to_numpy()
        low, high = score_limits(data["score"].to_numpy())
        set_score_limits(ax, low, high)
        if data["round"].nunique() > 1:
            _shade_rounds(ax, positions, data["round"].to_numpy(), x == "candidates")
        self._draw_points(ax, positions, low, scatter_kw or {})
        style = {"color": "black", "label": "best so far", "where": "post"}
        style = merge_line_options(style, line_kw)
        best = data["best_so_far"].to_numpy()
        # In a halving search, the best score starts again with each iteration.
        starts = np.flatnonzero(np.diff(best) < 0) + 1
        for rows in np.split(np.arange(len(best)), starts):
            ax.step(positions[rows], best[rows], **style)
            style["label"] = "_"
        if x == "candidates":
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.set_xlabel("candidates" if x == "candidates" else "seconds of fits")
        ax.set_ylabel(escape_dollars(self.score_name))
        add_legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_points(
        self, ax: Any, positions: np.ndarray, low: float, options: dict[str, Any]
    ) -> None:
        """Draw the candidates, one call per kind of marker."""
        scores = self.data["score"].to_numpy()
        status = self.data["status"].to_numpy()
        bottom = ax.get_ylim()[0]
        size = point_size(len(scores))
        complete = status == "complete"
        below = (status != "failed") & (scores < low)
        hollow = {"facecolor": "none", "edgecolor": "0.45", "linewidth": 0.8}
        filled = {"color": "tab:blue", "alpha": 0.75, "linewidth": 0}
        dropped = (status == "dropped") & (scores >= low)
        paused = (status == "paused") & (scores >= low)
        failed = (status == "failed") | np.isnan(scores)
        edge = {"clip_on": False, "zorder": 3}
        for rows, heights, style in (
            (
                complete & ~below,
                scores,
                {**filled, "marker": "o", "label": "candidate"},
            ),
            (dropped, scores, {**hollow, "marker": "o", "label": "dropped"}),
            (paused, scores, {**hollow, "marker": "D", "label": "paused"}),
            (below, bottom, {**filled, **edge, "marker": "v", "label": "worse"}),
            (
                failed,
                bottom,
                {"color": "black", **edge, "marker": "x", "label": "failed"},
            ),
        ):
            if rows.any():
                y = np.broadcast_to(heights, scores.shape)[rows]
                style |= {"s": size, "rasterized": len(scores) > RASTERIZE_ABOVE}
                ax.scatter(positions[rows], y, **merge_point_options(style, options))


def _shade_rounds(
    ax: Any, positions: np.ndarray, rounds: np.ndarray, between: bool
) -> None:
    """Shade every other round, and write the number of each round."""
    numbers = np.unique(rounds)
    ends = np.array([positions[rounds == number].max() for number in numbers])
    ends = ends + (0.5 if between else 0.0)
    starts = np.r_[0.5 if between else 0.0, ends[:-1]]
    ax.set_xlim(starts[0], ends[-1])
    for number, start, end in zip(numbers.tolist(), starts, ends, strict=True):
        if number % 2 == 0:
            ax.axvspan(start, end, color="0.92", zorder=0, linewidth=0)
        if end - start > 0.02 * ends[-1]:
            ax.annotate(
                str(number) if number > 1 else "round 1",
                ((start + end) / 2, 0.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                color="0.4",
                fontsize=8,
            )
