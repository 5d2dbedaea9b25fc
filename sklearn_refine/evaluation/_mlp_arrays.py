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

    Those of a layer lie together, its intercepts behind its coefficients as one more
    row of them. What a layer has is aligned; what lies between layers is zero and
    stays so.

    Attributes
    ----------
    units : tuple of int
        Width of each layer, from the features to the outputs.
    """

    units: tuple[int, ...]

    @property
    def n_params(self) -> int:
        return sum(padded((a + 1) * b) for a, b in pairwise(self.units))

    @property
    def penalised(self) -> list[slice]:
        """Where the coefficients of each layer are."""
        starts = self._starts()
        return [
            slice(start, start + a * b)
            for start, (a, b) in zip(starts, pairwise(self.units), strict=True)
        ]

    def coefs(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_in, fan_out), one for each layer."""
        return [weights[:, :-1] for weights in self._layers(vectors)]

    def intercepts(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_out), one for each layer."""
        return [weights[:, -1] for weights in self._layers(vectors)]

    def first_layer(self, vectors: Array) -> Array:
        """Return a view of shape (n_models, n_features + 1, n_units)."""
        return self._layers(vectors)[0]

    def _starts(self) -> list[int]:
        sizes = [padded((a + 1) * b) for a, b in pairwise(self.units)]
        return [0, *accumulate(sizes[:-1])]

    def _layers(self, vectors: Array) -> list[Array]:
        """Return views of shape (n_models, fan_in + 1, fan_out), one for each layer."""
        return [
            vectors[:, start : start + (a + 1) * b].reshape(-1, a + 1, b)
            for start, (a, b) in zip(self._starts(), pairwise(self.units), strict=True)
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
