"""Draw the score over two parameters, with the surrogate and the windows.

The colors of the points and of the surface use the same levels and must stay
comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from sklearn_refine.plotting._display import (
    Labels,
    SearchDisplay,
    document_options,
    search_name,
)
from sklearn_refine.plotting._frames import (
    candidates_frame,
    free_column_name,
    object_array,
)
from sklearn_refine.plotting._interactive import is_interactive, landscape_figure
from sklearn_refine.plotting._landscape_layers import (
    draw_candidates,
    draw_color_bar,
    draw_surface,
    draw_windows,
    is_hatched,
)
from sklearn_refine.plotting._pairs import choose_pair
from sklearn_refine.plotting._parameter_axis import set_parameter_axis
from sklearn_refine.plotting._scores import color_levels
from sklearn_refine.plotting._style import add_legend_above, escape_dollars
from sklearn_refine.plotting._surface import fit_surface
from sklearn_refine.plotting._windows import read_windows
from sklearn_refine.results._table import Results


class SearchLandscapeDisplay(SearchDisplay):
    """Score over two parameters (contour plot): surface, candidates and windows.

    Create a display with :meth:`from_search`, or with :meth:`from_journal` while the
    search runs. It works for any fitted search, including ``GridSearchCV`` and the
    other searches of scikit-learn.

    Parameters
    ----------
    results : object
        The results of the search.

    parameters : list of two objects
        The parameters of the horizontal and the vertical axis.

    score_name : str
        Name of the score.

    name : str
        Name of the search.

    surface : object or None
        Scores that the surrogate expects, with the attributes `x`, `y`, `scores` and
        `doubt`. `scores` has shape (len(y), len(x)) and is NaN where no candidate sets
        both parameters. None if no surface can be fitted.

    windows : list of object
        Windows of the rounds, with the attribute `round` and the ranges `x` and `y`.

    best : int or None
        Index of the best candidate in the plot. None if there is none.

    Attributes
    ----------
    ax_ : matplotlib Axes or None
        Axes with the plot; None if it is interactive. Set by :meth:`plot`.

    figure_ : matplotlib or plotly Figure
        Figure with the plot. Set by :meth:`plot`.

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
    below it, because its other parameters have other values. The surface is hatched
    where the process knows little. It is left out if the scores cannot be smoothed, for
    example with fewer than five candidates or with equal scores.

    Colors divide the candidates into tenths by score; brighter is better. Choices and
    layer sizes are drawn as stripes, and their points are moved apart. The order of
    choices has no meaning. A stripe is empty if no candidate combines it with the other
    parameter.

    A window is the part of the space that a round searches around one center. Windows
    are drawn for the searches of this package, if all candidates set both parameters.
    The window of the first round is the whole space or grid. If there are more than
    twelve windows, only those around the best center of each round are kept.

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
    >>> display = display.plot(windows="all", title="Kernel ridge")
    """

    def __init__(
        self,
        *,
        results: Any,
        parameters: list[Any],
        score_name: str,
        name: str,
        surface: Any,
        windows: list[Any],
        best: int | None,
    ) -> None:
        super().__init__(
            results=results, parameters=parameters, score_name=score_name, name=name
        )
        self.surface = surface
        self.windows = windows
        self.best = best

    @classmethod
    def _read(
        cls,
        search: Any,
        results: Results,
        params: Sequence[str] | None,
        random_state: Any,
    ) -> Self:
        across, up = choose_pair(results, params, random_state)
        both = np.flatnonzero(across.is_set & up.is_set)
        if not len(both):
            raise ValueError(
                f"params={[across.name, up.name]!r} are set together by no candidate; "
                "pass two that are."
            )
        rivals = np.intersect1d(both, results.rivals)
        best = int(rivals[results.scores[rivals].argmax()]) if len(rivals) else None
        windows = read_windows(search, across, up)
        return cls(
            results=results,
            parameters=[across, up],
            score_name=results.label,
            name=search_name(search),
            surface=fit_surface(results, across, up, windows),
            windows=windows,
            best=best,
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
        data = candidates_frame(self.results)
        for index, parameter in enumerate(self.parameters):
            name = free_column_name(parameter.name, [*data.columns])
            data.insert(index, name, pd.Series(object_array(parameter.values)))
        return data[self.parameters[0].is_set & self.parameters[1].is_set]

    @document_options
    def plot(
        self,
        ax: Any = None,
        *,
        windows: int | str = 2,
        colorbar: bool = True,
        scatter_kw: dict[str, Any] | None = None,
        score_name: str | None = None,
        negate_score: bool = False,
        name: str | None = None,
        title: str | None = None,
        full_names: bool = False,
        backend: str = "matplotlib",
    ) -> Self:
        """Draw the surface, the candidates and the windows.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, default=None
            Axes to draw on, or figure to add them to. If None, a new figure is created.
        windows : int or "all", default=2
            Number of the last rounds that have their windows drawn; 0 for none.
        colorbar : bool, default=True
            Whether to add a color bar of the scores.
        scatter_kw : dict, default=None
            Options of ``Axes.scatter`` for the candidates. A `norm` receives positions
            among the levels of the color bar, counted from 0, instead of scores.
        {common}
        {backend}

        Returns
        -------
        display : SearchLandscapeDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If the library that draws is not installed.
        ValueError
            If `windows` is neither "all" nor a number, or `backend` is unknown.
        """
        labels = self._labels(score_name, negate_score, name, title, full_names)
        shown = self._last_windows(windows)
        if is_interactive(backend):
            self.ax_, self.figure_ = None, landscape_figure(self, labels, shown)
            return self
        ax = self._axes(ax, labels)
        rows = self.frame().index.to_numpy()
        complete = self.results.status[rows] == "complete"
        levels = color_levels(self.results.scores[rows][complete])
        for which, parameter in zip("xy", self.parameters, strict=True):
            set_parameter_axis(ax, which, parameter, labels.wrapped(parameter))
        draw_surface(ax, self, levels)
        points = draw_candidates(ax, self, rows, levels, scatter_kw or {})
        draw_windows(ax, shown)
        if colorbar:
            cmap = (scatter_kw or {}).get("cmap")
            draw_color_bar(ax, levels, labels, cmap, n_scores=int(complete.sum()))
        has_colors = points is not None and points.get_array() is not None
        add_legend_above(ax, ["candidate"] if has_colors else [])
        self._write_titles(ax, labels)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _size(self, labels: Labels) -> tuple[float, float]:
        return 7.2, 5.4

    def _last_windows(self, windows: int | str) -> list[Any]:
        """Return the windows of the last rounds."""
        if windows == "all":
            return self.windows
        if isinstance(windows, str) or windows < 0:
            raise ValueError(
                f"windows={windows!r} is neither 'all' nor a number of rounds; pass "
                "one of them."
            )
        rounds = sorted({window.round for window in self.windows})
        last = set(rounds[-windows:] if windows else [])
        return [window for window in self.windows if window.round in last]

    def _write_titles(self, ax: Any, labels: Labels) -> None:
        """Write the title, and above the legend what the surface shows."""
        if labels.title is not None:
            ax.figure.suptitle(escape_dollars(labels.title))
        drawn = [parameter.name for parameter in self.parameters]
        said = []
        if any(p.name not in drawn for p in self.results.varying):
            said.append("Surface: other parameters as in the best candidate.")
        if self.surface is not None and is_hatched(self):
            said.append("Hatched: little is known.")
        if said and self.surface is not None:
            legend = ax.get_legend()
            legend.set_title(" ".join(said), {"size": 9})
            legend.set_alignment("left")
