"""Which matrix products give the same bits as scikit-learn's, and which are faster.

BLAS chooses its kernels by shapes and types, not by values; so what it does with some
random numbers, it does with all. Each question here is answered by trying, once for
each shape, and never by a guess: where bits differ, the product is the one that
scikit-learn makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from math import inf
from operator import itemgetter
from time import perf_counter
from typing import TypeVar

import numpy as np

from sklearn_refine.mlp._arrays import Array, aligned
from sklearn_refine.mlp._functions import column_sums

W = TypeVar("W")

LARGE_PRODUCT = 500_000  # multiplications; for smaller ones, calls are what counts
#: Multiplications. For some processors, OpenBLAS has kernels for products of up to so
#: many that do not copy their operands first; they are up to twice as fast.
SMALL_PRODUCT = 1_000_000
#: So many results of a row are summed as in larger products; fewer need not be.
KERNEL_WIDTH = 8
MOST_PARTS = 8  # into which a product is cut
N_NUMBERS = 65521  # that trials draw from; a prime, so that rows do not repeat

#: Which rows and columns of a product are computed at a time.
Parts = tuple[tuple[slice, slice], ...]
WHOLE: Parts = ((slice(None), slice(None)),)


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Return aligned numbers of many sizes, so that each order of a sum shows."""
    values = aligned(shape, dtype)
    places = rng.integers(N_NUMBERS) + np.arange(values.size)
    np.take(_numbers(dtype), places, mode="wrap", out=values.reshape(-1))
    return values


@cache
def _numbers(dtype: str) -> Array:
    rng = np.random.default_rng(0)
    sizes = np.exp2(rng.integers(-4, 5, size=N_NUMBERS))
    return np.asarray(rng.normal(size=N_NUMBERS) * sizes, dtype=dtype)


