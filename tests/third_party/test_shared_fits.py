"""One fit of XGBoost or LightGBM serves all smaller numbers of trees."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.evaluation import _family_fits

lightgbm = pytest.importorskip("lightgbm", reason="LightGBM is not installed")
xgboost = pytest.importorskip("xgboost", reason="XGBoost is not installed")

DATA = {
    "binary": load_breast_cancer(return_X_y=True),
    "multiclass": load_iris(return_X_y=True),
    "regression": load_diabetes(return_X_y=True),
}
GRID = {"n_estimators": [3, 7, 12], "learning_rate": [0.1, 0.5]}


def model(library, data, **params):
    kind = "Regressor" if data == "regression" else "Classifier"
    if library == "xgboost":
        return getattr(xgboost, f"XGB{kind}")(n_jobs=1, **params)
    return getattr(lightgbm, f"LGBM{kind}")(n_jobs=1, verbose=-1, **params)


def compare(estimator, data, monkeypatch):
    """Assert equal scores; return the number of fits of ours on 3 splits."""
    X, y = DATA[data]
    theirs = GridSearchCV(estimator, GRID, cv=3, refit=False).fit(X, y)
    n_fits = []
    fit = type(estimator).fit

    def counted(self, *args, **params):
        n_fits.append(self.n_estimators)
        return fit(self, *args, **params)

    monkeypatch.setattr(type(estimator), "fit", counted)
    monkeypatch.setattr(_family_fits, "_IS_EXACT", {})
    ours = RefiningGridSearchCV(estimator, GRID, cv=3, refit=False, n_rounds=1)
    ours.fit(X, y)
    for name, column in theirs.cv_results_.items():
        if name.startswith(("split", "mean_test", "rank")):
            np.testing.assert_array_equal(ours.cv_results_[name], column)
    return len(n_fits)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
@pytest.mark.parametrize(
    "params", [{}, {"random_state": 3, "subsample": 0.7, "colsample_bytree": 0.5}]
)
def test_the_first_trees_serve(library, data, params, monkeypatch):
    n_fits = compare(model(library, data, **params), data, monkeypatch)
    assert n_fits == 2 * 3 + 1  # and one for the first use in the process


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("xgboost", {"booster": "dart"}),
        ("lightgbm", {"boosting_type": "dart"}),
        ("lightgbm", {"boosting": "dart"}),
    ],
)
def test_dart_is_fitted_one_by_one(library, params, monkeypatch):
    n_fits = compare(model(library, "binary", **params), "binary", monkeypatch)
    assert n_fits == 6 * 3
