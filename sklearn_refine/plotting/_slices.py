"""Draw the score of every candidate over each parameter, one panel per parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_refine.plotting._candidates import draw_best, draw_statuses
from sklearn_refine.plotting._display import (
    Labels,
    SearchDisplay,
    document_options,
    search_name,
)
from sklearn_refine.plotting._figures import new_panels, panels_size
from sklearn_refine.plotting._frames import candidates_frame, object_array
from sklearn_refine.plotting._interactive import is_interactive, slices_figure
from sklearn_refine.plotting._layers import split_layers
from sklearn_refine.plotting._options import merge_line_options
from sklearn_refine.plotting._parameter_axis import (
    jitter,
    set_parameter_axis,
    thin_linear_ticks,
)
from sklearn_refine.plotting._scores import ScoreScale
from sklearn_refine.plotting._style import (
    dark_colormap,
    enlarge_markers,
    escape_dollars,
    next_color,
    score_label,
)
from sklearn_refine.plotting._surface import Curve, fit_curves
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results
from sklearn_refine.results._variance import rank_parameters

#: Inches of a panel.
PANEL_SIZE = (3.1, 2.8)
#: Columns of panels in a page, so that they can be read on a narrow screen.
PAGE_COLUMNS = 2


class SearchSliceDisplay(SearchDisplay):
    """Score of every candidate over each parameter, one panel per parameter.

    Create a display with :meth:`from_search`, or with :meth:`from_journal` while the
    search runs. It works for any fitted search, including ``GridSearchCV`` and the
    other searches of scikit-learn.

    Parameters
    ----------
    results : object
        The results of the search.

    parameters : list of object
        The parameters that are drawn, the most important first.

    score_name : str
        Name of the score.

    name : str
        Name of the search.

    curves : dict of str to object
        The expected scores, by panel, with the attributes `x`, `mean`, `low` and
        `high`.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes or None
        Axes of the panels; None if the plot is interactive. Set by :meth:`plot`.

    figure_ : matplotlib or plotly Figure
        Figure with the plot. Set by :meth:`plot`.

    See Also
    --------
    SearchLandscapeDisplay : The score over two parameters (contour plot).
    ParameterImportanceDisplay : How much each parameter matters.

    Notes
    -----
    Parameters are in the order of :class:`ParameterImportanceDisplay`. If there is not
    enough evidence for an order, they are sorted by name. More than eight layer sizes
    are drawn as their depth and the width of each layer.

    The line is the score that a Gaussian process expects if only this parameter
    differs from the best candidate. The band is one standard deviation of this
    expectation. Layers that the line over a depth adds are as wide as the last one.
    Points at the same value differ, because all other parameters vary too.
    A search with rounds tries more candidates near the best ones, so there are more and
    better points. Few points elsewhere say little about what is possible there.

    The star is the best candidate, and darker points belong to later rounds. With
    `name`, all points have one color instead, so that two searches can be compared on
    the same axes. Hollow points, crosses and triangles mean the same as in
    :class:`SearchHistoryDisplay`. Points at the same choice are moved apart.

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

    Draw on existing axes:

    >>> import matplotlib.pyplot as plt
    >>> figure, axes = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    >>> display.plot(axes).legend()
    """

    def __init__(
        self,
        *,
        results: Any,
        parameters: list[Any],
        score_name: str,
        name: str,
        curves: dict[str, Any],
    ) -> None:
        super().__init__(
            results=results, parameters=parameters, score_name=score_name, name=name
        )
        self.curves: dict[str, Curve] = curves

    @classmethod
    def _read(
        cls,
        search: Any,
        results: Results,
        params: Sequence[str] | None,
        random_state: Any,
    ) -> Self:
        parameters = results.chosen(params)
        if params is None:
            parameters = rank_parameters(results, random_state) or parameters
        return cls(
            results=results,
            parameters=parameters,
            score_name=results.label,
            name=search_name(search),
            curves=fit_curves(results, split_layers(parameters)),
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
            part = candidates_frame(self.results).iloc[rows].reset_index()
            part.insert(0, "parameter", parameter.name)
            values = object_array([parameter.values[row] for row in rows.tolist()])
            part.insert(2, "value", pd.Series(values, dtype=object))
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @document_options
    def plot(
        self,
        ax: Any = None,
        *,
        scatter_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
        score_name: str | None = None,
        negate_score: bool = False,
        name: str | None = None,
        title: str | None = None,
        full_names: bool = False,
        backend: str = "matplotlib",
    ) -> Self:
        """Draw one panel per parameter.

        Parameters
        ----------
        ax : matplotlib Axes, array of them, or Figure, default=None
            Axes to draw on, one per panel, or figure to add them to. If None, a new
            figure is created.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the points.
        line_kw : dict, default=None
            Options of ``Axes.plot`` for the expected score.
        {common}
        {backend}

        Returns
        -------
        display : SearchSliceDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If the library that draws is not installed.
        ValueError
            If `ax` has another number of axes, or `backend` is unknown.
        """
        labels = self._labels(score_name, negate_score, name, title, full_names)
        panels = split_layers(self.parameters)
        if is_interactive(backend):
            self.ax_, self.figure_ = None, slices_figure(self, labels, panels)
            return self
        axes = new_panels(type(self).__name__, len(panels), ax, PANEL_SIZE)
        for panel, parameter in zip(axes, panels, strict=True):
            self._draw_panel(panel, parameter, labels, scatter_kw, line_kw)
            spec = panel.get_subplotspec()
            if spec is None or spec.is_first_col():
                panel.set_ylabel(score_label(labels.score))
        self.ax_, self.figure_ = object_array(axes), axes[0].figure
        if title is not None:
            self.figure_.suptitle(escape_dollars(title))
        if ax is None or hasattr(ax, "add_subplot"):
            self.legend()
        return self

    def _size(self, labels: Labels) -> tuple[float, float]:
        n_panels = len(split_layers(self.parameters))
        return panels_size(n_panels, PANEL_SIZE, min(n_panels, PAGE_COLUMNS))

    def legend(self) -> None:
        """Add a legend of the markers above the panels, and a color bar of the rounds.

        :meth:`plot` adds both if it creates the axes. For existing axes, create the
        figure with ``layout="constrained"``, which makes room for them. An interactive
        plot has a legend already.
        """
        if self.ax_ is None:
            return
        axes: list[Any] = list(self.ax_)
        entries: dict[str, Any] = {}
        for ax in axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                entries.setdefault(label, handle)
        colored = [
            points
            for points in axes[0].collections
            if points.get_label() == "candidate" and points.get_array() is not None
        ]
        if colored:
            bar = self.figure_.colorbar(colored[0], ax=axes, pad=0.01)
            bar.set_label("round")
            bar.locator.set_params(integer=True, min_n_ticks=1)
            bar.solids.set_alpha(1.0)
        options: dict[str, Any] = {"loc": "outside upper left", "frameon": False}
        options |= {"fontsize": 9, "handletextpad": 0.4}
        # Leave a margin, because text is wider at a lower resolution.
        room = self.figure_.bbox.width / 1.1
        for n_columns in range(len(entries), 0, -1):  # use as many columns as fit
            legend = self.figure_.legend(
                entries.values(), entries.keys(), ncols=n_columns, **options
            )
            if n_columns == 1 or legend.get_window_extent().width <= room:
                break
            legend.remove()
        enlarge_markers(legend)

    def _draw_panel(
        self,
        ax: Any,
        parameter: Parameter,
        labels: Labels,
        scatter_kw: dict[str, Any] | None,
        line_kw: dict[str, Any] | None,
    ) -> None:
        """Draw the candidates over one parameter, and the expected score."""
        from matplotlib.colors import Normalize

        results = self.results
        scale = ScoreScale.of(results.scores, labels.sign)
        most = 8 if len(parameter.labels) <= 8 else 6
        text = labels.wrapped(parameter)
        set_parameter_axis(ax, "x", parameter, text, most=most, length=18)
        scale.set_limits(ax)
        color = next_color(ax)
        rounds = results.rounds
        style: dict[str, Any] = {"color": color, "label": labels.name or "candidate"}
        if labels.name is None and len(np.unique(rounds)) > 1:
            norm = Normalize(1, rounds.max())
            style = {"c": rounds, "cmap": dark_colormap(), "norm": norm}
        x = jitter(parameter.positions, parameter)
        draw_statuses(ax, results, x, scale, scatter_kw, **style)
        if parameter.name in self.curves:
            curve = self.curves[parameter.name]
            line_color = color if labels.name else "0.25"
            _draw_curve(ax, parameter, curve, labels.sign, line_color, line_kw)
        star = color if labels.name else "white"
        draw_best(ax, results, x, scale, color=star)
        thin_linear_ticks(ax, parameter)


def _draw_curve(
    ax: Any,
    parameter: Parameter,
    curve: Curve,
    sign: int,
    color: Any,
    options: dict[str, Any] | None,
) -> None:
    """Draw the expected score: a line over numbers, a dash at each choice."""
    style = {"color": color, "linewidth": 1.3, "zorder": 3}
    style = merge_line_options(style | {"label": "expected, others at best"}, options)
    band = {"color": color, "alpha": 0.15, "linewidth": 0, "zorder": 1}
    low, high = np.sort([sign * curve.low, sign * curve.high], axis=0)
    if parameter.is_number:
        ax.plot(curve.x, sign * curve.mean, **style)
        ax.fill_between(curve.x, low, high, **band)
        return
    for place, mean, bottom, top in zip(
        curve.x, sign * curve.mean, low, high, strict=True
    ):
        ends = [place - 0.38, place + 0.38]
        ax.plot(ends, [mean, mean], **style)
        ax.fill_between(ends, bottom, top, **band)
        style["label"] = "_"
