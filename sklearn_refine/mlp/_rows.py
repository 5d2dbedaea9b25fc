"""The rows that models train on, and the order in which an epoch reads them.

Random numbers must be drawn as scikit-learn draws them: from the same generator, as
many, and in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sklearn_refine.mlp._arrays import Array, aligned

T = TypeVar("T")

MAX_BIAS_FEATURES = 100  # with more features, a bias column saves too little time


@dataclass(frozen=True)
class HeldOutRows:
    """The rows that `early_stopping` holds out.

    Attributes
    ----------
    X, y, weight : ndarray
        As in `TrainingRows`.
    target : ndarray
        The targets that `y` encodes.
    """

    X: Array
    y: Array
    weight: Array | None
    target: Array


class Permutation:
    """The order in which an epoch reads the rows, shuffled before each epoch.

    Parameters
    ----------
    rng : RandomState
        Generator for shuffling.
    n_rows : int
        Number of rows.

    Attributes
    ----------
    rows : ndarray of shape (n_rows,)
        Indices of the rows in reading order.
    """

    def __init__(self, rng: np.random.RandomState, n_rows: int) -> None:
        self.rng = rng
        self.rows = np.arange(n_rows)

    def shuffle(self) -> None:
        """Shuffle with the draws that ``sklearn.utils.shuffle`` makes."""
        index = np.arange(len(self.rows))
        self.rng.shuffle(index)
        self.rows = self.rows[index]

    def restart(self) -> Permutation:
        """Return the initial permutation, with its own copy of the generator."""
        return Permutation(deepcopy(self.rng), len(self.rows))


@dataclass
class TrainingRows:
    """The rows that one or more models read in the same order.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features or n_features + 1)
        Training rows; `append_bias_column` adds the last column.
    y : ndarray of shape (n_samples, n_outputs)
        Encoded targets.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    held_out : HeldOutRows or None
        The held-out rows, with `early_stopping`.
    permutation : Permutation
        The reading order. Rows that are shuffled alike share one object.
    """

    X: Array
    y: Array
    weight: Array | None
    held_out: HeldOutRows | None
    permutation: Permutation

    def encode_targets(self, dtype: Any, softmax: bool) -> None:
        """Convert the targets as the loss and its gradient need them."""
        self.targets = self.y.astype(dtype)
        self.classes = self.y.argmax(axis=1) if softmax else None


def append_bias_column(X: Array) -> Array:
    """Return a copy of X with a last column of ones, or X itself if that cannot help.

    With this column, the product of the rows and a layer's weights includes the
    intercepts. X is returned as it is if it has many features; if it is not
    C-contiguous, because BLAS multiplies unshuffled rows differently then; and if it
    has one column, because products of vectors depend on their position in memory.
    """
    n_rows, n_features = X.shape
    if not 1 < n_features <= MAX_BIAS_FEATURES or not X.flags.c_contiguous:
        return X
    rows = aligned((n_rows, n_features + 1), X.dtype)
    rows[:, :-1] = X
    rows[:, -1] = 1
    return rows


def target_dtype(y: Array, dtype: Any) -> Any:
    """Return the type of the difference between a prediction and `y`."""
    return dtype if y.dtype == bool else np.result_type(dtype, y.dtype)


def distinct(objects: Sequence[T]) -> list[T]:
    """Return each object once, in order of first appearance."""
    return list({id(each): each for each in objects}.values())


def equal_runs(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of equal neighbours."""
    start = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i] != values[start]:
            yield start, i
            start = i


def group_models(
    rows_of_models: Sequence[TrainingRows],
) -> list[tuple[slice, TrainingRows]]:
    """Return the distinct rows, each with the neighbouring models that read them."""
    found = equal_runs([id(rows) for rows in rows_of_models])
    return [(slice(lo, hi), rows_of_models[lo]) for lo, hi in found]
