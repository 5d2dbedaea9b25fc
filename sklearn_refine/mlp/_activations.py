"""Activation functions of a stack of networks, and their derivatives.

Arrays are (n_models, n_rows, n_units) and are changed in place. The values must equal
scikit-learn's to the last bit, so the order of operations must not change. The outputs
of a softmax are stored transposed: each operation on a class then covers many rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit

from sklearn_refine.mlp._arrays import Array, aligned

PAIRWISE_BLOCK = 128  # numpy splits longer sums in halves


def _identity(X: Array) -> None:
    """Do nothing."""


def _tanh(X: Array) -> None:
    np.tanh(X, out=X)


def _logistic(X: Array) -> None:
    expit(X, out=X)


def _exp(X: Array) -> None:
    np.exp(X, out=X)


class _Relu:
    """max(X, 0), computed from two arrays.

    With a scalar zero, numpy takes four times as long.

    Parameters
    ----------
    shape : tuple of int
        Shape of X without its first axis.
    dtype : dtype
        Type of X.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._zeros = np.zeros(shape, dtype)

    def __call__(self, X: Array) -> None:
        np.maximum(X, self._zeros, out=X)


#: All activations except softmax and relu.
ACTIVATIONS: dict[str, Callable[[Array], None]] = {
    "identity": _identity,
    "tanh": _tanh,
    "logistic": _logistic,
    "exp": _exp,
}


def hidden_activation(
    name: str, shape: tuple[int, ...], dtype: Any
) -> Callable[[Array], None]:
    """Return the in-place activation of a layer with arrays (n_models, *shape)."""
    return _Relu(shape, dtype) if name == "relu" else ACTIVATIONS[name]


class Softmax:
    """A softmax over the classes, in place.

    Parameters
    ----------
    classes : ndarray of shape (n_models, n_classes, n_rows)
        Array of the values; the values of one class are contiguous.
    """

    def __init__(self, classes: Array) -> None:
        n_models, n_classes, n_rows = classes.shape
        self._classes = classes
        self._maxima = aligned((n_models, n_rows), classes.dtype)
        self._sums = aligned((n_models, n_rows), classes.dtype)
        self._per_class = self._maxima[:, None], self._sums[:, None]
        n_in_eights = n_classes - n_classes % 8
        self._eights = classes[:, :n_in_eights].reshape(
            n_models, n_in_eights // 8, 8, n_rows
        )
        self._remainder = [classes[:, i] for i in range(n_in_eights, n_classes)]

    def __call__(self, _: Array) -> None:
        """Replace the values in the array by their softmax."""
        classes, (maxima, sums) = self._classes, self._per_class
        np.maximum.reduce(classes, axis=1, out=self._maxima)
        np.subtract(classes, maxima, out=classes)
        np.exp(classes, out=classes)
        self._sum_classes()
        np.divide(classes, sums, out=classes)

    def _sum_classes(self) -> None:
        """Sum over the classes in the order of ``np.sum(values[i], axis=1)``.

        numpy adds fewer than eight values one after another. It adds up to 128 values
        in eight running sums, which it joins in pairs. Here the same additions are made
        for many rows at once, which is faster. A test compares the bits.
        """
        n_classes = self._classes.shape[1]
        if n_classes < 8:
            np.add.reduce(self._classes, axis=1, out=self._sums)
        elif n_classes > PAIRWISE_BLOCK:
            values = np.ascontiguousarray(self._classes.transpose(0, 2, 1))
            np.add.reduce(values, axis=2, out=self._sums)
        else:
            running = self._eights
            if running.shape[1] > 1:
                running = np.add.reduce(running, axis=1, keepdims=True)
            pairs = running[:, 0, 0::2] + running[:, 0, 1::2]
            fours = pairs[:, 0::2] + pairs[:, 1::2]
            np.add(fours[:, 0], fours[:, 1], out=self._sums)
            for values in self._remainder:
                np.add(self._sums, values, out=self._sums)


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


#: Multiply deltas by the derivative in place. The activations are overwritten.
DERIVATIVES: dict[str, Callable[[Array, Array], None]] = {
    "identity": _identity_derivative,
    "relu": _identity_derivative,  # Network.backprop applies a mask instead
    "tanh": _tanh_derivative,
    "logistic": _logistic_derivative,
}
