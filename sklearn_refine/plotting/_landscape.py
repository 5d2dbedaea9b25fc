"""The score over two parameters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._importance import compared, importances
from sklearn_refine.plotting._options import point_options
from sklearn_refine.plotting._style import (
    LINES,
    MANY,
    candidates_frame,
    column,
    free_name,
    legend_above,
    levels_of,
    marker_of,
    new_axes,
    numbers_apart,
    plain,
    point_size,
    set_axis,
    spread,
    tenths,
)
from sklearn_refine.plotting._surface import surface, windows
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results, read_search
from sklearn_refine.space._axes import value_key

#: Brighter is better here, so that marks and windows around the best can be seen.
COLORMAP = "viridis"
#: By what share of their room points on choices are moved apart: across and up by steps
#: that fill a square evenly, the inverse plastic number and its square.
STEPS = (0.7548776662, 0.5698402910)


class SearchLandscapeDisplay:
    """The score over two parameters: a surface, the candidates, and the windows.

    Make one with :meth:`from_search`, for any fitted search: those of this package,
    or scikit-learn's.

    Parameters
    ----------
    data : DataFrame
        As returned by :meth:`frame`.

    parameters : tuple of two objects
        The parameters across and up, as read from the search.

    surface : object or None
        What the surrogate expects: `x`, `y` and `scores`, an array of shape
        (len(y), len(x)), NaN where no candidate sets both. None if there is none.

    windows : list of object
        The windows of each round: `round`, and the ranges `x` and `y`.

    best : int or None
        The index of the best candidate that is drawn, None if there is none.

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
    SearchHistoryDisplay : The score of every candidate in the order tried.

    Notes
    -----
    The surface is the mean of a Gaussian process fitted to all candidates with a score
    on every split (in a halving search, to those of the last iteration), with all
    parameters; those that are not drawn have the values of the best candidate. So
    points may differ from the surface below them: they have other values there. It is a
    guess between the points, the more so the further away they are. Choices and layer
    sizes are drawn as stripes, in no order that means anything for choices; the points
    on them are moved apart. Where no candidate sets the other parameter too, a stripe
    is empty. Colours divide the candidates into tenths by their scores;
    brighter is better. Where the scores cannot be smoothed, as with fewer than five
    candidates or equal scores, there are only the points.

    Windows are drawn for the searches of this package where all candidates set both
    parameters. The first round's is the whole space or grid. Of more than twelve, only
    those around the best center of each round are drawn.

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
        """Read a fitted search and fit a surface; nothing is drawn.

        Parameters
        ----------
        search : estimator
            A fitted search: anything with ``cv_results_``.
        params : list of two str, default=None
            The parameters across and up, by their full names. None takes the most
            important one that some other varies with, and the most important of these,
            by permutation importance as in :class:`ParameterImportanceDisplay`.
        metric : str, default=None
            Which metric, where there are several. None takes the one of `refit`.

        Returns
        -------
        display : SearchLandscapeDisplay
            What :meth:`plot` draws.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is no search.
        ValueError
            If it has no such metric or parameters, or several metrics and none is
            named; if `params` are not two different ones, or no candidate sets both;
            without `params`, if no two vary among the candidates that set both.
        """
        results = read_search(search, metric)
        across, up = _two(results, params)
        data = candidates_frame(results)
        for place, parameter in enumerate((across, up)):
            name = free_name(parameter.name, [*data.columns])
            data.insert(place, name, pd.Series(column(parameter.values)))
        data = data[across.is_set & up.is_set]
        if data.empty:
            raise ValueError(
                f"params={[across.name, up.name]!r} are set together by no candidate; "
                "pass two that are."
            )
        rivals = data.index.intersection(pd.Index(results.rivals))
        best = int(data.loc[rivals, "score"].idxmax()) if len(rivals) else None
        rectangles = windows(search, across, up)
        return cls(
            data=data,
            parameters=(across, up),
            surface=surface(results, across, up, rectangles),
            windows=rectangles,
            best=best,
            score_name=results.label,
        )

    def frame(self) -> pd.DataFrame:
        """Return the candidates that are drawn.

        Returns
        -------
        frame : DataFrame
            A row for each candidate that sets both parameters: the values of these,
            and its `round`, `status` ("complete", "failed" or "dropped") and `score`.
            A parameter that is itself called so is a column such as `param_score`.
        """
        return self.data.copy()

    def plot(
        self,
        ax: Any = None,
        *,
        colorbar: bool = True,
        scatter_kw: dict[str, Any] | None = None,
    ) -> SearchLandscapeDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where. None makes a new figure.
        colorbar : bool, default=True
            Whether a scale of the scores stands beside it.
        scatter_kw : dict, default=None
            For the candidates, as ``Axes.scatter`` takes them. What a `norm` is given
            is a place among the levels of the colour bar, 0 for the lowest, and not the
            score.

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
        levels = levels_of(self.data.loc[complete, "score"].to_numpy())
        for which, parameter in zip("xy", self.parameters, strict=True):
            set_axis(ax, which, parameter)
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import BoundaryNorm

        options = scatter_kw or {}
        norm = BoundaryNorm(range(len(levels)), 256, clip=True)
        self._surface(ax, levels, norm)
        points = self._points(ax, levels, norm, options)
        self._windows(ax)
        if colorbar:
            colors = ScalarMappable(norm, options.get("cmap", COLORMAP))
            bar = ax.figure.colorbar(colors, ax=ax, spacing="uniform")
            labels = numbers_apart(levels.tolist())
            if levels[0] < levels[-1]:
                bar.set_ticks(range(len(levels)), labels=labels)
            else:
                bar.set_ticks([0.5], labels=labels[:1] if complete.any() else [""])
            bar.set_label(plain(self.score_name))
        names = [f"round {number}" for number in self.data["round"].unique()]
        has_colors = points.get_array() is not None
        legend_above(ax, [*names, "candidate"] if has_colors else [])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _surface(self, ax: Any, levels: np.ndarray, norm: Any) -> None:
        if self.surface is None:
            return
        x, y, scores = self.surface.x, self.surface.y, self.surface.scores
        style = {"cmap": COLORMAP, "norm": norm, "alpha": 0.85, "zorder": 0}
        scores = tenths(scores, levels)
        if all(parameter.is_number for parameter in self.parameters):
            at = np.arange(len(levels))
            ax.contourf(x, y, scores, at, **style)
            if len(at) > 2:
                line = {"colors": "white", "linewidths": 0.5, "zorder": 1}
                ax.contour(x, y, scores, at[1:-1], **line)
            return
        edges = (_edges(x, self.parameters[0]), _edges(y, self.parameters[1]))
        ax.pcolormesh(*edges, scores, rasterized=True, **style)

    def _points(
        self, ax: Any, levels: np.ndarray, norm: Any, options: dict[str, Any]
    ) -> Any:
        data = self.data
        x, y = (
            spread(parameter.positions[data.index.to_numpy()], parameter, step=step)
            for parameter, step in zip(self.parameters, STEPS, strict=True)
        )
        status, rounds = data["status"].to_numpy(), data["round"].to_numpy()
        scores = tenths(data["score"].to_numpy(), levels)
        size = point_size(len(data))
        style = {"cmap": COLORMAP, "norm": norm, "edgecolor": "black", "s": size}
        style |= {"linewidth": 0.7 if len(data) < 200 else 0.2, "zorder": 3}
        style |= {"rasterized": len(data) > MANY}
        drawn = None
        several = len(np.unique(rounds)) > 1
        for number in np.unique(rounds).tolist():
            rows = (rounds == number) & (status == "complete")
            style["label"] = f"round {number}" if several else "candidate"
            style |= {"c": scores[rows], "marker": marker_of(number)}
            drawn = ax.scatter(x[rows], y[rows], **point_options(style, options))
        other = {"s": size, "color": "black", "zorder": 2, "linewidth": 0.8}
        for name, marker in (("dropped", "."), ("failed", "x")):
            rows = status == name
            if rows.any():
                ax.scatter(x[rows], y[rows], marker=marker, label=name, **other)
        if self.best is not None:
            row = data.index.get_loc(self.best)
            star = {"marker": "*", "s": 200, "color": "white", "edgecolor": "black"}
            ax.scatter(x[row], y[row], zorder=5, label="best", **star)
        return drawn

    def _windows(self, ax: Any) -> None:
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke

        halo = [withStroke(linewidth=2.6, foreground="white")]
        numbered: set[int] = set()
        for window in self.windows:
            (x0, x1), (y0, y1) = window.x, window.y
            line = LINES[(window.round - 1) % len(LINES)]
            style = {"fill": False, "linestyle": line, "linewidth": 1.1, "zorder": 4}
            style["path_effects"] = halo
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
            if window.round not in numbered:
                numbered.add(window.round)
                # In turns left and right, for windows that lie in each other.
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


