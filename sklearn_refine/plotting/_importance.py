"""Draw how much each parameter matters.

A ranking of noise would mislead, so below a share of explained variance there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd

from sklearn_refine.plotting._display import (
    Labels,
    SearchDisplay,
    document_options,
    search_name,
)
from sklearn_refine.plotting._options import merge_bar_options
from sklearn_refine.plotting._style import add_legend_above, escape_dollars
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results
from sklearn_refine.results._variance import Importances, compute_importances


class ParameterImportanceDisplay(SearchDisplay):
    """Importance of each parameter: its share of the variance of the score.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    results : object
        The results of the search.

    parameters : list of object
        The parameters that are drawn.

    score_name : str
        Name of the score.

    name : str
        Name of the search.

    data : DataFrame
        The table that :meth:`frame` returns.

    explained : float
        R² on candidates that the process was not fitted to: the explained share of the
        variance of the scores. At most 1; 0 or less if nothing is explained.

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
    The measure is functional ANOVA [1]_: the variance of the score over the whole space
    is divided among the parameters. The score is predicted by a Gaussian process, the
    surrogate of the random search, so regions with few candidates count as much as
    others. The dark bar is the share that the parameter explains by itself. The light
    bar adds its interactions with other parameters. An interaction counts for each of
    its parameters, so light bars may add up to more than 1.

    The space is the range that was tried. Numbers are spread evenly over it, on their
    linear or logarithmic scale; choices are equally probable. Very bad scores are moved
    to the lowest score that :class:`SearchHistoryDisplay` shows, so one diverged
    candidate does not dominate. Scores with different resources cannot be compared. Of
    a halving search, only one iteration is used: the last one with at least twenty
    candidates that have a score on every split, or the one with the most of them.

    The process is also fitted without each fifth of the candidates. This gives the
    explained share and, by the jackknife, the standard errors. If less than 20 % is
    explained, there is not enough evidence, and the plot shows no ranking. Importances
    do not tell how to set a parameter.

    References
    ----------
    .. [1] F. Hutter, H. Hoos and K. Leyton-Brown, "An efficient approach for assessing
       hyperparameter importance", ICML (2014).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_refine import ParameterImportanceDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0, 10.0], "solver": ["auto", "svd"]}
    >>> search = GridSearchCV(Ridge(), grid).fit(X, y)
    >>> display = ParameterImportanceDisplay.from_search(search)
    >>> display.frame()["parameter"].tolist()
    ['alpha', 'solver']
    >>> display = display.plot(title="Ridge")
    """

    def __init__(
        self,
        *,
        results: Any,
        parameters: list[Any],
        score_name: str,
        name: str,
        data: pd.DataFrame,
        explained: float,
    ) -> None:
        super().__init__(
            results=results, parameters=parameters, score_name=score_name, name=name
        )
        self.data = data
        self.explained = explained

    @classmethod
    def _read(
        cls,
        search: Any,
        results: Results,
        params: Sequence[str] | None,
        random_state: Any,
    ) -> Self:
        importances = compute_importances(results, random_state)
        return cls._of_importances(search, results, importances, params)

    @classmethod
    def _of_importances(
        cls,
        search: Any,
        results: Results,
        importances: Importances,
        params: Sequence[str] | None = None,
    ) -> Self:
        """Return the display of importances that are already known."""
        chosen = {p.name for p in results.chosen(params)}
        data = importances.data
        data = data[data["parameter"].isin(chosen)].reset_index(drop=True)
        return cls(
            results=results,
            parameters=[results.parameter(name) for name in data["parameter"]],
            score_name=results.label,
            name=search_name(search),
            data=data,
            explained=importances.explained,
        )

    def frame(self) -> pd.DataFrame:
        """Return the importances as a table.

        Returns
        -------
        frame : DataFrame
            One row per parameter that varies, the most important first. The columns are
            `parameter`, `importance` (its share of the variance by itself), `total`
            (its share with interactions) and `std`, the standard error of `total`.
        """
        return self.data.copy()

    @document_options
    def plot(
        self,
        ax: Any = None,
        *,
        bar_kw: dict[str, Any] | None = None,
        score_name: str | None = None,
        negate_score: bool = False,
        name: str | None = None,
        title: str | None = None,
        full_names: bool = False,
    ) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or Figure, default=None
            Axes to draw on, or figure to add them to. If None, a new figure is created.
        bar_kw : dict, default=None
            Options of ``Axes.barh`` for the bars of `importance`.
        {common}

        Returns
        -------
        display : ParameterImportanceDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        labels = self._labels(score_name, negate_score, name, title, full_names)
        order = self._order()
        texts = [labels.wrapped(parameter) for parameter in order]
        ax = self._axes(ax, labels)
        data = self.data.set_index("parameter").loc[[p.name for p in order]]
        self._draw_bars(ax, data, bar_kw)
        ax.set_yticks(range(len(order)), texts)
        ax.invert_yaxis()
        ax.set_xlim(left=0)
        ax.set_xlabel("share of the variance over the space")
        ax.set_title(self._heading(labels), fontsize=10, pad=26)
        add_legend_above(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _size(self, labels: Labels) -> tuple[float, float]:
        lines = [labels.wrapped(p).count("\n") + 1 for p in self.parameters]
        return 6.4, 1.7 + sum(0.15 + 0.17 * n for n in lines)

    @property
    def _enough(self) -> bool:
        return Importances(self.data, self.explained).are_evidence

    def _order(self) -> list[Parameter]:
        """Return the parameters in the order of the bars; by name without evidence."""
        if self._enough:
            return self.parameters
        return sorted(self.parameters, key=lambda parameter: parameter.name)

    def _draw_bars(
        self, ax: Any, data: pd.DataFrame, options: dict[str, Any] | None
    ) -> None:
        """Draw the total shares, their errors, and the shares of each by itself."""
        places = range(len(data))
        dark, light = ("tab:blue", "lightsteelblue") if self._enough else ("0.8", "0.9")
        style = {"color": dark, "label": "by itself", "zorder": 2}
        style = merge_bar_options(style, options)
        height = style.get("height", 0.8)
        ax.barh(places, data["importance"], **style)
        error = {"xerr": data["std"], "capsize": 3, "ecolor": "0.4"}
        ax.barh(
            places,
            data["total"],
            height,
            color=light,
            label="with interactions",
            zorder=1,
            **(error if self._enough else {}),
        )

    def _heading(self, labels: Labels) -> str:
        """Return the title: what is explained, or that there is not enough evidence."""
        score = escape_dollars(labels.title or labels.score)
        share = max(self.explained, 0.0)
        if self._enough:
            said = f"{share:.0%} of the variance of new candidates is explained"
        else:
            said = (
                f"Not enough evidence: only {share:.0%} of the variance is explained.\n"
                "The bars do not rank the parameters."
            )
        return f"{score}\n{said}"
