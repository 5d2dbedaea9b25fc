"""The accuracy of models on rows that are checked once for all of them.

A change here may not break that the result equals scikit-learn's accuracy scorer.
Every input that the scorer would reject or convert must be left to the scorer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from sklearn_refine._sklearn_compat import (
    is_accuracy,
    num_samples,
    predict_unchecked,
)


class Accuracy:
    """Compute ``accuracy_score`` of predictions on rows that are already checked.

    Nine tenths of the time to score a small network are input checks. `for_scorer` and
    each call make sure that none of these checks would find anything.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The rows.
    y : ndarray of shape (n_samples,)
        Integers, booleans or strings.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = X, y

    @classmethod
    def for_scorer(
        cls, scorer: Any, nested: Sequence[Any], X: Any, y: Any
    ) -> Accuracy | None:
        """Return an accuracy that replaces a scorer, or None if the scorer is needed.

        Parameters
        ----------
        scorer : callable
            The scorer of the search.
        nested : sequence of estimators
            The nested estimators from the outermost to the last step.
        X, y : array-like
            Transformed rows, and their targets.
        """
        has_other_outer = any(type(outer) is not Pipeline for outer in nested[:-1])
        if not is_accuracy(scorer) or has_other_outer:
            return None
        if isinstance(y, pd.Series) and isinstance(y.dtype, np.dtype):
            y = y.to_numpy()
        if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "biuU":
            return None
        if not 0 < len(y) == num_samples(X):
            return None
        return cls(X, y)

    def __call__(self, model: Any) -> float | None:
        """Return the accuracy of a fitted model, or None if the scorer is needed."""
        classes = getattr(model, "classes_", None)
        if not isinstance(classes, np.ndarray) or classes.ndim != 1:
            return None
        if classes.dtype.kind != self.y.dtype.kind:
            return None
        if type(model) is not MLPClassifier:
            found = model.predict(self.X)
            is_plain = type(found) is np.ndarray and found.dtype == classes.dtype
            if not is_plain or found.shape != self.y.shape:
                return None
            return float(np.average(self.y == found))
        if hasattr(model, "feature_names_in_") or not self._is_valid:
            return None
        if model.n_features_in_ != self.X.shape[1]:
            return None
        return float(np.average(self.y == predict_unchecked(model, self.X)))

    @cached_property
    def _is_valid(self) -> bool:
        """Whether an MLP's own checks would find nothing in the rows."""
        X = self.X
        is_array = type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind == "f"
        return is_array and bool(np.isfinite(X).all())
