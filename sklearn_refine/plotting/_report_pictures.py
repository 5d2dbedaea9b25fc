"""The pictures of a report."""

from __future__ import annotations

from typing import Any

from sklearn_refine.plotting._history import SearchHistoryDisplay
from sklearn_refine.plotting._html import picture
from sklearn_refine.plotting._importance import ParameterImportanceDisplay, compared
from sklearn_refine.plotting._landscape import SearchLandscapeDisplay, first_pair
from sklearn_refine.plotting._parallel import ParallelCoordinateDisplay
from sklearn_refine.plotting._slices import SearchSliceDisplay
from sklearn_refine.plotting._style import columns, figure_for, panels
from sklearn_refine.results._table import Results


def pictures(search: Any, results: Results) -> list[str]:
    """Return all displays that the results allow, as images.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    make = figure_for("search_report")  # no window, no state outside the page

    def new(width: float, height: float) -> Any:
        return make(figsize=(width, height), layout="constrained")

    options = {"metric": results.metric}
    figure = new(7.5, 4.2)
    SearchHistoryDisplay.from_search(search, **options).plot(figure.subplots())
    parts = [picture(figure, "Scores in the order tried", "Scores in the order tried.")]
    if not results.parameters:
        return parts
    slices = SearchSliceDisplay.from_search(search, **options)
    n = len(slices.parameters)
    figure = new(max(3.0 * columns(n), 5.0), 2.9 * -(-n // columns(n)))
    slices.plot(panels(figure, n)).legend()
    parts.append(picture(figure, "Scores over each parameter", "Over each parameter."))
    if len(compared(results)) < 3 or not results.varying:
        return parts
    importance = ParameterImportanceDisplay.from_search(search, **options)
    figure = new(7.0, 1.6 + 0.35 * len(importance.data))
    importance.plot(figure.subplots())
    caption = (
        "How much each parameter mattered where the search looked: permutation "
        "importance, of a random forest that predicts the ranks of the scores."
    )
    parts.append(picture(figure, "Importance of parameters", caption))
    if len(results.varying) > 1:
        names = importance.data["parameter"].tolist()
        parts += _landscape(search, results, names, new(7.5, 5.4))
    figure = new(max(6.4, 1.45 * (n + 1)), 4.4)
    ParallelCoordinateDisplay.from_search(search, **options).plot(figure.subplots())
    caption = "Each candidate is a line; darker ones are better."
    return [*parts, picture(figure, "Candidates across parameters", caption)]


def _landscape(
    search: Any, results: Results, names: list[str], figure: Any
) -> list[str]:
    """Return the surface over the most important pair that varies together."""
    pair = first_pair([results.parameter(name) for name in names])
    if pair is None:
        return []
    names = [parameter.name for parameter in pair]
    display = SearchLandscapeDisplay.from_search(search, names, metric=results.metric)
    display.plot(figure.subplots())
    caption = (
        "The two most important parameters that vary together: what a Gaussian process "
        "expects with the others at their best values; outlines are windows of rounds."
    )
    return [picture(figure, f"Scores over {' and '.join(names)}", caption)]
