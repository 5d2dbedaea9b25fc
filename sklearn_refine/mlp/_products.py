"""Choice between matrix products that have the same bits as scikit-learn's.

BLAS chooses its kernels by shapes and types, not by values. A product that gives
scikit-learn's bits for random numbers thus gives them for all numbers. Each choice is
made by such trials, once for each shape. Where no variant has the same bits, the
product is the one that scikit-learn computes. No variant may be used without trials.
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

from sklearn_refine.mlp._arrays import Array, aligned, column_sums

V = TypeVar("V")

LARGE_PRODUCT = 500_000  # multiplications; smaller products cost mainly their calls
#: Multiplications. On some processors, OpenBLAS has kernels for products up to this
#: size that do not copy their operands first. They are up to twice as fast.
SMALL_PRODUCT = 1_000_000
#: Kernels compute this many results of a row with the sums of larger products. Fewer
#: results may be summed in another order.
KERNEL_WIDTH = 8
MAX_PARTS = 8  # of one product
POOL_SIZE = 65521  # random numbers for trials; a prime, so that rows do not repeat

#: Rows and columns of the parts of a product that are computed one after another.
Parts = tuple[tuple[slice, slice], ...]
WHOLE: Parts = ((slice(None), slice(None)),)


def split_axis(size: int, n_parts: int) -> list[slice]:
    """Return slices that split an axis into nearly equal parts."""
    bounds = [size * i // n_parts for i in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def split_rows(n_rows: int, n_parts: int) -> Parts:
    """Return parts that have some of the rows and all columns."""
    return tuple((rows, slice(None)) for rows in split_axis(n_rows, n_parts))


def split_into_small(n_rows: int, fan_in: int, fan_out: int) -> Parts:
    """Return parts that are small products, or the whole if it is too large.

    The number of columns of each part is a multiple of the kernel width. The last part
    may overlap with others to achieve that.
    """
    width = fan_out - fan_out % KERNEL_WIDTH
    n_parts = -(-n_rows * fan_in * width // SMALL_PRODUCT)
    max_parts = min(MAX_PARTS, n_rows // 2)  # a part of one row would be a vector
    if not 0 < n_parts <= max_parts or (n_parts == 1 and width == fan_out):
        return WHOLE
    parts = [(rows, slice(width)) for rows in split_axis(n_rows, n_parts)]
    if width < fan_out:
        parts.append((slice(None), slice(fan_out - KERNEL_WIDTH, fan_out)))
    return tuple(parts)


class Product:
    """A product of stacks of matrices, computed in parts.

    Parameters
    ----------
    left, right : ndarray of shape (..., n, k) and (..., k, m)
        The factors.
    out : ndarray of shape (..., n, m)
        Output: the product.
    parts : Parts, default=WHOLE
        Rows and columns of the parts.
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


@cache
def _random_pool(dtype: str) -> Array:
    """Return random numbers of many sizes, for which the order of a sum matters."""
    rng = np.random.default_rng(0)
    sizes = np.exp2(rng.integers(-4, 5, size=POOL_SIZE))
    return np.asarray(rng.normal(size=POOL_SIZE) * sizes, dtype=dtype)