def _two(results: Results, params: Sequence[str] | None) -> list[Parameter]:
    if params is not None:
        chosen = results.chosen(params)
        if len(chosen) != 2 or chosen[0].name == chosen[1].name:
            raise ValueError(
                f"params={params!r} are not two different parameters; pass two, or "
                "None for the two most important."
            )
        return chosen
    varying = results.varying
    if len(varying) < 2:
        raise ValueError(
            f"the search varies {[p.name for p in varying]}, and a landscape needs two "
            "parameters; use SearchSliceDisplay for one."
        )
    ranked = varying
    if len(varying) > 2 and len(compared(results)) > 2:
        names = importances(results, 0)[0]["parameter"]
        ranked = [results.parameter(name) for name in names]
    pair = first_pair(ranked)
    if pair is None:
        raise ValueError(
            f"no two of {[p.name for p in varying]} both vary among the candidates "
            "that set both, and a landscape needs two such parameters; use "
            "SearchSliceDisplay, or pass params."
        )
    return pair


def first_pair(ranked: Sequence[Parameter]) -> list[Parameter] | None:
    """Return the first two that both vary among the candidates that set both."""
    for pair in combinations(ranked, 2):
        both = np.flatnonzero(pair[0].is_set & pair[1].is_set)
        if all(len({value_key(p.values[row]) for row in both}) > 1 for p in pair):
            return list(pair)
    return None


def _edges(places: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Return the edges of cells around places, half a step wide for levels."""
    if not parameter.is_number:
        return np.arange(len(places) + 1) - 0.5
    x = np.log10(places) if parameter.kind == "log" else places
    step = (x[1] - x[0]) / 2
    edges = np.r_[x - step, x[-1] + step]
    return np.asarray(10**edges if parameter.kind == "log" else edges)