class _Factors:
    """Random factors of products, drawn so that the order of sums shows.

    Every second product is zero but for rounding: two orders of a sum of 24 such terms
    agree in one case of 20, of random ones in one of 4. And a single result may come of
    a kernel of its own, at the end of both axes.

    Parameters
    ----------
    n_summed : int
        How many numbers are summed.
    """

    def __init__(self, n_summed: int) -> None:
        self.rng = np.random.default_rng(0)
        self.n_summed = n_summed
        self.n_trials = max(10, 200 // n_summed)
        places = self.rng.permutation(n_summed)
        self._ones, self._others = np.split(places[: n_summed // 2 * 2], 2)
        self._rest = places[n_summed // 2 * 2 :]
        self._cancel = False

    def left(self, n: int, dtype: str) -> Array:
        """Return the left factor, (n, n_summed)."""
        values = _drawn(self.rng, (n, self.n_summed), dtype)
        values[:, self._others] = values[:, self._ones]
        return values

    def right(self, n: int, dtype: str, n_added: int = 0) -> Array:
        """Return a right factor, (n_summed + n_added, n); the last rows are added."""
        values = _drawn(self.rng, (self.n_summed + n_added, n), dtype)
        self._cancel = not self._cancel
        if self._cancel:
            values[self._others] = -values[self._ones]
            values[self._rest] *= np.finfo(dtype).eps
            values[self.n_summed :] *= np.finfo(dtype).eps
        return values


def cut(size: int, n_parts: int) -> list[slice]:
    """Return slices that cut an axis into nearly equal parts."""
    bounds = [size * i // n_parts for i in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def of_rows(n_rows: int, n_parts: int) -> Parts:
    """Return parts that have some of the rows and all columns."""
    return tuple((rows, slice(None)) for rows in cut(n_rows, n_parts))


def small_parts(n_rows: int, fan_in: int, fan_out: int) -> Parts:
    """Return parts of a product that are small ones, or the whole if it is too large.

    Each has as many columns as kernels take; for that, the last may overlap.
    """
    width = fan_out - fan_out % KERNEL_WIDTH
    n_parts = -(-n_rows * fan_in * width // SMALL_PRODUCT)
    most = min(MOST_PARTS, n_rows // 2)  # a single row is a vector
    if not 0 < n_parts <= most or (n_parts == 1 and width == fan_out):
        return WHOLE
    parts = [(rows, slice(width)) for rows in cut(n_rows, n_parts)]
    if width < fan_out:
        parts.append((slice(None), slice(fan_out - KERNEL_WIDTH, fan_out)))
    return tuple(parts)


class Product:
    """A product of stacks of matrices, computed in parts.

    Parameters
    ----------
    left, right, out : ndarray of shape (..., n, k), (..., k, m) and (..., n, m)
        Read, read and written.
    parts : Parts, default=WHOLE
        Rows and columns of the result.
    """

    def __init__(
        self, left: Array, right: Array, out: Array, parts: Parts = WHOLE
    ) -> None:
        self._parts = [
            (left[..., rows, :], right[..., columns], out[..., rows, columns])
            for rows, columns in parts
        ]

    def __call__(self) -> None:
        for left, right, out in self._parts:
            np.matmul(left, right, out=out)


#: Computes something in some way, or, without one, as scikit-learn does.
Trial = Callable[[W | None], Array]


def _best(ways: Sequence[W], trials: Sequence[Trial[W]], timed: bool) -> W:
    """Return the quickest way, or the last, of those with scikit-learn's bits.

    The first one, if there is none.
    """
    shortest = [float(-i) for i in range(len(ways))]
    if timed:
        shortest = [inf] * len(ways)
        for _ in range(5):  # in turn, for other programs may run at times
            for i, way in enumerate(ways):
                start = perf_counter()
                trials[0](way)
                shortest[i] = min(shortest[i], perf_counter() - start)
    expected = [trial(None).copy() for trial in trials]
    for _, way in sorted(zip(shortest, ways, strict=True), key=itemgetter(0)):
        if all(map(np.array_equal, (trial(way) for trial in trials), expected)):
            return way
    return ways[0]


def _before_ones(values: Array, with_ones: bool) -> Array:
    """Return rows of inputs, with ones at their ends if so."""
    n_rows, n_features = values.shape
    X = aligned((n_rows, n_features + with_ones), values.dtype)
    X[:, :n_features] = values
    X[:, n_features:] = 1
    return X


@cache
def product_way(
    n_rows: int, fan_in: int, fan_out: int, dtype: str, with_ones: bool = False
) -> tuple[Parts, bool]:
    """Return how to multiply the inputs of a layer with its coefficients.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Of the layer: rows of the batch, inputs without the ones, outputs.
    dtype : str
        Of all arrays.
    with_ones : bool, default=False
        Whether the rows end with a one.

    Returns
    -------
    parts : Parts
        Into which to cut the product.
    adds_bias : bool
        Whether to let the ones add the intercepts, as a last row of the coefficients.
        A kernel that sums over the inputs one after another adds the intercept last,
        as scikit-learn does; others have another order.
    """
    cuts, size = [WHOLE], n_rows * fan_in * fan_out
    parts = small_parts(n_rows, fan_in + with_ones, fan_out)
    if size > SMALL_PRODUCT and parts != WHOLE:
        cuts.append(parts)
    ways = [(parts, False) for parts in cuts]
    if with_ones:
        ways += [(parts, True) for parts in cuts]
    if len(ways) == 1:
        return ways[0]
    drawn = _Factors(fan_in)
    narrow = drawn.left(n_rows, dtype)
    X = _before_ones(narrow, with_ones)

    def trial() -> Trial[tuple[Parts, bool]]:
        coefs = drawn.right(fan_out, dtype, n_added=1)
        out = aligned((n_rows, fan_out), dtype)

        def run(way: tuple[Parts, bool] | None) -> Array:
            left, n = (narrow, fan_in) if way is None else (X, fan_in + way[1])
            Product(left[:, :n], coefs[:n], out, way[0] if way else WHOLE)()
            if n == fan_in:
                np.add(out, coefs[-1], out=out)
            return out

        return run

    trials = [trial() for _ in range(drawn.n_trials)]
    return _best(ways, trials, size >= LARGE_PRODUCT)


@cache
def gradient_way(
    n_rows: int, fan_in: int, fan_out: int, dtype: str, with_ones: bool = False
) -> tuple[int, bool]:
    """Return how to compute the gradients of a layer, of its coefficients and all.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Of the layer: rows of the batch, inputs without the ones, outputs.
    dtype : str
        Of all arrays.
    with_ones : bool, default=False
        Whether the rows end with a one.

    Returns
    -------
    n_parts : int
        Into how many parts to cut the product: BLAS may be quicker with smaller ones.
    sums : bool
        Whether to let the ones sum the deltas, for the intercepts.
    """
    size = n_rows * fan_in * fan_out
    large = size >= LARGE_PRODUCT and fan_in >= 16
    cuts = [1]
    if large:
        cuts += sorted({2, min(-(-size // SMALL_PRODUCT), MOST_PARTS)} - {1})
    ways = [(n_parts, False) for n_parts in cuts]
    if with_ones:
        ways += [(n_parts, True) for n_parts in cuts]
    if len(ways) == 1:
        return ways[0]
    drawn = _Factors(n_rows)
    narrow = np.ascontiguousarray(drawn.left(fan_in, dtype).T)
    X = _before_ones(narrow, with_ones)

    def trial() -> Trial[tuple[int, bool]]:
        delta = drawn.right(fan_out, dtype)
        out = aligned((fan_in + 1, fan_out), dtype)

        def run(way: tuple[int, bool] | None) -> Array:
            n_parts, sums = way or (1, False)
            columns = (X if way else narrow).T[: fan_in + sums]
            for part in cut(len(columns), n_parts):
                np.matmul(columns[part], delta, out=out[: len(columns)][part])
            if not sums:
                column_sums(delta[None], out[fan_in:])
            return out

        return run

    return _best(ways, [trial() for _ in range(drawn.n_trials)], large)


@cache
def writes_transposed(n_rows: int, fan_in: int, fan_out: int, dtype: str) -> bool:
    """Whether a product has the same bits when it is written transposed."""
    if min(n_rows, fan_in, fan_out) == 1:
        return False
    drawn = _Factors(fan_in)
    below = drawn.left(n_rows, dtype)
    transposed = aligned((fan_out, n_rows), dtype)

    def trial() -> Trial[bool]:
        coefs = drawn.right(fan_out, dtype)

        def run(way: bool | None) -> Array:
            if not way:
                return np.asarray(np.matmul(below, coefs))
            return np.matmul(below, coefs, out=transposed.T)

        return run

    return _best((False, True), [trial() for _ in range(drawn.n_trials)], timed=False)


@cache
def back_way(
    n_rows: int, fan_in: int, fan_out: int, delta_dtype: str, coef_dtype: str
) -> Parts | None:
    """Return how to take deltas from a layer to the one under it.

    Returns
    -------
    Parts or None
        Into which to cut the product with a copy of the transposed coefficients; None
        for the product with the coefficients themselves. A single row is a vector, for
        which where it lies in memory may matter.
    """
    if n_rows == 1 or fan_in == 1:
        return None
    large = n_rows * fan_in * fan_out >= LARGE_PRODUCT
    ways: list[Parts | None] = [None]
    parts = small_parts(n_rows, fan_out, fan_in)
    if large and delta_dtype == coef_dtype and parts != WHOLE:
        ways.append(parts)
    ways.append(WHOLE)
    drawn = _Factors(fan_out)
    delta = drawn.left(n_rows, delta_dtype)
    copied = aligned((fan_out, fan_in), coef_dtype)
    out = aligned((n_rows, fan_in), delta_dtype)

    def trial() -> Trial[Parts]:
        coefs = np.ascontiguousarray(drawn.right(fan_in, coef_dtype).T)

        def run(way: Parts | None) -> Array:
            if way is None:
                np.matmul(delta, coefs.T, out=out)
            else:
                np.copyto(copied, coefs.T)
                Product(delta, copied, out, way)()
            return out

        return run

    return _best(ways, [trial() for _ in range(drawn.n_trials)], large)
