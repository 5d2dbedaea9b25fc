"""Every candidate as a line across its parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_refine.plotting._options import collection_options
from sklearn_refine.plotting._style import (
    COLORMAP,
    MANY,
    candidates_frame,
    column,
    cut,
    free_name,
    new_axes,
    numbers_apart,
    plain,
    rounded,
    score_limits,
    score_title,
    shown_levels,
    title_of,
)
from sklearn_refine.results._parameters import MISSING, Parameter
from sklearn_refine.results._table import read_search

#: Where a line passes if its candidate does not set the parameter.
NOT_SET = -0.14


class ParallelCoordinateDisplay:
    """Every candidate as a line across its parameters, up to its score.

    Make one with :meth:`from_search`, for any fitted search: those of this package,
    or scikit-learn's.

    Parameters
    ----------
    data : DataFrame
        As returned by :meth:`frame`.

    parameters : list of object
        The parameters with their values, as read from the search.

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
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    Darker lines are better, and lie above the others. Candidates without a score on
    every split are left out. A line passes below a parameter that it does not set.

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
        """Read a fitted search; nothing is drawn.

        Parameters
        ----------
        search : estimator
            A fitted search: anything with ``cv_results_``.
        params : list of str, default=None
            The parameters from left to right, by their full names. None takes all
            that vary.
        metric : str, default=None
            Which metric, where there are several. None takes the one of `refit`.

        Returns
        -------
        display : ParallelCoordinateDisplay
            What :meth:`plot` draws.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is no search.
        ValueError
            If it has no such metric or parameter, or several metrics and none is
            named, or no parameter at all.
        """
        results = read_search(search, metric)
        parameters = results.chosen(params)
        rows = results.complete
        data = candidates_frame(results).drop(columns="status").iloc[rows]
        for place, parameter in enumerate(parameters, start=1):
            values = [parameter.values[row] for row in rows.tolist()]
            values = [np.nan if value is MISSING else value for value in values]
            name = free_name(parameter.name, [*data.columns])
            data.insert(place, name, pd.Series(column(values), data.index))
        return cls(data=data, parameters=parameters, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : DataFrame
            A row for each candidate with a score on every split: its `round`, a column
            for each parameter, NaN where it is not set, and its `score`. A parameter
            that is itself called so is a column such as `param_score`.
        """
        return self.data.copy()

    def plot(
        self, ax: Any = None, *, line_kw: dict[str, Any] | None = None
    ) -> ParallelCoordinateDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where. None makes a new figure.
        line_kw : dict, default=None
            For the lines, as matplotlib's ``LineCollection`` takes them.

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
        heights = [_heights(p)[self.data.index.to_numpy()] for p in self.parameters]
        heights.append(np.clip((scores - low) / (high - low), 0, 1))
        lines = np.stack(
            [np.tile(np.arange(n + 1.0), (len(scores), 1)), np.transpose(heights)],
            axis=2,
        )
        # Equal scores have one colour.
        ranks = rankdata(rounded(scores[order]), "average")
        share = (ranks - 1) / max(len(scores) - 1, 1)
        colors = matplotlib.colormaps[COLORMAP](0.1 + 0.9 * share)
        strength = share ** max(1.0, len(scores) / 30)
        if len(scores) > 60:  # the others would cover each other
            colors[:, 3] = 0.12 + 0.78 * strength
        style: dict[str, Any] = {"color": colors, "linewidth": 0.5 + 1.3 * strength}
        style = collection_options(style | {"rasterized": len(scores) > MANY}, line_kw)
        ax.add_collection(LineCollection([*lines[order]], **style))
        self._axes(ax, low, high)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _axes(self, ax: Any, low: float, high: float) -> None:
        n = len(self.parameters)
        missing = any(not p.is_set.all() for p in self.parameters)
        ax.set_xlim(-0.35, n + 0.45)
        ax.set_ylim(NOT_SET - 0.05 if missing else -0.04, 1.04)
        for spine in ax.spines.values():
            spine.set_visible(False)
        ax.set_yticks([NOT_SET] if missing else [], ["not set"] if missing else [])
        names = [title_of(parameter.name) for parameter in self.parameters]
        ax.set_xticks(range(n + 1), [*names, score_title(self.score_name, 16)])
        ax.tick_params(length=0)
        ax.xaxis.tick_top()
        if max(len(line) for name in names for line in name.split("\n")) > 16:
            ax.tick_params("x", labelsize=8)
        for place in range(n + 1):
            ax.axvline(place, 0 if not missing else 0.15, 1, color="0.2", linewidth=1)
        for place, parameter in enumerate(self.parameters):
            for height, label in _ticks(parameter):
                _write(ax, place, height, label)
        shares = np.linspace(0, 1, 5)
        labels = numbers_apart((low + shares * (high - low)).tolist())
        if self.data["score"].min() < low:
            labels[0] = "≤ " + labels[0]
        for share, label in zip(shares.tolist(), labels, strict=True):
            _write(ax, n, share, label)


def _heights(parameter: Parameter) -> np.ndarray:
    """Return where the line of each candidate passes, from 0 to 1."""
    positions = parameter.positions
    return np.where(np.isnan(positions), NOT_SET, _share(parameter, positions))


def _share(parameter: Parameter, positions: Any) -> np.ndarray:
    if not parameter.is_number:
        return np.asarray((np.asarray(positions) + 0.5) / len(parameter.levels))
    levels = np.array([parameter.levels[0], parameter.levels[-1]], dtype=float)
    if parameter.kind == "log":
        levels, positions = np.log10(levels), np.log10(positions)
    return np.asarray((positions - levels[0]) / ((levels[1] - levels[0]) or 1.0))


def _ticks(parameter: Parameter) -> list[tuple[float, str]]:
    """Return heights and labels of the ticks of one vertical axis."""
    if not parameter.is_number:
        places = shown_levels(len(parameter.labels), 9)
        heights = _share(parameter, np.array(places, dtype=float))
        labels = [parameter.labels[place] for place in places]
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
    labels = numbers_apart(values.tolist())
    if parameter.is_integer:
        values = np.unique(values.round())
        labels = [f"{value:.6g}" for value in values.tolist()]
    return list(zip(_share(parameter, values).tolist(), labels, strict=True))


def _write(ax: Any, place: float, height: float, label: str) -> None:
    ax.annotate(
        plain(cut(label, 16)),
        (place, height),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        zorder=5,
    )
