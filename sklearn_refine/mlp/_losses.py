"""Losses of many batches at once: of each, a step only notes what they depend on.

The loss of a batch changes nothing in training; it is only added to that of the epoch.
So what it takes to compute it is done for a run of batches together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import xlogy

from sklearn_refine.mlp._arrays import Array
from sklearn_refine.mlp._network import Batch, Network

EPSILON = float(np.finfo(np.float64).eps)


class ClassLosses:
    """Log losses of a run of batches, from the probabilities of the true classes.

    The terms of all other classes are zero.

    Parameters
    ----------
    network : Network
        With a softmax, in double precision.
    batches : sequence of Batch
        What it sees, one after another.
    """

    def __init__(self, network: Network, batches: Sequence[Batch]) -> None:
        n_models, n_rows, n_classes = network.output.shape
        shape = len(batches), n_models
        self._network = network
        self._batches = batches
        self._predicted = network.output.transpose(0, 2, 1).reshape(-1)  # a view
        self._places = np.empty((*shape, n_rows), dtype=np.intp)
        self._chosen = np.empty((*shape, n_rows))
        self._norms = np.empty((len(network.coefs), *shape, 1, 1))
        of_model = np.arange(n_models)[:, None]
        self._rows = of_model * (n_rows * n_classes) + np.arange(n_rows)
        # Where the classes of a model and a batch start among all sums.
        self._starts = np.arange(np.prod(shape)).reshape(*shape, 1) * n_classes
        self._shape = *shape, n_classes
        # numpy's maximum of two arrays is quicker than with one number.
        self._lowest = np.full(n_rows, EPSILON)
        self._highest = np.full(n_rows, 1 - EPSILON)

    def begin(self) -> None:
        """Read the classes, which are others in each epoch."""
        classes = [b.classes for b in self._batches if b.classes is not None]
        self._true = np.stack(classes)
        np.multiply(self._true, self._chosen.shape[-1], out=self._places)
        np.add(self._places, self._rows, out=self._places)

    def note(self, batch: int) -> None:
        """Note what the loss of a batch depends on, once it has been predicted."""
        # No index is out of bounds; "clip" only saves numpy a copy.
        places, chosen = self._places[batch], self._chosen[batch]
        np.take(self._predicted, places, out=chosen, mode="clip")
        for (row, column), norm in zip(self._network.flat, self._norms, strict=True):
            np.matmul(row, column, out=norm[batch])

    def totals(self, half_alphas: Array) -> Array:
        """Return the losses of the batches' rows, (n_batches, n_models).

        Parameters
        ----------
        half_alphas : ndarray of shape (n_models,)
            Half the strength of each model's penalty.
        """
        chosen, n_rows = self._chosen, self._chosen.shape[-1]
        np.maximum(chosen, self._lowest, out=chosen)
        np.minimum(chosen, self._highest, out=chosen)
        terms = xlogy(1.0, chosen)
        if self._batches[0].weight is not None:
            terms *= np.stack([b.weight for b in self._batches if b.weight is not None])
        # bincount adds in the order of the rows, as the sum over axis 0 does.
        sums = np.bincount(
            (self._true + self._starts).ravel(),
            weights=terms.ravel(),
            minlength=self._starts.size * self._shape[-1],
        ).reshape(self._shape)
        weights = np.array([batch.weight_sums() for batch in self._batches])
        weights = weights.reshape(len(weights), -1)
        losses = -(sums / weights[:, :, None]).sum(axis=-1)
        norms = sum(norm[..., 0, 0] for norm in self._norms)
        totals: Array = (losses + half_alphas * norms / weights) * n_rows
        return totals
