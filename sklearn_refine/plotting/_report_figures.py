"""Draw the figures of a report.

Figures are created without pyplot, so writing a report opens no window and leaves
no figure behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_refine.plotting._figures import import_figure_class
from sklearn_refine.plotting._history import SearchHistoryDisplay
from sklearn_refine.plotting._html import figure_html
from sklearn_refine.plotting._importance import ParameterImportanceDisplay
from sklearn_refine.plotting._landscape import SearchLandscapeDisplay
from sklearn_refine.plotting._pairs import first_varying_pair
from sklearn_refine.plotting._parallel import ParallelCoordinateDisplay
from sklearn_refine.plotting._slices import SearchSliceDisplay
from sklearn_refine.results._table import Results
from sklearn_refine.results._variance import Importances, order_parameters

LANDSCAPE = (
    "The two most important parameters that vary together. The surface is the "
    "score that a Gaussian process expects, with the other parameters at their "
    "best values. Outlines are the windows of the last rounds."
)


def report_figures(
    search: Any, results: Results, importances: Importances | None
) -> list[str]:
    """Return all displays that the results allow, as HTML images.

    Parameters
    ----------
    search : estimator
        The fitted search.
    results : Results
        Its results.
    importances : Importances or None
        The importances of its parameters; None if there are too few candidates.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    figure_class = import_figure_class("search_report")

    def picture(display: Any, title: str, caption: str) -> str:
        return figure_html(display._draw_figure(figure_class), title, caption)

    def read(kind: Any, params: Sequence[str] | None = None) -> Any:
        return kind._read(search, results, params, 0)

    title = "Scores in the order tried"
    parts = [picture(read(SearchHistoryDisplay), title, f"{title}.")]
    if not results.parameters:
        return parts
    caption = (
        "Scores over each parameter. The line is the score that a Gaussian process "
        "expects if only this parameter differs from the best candidate."
    )
    names = None
    if importances is not None:
        ranked = order_parameters(results, importances)
        names = [parameter.name for parameter in ranked]
    slices = read(SearchSliceDisplay, names)
    parts.append(picture(slices, "Scores over each parameter", caption))
    if importances is None:
        return parts
    caption = (
        "Share of each parameter in the variance of the score over the space that was "
        "tried (functional ANOVA of a Gaussian process)."
    )
    title = "Importance of parameters"
    bars = ParameterImportanceDisplay._of_importances(search, results, importances)
    parts.append(picture(bars, title, caption))
    pair = first_varying_pair(ranked)
    if pair is not None:
        names = [parameter.name for parameter in pair]
        title = f"Scores over {' and '.join(names)}"
        parts.append(picture(read(SearchLandscapeDisplay, names), title, LANDSCAPE))
    caption = "Each candidate is a line; darker ones are better."
    title = "Candidates across parameters"
    return [*parts, picture(read(ParallelCoordinateDisplay), title, caption)]
