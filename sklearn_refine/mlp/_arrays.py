"""Aligned arrays, and the layout of a network's parameters in one vector.

The training results must equal scikit-learn's to the last bit. They do not depend on
alignment; the speed does. `column_sums` must keep numpy's order of addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ALIGNMENT = 64  # bytes of a cache line, and of the widest vector registers
ALIGNED_VALUES = 16  # float32 or float64 arrays of a multiple of 16 values stay aligned


def aligned(shape: Any, dtype: Any, fill: float | None = None) -> Array:
    """Return a new array that starts on a cache line.

    numpy's own arrays mostly start 16 bytes after the start of a cache line. Every
    vector that a loop loads or stores then spans two lines, and elementwise operations
    take up to twice the time.
    """
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    array: Array = raw[start : start + n_bytes].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def take_rows(array: Array, indices: Array) -> Array:
    """Return the rows with these indices as a new aligned array."""
    rows = aligned((len(indices), *array.shape[1:]), array.dtype)
    np.take(array, indices, axis=0, out=rows, mode="clip")
    return rows


def padded_size(size: int) -> int:
    """Round the size of one part of a vector up, so that the next part is aligned."""
    return -(-size // ALIGNED_VALUES) * ALIGNED_VALUES


def column_sums(values: Array, out: Array) -> None:
    """Sum over the rows, axis 1, in the order of ``np.sum(values[i], axis=0)``."""
    if values.shape[2] == 1:
        np.add.reduce(values, axis=1, out=out)
    else:  # einsum makes the same additions in a tighter loop
        np.einsum("sbh->sh", values, out=out)


@dataclass(frozen=True)
class Layout:
    """The positions of a network's weights in its parameter vector.

    The coefficients come first, because they are penalised; the last of them are the
    coefficients of the first layer. The intercepts follow, starting with the first
    layer. The intercepts of the first layer thus are one more row of its coefficients.
    Each layer's part is aligned. The padding between parts is zero and stays zero.

    Attributes
    ----------
    units : tuple of int
        Width of each layer, from the features to the outputs.
    """

    units: tuple[int, ...]

    @property
    def n_params(self) -> int:
        return self._intercept_starts()[-1] + padded_size(self.units[-1])

    @property
    def n_penalised(self) -> int:
        """Number of leading parameters that are penalised."""
        return self._intercept_starts()[0]

    def coefs(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_in, fan_out), one for each layer."""
        return [
            vectors[:, start : start + a * b].reshape(-1, a, b)
            for start, (a, b) in zip(
                self._coef_starts(), pairwise(self.units), strict=True
            )
        ]

    def intercepts(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_out), one for each layer."""
        return [
            vectors[:, start : start + width]
            for start, width in zip(
                self._intercept_starts(), self.units[1:], strict=True
            )
        ]

    def first_layer(self, vectors: Array) -> Array:
        """Return a view of shape (n_models, n_features + 1, n_units)."""
        start, (a, b) = self._coef_starts()[0], self.units[:2]
        return vectors[:, start : start + (a + 1) * b].reshape(-1, a + 1, b)

    def _coef_starts(self) -> list[int]:
        sizes = [padded_size(a * b) for a, b in pairwise(self.units[1:])]
        return [*accumulate(reversed(sizes), initial=0)][::-1]

    def _intercept_starts(self) -> list[int]:
        start, (a, b) = self._coef_starts()[0], self.units[:2]
        second = start + padded_size((a + 1) * b)
        others = [padded_size(width) for width in self.units[2:-1]]
        return [start + a * b, *accumulate(others, initial=second)][
            : len(self.units) - 1
        ]

    def join(self, parts: Sequence[Array]) -> Array:
        """Return the parameter vector of a model's coefficients and intercepts."""
        vector = np.zeros((1, self.n_params), parts[0].dtype)
        for view, part in zip(self._parts(vector), parts, strict=True):
            view[0] = part
        joined: Array = vector[0]
        return joined

    def split(self, vector: Array) -> list[Array]:
        """Return copies of a model's coefficients and intercepts."""
        return [view[0].copy() for view in self._parts(vector[None])]

    def _parts(self, vectors: Array) -> list[Array]:
        return [*self.coefs(vectors), *self.intercepts(vectors)]
