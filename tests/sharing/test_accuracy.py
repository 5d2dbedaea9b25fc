"""The fast accuracy equals the scorer, and the scorer is used for all else."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.sharing._accuracy import Accuracy

RNG = np.random.RandomState(0)
X = RNG.normal(size=(90, 4))
CODES = (X[:, 0] + 0.5 * RNG.normal(size=90) > 0).astype(int) + (X[:, 1] > 0.5)
NAMES = np.array(["low", "middle", "high"])
ACCURACY = get_scorer("accuracy")


def network(y, X=X):
    return MLPClassifier((5,), max_iter=20, random_state=0).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "y",
    [
        CODES,
        CODES > 0,
        CODES.astype(np.uint8) + 3,
        NAMES[CODES],
        NAMES[(CODES[:80] > 0) * 1],
    ],
    ids=["integers", "booleans", "bytes", "strings", "two strings"],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equals_the_scorer(y, dtype):
    rows = X[: len(y)].astype(dtype)
    model = network(y, rows)
    accuracy = Accuracy.for_scorer(ACCURACY, [model], rows, y)
    assert accuracy(model) == ACCURACY(model, rows, y) == model.score(rows, y)
    if y.dtype.kind != "U":  # those are objects in a Series
        series = Accuracy.for_scorer(ACCURACY, [model], rows, pd.Series(y))
        assert series(model) == accuracy(model)
    assert type(accuracy(model)) is float
    assert accuracy(model) < 1


def with_nan():
    rows = X.copy()
    rows[3, 1] = np.nan
    return rows


@pytest.mark.parametrize(
    ("scorer", "nested", "X", "y"),
    [
        (get_scorer("f1_macro"), ["last step"], X, CODES),
        (make_scorer(accuracy_score, normalize=False), ["last step"], X, CODES),
        (make_scorer(accuracy_score, greater_is_better=False), ["last step"], X, CODES),
        (ACCURACY, [TransformedTargetRegressor(), "last step"], X, CODES),
        (ACCURACY, ["last step"], pd.DataFrame(X), CODES),
        (ACCURACY, ["last step"], with_nan(), CODES),
        (ACCURACY, ["last step"], X.astype(int), CODES),
        (ACCURACY, ["last step"], X[:, 0], CODES),
        (ACCURACY, ["last step"], X, CODES.tolist()),
        (ACCURACY, ["last step"], X, CODES.astype(float)),
        (ACCURACY, ["last step"], X, NAMES.astype(object)[CODES]),
        (ACCURACY, ["last step"], X, pd.Series(CODES, dtype="Int64")),
        (ACCURACY, ["last step"], X, CODES[:, None]),
        (ACCURACY, ["last step"], X, CODES[:-1]),
        (ACCURACY, ["last step"], X[:0], CODES[:0]),
    ],
)
def test_the_scorer_is_used_for_everything_else(scorer, nested, X, y):
    accuracy = Accuracy.for_scorer(scorer, nested, X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = network(CODES)
    assert accuracy is None or accuracy(model) is None


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_scorer_is_used_for_other_models():
    accuracy = Accuracy.for_scorer(ACCURACY, ["last step"], X, CODES)
    assert accuracy(network(CODES)) is not None
    assert accuracy(network(NAMES[CODES])) is None
    assert accuracy(network(CODES, X[:, :3])) is None
    assert accuracy(network(CODES, pd.DataFrame(X, columns=list("abcd")))) is None
    assert accuracy(NearestCentroid().fit(X, NAMES[CODES])) is None
    assert accuracy(MLPRegressor(max_iter=2).fit(X, CODES)) is None


@pytest.mark.parametrize("y", [CODES, NAMES[CODES], CODES > 0])
def test_equals_the_scorer_for_other_models(y):
    model = LogisticRegression().fit(X, y)
    accuracy = Accuracy.for_scorer(ACCURACY, [model], X, y)
    assert accuracy(model) == model.score(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_a_search_has_the_scores_of_grid_search(scoring):
    pipeline = make_pipeline(
        StandardScaler(), MLPClassifier((5,), max_iter=15, random_state=0)
    )
    grid = {"mlpclassifier__alpha": [1e-4, 1e-2, 1.0, 10.0]}
    options = {"scoring": scoring, "return_train_score": True, "cv": 3}
    ours = RefiningGridSearchCV(pipeline, grid, n_rounds=1, **options)
    theirs = GridSearchCV(pipeline, grid, **options)
    for search in (ours, theirs):
        search.fit(X, NAMES[CODES])
    for side in ("test", "train"):
        for split in range(3):
            name = f"split{split}_{side}_score"
            np.testing.assert_array_equal(
                ours.cv_results_[name], theirs.cv_results_[name]
            )
