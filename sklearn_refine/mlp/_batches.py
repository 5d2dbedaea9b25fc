"""Batches, and the chunks of an epoch's rows from which batches are views.

The values that a network reads must not depend on how chunks are cut. Batches stay
valid for all epochs: each epoch only overwrites the values of the chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.mlp._arrays import Array, aligned
from sklearn_refine.mlp._rows import TrainingRows, group_models

#: Models, and the rows of a batch that these models read.
Inputs = Sequence[tuple[slice, Array]]


@dataclass
class Batch:
    """The data that one step of a stack reads.

    Attributes
    ----------
    inputs : sequence of (slice, array of shape (..., n_rows, n_features))
        Rows, and the models that read them. One array may hold different rows for
        each model. Rows may end with a bias column.
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
        """Return the summed weight of each model's rows, or the number of rows.

        Raises
        ------
        ZeroDivisionError
            If a sum is zero, as in `numpy.average`.
        """
        if self.weight is None:
            return self.y.shape[1]
        sums = np.array([weight.sum() for weight in self.weight])
        if not sums.all():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        return sums


class RowChunk:
    """A range of an epoch's rows, gathered for all models of a stack.

    Parameters
    ----------
    rows_of_models : sequence of TrainingRows
        The rows of each model.
    start, stop : int
        Range of positions in the epoch; `stop` may exceed the number of some rows.
    shuffled : bool
        Whether the order of the rows changes. If not, rows are gathered only once.
    buffers : dict
        Arrays to gather into, shared by chunks that are gathered one after the other.
    """

    def __init__(
        self,
        rows_of_models: Sequence[TrainingRows],
        start: int,
        stop: int,
        shuffled: bool,
        buffers: dict[str, Array],
    ) -> None:
        self._start, self._stop = start, stop
        self._shuffled = shuffled
        self._groups = group_models(rows_of_models)
        n_groups, n_models = len(self._groups), len(rows_of_models)
        self._all_share = n_groups == 1
        self._none_share = n_models == n_groups and n_groups > 1
        self._gathered = {}
        for name in ("X", "targets", "classes", "weight"):
            values = getattr(rows_of_models[0], name)
            if values is None:
                continue
            n = n_groups if name == "X" or self._all_share else n_models
            shape = (n, stop - start, *values.shape[1:])
            if not shuffled:  # gathered once, into its own array
                if name != "X":  # batches are views of X itself
                    self._gathered[name] = aligned(shape, values.dtype)
                continue
            if name not in buffers:
                buffers[name] = aligned(shape, values.dtype)
            self._gathered[name] = buffers[name][:, : shape[1]]
        self._group_X = (
            list(self._gathered["X"])
            if shuffled
            else [rows.X[start:] for _, rows in self._groups]
        )
        if not shuffled:
            self._gather()

    def update(self) -> None:
        """Gather the rows of this epoch, if the order of the rows has changed."""
        if self._shuffled:
            self._gather()

    def _gather(self) -> None:
        for i, (models, rows) in enumerate(self._groups):
            if self._shuffled:
                index = rows.permutation.rows[self._start : self._stop]
            else:
                index = np.arange(self._start, min(self._stop, len(rows.X)))
            n = len(index)
            for name, gathered in self._gathered.items():
                per_group = name == "X" or self._all_share
                target = gathered[i if per_group else models.start, :n]
                # No index is out of bounds; "clip" only saves numpy a copy.
                values = getattr(rows, name)
                np.take(values, index, axis=0, out=target, mode="clip")
                if not per_group:
                    gathered[models.start + 1 : models.stop, :n] = target

    def batch(self, lo: int, hi: int, start: int, n_rows: int) -> Batch:
        """Return rows of the chunk for the models from `lo` to `hi`, as views."""
        part = slice(start, start + n_rows)
        if self._shuffled and self._none_share:
            inputs = [(slice(0, hi - lo), self._gathered["X"][lo:hi, part])]
        else:
            inputs = [
                (
                    slice(max(models.start, lo) - lo, min(models.stop, hi) - lo),
                    X[part],
                )
                for (models, _), X in zip(self._groups, self._group_X, strict=True)
                if models.start < hi and models.stop > lo
            ]
        selected = slice(0, 1) if self._all_share else slice(lo, hi)
        y, classes, weight = (
            None if (a := self._gathered.get(name)) is None else a[selected, part]
            for name in ("targets", "classes", "weight")
        )
        assert y is not None
        return Batch(inputs, y, classes, weight)
