"""Arrays are aligned, and a layout returns what it was given."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sklearn_refine.mlp._arrays import Layout, aligned


def test_arrays_start_on_cache_lines():
    for shape in ((3,), (7, 5), (2, 3, 11)):
        for dtype in (bool, np.float32, float):
            assert aligned(shape, dtype).ctypes.data % 64 == 0
    assert (aligned((4, 4), float, 0.0) == 0).all()


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_layout_splits_what_it_joined(units):
    rng = np.random.default_rng(0)
    layout = Layout(tuple(units))
    parts = [rng.normal(size=shape) for shape in pairwise(units)]
    parts += [rng.normal(size=width) for width in units[1:]]
    vector = layout.join(parts)
    assert len(vector) == layout.n_params
    assert np.count_nonzero(vector) == sum(part.size for part in parts)
    for found, part in zip(layout.split(vector), parts, strict=True):
        np.testing.assert_array_equal(found, part)
