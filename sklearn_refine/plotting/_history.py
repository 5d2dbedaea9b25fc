"""The score of every candidate, and the best so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._options import line_options, point_options
from sklearn_refine.plotting._style import (
    MANY,
    candidates_frame,
    legend_above,
    new_axes,
    plain,
    point_size,
    score_limits,
    set_score_limits,
)
from sklearn_refine.results._table import read_search


class SearchHistoryDisplay:
    """How a search went on: every candidate's score, and the best so far.

    Make one with :meth:`from_search`, for any fitted search: those of this package,
    or scikit-learn's.

    Parameters
    ----------
    data : DataFrame
        As returned by :meth:`frame`.

    score_name : str
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        The figure of `ax_`. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters.
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    Where a few candidates score so badly that differences among the others could not
    be seen, they are drawn as triangles at the lower edge. A candidate without a
    score on every split is drawn as a cross there, or hollow if a race dropped it: it
    shows its mean over the splits it was run on, which may be easier ones.

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
        """Read a fitted search; nothing is drawn.

        Parameters
        ----------
        search : estimator
            A fitted search: anything with ``cv_results_``.
        metric : str, default=None
            Which metric, where there are several. None takes the one of `refit`.

        Returns
        -------
        display : SearchHistoryDisplay
            What :meth:`plot` draws.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is no search.
        ValueError
            If it has no such metric, or several and none is named.
        """
        results = read_search(search, metric)
        data = candidates_frame(results)
        data["best_so_far"] = results.best_so_far
        data["seconds"] = results.seconds.cumsum()
        return cls(data=data, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : DataFrame
            A row for each candidate in the order tried, with `round` (1 where a search
            has none; an iteration of a halving search is a round), `status`
            ("complete", "failed" or "dropped"), `score`, `best_so_far` and `seconds`,
            the time of all fits and scores up to it, one after the other. In a halving
            search, the best so far starts anew with each iteration.
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
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where. None makes a new figure.
        x : {"candidates", "seconds"}, default="candidates"
            What is across: the number of candidates, or the time of all their fits
            and scores, one after the other.
        scatter_kw : dict, default=None
            For the points, as ``Axes.scatter`` takes them.
        line_kw : dict, default=None
            For the best so far, as ``Axes.step`` takes them.

        Returns
        -------
        display : SearchHistoryDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `x` is something else.
        """
        if x not in ("candidates", "seconds"):
            raise ValueError(f"x={x!r} is unknown; use 'candidates' or 'seconds'.")
        ax = new_axes(type(self).__name__, ax)
        data = self.data
        places = np.arange(1.0, len(data) + 1)
        if x == "seconds":
            places = data["seconds"].to_numpy()
        low, high = score_limits(data["score"].to_numpy())
        set_score_limits(ax, low, high)
        if data["round"].nunique() > 1:
            _shade(ax, places, data["round"].to_numpy(), x == "candidates")
        self._scatter(ax, places, low, scatter_kw or {})
        style = {"color": "black", "label": "best so far", "where": "post"}
        style = line_options(style, line_kw)
        best = data["best_so_far"].to_numpy()
        anew = np.flatnonzero(np.diff(best) < 0) + 1  # halving's next iteration
        for rows in np.split(np.arange(len(best)), anew):
            ax.step(places[rows], best[rows], **style)
            style["label"] = "_"
        if x == "candidates":
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        ax.set_xlabel("candidates" if x == "candidates" else "seconds of fits")
        ax.set_ylabel(plain(self.score_name))
        legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _scatter(
        self, ax: Any, places: np.ndarray, low: float, options: dict[str, Any]
    ) -> None:
        scores = self.data["score"].to_numpy()
        status = self.data["status"].to_numpy()
        bottom = ax.get_ylim()[0]
        size = point_size(len(scores))
        complete = status == "complete"
        below = (status != "failed") & (scores < low)
        hollow = {"facecolor": "none", "edgecolor": "0.45", "linewidth": 0.8}
        filled = {"color": "tab:blue", "alpha": 0.75, "linewidth": 0}
        dropped = (status == "dropped") & (scores >= low)
        failed = (status == "failed") | np.isnan(scores)
        edge = {"clip_on": False, "zorder": 3}
        for rows, heights, style in (
            (
                complete & ~below,
                scores,
                {**filled, "marker": "o", "label": "candidate"},
            ),
            (dropped, scores, {**hollow, "marker": "o", "label": "dropped"}),
            (below, bottom, {**filled, **edge, "marker": "v", "label": "worse"}),
            (
                failed,
                bottom,
                {"color": "black", **edge, "marker": "x", "label": "failed"},
            ),
        ):
            if rows.any():
                y = np.broadcast_to(heights, scores.shape)[rows]
                style |= {"s": size, "rasterized": len(scores) > MANY}
                ax.scatter(places[rows], y, **point_options(style, options))


def _shade(ax: Any, places: np.ndarray, rounds: np.ndarray, between: bool) -> None:
    """Shade every other round, and write its number."""
    numbers = np.unique(rounds)
    ends = np.array([places[rounds == number].max() for number in numbers])
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
