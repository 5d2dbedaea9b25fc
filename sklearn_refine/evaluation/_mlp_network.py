"""The arithmetic of a stack of networks: forward, loss and gradient of one batch.

Everything here does for a stack of models what scikit-learn's ``_backprop`` does for
one: the same elementary operations on the same numbers in the same order, so that the
results are the same to the last bit. A stacked ``matmul`` makes one BLAS call for each
model, of the shape and layout that scikit-learn uses; elementwise operations do not
depend on how arrays are laid out; and sums keep their order of addition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit, xlogy

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Layout:
    """Where the weights of a network lie in its vector of parameters.

    Attributes
    ----------
    units : tuple of int
        Width of each layer, from the features to the outputs.
    """

    units: tuple[int, ...]

    @property
    def n_coefs(self) -> int:
        return sum(a * b for a, b in pairwise(self.units))

    @property
    def n_params(self) -> int:
        return self.n_coefs + sum(self.units[1:])

    def coefs(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_in, fan_out), one for each layer."""
        views = []
        start = 0
        for fan_in, fan_out in pairwise(self.units):
            stop = start + fan_in * fan_out
            views.append(vectors[:, start:stop].reshape(-1, fan_in, fan_out))
            start = stop
        return views

    def intercepts(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_out), one for each layer."""
        views = []
        start = self.n_coefs
        for fan_out in self.units[1:]:
            views.append(vectors[:, start : start + fan_out])
            start += fan_out
        return views


def split(vector: Array, shapes: Sequence[Any]) -> list[Array]:
    """Return copies of the parts of a model's parameters, in their shapes."""
    parts = []
    start = 0
    for shape in shapes:
        stop = start + int(np.prod(shape))
        parts.append(vector[start:stop].reshape(shape).copy())
        start = stop
    return parts


@dataclass
class Batch:
    """What one step of a stack reads.

    Attributes
    ----------
    inputs : sequence of (slice, array of shape (..., n_rows, n_features))
        The rows of each data stream, and the models that read them; or those of all
        models, each with its own.
    y : ndarray of shape (1 or n_models, n_rows, n_outputs)
        Encoded targets.
    classes : ndarray of shape (1 or n_models, n_rows) or None
        The class of each row, for softmax.
    weight : ndarray of shape (1 or n_models, n_rows) or None
        Sample weights.
    """

    inputs: Sequence[tuple[slice, Array]]
    y: Array
    classes: Array | None
    weight: Array | None


