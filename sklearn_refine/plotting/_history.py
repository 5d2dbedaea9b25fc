"""Draw the score of every candidate in the order tried, and the best score so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_refine.plotting._candidates import draw_best, draw_statuses
from sklearn_refine.plotting._display import Labels, SearchDisplay, document_options
from sklearn_refine.plotting._frames import candidates_frame
from sklearn_refine.plotting._interactive import history_figure, is_interactive
from sklearn_refine.plotting._options import merge_line_options
from sklearn_refine.plotting._scores import ScoreScale
from sklearn_refine.plotting._style import (
    add_legend_above,
    escape_dollars,
    next_color,
    score_label,
)
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results

#: What may be across, and the label of the axis.
ACROSS = {
    "candidates": "candidates",
    "fits": "fits",
    "seconds": "seconds of fits",
}


class SearchHistoryDisplay(SearchDisplay):
    """Score of every candidate in the order tried, and the best score so far.

    Create a display with :meth:`from_search`, or with :meth:`from_journal` while the
    search runs. It works for any fitted search, including ``GridSearchCV`` and the
    other searches of scikit-learn.

    Parameters
    ----------
    results : object
        The results of the search.

    parameters : list of object
        The parameters that an interactive plot shows.

    score_name : str
        Name of the score.

    name : str
        Name of the search.

    Attributes
    ----------
    ax_ : matplotlib Axes or None
        Axes with the plot; None if it is interactive. Set by :meth:`plot`.

    figure_ : matplotlib or plotly Figure
        Figure with the plot. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters.
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    The band is one standard error around the best score, over the splits. Candidates
    in it may be equally good.

    If a few scores are so bad that they would hide the differences between the others,
    they are drawn as triangles at the edge. A failed candidate, without a score on some
    split, is drawn as a cross at the edge. A candidate that racing stopped is drawn as
    a hollow point at the mean of the splits it was evaluated on. Those splits may be
    easier than the others. One that was stopped after a part of its iterations is drawn
    as a hollow diamond at its score there.

    Draw two searches on the same axes to compare them. Each has its own color and,
    with `name`, its own names in the legend.

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
    >>> display = display.plot(x="fits", title="Ridge")

    Compare two searches:

    >>> other = RefiningGridSearchCV(Ridge(), {"alpha": [1.0, 3.0, 10.0]}).fit(X, y)
    >>> first = SearchHistoryDisplay.from_estimator(search, name="small")
    >>> second = SearchHistoryDisplay.from_estimator(other, name="large", ax=first.ax_)

    Draw a search while it runs:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "search.db"
    ...     search = search.set_params(journal=path).fit(X, y)
    ...     display = SearchHistoryDisplay.from_journal(path)
    """

    @classmethod
    def _choose(cls, results: Results, params: Sequence[str] | None) -> list[Parameter]:
        """Return the parameters; a history may have none."""
        return results.chosen(params) if results.parameters else []

    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row per candidate, in the order tried. The columns are `round`, `status`
            ("complete", "failed", "dropped" or "paused"), `score`, `best_so_far`,
            `fits` and `seconds`. `round` is 1 in a search without rounds. In a halving
            search, each iteration is a round, and `best_so_far` starts again with each
            iteration. `fits` is the number of fits, and `seconds` the total time of all
            fits and scores, up to this candidate.
        """
        data = candidates_frame(self.results)
        data["best_so_far"] = self.results.best_so_far
        data["fits"] = self.results.n_fits.cumsum()
        data["seconds"] = self.results.seconds.cumsum()
        return data

    @document_options
    def plot(
        self,
        ax: Any = None,
        *,
        x: str = "candidates",
        scatter_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
        score_name: str | None = None,
        negate_score: bool = False,
        name: str | None = None,
        title: str | None = None,
        full_names: bool = False,
        backend: str = "matplotlib",
    ) -> Self:
        """Draw the scores and the best score so far.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, default=None
            Axes to draw on, or figure to add them to. If None, a new figure is created.
        x : {"candidates", "fits", "seconds"}, default="candidates"
            Horizontal axis: the number of candidates or of fits, or the total time of
            their fits and scores.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the points.
        line_kw : dict, default=None
            Options of ``Axes.step`` for the best score so far.
        {common}
        {backend}

        Returns
        -------
        display : SearchHistoryDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If the library that draws is not installed.
        ValueError
            If `x` or `backend` is unknown.
        """
        if x not in ACROSS:
            raise ValueError(f"x={x!r} is unknown; use one of {[*ACROSS]}.")
        labels = self._labels(score_name, negate_score, name, title, full_names)
        data = self.frame()
        if x == "candidates":
            data[x] = np.arange(1.0, len(data) + 1)
        if is_interactive(backend):
            figure = history_figure(self, labels, data[x], data["best_so_far"])
            self.ax_, self.figure_ = None, figure
            return self
        ax = self._axes(ax, labels)
        self._draw(ax, labels, data[x].to_numpy(float), x, scatter_kw, line_kw)
        ax.set_xlabel(ACROSS[x])
        ax.set_ylabel(score_label(labels.score, 40))
        if title is not None:
            ax.figure.suptitle(escape_dollars(title))
        add_legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(
        self,
        ax: Any,
        labels: Labels,
        positions: np.ndarray,
        x: str,
        scatter_kw: dict[str, Any] | None,
        line_kw: dict[str, Any] | None,
    ) -> None:
        """Draw the rounds, the band, the line and the points, in this order."""
        results, is_first = self.results, not ax.has_data()
        scale = ScoreScale.of(results.scores, labels.sign)
        scale.set_limits(ax)
        color = next_color(ax)
        start = 0.5 if x == "candidates" else 0.0
        end = positions[-1] + max(start, 0.015 * positions[-1], 1e-9)
        if not is_first:
            start, end = min(start, ax.get_xlim()[0]), max(end, ax.get_xlim()[1])
        elif len(np.unique(results.rounds)) > 1:
            _shade_rounds(ax, positions, results.rounds, (start, end), scale)
        ax.set_xlim(start, end)
        self._draw_band(ax, labels, color)
        self._draw_best_so_far(ax, labels, positions, color, line_kw)
        draw_statuses(ax, results, positions, scale, scatter_kw, color=color)
        if results.best is not None:
            text = f"best {labels.sign * results.scores[results.best]:.4g}"
            text = f"{labels.name}: {text}" if labels.name else text
            draw_best(ax, results, positions, scale, color=color, label=text)
        if x != "seconds":
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)

    def _draw_band(self, ax: Any, labels: Labels, color: Any) -> None:
        """Draw one standard error around the best score."""
        row = self.results.best
        error = 0.0 if row is None else self.results.standard_errors[row]
        if error > 0:  # it is NaN for one split
            best = labels.sign * self.results.scores[row]
            style = {"color": color, "alpha": 0.1, "linewidth": 0, "zorder": 0}
            label = "±1 standard error of the best"
            ax.axhspan(best - error, best + error, label=label, **style)

    def _draw_best_so_far(
        self,
        ax: Any,
        labels: Labels,
        positions: np.ndarray,
        color: Any,
        options: dict[str, Any] | None,
    ) -> None:
        """Draw the line of the best score so far."""
        label = f"{labels.name}: best so far" if labels.name else "best so far"
        style = {"color": color, "label": label, "where": "post", "zorder": 1.5}
        style = merge_line_options(style | {"linewidth": 1.4}, options)
        best = self.results.best_so_far
        # In a halving search, the best score starts again with each iteration.
        starts = np.flatnonzero(np.diff(best) < 0) + 1
        for rows in np.split(np.arange(len(best)), starts):
            ax.step(positions[rows], labels.sign * best[rows], **style)
            style["label"] = "_"


def _shade_rounds(
    ax: Any,
    positions: np.ndarray,
    rounds: np.ndarray,
    limits: tuple[float, float],
    scale: ScoreScale,
) -> None:
    """Shade every other round, and write its number where the good scores are."""
    numbers = np.unique(rounds)
    # A round ends half-way to the next candidate, and the last one at the limit.
    firsts = [int(np.flatnonzero(rounds == number)[0]) for number in numbers]
    inner = [(positions[row - 1] + positions[row]) / 2 for row in firsts[1:]]
    starts, ends = [limits[0], *inner], [*inner, limits[1]]
    up = scale.edge == 0
    for number, start, end in zip(numbers.tolist(), starts, ends, strict=True):
        if number % 2 == 0:
            ax.axvspan(start, end, color="0.94", zorder=-1, linewidth=0)
        long = end - start > 0.12 * ends[-1]
        if end - start > 0.025 * ends[-1]:
            ax.annotate(
                f"round {number}" if long else str(number),
                ((start + end) / 2, 1.0 if up else 0.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, -4 if up else 4),
                textcoords="offset points",
                ha="center",
                va="top" if up else "bottom",
                color="0.4",
                fontsize=8,
            )
