"""The accuracy of MLPs on rows that are checked once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from sklearn_refine._sklearn_compat import is_accuracy, predict_unchecked


class Accuracy:
    """What ``accuracy_score`` gives for predictions on some rows.

    Of the time that scoring a small network takes, nine tenths are checks of what it
    is given; `of` and each call make sure that none of them would find anything.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Finite numbers.
    y : ndarray of shape (n_samples,)
        Integers, booleans or strings.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self.X, self.y = X, y

    @classmethod
    def of(cls, scorer: Any, chain: Sequence[Any], X: Any, y: Any) -> Accuracy | None:
        """Return what scores the last estimator of a chain, or None.

        Parameters
        ----------
        scorer : callable
            Of the search.
        chain : sequence of estimators
            From the outside to the last one.
        X, y : array-like
            Transformed rows, and their targets.
        """
        if not is_accuracy(scorer) or any(type(c) is not Pipeline for c in chain[:-1]):
            return None
        if type(X) is not np.ndarray or X.ndim != 2 or X.dtype.kind != "f":
            return None
        if isinstance(y, pd.Series) and isinstance(y.dtype, np.dtype):
            y = y.to_numpy()
        if type(y) is not np.ndarray or y.ndim != 1 or y.dtype.kind not in "biuU":
            return None
        if not 0 < len(y) == len(X) or not np.isfinite(X).all():
            return None
        return cls(X, y)

    def __call__(self, model: Any) -> float | None:
        """Return the accuracy of a fitted model, or None where it must be checked."""
        if type(model) is not MLPClassifier or hasattr(model, "feature_names_in_"):
            return None
        if model.classes_.dtype.kind != self.y.dtype.kind:
            return None
        if model.n_features_in_ != self.X.shape[1]:
            return None
        return float(np.average(self.y == predict_unchecked(model, self.X)))