class Network:
    """Views and buffers of some models of a stack, for batches of one size.

    Parameters
    ----------
    layout : Layout
        The architecture.
    params, grads : ndarray of shape (n_models, n_params)
        The weights, read; and their gradients, written.
    n_rows : int
        Rows of a batch.
    activation, out_activation, loss : str
        As scikit-learn names them.
    alpha : ndarray of shape (n_models, 1)
        The L2 penalties.
    """

    def __init__(
        self,
        layout: Layout,
        params: Array,
        grads: Array,
        n_rows: int,
        activation: str,
        out_activation: str,
        loss: str,
        alpha: Array,
    ) -> None:
        n_models = len(params)
        dtype, grad_dtype = params.dtype, grads.dtype
        self.n_rows = n_rows
        self.n_coefs = layout.n_coefs
        self.params, self.grads, self.alpha = params, grads, alpha
        self.coefs = layout.coefs(params)
        self.intercepts = [b[:, None, :] for b in layout.intercepts(params)]
        self.coef_grads = layout.coefs(grads)
        self.intercept_grads = layout.intercepts(grads)
        self.flat = [c.reshape(n_models, 1, -1) for c in self.coefs]
        shapes = [(n_models, n_rows, width) for width in layout.units[1:]]
        self.activations = [np.empty(shape, dtype) for shape in shapes]
        # Once its mask is known, a layer's activations may make room for its deltas:
        # what lies in the cache is half as much.
        self.in_place = activation in ("relu", "identity") and dtype == grad_dtype
        self.deltas = (
            self.activations
            if self.in_place
            else [np.empty(shape, grad_dtype) for shape in shapes]
        )
        self.hidden = ACTIVATIONS[activation]
        self.output = ACTIVATIONS[out_activation]
        self.derivative = DERIVATIVES[activation]
        is_relu = activation == "relu"
        self.active = [np.empty(shape, bool) for shape in shapes[:-1] if is_relu]
        self.loss = _loss(loss, out_activation, grad_dtype)
        self.penalty = np.empty(
            (n_models, self.n_coefs), np.result_type(alpha.dtype, dtype)
        )

    def forward(self, inputs: Sequence[tuple[slice, Array]]) -> Array:
        """Compute all activations; return those of the last layer."""
        last = len(self.coefs) - 1
        below: Array | None = None
        for layer, out in enumerate(self.activations):
            if below is None:
                for models, X in inputs:
                    np.matmul(X, self.coefs[0][models], out=out[models])
            else:
                np.matmul(below, self.coefs[layer], out=out)
            np.add(out, self.intercepts[layer], out=out)
            (self.output if layer == last else self.hidden)(out)
            below = out
        return self.activations[-1]

    def backprop(self, batch: Batch) -> Array:
        """Write the gradients of a batch; return each model's loss without penalty."""
        prediction = self.forward(batch.inputs)
        losses = self.loss(prediction, batch)
        last = len(self.coefs) - 1
        np.subtract(prediction, batch.y, out=self.deltas[last])
        if batch.weight is not None:
            self.deltas[last] *= batch.weight[:, :, None]
        for layer in range(last, -1, -1):
            delta = self.deltas[layer]
            if layer:
                below = self.activations[layer - 1]
                np.matmul(below.transpose(0, 2, 1), delta, out=self.coef_grads[layer])
                under = self.deltas[layer - 1]
                if self.active:
                    np.not_equal(below, 0, out=self.active[layer - 1])
                np.matmul(delta, self.coefs[layer].transpose(0, 2, 1), out=under)
                if self.active:
                    np.multiply(under, self.active[layer - 1], out=under)
                else:
                    self.derivative(below, under)
            else:
                for models, X in batch.inputs:
                    rows = X.swapaxes(-1, -2)
                    np.matmul(rows, delta[models], out=self.coef_grads[0][models])
            column_sums(delta, self.intercept_grads[layer])
        return losses

    def regularise(self, weight_sum: Any) -> None:
        """Add the penalty's gradient and divide by the weight of the batch."""
        coefs = self.grads[:, : self.n_coefs]
        np.multiply(self.alpha, self.params[:, : self.n_coefs], out=self.penalty)
        np.add(coefs, self.penalty, out=coefs, casting="same_kind")
        np.divide(self.grads, weight_sum, out=self.grads, casting="same_kind")

    def squared_norms(self) -> list[Array]:
        """Return the sums of squares of each layer's coefficients, (n_models,) each."""
        return [np.matmul(c, c.transpose(0, 2, 1))[:, 0, 0] for c in self.flat]


def column_sums(values: Array, out: Array) -> None:
    """Sum over the rows, axis 1, in the order of ``np.sum(values[i], axis=0)``."""
    if values.shape[2] == 1:
        np.add.reduce(values, axis=1, out=out)
    else:  # the same additions, in a tighter loop
        np.einsum("sbh->sh", values, out=out)


def _identity(X: Array) -> None:
    """Do nothing."""


def _relu(X: Array) -> None:
    np.maximum(X, 0, out=X)


def _tanh(X: Array) -> None:
    np.tanh(X, out=X)


def _logistic(X: Array) -> None:
    expit(X, out=X)


def _exp(X: Array) -> None:
    np.exp(X, out=X)


def _softmax(X: Array) -> None:
    largest = X[:, :, 0].copy()
    for column in range(1, X.shape[2]):
        np.maximum(largest, X[:, :, column], out=largest)
    np.subtract(X, largest[:, :, None], out=X)
    np.exp(X, out=X)
    np.divide(X, row_sums(X)[:, :, None], out=X)


def row_sums(X: Array) -> Array:
    """Sum over the last, short axis in the order of ``np.sum(X[i], axis=1)``.

    numpy adds fewer than eight values one after another, and up to 128 in eight
    running sums that it joins in pairs. Done column by column it is the same sum,
    faster; a test compares the bits.
    """
    n = X.shape[2]
    if n >= 16:
        sums: Array = X.sum(axis=2)
        return sums
    if n < 8:
        start = 1
        total: Array = X[:, :, 0].copy()
    else:
        start = 8
        part = [X[:, :, j] for j in range(8)]
        total = ((part[0] + part[1]) + (part[2] + part[3])) + (
            (part[4] + part[5]) + (part[6] + part[7])
        )
    for column in range(start, n):
        total += X[:, :, column]
    return total