def _draw(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Return aligned consecutive numbers of the pool, from a random start."""
    values = aligned(shape, dtype)
    places = rng.integers(POOL_SIZE) + np.arange(values.size)
    np.take(_random_pool(dtype), places, mode="wrap", out=values.reshape(-1))
    return values


class RandomFactors:
    """Random factors of products, drawn so that the order of sums changes the bits.

    Every second product is zero except for rounding. Two orders of a sum of 24 such
    terms agree in 1 of 20 cases; for purely random terms, they agree in 1 of 4 cases.
    A single result at the end of both axes may have a kernel of its own, so several
    trials are needed.

    Parameters
    ----------
    n_summed : int
        Number of terms of each sum.
    """

    def __init__(self, n_summed: int) -> None:
        self.n_trials = max(10, 200 // n_summed)
        self._rng = np.random.default_rng(0)
        self._n_summed = n_summed
        places = self._rng.permutation(n_summed)
        n_paired = n_summed // 2 * 2
        self._firsts, self._seconds = np.split(places[:n_paired], 2)
        self._unpaired = places[n_paired:]
        self._cancel = False

    def left(self, n: int, dtype: str) -> Array:
        """Return the left factor, (n, n_summed)."""
        values = _draw(self._rng, (n, self._n_summed), dtype)
        values[:, self._seconds] = values[:, self._firsts]
        return values

    def right(self, n: int, dtype: str, n_added: int = 0) -> Array:
        """Return a right factor with `n_added` more rows, (n_summed + n_added, n)."""
        values = _draw(self._rng, (self._n_summed + n_added, n), dtype)
        self._cancel = not self._cancel
        if self._cancel:
            values[self._seconds] = -values[self._firsts]
            values[self._unpaired] *= np.finfo(dtype).eps
            values[self._n_summed :] *= np.finfo(dtype).eps
        return values


#: Computes the result of a variant, or scikit-learn's result for None.
Trial = Callable[[V | None], Array]


def _choose_variant(
    variants: Sequence[V], trials: Sequence[Trial[V]], timed: bool
) -> V:
    """Return the fastest variant that has scikit-learn's bits in all trials.

    If not timed, later variants are taken to be faster. If no variant has the same
    bits, the first one is returned.
    """
    shortest = [float(-i) for i in range(len(variants))]
    if timed:
        shortest = [inf] * len(variants)
        for _ in range(5):  # in turn, because other programs may interfere
            for i, variant in enumerate(variants):
                start = perf_counter()
                trials[0](variant)
                shortest[i] = min(shortest[i], perf_counter() - start)
    expected = [trial(None).copy() for trial in trials]
    for _, variant in sorted(zip(shortest, variants, strict=True), key=itemgetter(0)):
        if all(map(np.array_equal, (trial(variant) for trial in trials), expected)):
            return variant
    return variants[0]


def _append_bias_column(values: Array, has_bias_column: bool) -> Array:
    """Return an aligned copy, with a last column of ones if `has_bias_column`."""
    n_rows, n_features = values.shape
    X = aligned((n_rows, n_features + has_bias_column), values.dtype)
    X[:, :n_features] = values
    X[:, n_features:] = 1
    return X


@cache
def choose_forward_product(
    n_rows: int, fan_in: int, fan_out: int, dtype: str, has_bias_column: bool = False
) -> tuple[Parts, bool]:
    """Choose how to multiply the inputs of a layer by its coefficients.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Rows of the batch, inputs without the bias column, and outputs.
    dtype : str
        Type of all arrays.
    has_bias_column : bool, default=False
        Whether the inputs end with a column of ones.

    Returns
    -------
    parts : Parts
        Parts of the product.
    adds_bias : bool
        Whether the product includes the bias column, and the intercepts as the last
        row of the coefficients. A kernel that sums over the inputs one after another
        adds the intercept last, as scikit-learn does. Other kernels do not.
    """
    choices, size = [WHOLE], n_rows * fan_in * fan_out
    parts = split_into_small(n_rows, fan_in + has_bias_column, fan_out)
    if size > SMALL_PRODUCT and parts != WHOLE:
        choices.append(parts)
    variants = [(parts, False) for parts in choices]
    if has_bias_column:
        variants += [(parts, True) for parts in choices]
    if len(variants) == 1:
        return variants[0]
    factors = RandomFactors(fan_in)
    inputs = factors.left(n_rows, dtype)
    X = _append_bias_column(inputs, has_bias_column)

    def create_trial() -> Trial[tuple[Parts, bool]]:
        coefs = factors.right(fan_out, dtype, n_added=1)
        out = aligned((n_rows, fan_out), dtype)

        def run(variant: tuple[Parts, bool] | None) -> Array:
            parts, adds_bias = variant or (WHOLE, False)
            left, n = (X if variant else inputs), fan_in + adds_bias
            Product(left[:, :n], coefs[:n], out, parts)()
            if not adds_bias:
                np.add(out, coefs[-1], out=out)
            return out

        return run

    trials = [create_trial() for _ in range(factors.n_trials)]
    return _choose_variant(variants, trials, size >= LARGE_PRODUCT)


@cache
def choose_gradient_product(
    n_rows: int, fan_in: int, fan_out: int, dtype: str, has_bias_column: bool = False
) -> tuple[int, bool]:
    """Choose how to compute the gradients of a layer's coefficients and intercepts.

    Parameters
    ----------
    n_rows, fan_in, fan_out : int
        Rows of the batch, inputs without the bias column, and outputs.
    dtype : str
        Type of all arrays.
    has_bias_column : bool, default=False
        Whether the inputs end with a column of ones.

    Returns
    -------
    n_parts : int
        Number of parts of the product; BLAS may be faster with smaller products.
    sums_deltas : bool
        Whether the product includes the bias column, which sums the deltas and thus
        gives the gradients of the intercepts.
    """
    size = n_rows * fan_in * fan_out
    is_large = size >= LARGE_PRODUCT and fan_in >= 16
    choices = [1]
    if is_large:
        choices += sorted({2, min(-(-size // SMALL_PRODUCT), MAX_PARTS)} - {1})
    variants = [(n_parts, False) for n_parts in choices]
    if has_bias_column:
        variants += [(n_parts, True) for n_parts in choices]
    if len(variants) == 1:
        return variants[0]
    factors = RandomFactors(n_rows)
    inputs = np.ascontiguousarray(factors.left(fan_in, dtype).T)
    X = _append_bias_column(inputs, has_bias_column)

    def create_trial() -> Trial[tuple[int, bool]]:
        delta = factors.right(fan_out, dtype)
        out = aligned((fan_in + 1, fan_out), dtype)

        def run(variant: tuple[int, bool] | None) -> Array:
            n_parts, sums_deltas = variant or (1, False)
            columns = (X if variant else inputs).T[: fan_in + sums_deltas]
            for part in split_axis(len(columns), n_parts):
                np.matmul(columns[part], delta, out=out[: len(columns)][part])
            if not sums_deltas:
                column_sums(delta[None], out[fan_in:])
            return out

        return run

    trials = [create_trial() for _ in range(factors.n_trials)]
    return _choose_variant(variants, trials, is_large)


@cache
def can_write_transposed(n_rows: int, fan_in: int, fan_out: int, dtype: str) -> bool:
    """Return whether a product has the same bits when it is written transposed."""
    if min(n_rows, fan_in, fan_out) == 1:
        return False
    factors = RandomFactors(fan_in)
    below = factors.left(n_rows, dtype)
    transposed = aligned((fan_out, n_rows), dtype)

    def create_trial() -> Trial[bool]:
        coefs = factors.right(fan_out, dtype)

        def run(variant: bool | None) -> Array:
            if not variant:
                return np.asarray(np.matmul(below, coefs))
            return np.matmul(below, coefs, out=transposed.T)

        return run

    trials = [create_trial() for _ in range(factors.n_trials)]
    return _choose_variant((False, True), trials, timed=False)


@cache
def choose_backward_product(
    n_rows: int, fan_in: int, fan_out: int, delta_dtype: str, coef_dtype: str
) -> Parts | None:
    """Choose how to compute the deltas of a layer from the layer above.

    Returns
    -------
    Parts or None
        Parts of the product with a copy of the transposed coefficients. None stands
        for the product with a transposed view. It is always used for a single row,
        which is a vector: its products may depend on its position in memory.
    """
    if n_rows == 1 or fan_in == 1:
        return None
    is_large = n_rows * fan_in * fan_out >= LARGE_PRODUCT
    variants: list[Parts | None] = [None]
    parts = split_into_small(n_rows, fan_out, fan_in)
    if is_large and delta_dtype == coef_dtype and parts != WHOLE:
        variants.append(parts)
    variants.append(WHOLE)
    factors = RandomFactors(fan_out)
    delta = factors.left(n_rows, delta_dtype)
    copied = aligned((fan_out, fan_in), coef_dtype)
    out = aligned((n_rows, fan_in), delta_dtype)

    def create_trial() -> Trial[Parts]:
        coefs = np.ascontiguousarray(factors.right(fan_in, coef_dtype).T)

        def run(variant: Parts | None) -> Array:
            if variant is None:
                np.matmul(delta, coefs.T, out=out)
            else:
                np.copyto(copied, coefs.T)
                Product(delta, copied, out, variant)()
            return out

        return run

    trials = [create_trial() for _ in range(factors.n_trials)]
    return _choose_variant(variants, trials, is_large)
