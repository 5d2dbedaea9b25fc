"""Draw the score over two parameters, with the surrogate and the windows.

The colors of the points and of the surface use the same levels and must stay
comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._figures import new_axes
from sklearn_refine.plotting._frames import (
    candidates_frame,
    free_column_name,
    object_array,
)
from sklearn_refine.plotting._options import merge_point_options
from sklearn_refine.plotting._pairs import choose_pair
from sklearn_refine.plotting._parameter_axis import jitter, set_parameter_axis
from sklearn_refine.plotting._scores import color_levels, color_positions
from sklearn_refine.plotting._style import (
    LINE_STYLES,
    RASTERIZE_ABOVE,
    add_legend_above,
    distinct_number_labels,
    escape_dollars,
    point_size,
    round_marker,
)
from sklearn_refine.plotting._surface import fit_surface
from sklearn_refine.plotting._windows import read_windows
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import read_search

#: Brighter is better, so that markers and windows near the best score are visible.
COLORMAP = "viridis"
#: Horizontal and vertical jitter of points at choices: the inverse plastic number and
#: its square, steps that fill a square evenly.
JITTER_STEPS = (0.7548776662, 0.5698402910)


class SearchLandscapeDisplay:
    """Score over two parameters: a surface, the candidates and the windows.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    data : DataFrame
        The table that :meth:`frame` returns.

    parameters : tuple of two objects
        The parameters of the horizontal and the vertical axis, as read from the search.

    surface : object or None
        Scores that the surrogate expects, with the attributes `x`, `y` and `scores`.
        `scores` has shape (len(y), len(x)) and is NaN where no candidate sets both
        parameters. None if no surface can be fitted.

    windows : list of object
        Windows of the rounds, with the attribute `round` and the ranges `x` and `y`.

    best : int or None
        Index of the best candidate in the plot. None if there is none.

    score_name : str
        Name of the score, used as label of the color bar.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        Figure that contains `ax_`. Set by :meth:`plot`.

    See Also
    --------
    SearchSliceDisplay : The score over each parameter.
    SearchHistoryDisplay : The score of every candidate in the order tried.

    Notes
    -----
    The surface is the mean of a Gaussian process over all parameters. The process is
    fitted to all candidates with a score on every split; in a halving search, to the
    candidates of the last iteration. Parameters that are not drawn have the values of
    the best candidate that sets both. A point may therefore differ from the surface
    below it, because its other parameters have other values. The surface is less
    reliable far from the points. It is left out if the scores cannot be smoothed, for
    example with fewer than five candidates or with equal scores.

    Colors divide the candidates into tenths by score; brighter is better. Choices and
    layer sizes are drawn as stripes, and their points are moved apart. The order of
    choices has no meaning. A stripe is empty if no candidate combines it with the other
    parameter.

    A window is the part of the space that a round searches around one center. Windows
    are drawn for the searches of this package, if all candidates set both parameters.
    The window of the first round is the whole space or grid. If there are more than
    twelve windows, only those around the best center of each round are drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.kernel_ridge import KernelRidge
    >>> from sklearn_refine import RefiningGridSearchCV, SearchLandscapeDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [1e-4, 1e-2, 1.0], "gamma": [0.01, 0.1, 1.0]}
    >>> search = RefiningGridSearchCV(KernelRidge(kernel="rbf"), grid).fit(X, y)
    >>> display = SearchLandscapeDisplay.from_search(search, ["alpha", "gamma"])
    >>> display.frame().columns.tolist()
    ['alpha', 'gamma', 'round', 'status', 'score']
    >>> sorted({window.round for window in display.windows})
    [1, 2, 3]
    >>> display = display.plot()
    """

    def __init__(
        self,
        *,
        data: pd.DataFrame,
        parameters: tuple[Any, Any],
        surface: Any,
        windows: list[Any],
        best: int | None,
        score_name: str,
    ) -> None:
        self.data = data
        self.parameters = parameters
        self.surface = surface
        self.windows = windows
        self.best = best
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: Any,
        params: Sequence[str] | None = None,
        *,
        metric: str | None = None,
    ) -> SearchLandscapeDisplay:
        """Create a display from a fitted search and fit a surface, without drawing it.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        params : list of two str, default=None
            Full names of the horizontal and the vertical parameter. If None, the most
            important pair of parameters that vary together is drawn. Importance is
            permutation importance, see :class:`ParameterImportanceDisplay`.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.

        Returns
        -------
        display : SearchLandscapeDisplay
            The display; :meth:`plot` draws it.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If `search` is not a search.
        ValueError
            If the search has no such metric or parameters, or has several metrics and
            none is named. If `params` are not two different parameters, or no candidate
            sets both. If `params` is None and no two parameters vary among the
            candidates that set both.
        """
        results = read_search(search, metric)
        across, up = choose_pair(results, params)
        data = candidates_frame(results)
        for index, parameter in enumerate((across, up)):
            name = free_column_name(parameter.name, [*data.columns])
            data.insert(index, name, pd.Series(object_array(parameter.values)))
        data = data[across.is_set & up.is_set]
        if data.empty:
            raise ValueError(
                f"params={[across.name, up.name]!r} are set together by no candidate; "
                "pass two that are."
            )
        rivals = data.index.intersection(pd.Index(results.rivals))
        best = int(data.loc[rivals, "score"].idxmax()) if len(rivals) else None
        rectangles = read_windows(search, across, up)
        return cls(
            data=data,
            parameters=(across, up),
            surface=fit_surface(results, across, up, rectangles),
            windows=rectangles,
            best=best,
            score_name=results.label,
        )

    def frame(self) -> pd.DataFrame:
        """Return the candidates of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row per candidate that sets both parameters: the two values, `round`,
            `status` ("complete", "failed", "dropped" or "paused") and `score`. The
            column of a parameter that has one of these names starts with `param_`.
        """
        return self.data.copy()

    def plot(
        self,
        ax: Any = None,
        *,
        colorbar: bool = True,
        scatter_kw: dict[str, Any] | None = None,
    ) -> SearchLandscapeDisplay:
        """Draw the surface, the candidates and the windows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        colorbar : bool, default=True
            Whether to add a color bar of the scores.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the candidates. A `norm` receives positions
            among the levels of the color bar, counted from 0, instead of scores.

        Returns
        -------
        display : SearchLandscapeDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = new_axes(type(self).__name__, ax, (7.2, 5.4))
        complete = self.data["status"] == "complete"
        levels = color_levels(self.data.loc[complete, "score"].to_numpy())
        for which, parameter in zip("xy", self.parameters, strict=True):
            set_parameter_axis(ax, which, parameter)
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import BoundaryNorm

        options = scatter_kw or {}
        norm = BoundaryNorm(range(len(levels)), 256, clip=True)
        self._draw_surface(ax, levels, norm)
        points = self._draw_points(ax, levels, norm, options)
        self._draw_windows(ax)
        if colorbar:
            colors = ScalarMappable(norm, options.get("cmap", COLORMAP))
            bar = ax.figure.colorbar(colors, ax=ax, spacing="uniform")
            labels = distinct_number_labels(levels.tolist())
            if levels[0] < levels[-1]:
                bar.set_ticks(range(len(levels)), labels=labels)
            else:
                bar.set_ticks([0.5], labels=labels[:1] if complete.any() else [""])
            bar.set_label(escape_dollars(self.score_name))
        names = [f"round {number}" for number in self.data["round"].unique()]
        has_colors = points.get_array() is not None
        add_legend_above(ax, [*names, "candidate"] if has_colors else [])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_surface(self, ax: Any, levels: np.ndarray, norm: Any) -> None:
        """Draw the surface: contours over two numbers, stripes otherwise."""
        if self.surface is None:
            return
        x, y, scores = self.surface.x, self.surface.y, self.surface.scores
        style = {"cmap": COLORMAP, "norm": norm, "alpha": 0.85, "zorder": 0}
        scores = color_positions(scores, levels)
        if all(parameter.is_number for parameter in self.parameters):
            at = np.arange(len(levels))
            ax.contourf(x, y, scores, at, **style)
            if len(at) > 2:
                line = {"colors": "white", "linewidths": 0.5, "zorder": 1}
                ax.contour(x, y, scores, at[1:-1], **line)
            return
        edges = (_cell_edges(x, self.parameters[0]), _cell_edges(y, self.parameters[1]))
        ax.pcolormesh(*edges, scores, rasterized=True, **style)

    def _draw_points(
        self, ax: Any, levels: np.ndarray, norm: Any, options: dict[str, Any]
    ) -> Any:
        """Draw the candidates and return the last points that are colored by score."""
        data = self.data
        x, y = (
            jitter(parameter.positions[data.index.to_numpy()], parameter, step=step)
            for parameter, step in zip(self.parameters, JITTER_STEPS, strict=True)
        )
        status, rounds = data["status"].to_numpy(), data["round"].to_numpy()
        scores = color_positions(data["score"].to_numpy(), levels)
        size = point_size(len(data))
        style = {"cmap": COLORMAP, "norm": norm, "edgecolor": "black", "s": size}
        style |= {"linewidth": 0.7 if len(data) < 200 else 0.2, "zorder": 3}
        style |= {"rasterized": len(data) > RASTERIZE_ABOVE}
        drawn = None
        several = len(np.unique(rounds)) > 1
        for number in np.unique(rounds).tolist():
            rows = (rounds == number) & (status == "complete")
            style["label"] = f"round {number}" if several else "candidate"
            style |= {"c": scores[rows], "marker": round_marker(number)}
            drawn = ax.scatter(x[rows], y[rows], **merge_point_options(style, options))
        other = {"s": size, "color": "black", "zorder": 2, "linewidth": 0.8}
        for name, marker in (("dropped", "."), ("paused", "1"), ("failed", "x")):
            rows = status == name
            if rows.any():
                ax.scatter(x[rows], y[rows], marker=marker, label=name, **other)
        if self.best is not None:
            row = data.index.get_loc(self.best)
            star = {"marker": "*", "s": 200, "color": "white", "edgecolor": "black"}
            ax.scatter(x[row], y[row], zorder=5, label="best", **star)
        return drawn

    def _draw_windows(self, ax: Any) -> None:
        """Draw the outline of each window, and the number of each round."""
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke

        halo = [withStroke(linewidth=2.6, foreground="white")]
        numbered: set[int] = set()
        for window in self.windows:
            (x0, x1), (y0, y1) = window.x, window.y
            line = LINE_STYLES[(window.round - 1) % len(LINE_STYLES)]
            style = {"fill": False, "linestyle": line, "linewidth": 1.1, "zorder": 4}
            style["path_effects"] = halo
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
            if window.round not in numbered:
                numbered.add(window.round)
                # Alternate between left and right, because windows are nested.
                left = window.round % 2 == 1
                ax.annotate(
                    str(window.round),
                    (x0 if left else x1, y1),
                    xytext=(2 if left else -2, -2),
                    textcoords="offset points",
                    ha="left" if left else "right",
                    va="top",
                    fontsize=8,
                    zorder=6,
                    path_effects=halo,
                )


def _cell_edges(positions: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Return the edges of the cells around positions; levels are one unit wide."""
    if not parameter.is_number:
        return np.arange(len(positions) + 1) - 0.5
    x = np.log10(positions) if parameter.kind == "log" else positions
    step = (x[1] - x[0]) / 2
    edges = np.r_[x - step, x[-1] + step]
    return np.asarray(10**edges if parameter.kind == "log" else edges)
