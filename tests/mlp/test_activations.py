"""The softmax has the bits of scikit-learn's softmax."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neural_network._base import inplace_softmax

from sklearn_refine.mlp._activations import Softmax
from sklearn_refine.mlp._arrays import aligned


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_equals_scikit_learn(dtype):
    rng = np.random.default_rng(0)
    for n_classes in (1, 2, 7, 8, 9, 10, 15, 16, 17, 31, 40, 127, 128, 129, 300):
        values = rng.normal(scale=5, size=(3, 21, n_classes)).astype(dtype)
        classes = aligned((3, n_classes, 21), dtype)
        classes[:] = values.transpose(0, 2, 1)
        Softmax(classes)(classes)
        for found, expected in zip(classes, values, strict=True):
            inplace_softmax(expected)
            np.testing.assert_array_equal(found.T, expected)
