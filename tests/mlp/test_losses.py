"""Deferred losses equal scikit-learn's, for any number of batches at a time."""

from __future__ import annotations

import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sklearn_refine.mlp import _stack
from sklearn_refine.mlp._training import MLPFit, train_together


@pytest.mark.parametrize("n_deferred", [1, 100, 1 << 17])
def test_losses_do_not_depend_on_the_batches_at_a_time(n_deferred, monkeypatch):
    monkeypatch.setattr(_stack, "DEFERRED_VALUES", n_deferred)
    X, y = load_digits(return_X_y=True)
    X, y = X[:130], y[:130]
    models = [
        MLPClassifier((6,), alpha=alpha, batch_size=16, max_iter=3, random_state=0)
        for alpha in (1e-3, 1.0)
    ]
    train_together([MLPFit(model, X, y) for model in models])
    for model in models:
        with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
            alone = clone(model).fit(X, y)
        assert model.loss_curve_ == alone.loss_curve_
