"""Activations and losses of a stack of networks, bit for bit scikit-learn's.

Arrays are (n_models, n_rows, n_units). The outputs of a softmax lie transposed in
memory, so that what is done for each class is done for many rows at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit, xlogy

from sklearn_refine.mlp._arrays import Array, aligned


def _identity(X: Array) -> None:
    """Do nothing."""


def _tanh(X: Array) -> None:
    np.tanh(X, out=X)


def _logistic(X: Array) -> None:
    expit(X, out=X)


def _exp(X: Array) -> None:
    np.exp(X, out=X)


class _Relu:
    """max(X, 0), of two arrays: with a single number, numpy takes four times as long.

    Parameters
    ----------
    shape : tuple of int
        Of X without its first axis.
    dtype : dtype
        Of X.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.zeros = np.zeros(shape, dtype)

    def __call__(self, X: Array) -> None:
        np.maximum(X, self.zeros, out=X)


def hidden_activation(
    name: str, shape: tuple[int, ...], dtype: Any
) -> Callable[[Array], None]:
    """Return what activates a layer whose arrays are (n_models, *shape), in place."""
    return _Relu(shape, dtype) if name == "relu" else ACTIVATIONS[name]


PAIRWISE_BLOCK = 128  # numpy halves longer sums


class Softmax:
    """A softmax over the classes, in place.

    Parameters
    ----------
    classes : ndarray of shape (n_models, n_classes, n_rows)
        Where the values will lie: those of a class side by side.
    """

    def __init__(self, classes: Array) -> None:
        n_models, n_classes, n_rows = classes.shape
        self.classes = classes
        self.largest = aligned((n_models, n_rows), classes.dtype)
        self.sums = aligned((n_models, n_rows), classes.dtype)
        self.over_classes = self.largest[:, None], self.sums[:, None]
        whole = n_classes - n_classes % 8
        self.running = classes[:, :whole].reshape(n_models, whole // 8, 8, n_rows)
        self.rest = [classes[:, i] for i in range(whole, n_classes)]

    def __call__(self, _: Array) -> None:
        """Apply it to what lies there now."""
        classes, (largest, sums) = self.classes, self.over_classes
        np.maximum.reduce(classes, axis=1, out=self.largest)
        np.subtract(classes, largest, out=classes)
        np.exp(classes, out=classes)
        self.add_classes()
        np.divide(classes, sums, out=classes)

    def add_classes(self) -> None:
        """Sum over the classes in the order of ``np.sum(values[i], axis=1)``.

        numpy adds fewer than eight values one after another, and up to 128 in eight
        running sums that it joins in pairs. Done for many rows at once it is the same
        sum, faster; a test compares the bits.
        """
        n_classes = self.classes.shape[1]
        if n_classes < 8:
            np.add.reduce(self.classes, axis=1, out=self.sums)
        elif n_classes > PAIRWISE_BLOCK:
            values = np.ascontiguousarray(self.classes.transpose(0, 2, 1))
            np.add.reduce(values, axis=2, out=self.sums)
        else:
            running = self.running
            if running.shape[1] > 1:
                running = np.add.reduce(running, axis=1, keepdims=True)
            pairs = running[:, 0, 0::2] + running[:, 0, 1::2]
            fours = pairs[:, 0::2] + pairs[:, 1::2]
            np.add(fours[:, 0], fours[:, 1], out=self.sums)
            for values in self.rest:
                np.add(self.sums, values, out=self.sums)


def column_sums(values: Array, out: Array) -> None:
    """Sum over the rows, axis 1, in the order of ``np.sum(values[i], axis=0)``."""
    if values.shape[2] == 1:
        np.add.reduce(values, axis=1, out=out)
    else:  # the same additions, in a tighter loop
        np.einsum("sbh->sh", values, out=out)


#: All but softmax and relu.
ACTIVATIONS: dict[str, Callable[[Array], None]] = {
    "identity": _identity,
    "tanh": _tanh,
    "logistic": _logistic,
    "exp": _exp,
}


def _tanh_derivative(Z: Array, delta: Array) -> None:
    np.multiply(Z, Z, out=Z)
    np.subtract(1, Z, out=Z)
    np.multiply(delta, Z, out=delta)


def _logistic_derivative(Z: Array, delta: Array) -> None:
    np.multiply(delta, Z, out=delta)
    np.subtract(1, Z, out=Z)
    np.multiply(delta, Z, out=delta)


def _identity_derivative(Z: Array, delta: Array) -> None:
    """Do nothing."""


#: Multiply deltas by the derivative; they use up the activations.
DERIVATIVES: dict[str, Callable[[Array, Array], None]] = {
    "identity": _identity_derivative,
    "relu": _identity_derivative,  # a mask, taken before
    "tanh": _tanh_derivative,
    "logistic": _logistic_derivative,
}

#: Of predictions, encoded targets and the weights of the rows; the latter two have one
#: model where all have the same.
Loss = Callable[[Array, Array, Array | None], Array]


def loss_function(name: str, out_activation: str, dtype: Any) -> Loss | None:
    """Return what computes each model's loss of a batch, without the penalty.

    None for a softmax in double precision, whose losses `ClassLosses` computes.
    """
    if name == "log_loss" and out_activation == "logistic":
        return _binary_log_loss
    if name == "log_loss":
        return None if dtype == np.float64 else _log_loss
    return {"squared_error": _squared_loss, "poisson": _poisson_loss}[name]


def _average(values: Array, weight: Array | None) -> Array:
    """Average over the rows as ``np.average(..., axis=0)`` does."""
    if weight is None:
        mean: Array = values.mean(axis=1)
        return mean
    scale = np.array([w.sum() for w in weight])[:, None]
    average: Array = np.multiply(values, weight[:, :, None]).sum(axis=1) / scale
    return average


def _squared_loss(p: Array, y: Array, weight: Array | None) -> Array:
    losses: Array = 0.5 * _average((y - p) ** 2, weight).mean(axis=1)
    return losses


def _poisson_loss(p: Array, y: Array, weight: Array | None) -> Array:
    losses: Array = _average(xlogy(y, y / p) - y + p, weight).sum(axis=1)
    return losses


def _clip(p: Array) -> Array:
    eps = np.finfo(p.dtype).eps
    clipped: Array = np.minimum(np.maximum(p, eps), 1 - eps)
    return clipped


def _binary_log_loss(p: Array, y: Array, weight: Array | None) -> Array:
    y = y != 0  # bool, as scikit-learn has it: 1 - y is then of integers
    p = _clip(p)
    terms = xlogy(y, p) + xlogy(1 - y, 1 - p)
    losses: Array = -_average(terms, weight).sum(axis=1)
    return losses


def _log_loss(p: Array, y: Array, weight: Array | None) -> Array:
    # bool, as scikit-learn has it: the product is then computed in double precision
    p = np.ascontiguousarray(p)
    losses: Array = -_average(xlogy(y != 0, _clip(p)), weight).sum(axis=1)
    return losses
