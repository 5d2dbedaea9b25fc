"""Where the numbers of a stack of networks lie: aligned arrays, and their layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

ALIGNMENT = 64  # bytes of a cache line, and of the widest vector registers
ALIGNED_VALUES = 16  # of which an aligned part of a float32 or float64 array is made


def aligned(shape: Any, dtype: Any, fill: float | None = None) -> Array:
    """Return a new array that starts on a cache line.

    numpy's own start wherever the allocator says, mostly 16 bytes behind a line, and
    then every vector that a loop loads or stores lies on two of them: elementwise
    operations take up to twice the time.
    """
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(n_bytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    array: Array = raw[start : start + n_bytes].view(dtype).reshape(shape)
    if fill is not None:
        array.fill(fill)
    return array


def take(array: Array, kept: Array) -> Array:
    """Return the rows of these indices as a new array that is aligned, too."""
    rows = aligned((len(kept), *array.shape[1:]), array.dtype)
    np.take(array, kept, axis=0, out=rows, mode="clip")
    return rows


def padded(size: int) -> int:
    """Return how much room a part of a vector gets, so that the next is aligned."""
    return -(-size // ALIGNED_VALUES) * ALIGNED_VALUES


@dataclass(frozen=True)
class Layout:
    """Where the weights of a network lie in its vector of parameters.

    First all coefficients, which are penalised, those of the first layer last; then all
    intercepts, those of the first layer first, which are so one more row of its
    coefficients. What a layer has is aligned; what lies between layers is zero and
    stays so.

    Attributes
    ----------
    units : tuple of int
        Width of each layer, from the features to the outputs.
    """

    units: tuple[int, ...]

    @property
    def n_params(self) -> int:
        return self._intercept_starts()[-1] + padded(self.units[-1])

    @property
    def n_penalised(self) -> int:
        """How many of the first parameters are penalised."""
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
        sizes = [padded(a * b) for a, b in pairwise(self.units[1:])]
        return [*accumulate(reversed(sizes), initial=0)][::-1]

    def _intercept_starts(self) -> list[int]:
        start, (a, b) = self._coef_starts()[0], self.units[:2]
        second = start + padded((a + 1) * b)
        others = [padded(width) for width in self.units[2:-1]]
        return [start + a * b, *accumulate(others, initial=second)][
            : len(self.units) - 1
        ]

    def join(self, parts: Sequence[Array]) -> Array:
        """Return the vector of a model's coefficients and intercepts."""
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
