"""Draw the figures of a report.

Figures are created without pyplot, so writing a report opens no window and leaves
no figure behind.
"""

from __future__ import annotations

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
from sklearn_refine.results._variance import comparable_candidates, rank_parameters

LANDSCAPE = (
    "The two most important parameters that vary together. The surface is the "
    "score that a Gaussian process expects, with the other parameters at their "
    "best values. Outlines are the windows of the last rounds."
)


def report_figures(search: Any, results: Results) -> list[str]:
    """Return all displays that the results allow, as HTML images.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    figure_class = import_figure_class("search_report")

    def picture(kind: Any, title: str, caption: str, params: Any = None) -> str:
        display = kind.from_search(search, params, draw=False, metric=results.metric)
        return figure_html(display._draw_figure(figure_class), title, caption)

    title = "Scores in the order tried"
    parts = [picture(SearchHistoryDisplay, title, "Scores in the order tried.")]
    if not results.parameters:
        return parts
    caption = (
        "Scores over each parameter. The line is the score that a Gaussian process "
        "expects if only this parameter differs from the best candidate."
    )
    parts.append(picture(SearchSliceDisplay, "Scores over each parameter", caption))
    if len(comparable_candidates(results)) < 3 or not results.varying:
        return parts
    caption = (
        "Share of each parameter in the variance of the score over the space that was "
        "tried (functional ANOVA of a Gaussian process)."
    )
    title = "Importance of parameters"
    parts.append(picture(ParameterImportanceDisplay, title, caption))
    pair = first_varying_pair(rank_parameters(results, 0))
    if pair is not None:
        names = [parameter.name for parameter in pair]
        title = f"Scores over {' and '.join(names)}"
        parts.append(picture(SearchLandscapeDisplay, title, LANDSCAPE, names))
    caption = "Each candidate is a line; darker ones are better."
    title = "Candidates across parameters"
    return [*parts, picture(ParallelCoordinateDisplay, title, caption)]
