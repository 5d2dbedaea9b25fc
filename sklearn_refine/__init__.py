"""Hyperparameter searches for scikit-learn that refine themselves in rounds."""

from sklearn_refine._grid_search import RefiningGridSearchCV
from sklearn_refine._progress import RoundProgress
from sklearn_refine._random_search import SuccessiveRandomSearchCV
from sklearn_refine.journal._connection import JournalError
from sklearn_refine.journal._table import read_journal
from sklearn_refine.plotting import (
    ParallelCoordinateDisplay,
    ParameterImportanceDisplay,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    SearchSliceDisplay,
    search_report,
)
from sklearn_refine.results._averaging import average_best
from sklearn_refine.results._frame import search_results
from sklearn_refine.results._optuna import to_optuna
from sklearn_refine.results._refit import one_standard_error, smoothed_best
from sklearn_refine.space._distributions import layer_sizes, log_randint

__version__ = "0.1.0"

__all__ = [
    "JournalError",
    "ParallelCoordinateDisplay",
    "ParameterImportanceDisplay",
    "RefiningGridSearchCV",
    "RoundProgress",
    "SearchHistoryDisplay",
    "SearchLandscapeDisplay",
    "SearchSliceDisplay",
    "SuccessiveRandomSearchCV",
    "average_best",
    "layer_sizes",
    "log_randint",
    "one_standard_error",
    "read_journal",
    "search_report",
    "search_results",
    "smoothed_best",
    "to_optuna",
]
