"""The candidates of a search as a table for people: best first, with short names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from sklearn_refine.results._from_journal import as_search
from sklearn_refine.results._names import short_names
from sklearn_refine.results._parameters import MISSING
from sklearn_refine.results._table import Results, find_metrics, read_search


def search_results(
    search: Any,
    *,
    metric: str | None = None,
    full_names: bool = False,
    run: int | None = None,
) -> pd.DataFrame:
    """Return the candidates of a search as a DataFrame, best first.

    It also reads the journal of a search, while the search is running in another
    process or after it was stopped. The table then holds the candidates with at least
    one finished fit.

    Parameters
    ----------
    search : estimator, str or path-like
        Fitted search: any object with ``cv_results_``, including the searches of
        scikit-learn. Or the file that was passed to a search as `journal`.
    metric : str, default=None
        Metric that ranks the candidates, if the search has several. If None, the
        metric of `refit`.
    full_names : bool, default=False
        Whether to name parameters in full, such as ``svc__C``. By default names are
        shortened to what tells them apart, such as ``C``.
    run : int, default=None
        For a journal that holds several searches, the number of the search. If None,
        the search that was started or resumed last.

    Returns
    -------
    results : DataFrame
        One row per candidate, with its index in ``cv_results_`` as index, and these
        columns.

        - `rank`: from 1. Candidates without a score on every split share the last rank.
        - `score` and `se`: the mean test score and its standard error over the splits
          that were run. `se` is NaN if there are fewer than two.
        - `round`: from 1.
        - `status`: "complete", "failed", "dropped" or "paused" (stopped by racing), or
          "running" (more fits follow).
        - one column per parameter, and one per further metric with its mean score. A
          parameter that a candidate does not set is NaN.

    Raises
    ------
    FileNotFoundError
        If there is no such journal.
    JournalError
        If the file is not a journal, or has no such run.
    NotFittedError
        If the search is not fitted.
    TypeError
        If `search` is neither a search nor a path.
    ValueError
        If the search has no such metric, or has several and none is named.

    See Also
    --------
    read_journal : All fits in a journal, one row per fit.
    search_report : A report as one HTML page.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, search_results
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = RefiningGridSearchCV(
    ...     Ridge(), {"alpha": [0.01, 0.1, 1.0]}, n_rounds=1
    ... ).fit(X, y)
    >>> search_results(search)[["rank", "score", "se", "alpha"]].round(3)
               rank  score     se  alpha
    candidate
    0             1  0.481  0.024   0.01
    1             2  0.480  0.024   0.10
    2             3  0.410  0.022   1.00
    """
    search = as_search(search, run)
    results = read_search(search, metric)
    table = {
        "rank": _ranks(results),
        "score": results.scores,
        "se": _standard_errors(results),
        "round": results.rounds,
        "status": results.status.astype(str),
    }
    if results.resources is not None:
        table["n_resources"] = results.resources
    names = [parameter.name for parameter in results.parameters]
    labels = dict(zip(names, names, strict=True)) if full_names else short_names(names)
    for parameter in results.parameters:
        values = [float("nan") if v is MISSING else v for v in parameter.values]
        label = labels[parameter.name]
        table[f"param_{label}" if label in table else label] = pd.Series(values)
    for name in find_metrics(search.cv_results_):
        if name != results.metric:
            table[f"mean_{name}"] = search.cv_results_[f"mean_test_{name}"]
    frame = pd.DataFrame(table, index=pd.RangeIndex(len(results), name="candidate"))
    # Candidates without a rank of their own are ordered by what is known of them.
    known = frame["score"].fillna(-np.inf)
    return frame.iloc[np.lexsort([-known, frame["rank"]])]


def _ranks(results: Results) -> np.ndarray:
    """Return ranks from 1; all that cannot be compared share the last one."""
    ranks = np.full(len(results), len(results.rivals) + 1)
    scores = results.scores[results.rivals]
    ranks[results.rivals] = rankdata(-scores, method="min")
    return ranks


def _standard_errors(results: Results) -> np.ndarray:
    errors = np.full(len(results), np.nan)
    for row, splits in enumerate(results.split_scores):
        run = splits[np.isfinite(splits)]
        if len(run) > 1:
            errors[row] = run.std(ddof=1) / np.sqrt(len(run))
    return errors
