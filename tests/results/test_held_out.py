"""Test the held-out score and its bootstrap error, with and without predictions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine.results._held_out import score_held_out

X, Y = load_breast_cancer(return_X_y=True)
X1, X2, Y1, Y2 = train_test_split(X, Y, test_size=200, random_state=0)


class CountingRegression(LogisticRegression):
    """Counts the rows that it predicts."""

    n_rows = 0

    def predict(self, X):
        CountingRegression.n_rows += len(X)
        return super().predict(X)


def fitted(model=None, scoring=None, **options):
    model = model or make_pipeline(StandardScaler(), LogisticRegression())
    name = next(n for n in model.get_params() if n.endswith(("C", "alpha")))
    grid = {name: [1.0]}
    return GridSearchCV(model, grid, scoring=scoring, cv=2, **options).fit(X1, Y1)


@pytest.mark.parametrize("scoring", [None, "accuracy", lambda m, X, y: m.score(X, y)])
def test_the_error_of_an_accuracy_is_binomial(scoring):
    search = fitted(scoring=scoring)
    score, error = score_held_out(search, "score", X2, Y2)
    assert score == search.score(X2, Y2)
    expected = np.sqrt(score * (1 - score) / len(Y2))
    assert error == pytest.approx(expected, rel=0.35)


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss"])
def test_scores_of_other_predictions(scoring):
    search = fitted(scoring=scoring)
    score, error = score_held_out(search, "score", X2, Y2)
    assert score == search.score(X2, Y2)
    assert 0 < error < 0.1


def test_own_score_of_a_regressor():
    search = fitted(Ridge())
    score, error = score_held_out(search, "score", X2, Y2)
    assert score == search.score(X2, Y2)
    assert 0 < error < 0.2


def test_every_row_is_predicted_twice_at_most():
    search = fitted(CountingRegression(solver="liblinear"), "accuracy")
    CountingRegression.n_rows = 0
    score_held_out(search, "score", X2, Y2)
    assert CountingRegression.n_rows == 2 * len(X2)


def test_one_of_several_metrics_and_a_callable_of_several():
    several = fitted(scoring=["accuracy", "roc_auc"], refit="roc_auc")
    score, error = score_held_out(several, "roc_auc", X2, Y2)
    assert score == several.score(X2, Y2)
    assert error > 0

    def both(model, X, y):
        return {"a": model.score(X, y), "b": 1.0}

    search = fitted(scoring=both, refit="a")
    score, error = score_held_out(search, "b", X2, Y2)
    assert score == 1.0
    assert np.isnan(error)


def test_a_model_without_a_target():
    search = GridSearchCV(KMeans(random_state=0, n_init=1), {"n_clusters": [2]}, cv=2)
    score, error = score_held_out(search.fit(X1), "score", X2, None)
    assert score == search.score(X2)
    assert error > 0
