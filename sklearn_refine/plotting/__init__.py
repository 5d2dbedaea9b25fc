"""Plots and reports of fitted searches.

matplotlib is optional. It is imported when something is drawn, not before.
"""

from sklearn_refine.plotting._history import SearchHistoryDisplay
from sklearn_refine.plotting._importance import ParameterImportanceDisplay
from sklearn_refine.plotting._landscape import SearchLandscapeDisplay
from sklearn_refine.plotting._parallel import ParallelCoordinateDisplay
from sklearn_refine.plotting._report import search_report
from sklearn_refine.plotting._slices import SearchSliceDisplay

__all__ = [
    "ParallelCoordinateDisplay",
    "ParameterImportanceDisplay",
    "SearchHistoryDisplay",
    "SearchLandscapeDisplay",
    "SearchSliceDisplay",
    "search_report",
]
