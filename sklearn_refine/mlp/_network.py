"""The arithmetic of a stack of networks: predictions and gradients of one batch.

This module makes for a stack of models the operations that scikit-learn's ``_backprop``
makes for one model, on the same numbers and in the same order. The results are thus
equal to the last bit, and no change may break that:

- A stacked ``matmul`` makes one BLAS call for each model. Its shape and memory layout
  are scikit-learn's, or were tested to give the same bits.
- Elementwise operations do not depend on the memory layout.
- Sums keep their order of addition.

Networks are small and steps are many, so buffers and views are created once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sklearn_refine.mlp._activations import (
    ACTIVATIONS,
    DERIVATIVES,
    Softmax,
    hidden_activation,
)
from sklearn_refine.mlp._arrays import Array, Layout, aligned, column_sums
from sklearn_refine.mlp._batches import Batch, Inputs
from sklearn_refine.mlp._losses import loss_function
from sklearn_refine.mlp._products import (
    WHOLE,
    Product,
    can_write_transposed,
    choose_backward_product,
    choose_forward_product,
    choose_gradient_product,
    split_rows,
)


class Network:
    """Views and buffers of some models of a stack, for batches of one size.

    Parameters
    ----------
    layout : Layout
        The architecture.
    params, grads : ndarray of shape (n_models, n_params)
        The weights, which are read, and their gradients, which are written.
    n_rows : int
        Number of rows of a batch.
    activation, out_activation, loss : str
        Names as in scikit-learn.

    Attributes
    ----------
    output : ndarray of shape (n_models, n_rows, n_outputs)
        The predictions.
    flat_coefs : list of (row, column)
        Each layer's coefficients as stacks of row vectors and of column vectors.
    has_loss : bool
        Whether `batch_losses` computes the losses, not `DeferredLogLoss`.
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
        self._coefs = layout.coefs(params)
        self._intercepts = [b[:, None, :] for b in layout.intercepts(params)]
        self._intercept_grads = layout.intercepts(grads)
        self._first_params = layout.first_layer(params)
        self._first_grads = layout.first_layer(grads)
        flat = [c.reshape(n_models, 1, -1) for c in self._coefs]
        self.flat_coefs = [(c, c.transpose(0, 2, 1)) for c in flat]
        shapes = [(n_models, n_rows, width) for width in layout.units[1:]]
        self._activations = [aligned(shape, dtype) for shape in shapes]
        # Once its mask is known, a layer's activations can be replaced by its deltas.
        # This halves the data in the cache.
        in_place = activation in ("relu", "identity") and dtype == grad_dtype
        self._deltas = (
            self._activations
            if in_place
            else [aligned(shape, grad_dtype) for shape in shapes]
        )
        self._hidden_activations = [
            hidden_activation(activation, s[1:], dtype) for s in shapes[:-1]
        ]
        last_product = self._activations[-1]
        if out_activation == "softmax":
            classes = aligned((n_models, layout.units[-1], n_rows), dtype)
            self.output = classes.transpose(0, 2, 1)
            self._out_activation: Callable[[Array], None] = Softmax(classes)
            # Without a hidden layer, the product reads X, whose layout is unknown here.
            has_hidden = len(self._coefs) > 1
            shape = (n_rows, *layout.units[-2:])
            if has_hidden and can_write_transposed(*shape, dtype.str):
                last_product = self.output
        else:
            self.output = self._activations[-1]
            self._out_activation = ACTIVATIONS[out_activation]
        self._product_outputs = [*self._activations[:-1], last_product]
        self._multiply_by_derivative = DERIVATIVES[activation]
        is_relu = activation == "relu"
        self._relu_masks = [aligned(shape, bool) for shape in shapes[:-1] if is_relu]
        self._loss = loss_function(loss, out_activation, grad_dtype)
        self.has_loss = self._loss is not None
        self._create_products(layout.coefs(grads))

    def _create_products(self, coef_grads: Sequence[Array]) -> None:
        """Create the products of all layers after the first."""
        layers = range(1, len(self._coefs))
        activations, deltas = self._activations, self._deltas
        self._forward_products = [
            _forward_product(
                activations[i - 1], self._coefs[i], self._product_outputs[i]
            )
            for i in layers
        ]
        self._gradient_products = [
            _gradient_product(activations[i - 1], deltas[i], coef_grads[i])
            for i in layers
        ]
        self._backward_products = [
            BackwardProduct(deltas[i], self._coefs[i], deltas[i - 1]) for i in layers
        ]

    def forward(self, first_layers: Sequence[FirstLayer]) -> Array:
        """Compute all activations; return the activations of the last layer."""
        for first_layer in first_layers:
            first_layer.product()
        for layer, below in enumerate(self._activations[:-1]):
            if layer or not first_layers[0].adds_bias:
                np.add(below, self._intercepts[layer], out=below)
            self._hidden_activations[layer](below)
            self._forward_products[layer]()
        out = self._product_outputs[-1]
        if out is not self.output:
            # A separate copy is faster than a sum that also transposes.
            np.copyto(self.output, out)
        np.add(self.output, self._intercepts[-1], out=self.output)
        self._out_activation(self.output)
        return self.output

    def batch_losses(self, batch: Batch) -> Array:
        """Return each model's loss of a predicted batch, without the penalty."""
        assert self._loss is not None
        return self._loss(self.output, batch.y, batch.weight)

    def backprop(self, batch: Batch, first_layers: Sequence[FirstLayer]) -> None:
        """Compute the gradients of a predicted batch.

        Parameters
        ----------
        batch : Batch
            The batch.
        first_layers : sequence of FirstLayer
            Result of `bind_first_layer` for the batch's inputs.
        """
        delta = self._deltas[-1]
        if self.output is not self._activations[-1] and len(batch.y) == 1:
            np.copyto(delta, self.output)
            np.subtract(delta, batch.y, out=delta)
        else:
            np.subtract(self.output, batch.y, out=delta)
        if batch.weight is not None:
            delta *= batch.weight[:, :, None]
        for layer in range(len(self._coefs) - 1, 0, -1):
            below, delta_below = self._activations[layer - 1], self._deltas[layer - 1]
            self._gradient_products[layer - 1]()
            column_sums(delta, self._intercept_grads[layer])
            if self._relu_masks:
                mask = self._relu_masks[layer - 1]
                np.not_equal(below, 0, out=mask)
                self._backward_products[layer - 1]()
                # int8 is faster than bool.
                np.multiply(delta_below, mask.view(np.int8), out=delta_below)
            else:
                self._backward_products[layer - 1]()
                self._multiply_by_derivative(below, delta_below)
            delta = delta_below
        for first_layer in first_layers:
            first_layer.gradient_product()
        if not first_layers[0].sums_deltas:
            column_sums(delta, self._intercept_grads[0])

    def bind_first_layer(self, inputs: Inputs) -> list[FirstLayer]:
        """Return the first layer's products with the rows of a batch."""
        return [
            FirstLayer(
                X,
                self._first_params[models],
                self._product_outputs[0][models],
                self._deltas[0][models],
                self._first_grads[models],
                is_hidden=len(self._coefs) > 1,
            )
            for models, X in inputs
        ]

    def squared_norms(self) -> list[Array]:
        """Return the sums of squares of each layer's coefficients, (n_models,) each."""
        return [np.matmul(row, column)[:, 0, 0] for row, column in self.flat_coefs]


