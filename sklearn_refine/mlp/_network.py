"""The arithmetic of a stack of networks: forward, loss and gradient of one batch.

Everything here does for a stack of models what scikit-learn's ``_backprop`` does for
one: the same elementary operations on the same numbers in the same order, so that the
results are the same to the last bit. A stacked ``matmul`` makes one BLAS call for each
model, of the shape and layout that scikit-learn uses, or of another one that was seen
to give the same bits; elementwise operations do not depend on how arrays are laid out;
and sums keep their order of addition.

Networks are small and steps many, so what a step needs is made beforehand: buffers,
and views of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.mlp._arrays import Array, Layout, aligned
from sklearn_refine.mlp._functions import (
    ACTIVATIONS,
    DERIVATIVES,
    Softmax,
    column_sums,
    hidden_activation,
    loss_function,
)
from sklearn_refine.mlp._products import (
    WHOLE,
    Product,
    back_way,
    gradient_way,
    of_rows,
    product_way,
    writes_transposed,
)

#: Rows of a data stream, and the models that read them.
Inputs = Sequence[tuple[slice, Array]]


@dataclass
class Batch:
    """What one step of a stack reads.

    Attributes
    ----------
    inputs : sequence of (slice, array of shape (..., n_rows, n_features))
        The rows of each data stream, and the models that read them; or those of all
        models, each with its own. They may end with a one.
    y : ndarray of shape (1 or n_models, n_rows, n_outputs)
        Encoded targets.
    classes : ndarray of shape (1 or n_models, n_rows) or None
        The class of each row, for softmax.
    weight : ndarray of shape (1 or n_models, n_rows) or None
        Sample weights.
    """

    inputs: Inputs
    y: Array
    classes: Array | None
    weight: Array | None

    def weight_sums(self) -> Any:
        """Return the weight of the rows of each model, or their number.

        Raises
        ------
        ZeroDivisionError
            If that is zero, as `numpy.average` does.
        """
        if self.weight is None:
            return self.y.shape[1]
        sums = np.array([weight.sum() for weight in self.weight])
        if not sums.all():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        return sums


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
    ) -> None:
        n_models = len(params)
        dtype, grad_dtype = params.dtype, grads.dtype
        self.n_rows = n_rows
        self.coefs = layout.coefs(params)
        self.intercepts = [b[:, None, :] for b in layout.intercepts(params)]
        self.coef_grads = layout.coefs(grads)
        self.intercept_grads = layout.intercepts(grads)
        self.first_layer = layout.first_layer(params), layout.first_layer(grads)
        flat = [c.reshape(n_models, 1, -1) for c in self.coefs]
        self.flat = [(c, c.transpose(0, 2, 1)) for c in flat]
        shapes = [(n_models, n_rows, width) for width in layout.units[1:]]
        self.activations = [aligned(shape, dtype) for shape in shapes]
        # Once its mask is known, a layer's activations may make room for its deltas:
        # what lies in the cache is half as much.
        in_place = activation in ("relu", "identity") and dtype == grad_dtype
        self.deltas = (
            self.activations
            if in_place
            else [aligned(shape, grad_dtype) for shape in shapes]
        )
        self.hidden = [hidden_activation(activation, s[1:], dtype) for s in shapes[:-1]]
        self.products = list(self.activations)
        if out_activation == "softmax":
            classes = aligned((n_models, layout.units[-1], n_rows), dtype)
            self.output = classes.transpose(0, 2, 1)
            self.out_activation: Callable[[Array], None] = Softmax(classes)
            inner = len(self.coefs) > 1  # what X lies like is not known here
            if inner and writes_transposed(n_rows, *layout.units[-2:], dtype.str):
                self.products[-1] = self.output
        else:
            self.output = self.activations[-1]
            self.out_activation = ACTIVATIONS[out_activation]
        self.derivative = DERIVATIVES[activation]
        is_relu = activation == "relu"
        self.active = [aligned(shape, bool) for shape in shapes[:-1] if is_relu]
        self.loss = loss_function(loss, out_activation, grad_dtype)
        above = range(1, len(self.coefs))
        self.inner = [
            _product(self.activations[i - 1], self.coefs[i], self.products[i])
            for i in above
        ]
        self.gradients = [
            _gradients(self.activations[i - 1], self.deltas[i], self.coef_grads[i])
            for i in above
        ]
        self.back = [
            _Back(self.deltas[i], self.coefs[i], self.deltas[i - 1]) for i in above
        ]

    def forward(self, firsts: Sequence[First]) -> Array:
        """Compute all activations; return those of the last layer."""
        for first in firsts:
            first.product()
        for layer, below in enumerate(self.activations[:-1]):
            if layer or not firsts[0].adds_bias:
                np.add(below, self.intercepts[layer], out=below)
            self.hidden[layer](below)
            self.inner[layer]()
        out = self.products[-1]
        if out is not self.output:  # transposing alone is quicker than on the way
            np.copyto(self.output, out)
        np.add(self.output, self.intercepts[-1], out=self.output)
        self.out_activation(self.output)
        return self.output

    def batch_losses(self, batch: Batch) -> Array:
        """Return each model's loss of a batch that was predicted, without penalty."""
        assert self.loss is not None
        return self.loss(self.output, batch.y, batch.weight)

    def backprop(self, batch: Batch, firsts: Sequence[First]) -> None:
        """Write the gradients of a batch that was predicted.

        Parameters
        ----------
        batch : Batch
            What the models read.
        firsts : sequence of First
            What `bind` made of its inputs.
        """
        delta = self.deltas[-1]
        if self.output is not self.activations[-1] and len(batch.y) == 1:
            np.copyto(delta, self.output)
            np.subtract(delta, batch.y, out=delta)
        else:
            np.subtract(self.output, batch.y, out=delta)
        if batch.weight is not None:
            delta *= batch.weight[:, :, None]
        for layer in range(len(self.coefs) - 1, 0, -1):
            below, under = self.activations[layer - 1], self.deltas[layer - 1]
            self.gradients[layer - 1]()
            column_sums(delta, self.intercept_grads[layer])
            if self.active:
                active = self.active[layer - 1]
                np.not_equal(below, 0, out=active)
                self.back[layer - 1]()
                np.multiply(under, active.view(np.int8), out=under)  # quicker than bool
            else:
                self.back[layer - 1]()
                self.derivative(below, under)
            delta = under
        for first in firsts:
            first.gradients()
        if not firsts[0].sums:
            column_sums(delta, self.intercept_grads[0])

    def bind(self, inputs: Inputs) -> list[First]:
        """Return views of what the first layer's products with some rows need."""
        weights, grads = self.first_layer
        is_hidden = len(self.coefs) > 1
        return [
            First(
                X,
                weights[models],
                self.products[0][models],
                self.deltas[0][models],
                grads[models],
                is_hidden,
            )
            for models, X in inputs
        ]

    def squared_norms(self) -> list[Array]:
        """Return the sums of squares of each layer's coefficients, (n_models,) each."""
        return [np.matmul(c, c_t)[:, 0, 0] for c, c_t in self.flat]


