"""Draw every candidate as a line across parallel axes, one per parameter.

Candidates whose scores differ only by rounding errors must have the same color.
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_refine.plotting._display import Labels, SearchDisplay, document_options
from sklearn_refine.plotting._frames import (
    candidates_frame,
    free_column_name,
    object_array,
)
from sklearn_refine.plotting._interactive import is_interactive, parallel_figure
from sklearn_refine.plotting._layers import split_layers
from sklearn_refine.plotting._options import merge_collection_options
from sklearn_refine.plotting._parameter_axis import choose_evenly
from sklearn_refine.plotting._scores import ScoreScale
from sklearn_refine.plotting._style import (
    RASTERIZE_ABOVE,
    dark_colormap,
    distinct_number_labels,
    escape_dollars,
    number_labels,
    score_label,
    truncate,
)
from sklearn_refine.results._parameters import MISSING, Parameter
from sklearn_refine.results._score_range import round_scores

#: Height of a line at a parameter that its candidate does not set.
NOT_SET_HEIGHT = -0.14
#: Smallest distance of tick labels on an axis of height 1.
MIN_DISTANCE = 0.05
#: Number of candidates above which only this many of the best are colored.
MAX_COLORED = 60


class ParallelCoordinateDisplay(SearchDisplay):
    """Parallel coordinates: a line across its parameters for every candidate.

    Create a display with :meth:`from_search`, or with :meth:`from_journal` while the
    search runs. It works for any fitted search, including ``GridSearchCV`` and the
    other searches of scikit-learn.

    Parameters
    ----------
    results : object
        The results of the search.

    parameters : list of object
        The parameters, from left to right.

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
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    Darker lines have better scores and are drawn above the others. If there are more
    than sixty candidates, the others are gray. Candidates without a score on every
    split are left out. If a candidate does not set a parameter, its line passes below
    the axis of that parameter. More than eight layer sizes are drawn as their depth and
    the width of each layer.

    Such plots are easier to read with ``plot(backend="plotly")``: drag along an axis to
    select candidates.

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
    >>> display = display.plot(top=3, title="Ridge")
    """

    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row per candidate with a score on every split: its `round`, one column
            per parameter (NaN where it is not set), and its `score`. The column of a
            parameter that is called `round` or `score` starts with `param_`.
        """
        rows = self.results.complete
        data = candidates_frame(self.results).drop(columns="status").iloc[rows]
        for index, parameter in enumerate(self.parameters, start=1):
            values = [parameter.values[row] for row in rows.tolist()]
            values = [np.nan if value is MISSING else value for value in values]
            name = free_column_name(parameter.name, [*data.columns])
            data.insert(index, name, pd.Series(object_array(values), data.index))
        return data

    @document_options
    def plot(
        self,
        ax: Any = None,
        *,
        top: int | None = None,
        colorbar: bool = True,
        line_kw: dict[str, Any] | None = None,
        score_name: str | None = None,
        negate_score: bool = False,
        name: str | None = None,
        title: str | None = None,
        full_names: bool = False,
        backend: str = "matplotlib",
    ) -> Self:
        """Draw the lines and the axes.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, default=None
            Axes to draw on, or figure to add them to. If None, a new figure is created.
        top : int, default=None
            Number of the best candidates that are colored by score. The others are
            gray. If None, all of up to sixty candidates, or the sixty best.
        colorbar : bool, default=True
            Whether to add a color bar of the scores.
        line_kw : dict, default=None
            Options of matplotlib's ``LineCollection`` for the lines.
        {common}
        {backend}

        Returns
        -------
        display : ParallelCoordinateDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If the library that draws is not installed.
        ValueError
            If `top` is less than 1, or `backend` is unknown.
        """
        if top is not None and top < 1:
            raise ValueError(f"top={top!r} candidates cannot be drawn; pass 1 or more.")
        labels = self._labels(score_name, negate_score, name, title, full_names)
        panels = split_layers(self.parameters)
        if is_interactive(backend):
            self.ax_, self.figure_ = None, parallel_figure(self, labels, panels)
            return self
        ax = self._axes(ax, labels)
        rows = self.results.complete
        rows = rows[np.argsort(self.results.scores[rows], kind="stable")]
        scale = ScoreScale.of(self.results.scores[rows], labels.sign)
        ranks = rankdata(round_scores(self.results.scores[rows]), "average")
        share = (ranks - 1) / max(len(rows) - 1, 1)
        self._draw_lines(ax, panels, rows, scale, share, top or MAX_COLORED, line_kw)
        _draw_axes(ax, panels, labels, scale, self.results.scores[rows])
        if colorbar and len(rows) > 1:
            _draw_color_bar(ax, labels, self.results.scores[rows])
        if title is not None:
            ax.figure.suptitle(escape_dollars(title))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _size(self, labels: Labels) -> tuple[float, float]:
        return max(6.8, 1.4 * (len(split_layers(self.parameters)) + 1.5)), 4.6

    def _draw_lines(
        self,
        ax: Any,
        panels: list[Parameter],
        rows: np.ndarray,
        scale: ScoreScale,
        share: np.ndarray,
        n_colored: int,
        options: dict[str, Any] | None,
    ) -> None:
        """Draw the lines, the best ones last; `share` is the rank from 0 to 1."""
        from matplotlib.collections import LineCollection

        heights = [_line_heights(parameter)[rows] for parameter in panels]
        score = (self.results.scores[rows] - scale.low) / (scale.high - scale.low)
        score = np.clip(score, 0, 1)
        heights.append(score if scale.sign > 0 else 1 - score)
        across = np.tile(np.arange(len(panels) + 1.0), (len(rows), 1))
        lines = np.stack([across, np.transpose(heights)], axis=2)
        colors = dark_colormap()(share)
        many = len(rows) > MAX_COLORED
        widths = 0.6 + (0.6 if many else 1.4) * share
        gray = np.arange(len(rows)) < len(rows) - n_colored
        colors[gray] = (0.6, 0.6, 0.6, min(0.25, 40 / max(len(rows), 1)))
        widths[gray] = 0.5
        style: dict[str, Any] = {"color": colors, "linewidth": widths}
        style |= {"rasterized": len(rows) > RASTERIZE_ABOVE, "zorder": 2}
        style = merge_collection_options(style, options)
        ax.add_collection(LineCollection([*lines], **style))


