"""Products have the bits of scikit-learn's products, and parts cover them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_refine.mlp._arrays import aligned
from sklearn_refine.mlp._products import (
    WHOLE,
    Product,
    choose_forward_product,
    choose_gradient_product,
    split_axis,
    split_into_small,
)

SHAPES = [
    (n_rows, fan_in, fan_out)
    for n_rows in (1, 7, 37, 200)
    for fan_in in (2, 3, 10, 64, 130)
    for fan_out in (2, 10, 17, 64, 100)
]


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_products_with_a_bias_column_have_the_same_bits(dtype):
    rng = np.random.default_rng(1)
    used = 0
    for n_rows, fan_in, fan_out in SHAPES:
        X = rng.normal(size=(n_rows, fan_in + 1)).astype(dtype)
        X[:, -1] = 1
        weights = rng.normal(size=(fan_in + 1, fan_out)).astype(dtype)
        narrow = X[:, :-1].copy()
        expected = narrow @ weights[:-1].copy()
        np.testing.assert_array_equal(X[:, :-1] @ weights[:-1], expected)
        parts, adds_bias = choose_forward_product(n_rows, fan_in, fan_out, dtype, True)
        n = fan_in + adds_bias
        found = aligned(expected.shape, dtype)
        Product(X[:, :n], weights[:n], found, parts)()
        if adds_bias:
            used += 1
            expected += weights[-1]
        np.testing.assert_array_equal(found, expected)
        delta = rng.normal(size=(n_rows, fan_out)).astype(dtype)
        n_parts, sums_deltas = choose_gradient_product(
            n_rows, fan_in, fan_out, dtype, True
        )
        gradients = [X.T[p] @ delta for p in split_axis(fan_in + sums_deltas, n_parts)]
        expected = narrow.T @ delta
        if sums_deltas:
            used += 1
            expected = np.vstack([expected, np.sum(delta, axis=0)])
        np.testing.assert_array_equal(np.vstack(gradients), expected)
    assert used  # with any BLAS that sums the inputs one after another


@given(st.integers(0, 300), st.integers(1, 5))
def test_an_axis_is_split_into_nearly_equal_parts(size, n_parts):
    parts = [range(size)[part] for part in split_axis(size, n_parts)]
    assert [i for part in parts for i in part] == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(1, 400), st.integers(1, 300), st.integers(1, 300))
def test_the_parts_of_a_large_product_are_small_and_cover_it(n_rows, fan_in, fan_out):
    parts = split_into_small(n_rows, fan_in, fan_out)
    times = np.zeros((n_rows, fan_out), int)
    for part in parts:
        times[part] += 1
        if parts != WHOLE:
            rows, columns = times[part].shape
            assert rows >= 2
            assert columns % 8 == 0
            assert rows * fan_in * columns <= 1_000_000 + fan_in * columns
            assert len(parts) > 1
    assert times.min() == 1
    assert times.max() <= 2
