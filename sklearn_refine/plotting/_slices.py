"""Draw the score of every candidate over each parameter.

The panels share the vertical axis, so their scores can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._figures import new_panels
from sklearn_refine.plotting._frames import candidates_frame, object_array
from sklearn_refine.plotting._options import merge_point_options
from sklearn_refine.plotting._parameter_axis import (
    jitter,
    set_parameter_axis,
    thin_linear_ticks,
)
from sklearn_refine.plotting._scores import score_limits, set_score_limits
from sklearn_refine.plotting._style import (
    COLORMAP,
    RASTERIZE_ABOVE,
    enlarge_markers,
    point_size,
    round_marker,
    score_label,
)
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import read_search


class SearchSliceDisplay:
    """Score of every candidate over each parameter, one panel per parameter.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    data : DataFrame
        One row per candidate, with its `round`, `status` and `score`.

    parameters : list of object
        The parameters with their values, as read from the search.

    best : int or None
        Index of the best candidate. None if there is none.

    score_name : str
        Name of the score, used as axis label.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        Axes of the panels. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        Figure that contains the panels. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters.
    ParameterImportanceDisplay : How much each parameter matters.

    Notes
    -----
    Points at the same value differ, because all other parameters vary too. The upper
    edge of the points shows how good a value can be. A search with rounds tries more
    candidates near the best ones, so there are more and better points. Few points
    elsewhere say little about what is possible there.

    The star is the best candidate, and darker points belong to later rounds. Hollow
    points are candidates that racing stopped, hollow diamonds those that it stopped
    after a part of their iterations. Crosses at the lower edge are failed
    candidates, without a score on some split. Triangles at the lower edge are very bad
    scores, as in :class:`SearchHistoryDisplay`. Points at the same choice are moved
    apart.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, SearchSliceDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0], "solver": ["auto", "svd"]}
    >>> search = RefiningGridSearchCV(Ridge(), grid, n_rounds=2).fit(X, y)
    >>> display = SearchSliceDisplay.from_search(search)
    >>> display.frame().groupby("parameter")["score"].max().round(3).to_dict()
    {'alpha': 0.482, 'solver': 0.482}
    >>> display = display.plot()

    Draw on existing axes:

    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    >>> display.plot(axes).legend()
    """

    def __init__(
        self,
        *,
        data: pd.DataFrame,
        parameters: list[Any],
        best: int | None,
        score_name: str,
    ) -> None:
        self.data = data
        self.parameters = parameters
        self.best = best
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search: Any,
        params: Sequence[str] | None = None,
        *,
        metric: str | None = None,
    ) -> SearchSliceDisplay:
        """Create a display from a fitted search, without drawing it.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        params : list of str, default=None
            Full names of the parameters to show. If None, all parameters that vary.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.

        Returns
        -------
        display : SearchSliceDisplay
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
        return cls(
            data=candidates_frame(results),
            parameters=parameters,
            best=results.best,
            score_name=results.label,
        )

    def frame(self) -> pd.DataFrame:
        """Return the data of the plot as a table.

        Returns
        -------
        frame : DataFrame
            One row for each parameter and each candidate that sets it. The columns are
            `parameter`, `candidate`, `value`, `round`, `status` and `score`.
        """
        parts = []
        for parameter in self.parameters:
            rows = np.flatnonzero(parameter.is_set)
            part = self.data.iloc[rows].reset_index()
            part.insert(0, "parameter", parameter.name)
            values = object_array([parameter.values[row] for row in rows.tolist()])
            part.insert(2, "value", pd.Series(values, dtype=object))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def plot(
        self, ax: Any = None, *, scatter_kw: dict[str, Any] | None = None
    ) -> SearchSliceDisplay:
        """Draw one panel per parameter.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Axes to draw on, one per parameter. If None, a new figure is created.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the points.

        Returns
        -------
        display : SearchSliceDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `ax` has another number of axes.
        """
        axes = new_panels(type(self).__name__, len(self.parameters), ax, (3.0, 2.9))
        for panel, parameter in zip(axes, self.parameters, strict=True):
            self._draw_panel(panel, parameter, scatter_kw or {})
            if (
                panel.get_subplotspec() is None
                or panel.get_subplotspec().is_first_col()
            ):
                panel.set_ylabel(score_label(self.score_name))
        self.ax_, self.figure_ = object_array(axes), axes[0].figure
        if ax is None:
            self.legend()
        return self

    def legend(self) -> None:
        """Add a legend of the markers above the panels.

        :meth:`plot` adds the legend if it creates the figure. For existing axes, create
        the figure with ``layout="constrained"``, which makes room for the legend.
        """
        handles, labels = self.ax_[0].get_legend_handles_labels()
        if len(labels) < 2:
            return
        options: dict[str, Any] = {"loc": "outside upper left", "frameon": False}
        options |= {"fontsize": 9, "handletextpad": 0.2}
        # Leave a margin, because text is wider at a lower resolution.
        room = self.figure_.bbox.width / 1.1
        for n_columns in range(len(labels), 0, -1):  # use as many columns as fit
            legend = self.figure_.legend(handles, labels, ncols=n_columns, **options)
            if n_columns == 1 or legend.get_window_extent().width <= room:
                break
            legend.remove()
        enlarge_markers(legend)

    def _draw_panel(
        self, ax: Any, parameter: Parameter, options: dict[str, Any]
    ) -> None:
        """Draw the candidates over one parameter."""
        import matplotlib

        scores = self.data["score"].to_numpy()
        rounds = self.data["round"].to_numpy()
        status = self.data["status"].to_numpy()
        dropped, failed = status == "dropped", status == "failed"
        paused = status == "paused"
        low, high = score_limits(scores)
        most = 8 if len(parameter.labels) <= 8 else 6
        set_parameter_axis(ax, "x", parameter, most=most, length=14)
        set_score_limits(ax, low, high)
        bottom = ax.get_ylim()[0]
        x = jitter(parameter.positions, parameter)
        size = point_size(len(scores)) * 0.7
        several = len(np.unique(rounds)) > 1
        many = len(scores) > RASTERIZE_ABOVE
        shades = matplotlib.colormaps[COLORMAP](np.linspace(0.35, 0.85, rounds.max()))
        for number in np.unique(rounds).tolist():
            rows = (rounds == number) & ~(scores < low) & ~dropped & ~paused
            style = {
                "s": size,
                "color": shades[number - 1] if several else "tab:blue",
                "marker": round_marker(number),
                "alpha": 0.4 if many else 0.8,
                "linewidth": 0,
                "rasterized": many,
                "label": f"round {number}" if several else "candidate",
            }
            ax.scatter(x[rows], scores[rows], **merge_point_options(style, options))
        hollow = {"facecolor": "none", "edgecolor": "0.45", "linewidth": 0.8}
        below = {"marker": "v", "color": "0.4", "clip_on": False, "linewidth": 0}
        cross = {"marker": "x", "color": "black", "clip_on": False, "linewidth": 0.8}
        for name, rows, heights, style in (
            ("dropped", dropped & ~(scores < low), scores, hollow),
            ("paused", paused & ~(scores < low), scores, {**hollow, "marker": "D"}),
            ("worse", scores < low, bottom, below),
            ("failed", failed, bottom, cross),
        ):
            if rows.any():
                y = np.broadcast_to(heights, scores.shape)[rows]
                ax.scatter(x[rows], y, s=size, label=name, **style)
        if self.best is not None:
            star = {"marker": "*", "s": 110, "color": "white", "edgecolor": "black"}
            star["clip_on"] = False
            ax.scatter(x[self.best], scores[self.best], zorder=4, **star)
        thin_linear_ticks(ax, parameter)
