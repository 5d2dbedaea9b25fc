"""Loss functions of a stack of networks, and log losses computed for many batches.

Every loss must equal scikit-learn's to the last bit, because stopping rules compare
losses. Types and the order of operations therefore follow ``sklearn.neural_network``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import xlogy

from sklearn_refine.mlp._arrays import Array
from sklearn_refine.mlp._batches import Batch

EPSILON = float(np.finfo(np.float64).eps)

#: Takes predictions, encoded targets and sample weights, (n_models, n_rows, ...).
#: Targets and weights have a first axis of length 1 if all models share them.
Loss = Callable[[Array, Array, Array | None], Array]


def loss_function(name: str, out_activation: str, dtype: Any) -> Loss | None:
    """Return the function that computes each model's loss, without the penalty.

    Return None for a softmax in double precision: `DeferredLogLoss` computes its
    losses.
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
    y = y != 0  # bool as in scikit-learn, so that 1 - y is an integer array
    p = _clip(p)
    terms = xlogy(y, p) + xlogy(1 - y, 1 - p)
    losses: Array = -_average(terms, weight).sum(axis=1)
    return losses


def _log_loss(p: Array, y: Array, weight: Array | None) -> Array:
    # bool as in scikit-learn, so that the product is computed in double precision
    p = np.ascontiguousarray(p)
    losses: Array = -_average(xlogy(y != 0, _clip(p)), weight).sum(axis=1)
    return losses


class DeferredLogLoss:
    """Log losses of a sequence of batches, computed together after the last batch.

    Training does not depend on the loss of a batch; the loss is only added to the loss
    of the epoch. Each step therefore records the probability of the true class of each
    row and the norms of the coefficients. The terms of all other classes are zero.

    Parameters
    ----------
    output : ndarray of shape (n_models, n_rows, n_classes)
        The network's output, a softmax in double precision, stored transposed.
    flat_coefs : sequence of (row, column)
        Each layer's coefficients as stacks of row vectors and of column vectors.
    batches : sequence of Batch
        The batches, in the order in which the network reads them.
    """

    def __init__(
        self,
        output: Array,
        flat_coefs: Sequence[tuple[Array, Array]],
        batches: Sequence[Batch],
    ) -> None:
        n_models, n_rows, n_classes = output.shape
        shape = len(batches), n_models
        self._flat_coefs = flat_coefs
        self._batches = batches
        self._probabilities = output.transpose(0, 2, 1).reshape(-1)  # a view
        self._indices = np.empty((*shape, n_rows), dtype=np.intp)
        self._true_probabilities = np.empty((*shape, n_rows))
        self._norms = np.empty((len(flat_coefs), *shape, 1, 1))
        model_indices = np.arange(n_models)[:, None]
        self._row_offsets = model_indices * (n_rows * n_classes) + np.arange(n_rows)
        # First bin of each batch and model among the sums over rows.
        self._bin_offsets = np.arange(np.prod(shape)).reshape(*shape, 1) * n_classes
        self._shape = *shape, n_classes
        # numpy's maximum of two arrays is faster than of an array and a scalar.
        self._lowest = np.full(n_rows, EPSILON)
        self._highest = np.full(n_rows, 1 - EPSILON)

    def start_epoch(self) -> None:
        """Read the classes of all batches; shuffling changes them in each epoch."""
        classes = [b.classes for b in self._batches if b.classes is not None]
        self._classes = np.stack(classes)
        np.multiply(self._classes, self._indices.shape[-1], out=self._indices)
        np.add(self._indices, self._row_offsets, out=self._indices)

    def record_batch(self, batch: int) -> None:
        """Record the inputs of the loss of a batch that has just been predicted."""
        # No index is out of bounds; "clip" only saves numpy a copy.
        indices, recorded = self._indices[batch], self._true_probabilities[batch]
        np.take(self._probabilities, indices, out=recorded, mode="clip")
        for (row, column), norm in zip(self._flat_coefs, self._norms, strict=True):
            np.matmul(row, column, out=norm[batch])

    def compute_totals(self, half_alphas: Array) -> Array:
        """Return the summed loss of the rows of each batch, (n_batches, n_models).

        Parameters
        ----------
        half_alphas : ndarray of shape (n_models,)
            Half the strength of each model's penalty.
        """
        clipped, n_rows = self._true_probabilities, self._indices.shape[-1]
        np.maximum(clipped, self._lowest, out=clipped)
        np.minimum(clipped, self._highest, out=clipped)
        terms = xlogy(1.0, clipped)
        if self._batches[0].weight is not None:
            terms *= np.stack([b.weight for b in self._batches if b.weight is not None])
        # bincount adds in the order of the rows, as the sum over axis 0 does.
        sums = np.bincount(
            (self._classes + self._bin_offsets).ravel(),
            weights=terms.ravel(),
            minlength=self._bin_offsets.size * self._shape[-1],
        ).reshape(self._shape)
        weights = np.array([batch.weight_sums() for batch in self._batches])
        weights = weights.reshape(len(weights), -1)
        losses = -(sums / weights[:, :, None]).sum(axis=-1)
        norms = sum(norm[..., 0, 0] for norm in self._norms)
        totals: Array = (losses + half_alphas * norms / weights) * n_rows
        return totals
