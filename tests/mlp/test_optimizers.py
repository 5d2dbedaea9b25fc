"""Optimizers update blocks of models, and penalise only coefficients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_refine.mlp import _optimizers
from sklearn_refine.mlp._training import MLPFit, train_together


@pytest.mark.parametrize("own_rows", [False, True])
def test_weighted_rows_of_a_stack_in_several_blocks(own_rows, monkeypatch):
    monkeypatch.setattr(_optimizers, "CACHE_BYTES", 1)  # a block for each model
    X, y = make_classification(n_samples=120, n_features=6, random_state=0)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    fits = []
    for i, alpha in enumerate((1e-4, 1e-2, 1.0)):
        model = MLPClassifier((8,), alpha=alpha, max_iter=4, random_state=0)
        rows = np.roll(np.arange(len(y)), i)
        data = (X[rows], y[rows], weight[rows]) if own_rows else (X, y, weight)
        fits.append(MLPFit(model, *data))
    train_together(fits)
    for fit in fits:
        alone = clone(fit.model)
        with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
            alone.fit(fit.X, fit.y, sample_weight=fit.weight)
        for found, expected in zip(fit.model.coefs_, alone.coefs_, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("solver", [_optimizers.SGD, _optimizers.Adam])
@pytest.mark.parametrize("long_row", [0, 100])
def test_only_coefficients_are_penalised(long_row, solver, monkeypatch):
    monkeypatch.setattr(_optimizers, "LONG_ROW", long_row)
    models = [MLPRegressor(alpha=alpha, momentum=0.0) for alpha in (0.5, 2.0)]
    params, grads = np.full((2, 3), np.inf), np.ones((2, 3))
    params[:, :2] = [[1, -1], [2, -2]]  # coefficients; then an intercept
    with np.errstate(all="ignore"):  # as in training
        solver(models, params, grads, 2).step(slice(0, 2), 1)
    assert (params[:, 2] == np.inf).all()
    if solver is _optimizers.SGD:
        steps = 0.001 * np.array([[1.5, 0.5], [5, -3]])
        np.testing.assert_allclose(params[:, :2], [[1, -1], [2, -2]] - steps)