class First:
    """The first layer's products with the rows of a data stream.

    Parameters
    ----------
    X : ndarray of shape (..., n_rows, n_features or n_features + 1)
        The rows, read; their last number a one if there is one more.
    weights, out, delta, grads : ndarray of shape (n_models, ...)
        Of the models that read them: coefficients and, in the last row, intercepts,
        read; where their product with the rows goes; deltas, read; and where the
        gradients of the weights go.
    is_hidden : bool
        Whether the layer is followed by another.

    Attributes
    ----------
    product, gradients : Product
        What computes the layer before its activation, and the gradients.
    adds_bias, sums : bool
        Whether these products add the intercepts, and compute their gradients.
    """

    def __init__(
        self,
        X: Array,
        weights: Array,
        out: Array,
        delta: Array,
        grads: Array,
        is_hidden: bool,
    ) -> None:
        n_rows, n_features, width = X.shape[-2], weights.shape[1] - 1, delta.shape[2]
        shape = n_rows, n_features, width, X.dtype.str
        with_ones = X.shape[-1] > n_features
        as_tried = X.strides[-1] == X.itemsize and out.strides[-1] == out.itemsize
        parts, self.adds_bias = WHOLE, False
        if as_tried:
            parts, self.adds_bias = product_way(*shape, with_ones and is_hidden)
        n_parts, self.sums = 1, False
        if as_tried and X.dtype == delta.dtype:
            n_parts, self.sums = gradient_way(*shape, with_ones)
        n = n_features + self.adds_bias
        self.product = Product(X[..., :n], weights[:, :n], out, parts)
        n = n_features + self.sums
        columns = X[..., :n].swapaxes(-1, -2)
        self.gradients = Product(columns, delta, grads[:, :n], of_rows(n, n_parts))


def _product(below: Array, coefs: Array, out: Array) -> Product:
    """Return the product of a layer's outputs and the coefficients of the next."""
    parts = WHOLE
    if below.dtype == coefs.dtype and out.strides[-1] == out.itemsize:
        parts, _ = product_way(*below.shape[1:], out.shape[2], out.dtype.str)
    return Product(below, coefs, out, parts)


def _gradients(below: Array, delta: Array, out: Array) -> Product:
    """Return the product that makes the gradients of coefficients."""
    n_parts = 1
    if below.dtype == delta.dtype:
        n_parts, _ = gradient_way(*below.shape[1:], delta.shape[2], delta.dtype.str)
    parts = of_rows(below.shape[2], n_parts)
    return Product(below.transpose(0, 2, 1), delta, out, parts)


class _Back:
    """The product that takes deltas from a layer to the one under it.

    BLAS is up to twice as fast on a copy of the transposed coefficients, where that has
    the same bits.

    Parameters
    ----------
    delta : ndarray of shape (n_models, n_rows, fan_out)
        Read.
    coefs : ndarray of shape (n_models, fan_in, fan_out)
        Read.
    under : ndarray of shape (n_models, n_rows, fan_in)
        Written.
    """

    def __init__(self, delta: Array, coefs: Array, under: Array) -> None:
        self.delta, self.coefs, self.under = delta, coefs, under
        self.transposed = coefs.transpose(0, 2, 1)
        n_models, fan_in, fan_out = coefs.shape
        self.outer = fan_out == 1
        self.copied: Array | None = None
        parts = None
        if not self.outer:
            dtypes = delta.dtype.str, coefs.dtype.str
            parts = back_way(delta.shape[1], fan_in, fan_out, *dtypes)
        if parts is not None:
            self.copied = aligned((n_models, fan_out, fan_in), coefs.dtype)
            self.product = Product(delta, self.copied, under, parts)
        else:
            self.product = Product(delta, self.transposed, under)

    def __call__(self) -> None:
        if self.outer:  # no sums: one product for each number
            np.einsum("sbo,sio->sbi", self.delta, self.coefs, out=self.under)
        else:
            if self.copied is not None:
                np.copyto(self.copied, self.transposed)
            self.product()