ACTIVATIONS: dict[str, Callable[[Array], None]] = {
    "identity": _identity,
    "relu": _relu,
    "tanh": _tanh,
    "logistic": _logistic,
    "exp": _exp,
    "softmax": _softmax,
}


def _tanh_derivative(Z: Array, delta: Array) -> None:
    np.multiply(delta, 1 - Z**2, out=delta)


def _logistic_derivative(Z: Array, delta: Array) -> None:
    np.multiply(delta, Z, out=delta)
    np.multiply(delta, 1 - Z, out=delta)


def _identity_derivative(Z: Array, delta: Array) -> None:
    """Do nothing."""


DERIVATIVES: dict[str, Callable[[Array, Array], None]] = {
    "identity": _identity_derivative,
    "relu": _identity_derivative,  # a mask, taken before
    "tanh": _tanh_derivative,
    "logistic": _logistic_derivative,
}

Loss = Callable[[Array, Batch], Array]


def _loss(name: str, out_activation: str, dtype: Any) -> Loss:
    if name == "log_loss" and out_activation == "logistic":
        return _binary_log_loss
    if name == "log_loss":
        return _log_loss_of_classes if dtype == np.float64 else _log_loss
    return {"squared_error": _squared_loss, "poisson": _poisson_loss}[name]


def _average(values: Array, batch: Batch) -> Array:
    """Average over the rows as ``np.average(..., axis=0)`` does."""
    if batch.weight is None:
        mean: Array = values.mean(axis=1)
        return mean
    weight = batch.weight
    scale = np.array([w.sum() for w in weight])[:, None]
    average: Array = np.multiply(values, weight[:, :, None]).sum(axis=1) / scale
    return average


def _squared_loss(p: Array, batch: Batch) -> Array:
    losses: Array = 0.5 * _average((batch.y - p) ** 2, batch).mean(axis=1)
    return losses


def _poisson_loss(p: Array, batch: Batch) -> Array:
    y = batch.y
    losses: Array = _average(xlogy(y, y / p) - y + p, batch).sum(axis=1)
    return losses


def _clip(p: Array) -> Array:
    eps = np.finfo(p.dtype).eps
    clipped: Array = np.minimum(np.maximum(p, eps), 1 - eps)
    return clipped


def _binary_log_loss(p: Array, batch: Batch) -> Array:
    y = batch.y != 0  # bool, as scikit-learn has it: 1 - y is then of integers
    p = _clip(p)
    terms = xlogy(y, p) + xlogy(1 - y, 1 - p)
    losses: Array = -_average(terms, batch).sum(axis=1)
    return losses


def _log_loss(p: Array, batch: Batch) -> Array:
    # bool, as scikit-learn has it: the product is then computed in double precision
    losses: Array = -_average(xlogy(batch.y != 0, _clip(p)), batch).sum(axis=1)
    return losses


def _log_loss_of_classes(p: Array, batch: Batch) -> Array:
    """Take the logarithm for the true class only; the other terms are zero."""
    n_models, n_rows, n_classes = p.shape
    classes = batch.classes
    assert classes is not None
    of_model = np.arange(n_models)[:, None]
    of_row = np.arange(0, n_rows * n_classes, n_classes) + classes
    chosen = p.reshape(n_models, -1)[of_model, of_row]
    terms = xlogy(1.0, _clip(chosen))
    if batch.weight is None:
        scale: Any = n_rows
    else:
        terms *= batch.weight
        scale = np.array([w.sum() for w in batch.weight])[:, None]
    # bincount adds in the order of the rows, as the sum over axis 0 does.
    sums = np.bincount(
        (classes + of_model * n_classes).ravel(),
        weights=terms.ravel(),
        minlength=n_models * n_classes,
    )
    losses: Array = -(sums.reshape(n_models, n_classes) / scale).sum(axis=1)
    return losses
