"""Draw the figures of a report.

Figures are created without pyplot, so writing a report opens no window and leaves
no figure behind.
"""

from __future__ import annotations

from typing import Any

from sklearn_refine.plotting._figures import (
    add_panels,
    import_figure_class,
    panel_columns,
)
from sklearn_refine.plotting._history import SearchHistoryDisplay
from sklearn_refine.plotting._html import figure_html
from sklearn_refine.plotting._importance import (
    ParameterImportanceDisplay,
    comparable_candidates,
)
from sklearn_refine.plotting._landscape import SearchLandscapeDisplay
from sklearn_refine.plotting._pairs import first_varying_pair
from sklearn_refine.plotting._parallel import ParallelCoordinateDisplay
from sklearn_refine.plotting._slices import SearchSliceDisplay
from sklearn_refine.results._table import Results


def report_figures(search: Any, results: Results) -> list[str]:
    """Return all displays that the results allow, as HTML images.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    figure_class = import_figure_class("search_report")

    def new_figure(width: float, height: float) -> Any:
        return figure_class(figsize=(width, height), layout="constrained")

    options = {"metric": results.metric}
    figure = new_figure(7.5, 4.2)
    SearchHistoryDisplay.from_search(search, **options).plot(figure.subplots())
    parts = [
        figure_html(figure, "Scores in the order tried", "Scores in the order tried.")
    ]
    if not results.parameters:
        return parts
    slices = SearchSliceDisplay.from_search(search, **options)
    n = len(slices.parameters)
    n_columns = panel_columns(n)
    figure = new_figure(max(3.0 * n_columns, 5.0), 2.9 * -(-n // n_columns))
    slices.plot(add_panels(figure, n)).legend()
    parts.append(
        figure_html(figure, "Scores over each parameter", "Over each parameter.")
    )
    if len(comparable_candidates(results)) < 3 or not results.varying:
        return parts
    importance = ParameterImportanceDisplay.from_search(search, **options)
    figure = new_figure(7.0, 1.6 + 0.35 * len(importance.data))
    importance.plot(figure.subplots())
    caption = (
        "Permutation importance of each parameter in the part of the space that was "
        "tried, from random forests that predict the ranks of the scores."
    )
    parts.append(figure_html(figure, "Importance of parameters", caption))
    if len(results.varying) > 1:
        names = importance.data["parameter"].tolist()
        parts += _landscape_figure(search, results, names, new_figure(7.5, 5.4))
    figure = new_figure(max(6.4, 1.45 * (n + 1)), 4.4)
    ParallelCoordinateDisplay.from_search(search, **options).plot(figure.subplots())
    caption = "Each candidate is a line; darker ones are better."
    return [*parts, figure_html(figure, "Candidates across parameters", caption)]


def _landscape_figure(
    search: Any, results: Results, names: list[str], figure: Any
) -> list[str]:
    """Return the landscape of the most important pair that varies together."""
    pair = first_varying_pair([results.parameter(name) for name in names])
    if pair is None:
        return []
    names = [parameter.name for parameter in pair]
    display = SearchLandscapeDisplay.from_search(search, names, metric=results.metric)
    display.plot(figure.subplots())
    caption = (
        "The two most important parameters that vary together. The surface is the "
        "score that a Gaussian process expects, with the other parameters at their "
        "best values. Outlines are the windows of the rounds."
    )
    return [figure_html(figure, f"Scores over {' and '.join(names)}", caption)]
