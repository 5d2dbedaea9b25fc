"""Copies of shared data are independent and laid out like their originals."""

import numpy as np
import pytest

from sklearn_refine.sharing._copies import copy_data


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a.T,
        lambda a: a[::-1],
        lambda a: a[:, ::-2],
        lambda a: a[1:, 1:5],
        lambda a: np.broadcast_to(a[0], (3, 8)),
        lambda a: a[:0],
    ],
)
def test_a_copy_has_the_layout_of_its_original(view):
    rows = view(np.arange(48.0).reshape(6, 8))
    copied = copy_data(rows)
    np.testing.assert_array_equal(copied, rows)
    assert copied.strides == rows.strides or not rows.size
    assert copied.flags.writeable == rows.flags.writeable
    assert not np.shares_memory(copied, rows)


def test_nested_lists_are_copied():
    for rows in ([["a"], ["b"]], np.array([{"a": 1}, {"b": 2}])):
        copied = copy_data(rows)
        assert copied[0] == rows[0]
        assert copied[0] is not rows[0]
