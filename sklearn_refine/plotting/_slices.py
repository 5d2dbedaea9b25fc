"""The score over each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._options import point_options
from sklearn_refine.plotting._style import (
    COLORMAP,
    MANY,
    candidates_frame,
    column,
    enlarge,
    marker_of,
    new_grid,
    point_size,
    score_limits,
    score_title,
    set_axis,
    set_score_limits,
    spread,
    thin_ticks,
)
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import read_search


class SearchSliceDisplay:
    """The score of every candidate over each parameter, a panel a parameter.

    Make one with :meth:`from_search`, for any fitted search: those of this package,
    or scikit-learn's.

    Parameters
    ----------
    data : DataFrame
        A row for each candidate, with its `round`, `status` and `score`.

    parameters : list of object
        The parameters with their values, as read from the search.

    best : int or None
        The index of the best candidate, None if there is none.

    score_name : str
        What the score is called.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes
        The panels. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        Their figure. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters.
    ParameterImportanceDisplay : How much each parameter matters.

    Notes
    -----
    All other parameters vary too, so points at the same value differ: the upper edge
    of the cloud says how good a value can be. A search that looks closer around the
    best has more and better points there; few points elsewhere say little of what is
    possible there. The worst scores may be drawn at the lower edge, as in
    :class:`SearchHistoryDisplay`. Points at the same choice are moved apart. Those of
    later rounds are darker; hollow ones were dropped by a race; crosses at the lower
    edge have no score on some split; the star is the best.

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

    On axes of one's own:

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
        """Read a fitted search; nothing is drawn.

        Parameters
        ----------
        search : estimator
            A fitted search: anything with ``cv_results_``.
        params : list of str, default=None
            The parameters, by their full names. None takes all that vary.
        metric : str, default=None
            Which metric, where there are several. None takes the one of `refit`.

        Returns
        -------
        display : SearchSliceDisplay
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
        return cls(
            data=candidates_frame(results),
            parameters=parameters,
            best=results.best,
            score_name=results.label,
        )

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : DataFrame
            A row for each parameter and each candidate that sets it: `parameter`,
            `candidate`, `value`, `round`, `status` and `score`.
        """
        parts = []
        for parameter in self.parameters:
            rows = np.flatnonzero(parameter.is_set)
            part = self.data.iloc[rows].reset_index()
            part.insert(0, "parameter", parameter.name)
            values = column([parameter.values[row] for row in rows.tolist()])
            part.insert(2, "value", pd.Series(values, dtype=object))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    def plot(
        self, ax: Any = None, *, scatter_kw: dict[str, Any] | None = None
    ) -> SearchSliceDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or array of them, default=None
            Where, one for each parameter. None makes a new figure.
        scatter_kw : dict, default=None
            For the points, as ``Axes.scatter`` takes them.

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
        axes = new_grid(type(self).__name__, len(self.parameters), ax, (3.0, 2.9))
        for panel, parameter in zip(axes, self.parameters, strict=True):
            self._panel(panel, parameter, scatter_kw or {})
            if (
                panel.get_subplotspec() is None
                or panel.get_subplotspec().is_first_col()
            ):
                panel.set_ylabel(score_title(self.score_name))
        self.ax_, self.figure_ = column(axes), axes[0].figure
        if ax is None:
            self.legend()
        return self

    def legend(self) -> None:
        """Say above the panels which mark stands for which round, or for no score.

        :meth:`plot` does so if it makes the figure. Otherwise, the figure needs a
        layout that makes room for it: ``layout="constrained"``.
        """
        handles, labels = self.ax_[0].get_legend_handles_labels()
        if len(labels) < 2:
            return
        options: dict[str, Any] = {"loc": "outside upper left", "frameon": False}
        options |= {"fontsize": 9, "handletextpad": 0.2}
        room = self.figure_.bbox.width / 1.1  # text is wider in a coarser file
        for n_columns in range(len(labels), 0, -1):  # as many as fit
            legend = self.figure_.legend(handles, labels, ncols=n_columns, **options)
            if n_columns == 1 or legend.get_window_extent().width <= room:
                break
            legend.remove()
        enlarge(legend)

    def _panel(self, ax: Any, parameter: Parameter, options: dict[str, Any]) -> None:
        import matplotlib

        scores = self.data["score"].to_numpy()
        rounds = self.data["round"].to_numpy()
        status = self.data["status"].to_numpy()
        dropped, failed = status == "dropped", status == "failed"
        low, high = score_limits(scores)
        most = 8 if len(parameter.labels) <= 8 else 6
        set_axis(ax, "x", parameter, most=most, length=14)
        set_score_limits(ax, low, high)
        bottom = ax.get_ylim()[0]
        x = spread(parameter.positions, parameter)
        size = point_size(len(scores)) * 0.7
        several = len(np.unique(rounds)) > 1
        many = len(scores) > MANY
        shades = matplotlib.colormaps[COLORMAP](np.linspace(0.35, 0.85, rounds.max()))
        for number in np.unique(rounds).tolist():
            rows = (rounds == number) & ~(scores < low) & ~dropped
            style = {
                "s": size,
                "color": shades[number - 1] if several else "tab:blue",
                "marker": marker_of(number),
                "alpha": 0.4 if many else 0.8,
                "linewidth": 0,
                "rasterized": many,
                "label": f"round {number}" if several else "candidate",
            }
            ax.scatter(x[rows], scores[rows], **point_options(style, options))
        hollow = {"facecolor": "none", "edgecolor": "0.45", "linewidth": 0.8}
        below = {"marker": "v", "color": "0.4", "clip_on": False, "linewidth": 0}
        cross = {"marker": "x", "color": "black", "clip_on": False, "linewidth": 0.8}
        for name, rows, heights, style in (
            ("dropped", dropped & ~(scores < low), scores, hollow),
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
        thin_ticks(ax, parameter)
