"""Draw every candidate as a line across parallel axes, one per parameter.

Candidates whose scores differ only by rounding errors must have the same color.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_refine.plotting._figures import new_axes
from sklearn_refine.plotting._frames import (
    candidates_frame,
    free_column_name,
    object_array,
)
from sklearn_refine.plotting._options import merge_collection_options
from sklearn_refine.plotting._parameter_axis import choose_evenly
from sklearn_refine.plotting._scores import round_scores, score_limits
from sklearn_refine.plotting._style import (
    COLORMAP,
    RASTERIZE_ABOVE,
    distinct_number_labels,
    escape_dollars,
    parameter_label,
    score_label,
    truncate,
)
from sklearn_refine.results._parameters import MISSING, Parameter
from sklearn_refine.results._table import read_search

#: Height of a line at a parameter that its candidate does not set.
NOT_SET_HEIGHT = -0.14


class ParallelCoordinateDisplay:
    """Parallel coordinates: a line across its parameters for every candidate.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    data : DataFrame
        The table that :meth:`frame` returns.

    parameters : list of object
        The parameters with their values, as read from the search.

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
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    Darker lines have better scores and are drawn above the others. Candidates without a
    score on every split are left out. If a candidate does not set a parameter, its line
    passes below the axis of that parameter.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_refine import ParallelCoordinateDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0], "solver": ["auto", "svd"]}
    >>> search = GridSearchCV(Ridge(), grid).fit(X, y)
    >>> display = ParallelCoordinateDisplay.from_search(search)
    >>> display.frame().columns.tolist()
    ['round', 'alpha', 'solver', 'score']
    >>> display = display.plot()
    """

    def __init__(
        self, *, data: pd.DataFrame, parameters: list[Any], score_name: str
    ) -> None:
        self.data = data
        self.parameters = parameters
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: Any,
        params: Sequence[str] | None = None,
        *,
        metric: str | None = None,
    ) -> ParallelCoordinateDisplay:
        """Create a display from a fitted search, without drawing it.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        params : list of str, default=None
            Full names of the parameters, from left to right. If None, all parameters
            that vary.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.

        Returns
        -------
        display : ParallelCoordinateDisplay
            The display; :meth:`plot` draws it.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If `search` is not a search.
        ValueError
            If the search has no such metric or parameter, if it has several metrics and
            none is named, or if it sets no parameter.
        """
        results = read_search(search, metric)
        parameters = results.chosen(params)
        rows = results.complete
        data = candidates_frame(results).drop(columns="status").iloc[rows]
        for index, parameter in enumerate(parameters, start=1):
            values = [parameter.values[row] for row in rows.tolist()]
            values = [np.nan if value is MISSING else value for value in values]
            name = free_column_name(parameter.name, [*data.columns])
            data.insert(index, name, pd.Series(object_array(values), data.index))
        return cls(data=data, parameters=parameters, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row per candidate with a score on every split: its `round`, one column
            per parameter (NaN where it is not set), and its `score`. The column of a
            parameter that is called `round` or `score` starts with `param_`.
        """
        return self.data.copy()

    def plot(
        self, ax: Any = None, *, line_kw: dict[str, Any] | None = None
    ) -> ParallelCoordinateDisplay:
        """Draw the lines and the axes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        line_kw : dict, default=None
            Options of matplotlib's ``LineCollection`` for the lines.

        Returns
        -------
        display : ParallelCoordinateDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.parameters)
        width = max(6.4, 1.45 * (n + 1))
        ax = new_axes(type(self).__name__, ax, (width, 4.4))
        import matplotlib
        from matplotlib.collections import LineCollection

        scores = self.data["score"].to_numpy()
        low, high = score_limits(scores)
        order = np.argsort(scores, kind="stable")
        heights = [
            _line_heights(p)[self.data.index.to_numpy()] for p in self.parameters
        ]
        heights.append(np.clip((scores - low) / (high - low), 0, 1))
        lines = np.stack(
            [np.tile(np.arange(n + 1.0), (len(scores), 1)), np.transpose(heights)],
            axis=2,
        )
        # Candidates with equal scores have the same color.
        ranks = rankdata(round_scores(scores[order]), "average")
        share = (ranks - 1) / max(len(scores) - 1, 1)
        colors = matplotlib.colormaps[COLORMAP](0.1 + 0.9 * share)
        strength = share ** max(1.0, len(scores) / 30)
        if len(scores) > 60:  # make bad ones transparent, to show the best
            colors[:, 3] = 0.12 + 0.78 * strength
        style: dict[str, Any] = {"color": colors, "linewidth": 0.5 + 1.3 * strength}
        style = merge_collection_options(
            style | {"rasterized": len(scores) > RASTERIZE_ABOVE}, line_kw
        )
        ax.add_collection(LineCollection([*lines[order]], **style))
        self._draw_axes(ax, low, high)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_axes(self, ax: Any, low: float, high: float) -> None:
        """Draw one vertical axis per parameter and one for the score."""
        n = len(self.parameters)
        missing = any(not p.is_set.all() for p in self.parameters)
        ax.set_xlim(-0.35, n + 0.45)
        ax.set_ylim(NOT_SET_HEIGHT - 0.05 if missing else -0.04, 1.04)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_yticks(
            [NOT_SET_HEIGHT] if missing else [], ["not set"] if missing else []
        )
        names = [parameter_label(parameter.name) for parameter in self.parameters]
        ax.set_xticks(range(n + 1), [*names, score_label(self.score_name, 16)])
        ax.tick_params(length=0)
        ax.xaxis.tick_top()
        if max(len(line) for name in names for line in name.split("\n")) > 16:
            ax.tick_params("x", labelsize=8)
        for index in range(n + 1):
            ax.axvline(index, 0 if not missing else 0.15, 1, color="0.2", linewidth=1)
        for index, parameter in enumerate(self.parameters):
            for height, label in _axis_ticks(parameter):
                _annotate(ax, index, height, label)
        shares = np.linspace(0, 1, 5)
        labels = distinct_number_labels((low + shares * (high - low)).tolist())
        if self.data["score"].min() < low:
            labels[0] = "≤ " + labels[0]
        for share, label in zip(shares.tolist(), labels, strict=True):
            _annotate(ax, n, share, label)


def _line_heights(parameter: Parameter) -> np.ndarray:
    """Return the height of each candidate's line at a parameter, from 0 to 1."""
    positions = parameter.positions
    return np.where(
        np.isnan(positions), NOT_SET_HEIGHT, _axis_fraction(parameter, positions)
    )


