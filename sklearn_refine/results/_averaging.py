"""The best candidates of a search as one model that averages their predictions.

It needs only a fitted search with ``cv_results_`` and an `estimator`, so it works with
the searches of scikit-learn too.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.ensemble import VotingClassifier, VotingRegressor

from sklearn_refine.results._table import Results, read_search
from sklearn_refine.space._axes import candidate_key


def average_best(
    search: Any, n_candidates: int = 10, *, metric: str | None = None
) -> VotingClassifier | VotingRegressor:
    """Combine the best candidates of a fitted search into one averaged model.

    The average of the best candidates often predicts new data better than the best
    candidate alone, because their errors partly cancel and the luck of a single score
    matters less. It costs `n_candidates` refits, and predictions take as long as those
    of all members together. See :ref:`averaging`.

    Parameters
    ----------
    search : estimator
        A fitted search with ``cv_results_``, of this package or of scikit-learn.
    n_candidates : int, default=10
        Number of candidates to combine, at least 2.
    metric : str, default=None
        Name of the metric that ranks the candidates, for a search with several metrics.
        None uses the metric of `refit`.

    Returns
    -------
    model : VotingClassifier or VotingRegressor
        Not fitted. A classifier averages probabilities (``voting="soft"``) if all
        candidates have ``predict_proba``, and otherwise counts votes. The members are
        named after their row in ``cv_results_``, such as ``"candidate_12"``, best
        first. `n_jobs` is the same as in the search.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    TypeError
        If `search` is not a search.
    ValueError
        If `n_candidates` is less than 2 or more than the number of different candidates
        with a score on every split; if the candidates are neither all classifiers nor
        all regressors; if the search has predicted several outputs; if the metric is
        missing; or if `class_weight` is a dict of labels, which voting encodes anew.

    See Also
    --------
    smoothed_best : Choose one candidate, by smoothed scores.
    sklearn.ensemble.VotingClassifier : Averages classifiers.
    sklearn.ensemble.VotingRegressor : Averages regressors.

    Notes
    -----
    Only candidates with a score on every split are combined, so candidates that racing
    stopped are not. Equal parameters count once. In a halving search, only candidates
    with the most resources are used. scikit-learn's voting takes one output: with
    ``refit=False``, several outputs are an error only in ``fit``.

    The score of the average is not known from the search. Evaluate it on data that the
    search has not seen; see :ref:`nested`.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from
    libraries of models", ICML (2004).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from sklearn_refine import RefiningGridSearchCV, average_best
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    >>> tree = DecisionTreeRegressor(random_state=0)
    >>> grid = {"max_depth": [2, 4, 8], "max_features": [0.3, 0.6, 1.0]}
    >>> search = RefiningGridSearchCV(tree, grid, n_rounds=1).fit(X, y)
    >>> average = average_best(search, n_candidates=5).fit(X, y)
    >>> round(search.score(X_test, y_test), 2), round(average.score(X_test, y_test), 2)
    (0.11, 0.2)
    """
    if isinstance(n_candidates, bool) or not isinstance(n_candidates, Integral):
        raise TypeError(f"n_candidates={n_candidates!r} is not an int; pass 2 or more.")
    if n_candidates < 2:
        raise ValueError(
            f"n_candidates={n_candidates} leaves nothing to average; pass 2 or more."
        )
    results = read_search(search, metric)
    rows = _best_distinct(results)
    if len(rows) < n_candidates:
        raise ValueError(
            f"n_candidates={n_candidates}, but only {len(rows)} different candidates "
            "have a score on every split; pass at most this number, or search over "
            "more candidates."
        )
    _check_single_output(search)
    rows = rows[: int(n_candidates)]
    members = [
        (f"candidate_{row}", _make_member(search, results.params[row])) for row in rows
    ]
    models = [model for _, model in members]
    n_jobs = getattr(search, "n_jobs", None)
    if all(map(is_regressor, models)):
        return VotingRegressor(members, n_jobs=n_jobs)
    if not all(map(is_classifier, models)):
        raise ValueError(
            f"search.estimator={search.estimator!r}: only the predictions of "
            "classifiers or of regressors can be averaged, and not all of the best "
            "candidates are one or the other; use search.best_estimator_."
        )
    _check_class_weights(search, models)
    soft = all(hasattr(model, "predict_proba") for model in models)
    return VotingClassifier(members, voting="soft" if soft else "hard", n_jobs=n_jobs)


def _best_distinct(results: Results) -> list[int]:
    """Return the rows of different candidates, best first; ties keep their order."""
    rows = results.rivals
    order = np.argsort(-results.scores[rows], kind="stable")
    found: dict[Any, int] = {}
    for row in rows[order].tolist():
        found.setdefault(candidate_key(results.params[row]), row)
    return list(found.values())


def _make_member(search: Any, params: dict[str, Any]) -> Any:
    """Return the estimator of a search with the parameters of a candidate."""
    return clone(search.estimator).set_params(**clone(params, safe=False))


def _check_single_output(search: Any) -> None:
    """Raise if the refitted best candidate predicts several outputs."""
    best = getattr(search, "best_estimator_", None)
    if is_regressor(search.estimator):
        several = getattr(best, "n_outputs_", 1) > 1
    else:
        several = isinstance(getattr(best, "classes_", None), list)
    if several:
        raise ValueError(
            f"search.estimator={search.estimator!r} predicts several outputs, and "
            "scikit-learn's voting takes only one; search each output by itself, or "
            "use search.best_estimator_."
        )


def _check_class_weights(search: Any, models: Sequence[Any]) -> None:
    """Raise if weights are given by labels, since voting numbers the labels anew."""
    classes = getattr(search, "classes_", None)
    if classes is not None and list(classes) == list(range(len(classes))):
        return
    for model in models:
        for name, value in model.get_params().items():
            if name.rpartition("__")[2] == "class_weight" and isinstance(value, dict):
                raise ValueError(
                    f"{name}={value!r} names labels, but scikit-learn's voting numbers "
                    "the labels from 0 before it fits its members; use labels from 0 "
                    "to n_classes - 1, or class_weight='balanced'."
                )