class FirstLayer:
    """The first layer's products with the rows that some models read.

    Parameters
    ----------
    X : ndarray of shape (..., n_rows, n_features or n_features + 1)
        The rows, perhaps with a bias column.
    params : ndarray of shape (n_models, n_features + 1, n_units)
        The coefficients and, in the last row, the intercepts.
    out : ndarray of shape (n_models, n_rows, n_units)
        Output: the product of rows and coefficients.
    delta : ndarray of shape (n_models, n_rows, n_units)
        The deltas of the layer.
    grads : ndarray of shape (n_models, n_features + 1, n_units)
        Output: the gradients of `params`.
    is_hidden : bool
        Whether another layer follows.

    Attributes
    ----------
    product, gradient_product : Product
        Compute the layer before its activation, and the gradients.
    adds_bias, sums_deltas : bool
        Whether the products include the intercepts and their gradients.
    """

    def __init__(
        self,
        X: Array,
        params: Array,
        out: Array,
        delta: Array,
        grads: Array,
        is_hidden: bool,
    ) -> None:
        n_rows, n_features, width = X.shape[-2], params.shape[1] - 1, delta.shape[2]
        shape = n_rows, n_features, width, X.dtype.str
        has_bias_column = X.shape[-1] > n_features
        # Products were tested with contiguous rows only.
        contiguous = X.strides[-1] == X.itemsize and out.strides[-1] == out.itemsize
        parts, self.adds_bias = WHOLE, False
        if contiguous:
            parts, self.adds_bias = choose_forward_product(
                *shape, has_bias_column and is_hidden
            )
        n_parts, self.sums_deltas = 1, False
        if contiguous and X.dtype == delta.dtype:
            n_parts, self.sums_deltas = choose_gradient_product(*shape, has_bias_column)
        n = n_features + self.adds_bias
        self.product = Product(X[..., :n], params[:, :n], out, parts)
        n = n_features + self.sums_deltas
        columns = X[..., :n].swapaxes(-1, -2)
        self.gradient_product = Product(
            columns, delta, grads[:, :n], split_rows(n, n_parts)
        )


