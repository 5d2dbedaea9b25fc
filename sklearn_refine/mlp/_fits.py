"""One fit of an MLP, and whether it can be trained together with others.

`can_train` must reject everything for which training together could differ from the
model's own ``fit``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_refine._sklearn_compat import warn_as_mlp

PLAIN_NUMBERS = (
    "alpha",
    "learning_rate_init",
    "power_t",
    "momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "tol",
)


@dataclass
class MLPFit:
    """The inputs and the result of one fit.

    Attributes
    ----------
    model : MLPClassifier or MLPRegressor
        The model, which is fitted in place.
    X, y, weight : array-like
        The arguments of its ``fit``. Fits on the same data must have the same objects.
    error : Exception or None
        The error that ``fit`` would have raised, or the error that ended the training
        of the whole stack. In the second case, fitting each model separately shows
        which one caused it.
    messages : list of (str, category)
        The warnings that ``fit`` would have given.
    diverged : bool
        Whether the error is that weights are not finite.
    alone : bool
        Whether preparation showed that the fit must be left to scikit-learn.
    late : bool
        Whether its share of the time exceeded the limit before the fit was finished.
    seconds : float
        Its share of the time.
    pauses : bool
        Whether training only pauses after ``max_iter`` epochs. The model can predict
        then, and goes on from there if it is trained again with a larger ``max_iter``.
    stack : Stack or None
        The stack in which the model is paused.
    """

    model: Any
    X: Any
    y: Any
    weight: Any = None
    error: Exception | None = None
    messages: Sequence[tuple[str, type[Warning]]] = ()
    diverged: bool = False
    alone: bool = False
    late: bool = False
    seconds: float = 0.0
    pauses: bool = False
    stack: Any = None


def can_train(model: Any, X: Any) -> bool:
    """Return whether `train_together` can replace the model's own ``fit``.

    Everything else (``lbfgs``, sparse input, ``warm_start``, ``verbose``, a subclass,
    a parameter that is not a plain number) is left to scikit-learn.

    Parameters
    ----------
    model : estimator
        Unfitted model.
    X : array-like
        Training data.

    Returns
    -------
    can : bool
    """
    if type(model) not in (MLPClassifier, MLPRegressor) or sparse.issparse(X):
        return False
    if hasattr(model, "_skl_callbacks"):
        return False
    if {"raise", "call", "log"} & set(np.geterr().values()):
        return False
    if not isinstance(model.max_iter, Integral) or model.max_iter < 1:
        return False
    if model.solver not in ("adam", "sgd") or model.warm_start or model.verbose:
        return False
    if model.batch_size != "auto" and not isinstance(model.batch_size, Integral):
        return False
    plain_types = (int, float, np.float64, np.int64)
    return all(type(getattr(model, name)) in plain_types for name in PLAIN_NUMBERS)


def warn_for(fit: MLPFit) -> None:
    """Give the warnings that ``fit`` would have given, as if from its module."""
    for message, category in fit.messages:
        warn_as_mlp(message, category)
