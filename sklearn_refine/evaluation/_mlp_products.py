"""Which matrix products give the same bits as scikit-learn's, and which are faster.

BLAS chooses its kernels by shapes and types, not by values; so what it does with some
random numbers, it does with all. Each question here is answered by trying, once for
each shape, and never by a guess: where bits differ, the product is the one that
scikit-learn makes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import pairwise
from math import inf
from time import perf_counter

import numpy as np

from sklearn_refine.evaluation._mlp_arrays import Array, aligned
from sklearn_refine.evaluation._mlp_functions import column_sums

LARGE_PRODUCT = 500_000  # multiplications; for smaller ones, calls are what counts
FEWEST_RESULTS = 1000  # that are compared: in a few, two orders of sums may agree


def _drawn(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Return aligned numbers of many sizes, so that each order of a sum shows."""
    values = aligned(shape, dtype)
    values[:] = rng.normal(size=shape) * np.exp2(rng.integers(-4, 5, size=shape))
    return values


def _n_draws(n_results: int) -> int:
    return -(-FEWEST_RESULTS // n_results)


def cut(size: int, n_parts: int) -> list[slice]:
    """Return slices that cut an axis into nearly equal parts."""
    bounds = [size * i // n_parts for i in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _seconds(run: Callable[[], object]) -> float:
    """Return the shortest of five times."""
    shortest = inf
    for _ in range(5):
        start = perf_counter()
        run()
        shortest = min(shortest, perf_counter() - start)
    return shortest


@cache
def adds_bias(n_rows: int, fan_in: int, fan_out: int, dtype: str) -> bool:
    """Whether a product adds the intercepts as a last row of the coefficients.

    The rows then end with a one. A kernel that sums over the inputs one after another
    adds the intercept last, as scikit-learn does; others have another order.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Shape of the product, without the ones and the intercepts.
    dtype : str
        Of all arrays.
    """
    rng = np.random.default_rng(0)
    for _ in range(_n_draws(n_rows * fan_out)):
        X = _drawn(rng, (n_rows, fan_in + 1), dtype)
        X[:, -1] = 1
        coefs = _drawn(rng, (fan_in + 1, fan_out), dtype)
        narrow, weights = X[:, :-1].copy(), coefs[:-1].copy()
        if not np.array_equal(X @ coefs, narrow @ weights + coefs[-1]):
            return False
    if n_rows * fan_in * fan_out < LARGE_PRODUCT:
        return True
    out = aligned((n_rows, fan_out), dtype)

    def apart() -> None:
        np.matmul(narrow, weights, out=out)
        np.add(out, coefs[-1], out=out)

    return _seconds(lambda: np.matmul(X, coefs, out=out)) < _seconds(apart)


@cache
def gradient_way(
    n_rows: int, fan_in: int, fan_out: int, dtype: str, with_ones: bool
) -> tuple[int, bool]:
    """Return how to compute the gradients of a layer, of its coefficients and all.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Of the layer: rows of the batch, inputs without the ones, outputs.
    dtype : str
        Of all arrays.
    with_ones : bool
        Whether the rows end with a one.

    Returns
    -------
    n_parts : int
        Into how many parts to cut the product: BLAS may be quicker with smaller ones.
    sums : bool
        Whether to let the ones sum the deltas, for the intercepts.
    """
    rng = np.random.default_rng(0)
    ways = [(1, False)]
    large = n_rows * fan_in * fan_out >= LARGE_PRODUCT and fan_in >= 16
    if large:
        ways.append((2, False))
    if with_ones:
        ways += [(n_parts, True) for n_parts, _ in ways]
    if len(ways) == 1:
        return ways[0]
    same = set(ways)
    for _ in range(_n_draws(fan_out)):
        X = _drawn(rng, (n_rows, fan_in + 1), dtype)
        X[:, -1] = 1
        delta = _drawn(rng, (n_rows, fan_out), dtype)
        expected = aligned((fan_in + 1, fan_out), dtype)
        found = aligned(expected.shape, dtype)
        _gradients(X[:, :-1].copy(), delta, expected, 1)
        for way in tuple(same):
            _gradients(X, delta, found, *way)
            if not np.array_equal(found, expected):
                same.discard(way)
    if not large:
        return max(same, default=ways[0])
    seconds = {
        way: _seconds(partial(_gradients, X, delta, found, *way))
        for way in ways
        if way in same
    }
    return min(seconds, key=seconds.__getitem__, default=ways[0])


def _gradients(
    X: Array, delta: Array, out: Array, n_parts: int, sums: bool = False
) -> None:
    """Write the gradients of coefficients and, in the last row, of intercepts."""
    fan_in = len(out) - 1
    columns = X.T[: len(out) if sums else fan_in]
    for part in cut(len(columns), n_parts):
        np.matmul(columns[part], delta, out=out[: len(columns)][part])
    if not sums:
        column_sums(delta[None], out[fan_in:])


@cache
def writes_transposed(n_rows: int, fan_in: int, fan_out: int, dtype: str) -> bool:
    """Whether a product has the same bits when it is written transposed."""
    if min(n_rows, fan_in, fan_out) == 1:
        return False
    rng = np.random.default_rng(0)
    below, coefs = (
        _drawn(rng, shape, dtype) for shape in ((n_rows, fan_in), (fan_in, fan_out))
    )
    transposed = aligned((fan_out, n_rows), dtype)
    np.matmul(below, coefs, out=transposed.T)
    return bool(np.array_equal(np.matmul(below, coefs), transposed.T))


@cache
def copies_well(
    n_rows: int, fan_in: int, fan_out: int, delta_dtype: str, coef_dtype: str
) -> bool:
    """Whether a product with copied, transposed coefficients has the same bits.

    A single row is a vector, for which where it lies in memory may matter.
    """
    if n_rows == 1 or fan_in == 1:
        return False
    rng = np.random.default_rng(0)
    delta = _drawn(rng, (1, n_rows, fan_out), delta_dtype)
    coefs = _drawn(rng, (1, fan_in, fan_out), coef_dtype)
    copied = aligned((1, fan_out, fan_in), coef_dtype)
    copied[:] = coefs.transpose(0, 2, 1)
    plain = np.matmul(delta, coefs.transpose(0, 2, 1))
    return bool(np.array_equal(plain, np.matmul(delta, copied)))