def _forward_product(below: Array, coefs: Array, out: Array) -> Product:
    """Return the product of one layer's activations and the next coefficients."""
    parts = WHOLE
    if below.dtype == coefs.dtype and out.strides[-1] == out.itemsize:
        parts, _ = choose_forward_product(*below.shape[1:], out.shape[2], out.dtype.str)
    return Product(below, coefs, out, parts)


def _gradient_product(below: Array, delta: Array, out: Array) -> Product:
    """Return the product that computes the gradients of a layer's coefficients."""
    n_parts = 1
    if below.dtype == delta.dtype:
        n_parts, _ = choose_gradient_product(
            *below.shape[1:], delta.shape[2], delta.dtype.str
        )
    parts = split_rows(below.shape[2], n_parts)
    return Product(below.transpose(0, 2, 1), delta, out, parts)


class BackwardProduct:
    """The product that computes the deltas of a layer from the layer above.

    BLAS is up to twice as fast with a copy of the transposed coefficients. The copy is
    used where it gives the same bits.

    Parameters
    ----------
    delta : ndarray of shape (n_models, n_rows, fan_out)
        The deltas of the layer above.
    coefs : ndarray of shape (n_models, fan_in, fan_out)
        The coefficients between the layers.
    out : ndarray of shape (n_models, n_rows, fan_in)
        Output: the deltas of the layer below.
    """

    def __init__(self, delta: Array, coefs: Array, out: Array) -> None:
        self._delta, self._coefs, self._out = delta, coefs, out
        self._transposed = coefs.transpose(0, 2, 1)
        n_models, fan_in, fan_out = coefs.shape
        self._is_outer = fan_out == 1
        self._copy: Array | None = None
        parts = None
        if not self._is_outer:
            dtypes = delta.dtype.str, coefs.dtype.str
            parts = choose_backward_product(delta.shape[1], fan_in, fan_out, *dtypes)
        if parts is not None:
            self._copy = aligned((n_models, fan_out, fan_in), coefs.dtype)
            self._product = Product(delta, self._copy, out, parts)
        else:
            self._product = Product(delta, self._transposed, out)

    def __call__(self) -> None:
        if self._is_outer:  # no sums: one product for each number
            np.einsum("sbo,sio->sbi", self._delta, self._coefs, out=self._out)
        else:
            if self._copy is not None:
                np.copyto(self._copy, self._transposed)
            self._product()