def _draw_axes(
    ax: Any,
    panels: list[Parameter],
    labels: Labels,
    scale: ScoreScale,
    scores: np.ndarray,
) -> None:
    """Draw one vertical axis per parameter and one for the score."""
    n = len(panels)
    missing = any(not parameter.is_set.all() for parameter in panels)
    ax.set_xlim(-0.1, n + 0.1)
    ax.set_ylim(NOT_SET_HEIGHT - 0.05 if missing else -0.04, 1.04)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_yticks([NOT_SET_HEIGHT] if missing else [], ["not set"] if missing else [])
    names = [labels.wrapped(parameter).replace(" [", "\n[") for parameter in panels]
    ax.set_xticks(range(n + 1), [*names, score_label(labels.score, 16)])
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    if max(len(line) for name in names for line in name.split("\n")) > 16:
        ax.tick_params("x", labelsize=8)
        for label in ax.get_xticklabels():
            label.set_rotation(20)
            label.set_horizontalalignment("left")
            label.set_rotation_mode("anchor")
    for index in range(n + 1):
        ax.plot([index, index], [0, 1], color="0.2", linewidth=1, zorder=3)
    for index, parameter in enumerate(panels):
        lowest = -1.0
        for height, label in _axis_ticks(parameter):
            if height >= lowest + MIN_DISTANCE:
                _annotate(ax, index, height, label)
                lowest = height
    ends = sorted([scale.sign * scale.low, scale.sign * scale.high])
    texts = number_labels(np.linspace(ends[0], ends[1], 5).tolist())
    if len(scores) and scores.min() < scale.low:
        worst = 0 if scale.sign > 0 else -1
        texts[worst] = ("≤ " if scale.sign > 0 else "≥ ") + texts[worst]
    for height, text in zip(np.linspace(0, 1, 5).tolist(), texts, strict=True):
        _annotate(ax, n, height, text)


def _draw_color_bar(ax: Any, labels: Labels, scores: np.ndarray) -> None:
    """Draw the color bar: scores at the quartiles of the candidates."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    mappable = ScalarMappable(Normalize(0, 1), dark_colormap())
    bar = ax.figure.colorbar(mappable, ax=ax, pad=0.03, shrink=0.9)
    shares = np.linspace(0, 1, 5)
    texts = number_labels((labels.sign * np.quantile(scores, shares)).tolist())
    said = ["worst", "", "median", "", "best"]
    texts = [f"{t} {s}".strip() for t, s in zip(texts, said, strict=True)]
    bar.set_ticks(shares.tolist(), labels=[escape_dollars(text) for text in texts])
    bar.ax.tick_params(labelsize=8)


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
    label = number_labels if parameter.kind == "linear" else distinct_number_labels
    labels = label(values.tolist())
    if parameter.is_integer:
        values = np.unique(values.round())
        labels = [f"{value:.6g}" for value in values.tolist()]
    return list(zip(_axis_fraction(parameter, values).tolist(), labels, strict=True))


def _annotate(ax: Any, index: float, height: float, label: str) -> None:
    """Write a tick label to the right of an axis, above the lines."""
    ax.annotate(
        escape_dollars(truncate(label, 16)),
        (index, height),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.8},
        zorder=5,
    )
