"""The score of the chosen model on held-out data, with its standard error."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.metrics import get_scorer
from sklearn.utils import resample

from sklearn_refine._sklearn_compat import is_plain_scorer, num_samples

#: Number of bootstrap samples; fewer if each of them needs new predictions.
N_BOOTSTRAP = 100
N_BOOTSTRAP_SLOW = 25
_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def score_held_out(search: Any, metric: str, X: Any, y: Any) -> tuple[float, float]:
    """Return the score of `best_estimator_` on held-out data, and its standard error.

    The standard error is the standard deviation over bootstrap samples of the rows. It
    is NaN if the metric cannot be computed on such samples, or if all samples have the
    same score, as samples of a perfect prediction have.
    """
    model = search.best_estimator_
    scorer = search.scorer_
    if isinstance(scorer, dict):
        scorer = scorer[metric]

    def compute(model: Any, X: Any, y: Any) -> float:
        score = scorer(model, X, y)
        return float(score[metric] if isinstance(score, dict) else score)

    score = compute(model, X, y)
    rows = np.arange(num_samples(X))
    known = _KnownPredictions(model, X)
    for fast in (compute, _default_scorer(model)) if y is not None else ():
        if fast is compute and not is_plain_scorer(scorer):
            continue
        try:
            is_same = fast is not None and np.isclose(fast(known, rows, y), score)
        except Exception:
            continue
        if is_same:
            return score, _bootstrap(fast, known, rows, y, N_BOOTSTRAP)
    return score, _bootstrap(compute, model, X, y, N_BOOTSTRAP_SLOW)


def _default_scorer(model: Any) -> Any:
    """Return the scorer that most models use for their own ``score``."""
    if is_classifier(model):
        return get_scorer("accuracy")
    return get_scorer("r2") if is_regressor(model) else None


def _bootstrap(compute: Any, model: Any, X: Any, y: Any, n: int) -> float:
    """Return the standard deviation of the score over samples of the rows."""
    rng = np.random.RandomState(0)
    scores = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample may lack a class
        for _ in range(n):
            given = [X] if y is None else [X, y]
            sample = resample(*given, random_state=rng)
            sample = (sample, None) if y is None else sample
            try:
                scores.append(compute(model, *sample))
            except Exception:
                continue
    finite = np.asarray(scores)[np.isfinite(scores)]
    if len(finite) <= n // 2 or finite.min() == finite.max():
        return float("nan")
    return float(finite.std(ddof=1))


class _KnownPredictions:
    """A fitted model that predicts each row only once.

    Its predictions are for numbers of rows, which stand for the rows.
    """

    def __init__(self, model: Any, X: Any) -> None:
        self._model = model
        self._X = X
        self._known: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if name not in _METHODS:
            return value
        if name not in self._known:
            self._known[name] = value(self._X)
        known = self._known[name]

        def look_up(rows: np.ndarray) -> Any:
            if isinstance(known, list):  # an array for each output
                return [part[rows] for part in known]
            return known[rows]

        look_up.__name__ = name  # scikit-learn asks for it
        return look_up