def _axis_fraction(parameter: Parameter, positions: Any) -> np.ndarray:
    """Return positions as fractions of the parameter's axis."""
    if not parameter.is_number:
        return np.asarray((np.asarray(positions) + 0.5) / len(parameter.levels))
    levels = np.array([parameter.levels[0], parameter.levels[-1]], dtype=float)
    if parameter.kind == "log":
        levels, positions = np.log10(levels), np.log10(positions)
    return np.asarray((positions - levels[0]) / ((levels[1] - levels[0]) or 1.0))


def _axis_ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """Return the heights and labels of the ticks of a parameter's axis."""
    if not parameter.is_number:
        indices = choose_evenly(len(parameter.labels), 9)
        heights = _axis_fraction(parameter, np.array(indices, dtype=float))
        labels = [parameter.labels[index] for index in indices]
        return list(zip(heights.tolist(), labels, strict=True))
    low, high = float(parameter.levels[0]), float(parameter.levels[-1])
    if len(parameter.levels) <= 4:
        values = np.array(parameter.levels, dtype=float)
    elif parameter.kind == "log":
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        values = 10.0 ** np.arange(first, last + 1, max(1, (last - first) // 5))
        values = values if len(values) > 1 else np.geomspace(low, high, 5)
    else:
        values = np.linspace(low, high, 5)
    labels = distinct_number_labels(values.tolist())
    if parameter.is_integer:
        values = np.unique(values.round())
        labels = [f"{value:.6g}" for value in values.tolist()]
    return list(zip(_axis_fraction(parameter, values).tolist(), labels, strict=True))


def _annotate(ax: Any, index: float, height: float, label: str) -> None:
    """Write a tick label to the right of an axis."""
    ax.annotate(
        escape_dollars(truncate(label, 16)),
        (index, height),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        zorder=5,
    )
