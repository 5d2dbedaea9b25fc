"""With one round, and in the first of several, the search is GridSearchCV."""

import re
import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cluster import KMeans
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer, mean_absolute_error
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC

from sklearn_refine import RefiningGridSearchCV

X_CLASS, Y_CLASS = load_iris(return_X_y=True)
X_REG, Y_REG = load_diabetes(return_X_y=True)
GROUPS = np.arange(len(Y_CLASS)) % 7
WEIGHT = np.random.RandomState(0).uniform(0.1, 2, len(Y_REG))


class FailsAbove(RegressorMixin, BaseEstimator):
    """Predicts a constant, and cannot be fitted where that is above 1."""

    def __init__(self, constant=0.0):
        self.constant = constant

    def fit(self, X, y):
        if self.constant > 1:
            raise RuntimeError("too large")
        self.fitted_ = True
        return self

    def predict(self, X):
        return np.full(len(X), self.constant)


class SeesFrames(RegressorMixin, BaseEstimator):
    """Predicts a number that says whether it was fitted on a DataFrame."""

    def __init__(self, value=1.0):
        self.value = value

    def fit(self, X, y):
        self.constant_ = self.value + 10.0 * hasattr(X, "columns")
        return self

    def predict(self, X):
        return np.full(len(X), self.constant_)


def frozen(target):
    return FrozenEstimator(LogisticRegression(max_iter=500).fit(X_CLASS, target))


def two_metrics(estimator, X, y):
    predicted = estimator.predict(X)
    return {
        "acc": np.mean(predicted == y),
        "f1": f1_score(y, predicted, average="macro"),
    }


def pick_last(results):
    return len(results["params"]) - 1


def quick(network, **params):
    return network(hidden_layer_sizes=(4,), max_iter=8, random_state=0, **params)


CASES = {
    "svc": (
        SVC(),
        [{"kernel": ["linear"], "C": [1, 10]}, {"kernel": ["rbf"], "gamma": [0.1, 1]}],
        (X_CLASS, Y_CLASS),
        {},
        {"return_train_score": True},
    ),
    "ridge": (Ridge(), {"alpha": np.logspace(-3, 3, 7)}, (X_REG, Y_REG), {}, {"cv": 3}),
    "forest": (
        RandomForestClassifier(n_estimators=5, random_state=0),
        {"max_depth": [2, None], "max_features": ["sqrt", 0.5, 2]},
        (X_CLASS, Y_CLASS),
        {},
        {"scoring": "balanced_accuracy", "cv": KFold(4, shuffle=True, random_state=3)},
    ),
    "pipeline-mlp": (
        make_pipeline(StandardScaler(), quick(MLPClassifier)),
        {
            "mlpclassifier__hidden_layer_sizes": [(3,), (4, 3), 5],
            "mlpclassifier__alpha": [1e-4, 1e-2],
        },
        (X_CLASS, Y_CLASS),
        {},
        {"scoring": "neg_log_loss", "cv": 3},
    ),
    "mlp-regressor": (
        quick(MLPRegressor),
        {"hidden_layer_sizes": [[3], [4, 3]], "early_stopping": [True, False]},
        (X_REG, Y_REG),
        {},
        {"scoring": "neg_mean_absolute_error", "cv": 2},
    ),
    "kmeans": (
        KMeans(random_state=0, n_init=1),
        {"n_clusters": [2, 3, 4]},
        (X_CLASS, None),
        {},
        {"cv": 3},
    ),
    "multimetric-dict": (
        LogisticRegression(max_iter=500),
        {"C": [0.01, 0.1, 1]},
        (X_CLASS, Y_CLASS),
        {},
        {
            "scoring": {"a": "accuracy", "f": make_scorer(f1_score, average="macro")},
            "refit": "f",
            "return_train_score": True,
        },
    ),
    "multimetric-list-no-refit": (
        Ridge(),
        {"alpha": [0.1, 1, 10]},
        (X_REG, Y_REG),
        {},
        {"scoring": ["r2", "neg_mean_squared_error"], "refit": False},
    ),
    "callable-multimetric": (
        LogisticRegression(max_iter=500),
        {"C": [0.01, 0.1, 1]},
        (X_CLASS, Y_CLASS),
        {},
        {"scoring": two_metrics, "refit": "acc"},
    ),
    "callable-single-callable-refit": (
        Ridge(),
        {"alpha": [0.1, 1, 10]},
        (X_REG, Y_REG),
        {},
        {"scoring": lambda e, X, y: -abs(e.coef_).sum(), "refit": pick_last},
    ),
    "groups": (
        LogisticRegression(max_iter=500),
        {"C": [0.01, 0.1, 1]},
        (X_CLASS, Y_CLASS),
        {"groups": GROUPS},
        {"cv": GroupKFold(3)},
    ),
    "sample-weight": (
        Ridge(),
        {"alpha": [0.1, 1, 10]},
        (X_REG, Y_REG),
        {"sample_weight": WEIGHT},
        {"scoring": make_scorer(mean_absolute_error, greater_is_better=False)},
    ),
    "precomputed": (
        SVC(kernel="precomputed"),
        {"C": [0.1, 1, 10]},
        (rbf_kernel(X_CLASS), Y_CLASS),
        {},
        {},
    ),
    "failing-candidates": (
        FailsAbove(),
        {"constant": [0.0, 1.0, 2.0]},
        (X_REG, Y_REG),
        {},
        {"error_score": -5.0, "return_train_score": True},
    ),
    "failing-candidates-nan": (
        FailsAbove(),
        {"constant": [0.0, 1.0, 2.0]},
        (X_REG, Y_REG),
        {},
        {"scoring": ["r2", "neg_mean_absolute_error"], "refit": "r2"},
    ),
    "multilabel": (
        quick(MLPClassifier),
        {"alpha": [1e-3, 1e-1]},
        make_multilabel_classification(60, 5, random_state=0),
        {},
        {"cv": 2},
    ),
    "multi-output": (
        Ridge(),
        {"alpha": [0.1, 1, 10]},
        (X_REG, np.c_[Y_REG, -Y_REG]),
        {},
        {"cv": ShuffleSplit(3, random_state=0)},
    ),
    "replaced-steps": (
        Pipeline([("scale", StandardScaler()), ("model", Ridge())]),
        [
            {"scale": [StandardScaler(), MinMaxScaler(), "passthrough"]},
            {"model": [quick(MLPRegressor)], "model__alpha": [0.1, 1]},
        ],
        (X_REG, Y_REG),
        {},
        {"cv": RepeatedKFold(n_splits=2, n_repeats=2, random_state=1)},
    ),
    "frozen": (
        Pipeline([("model", LogisticRegression())]),
        {"model": [frozen(Y_CLASS), frozen(-Y_CLASS), frozen(Y_CLASS % 2)]},
        (X_CLASS, Y_CLASS),
        {},
        {},
    ),
    "output-containers": (
        Pipeline([("scale", StandardScaler()), ("model", SeesFrames())]),
        {
            "scale": [
                StandardScaler().set_output(transform="pandas"),
                StandardScaler(),
            ],
            "model__value": [1.0, 2.0],
        },
        (X_REG, Y_REG),
        {},
        {},
    ),
    "empty-dict-in-list": (Ridge(), [{}, {"alpha": [0.1]}], (X_REG, Y_REG), {}, {}),
    "float32": (
        quick(MLPRegressor),
        {"alpha": np.logspace(-3, 0, 3)},
        (X_REG.astype(np.float32), Y_REG),
        {},
        {"cv": 2},
    ),
}


def comparable(value):
    """Estimators have no ==, and a numpy scalar stands for the Python one."""
    if isinstance(value, dict):
        return {name: comparable(inner) for name, inner in value.items()}
    return repr(value.item() if isinstance(value, np.generic) else value)


def assert_same_results(ours, theirs):
    assert set(ours) == set(theirs)
    for key, expected in theirs.items():
        actual = ours[key]
        if key.endswith("_time"):
            assert actual.shape == expected.shape
        elif key == "params" or key.startswith("param_"):
            assert list(map(comparable, actual)) == list(map(comparable, expected))
        else:
            np.testing.assert_array_equal(actual, expected, err_msg=key)
            assert actual.dtype == expected.dtype, key


def fit_quietly(search, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return search.fit(*args, **kwargs)


@pytest.mark.parametrize("case", CASES)
def test_one_round_equals_grid_search(case):
    estimator, grid, data, fit_params, params = CASES[case]
    theirs = fit_quietly(GridSearchCV(estimator, grid, **params), *data, **fit_params)
    ours = fit_quietly(
        RefiningGridSearchCV(estimator, grid, n_rounds=1, **params), *data, **fit_params
    )
    assert_same_results(ours.cv_results_, theirs.cv_results_)
    ignored = {
        "cv_results_",
        "best_estimator_",
        "refit_time_",
        "scorer_",
        "best_params_",
    }
    for name in {n for n in vars(theirs) if n.endswith("_")} - ignored:
        if name != "_checked_cv_orig":
            np.testing.assert_array_equal(
                getattr(ours, name), getattr(theirs, name), err_msg=name
            )
    assert hasattr(ours, "best_estimator_") == hasattr(theirs, "best_estimator_")
    if hasattr(theirs, "best_params_"):
        assert str(ours.best_estimator_) == str(theirs.best_estimator_)
        assert comparable(ours.best_params_) == comparable(theirs.best_params_)
    if hasattr(theirs, "predict"):
        np.testing.assert_array_equal(ours.predict(data[0]), theirs.predict(data[0]))


@pytest.mark.parametrize("case", CASES)
def test_later_rounds_never_lose(case):
    estimator, grid, data, fit_params, params = CASES[case]
    theirs = fit_quietly(GridSearchCV(estimator, grid, **params), *data, **fit_params)
    ours = fit_quietly(
        RefiningGridSearchCV(estimator, grid, n_rounds=2, **params), *data, **fit_params
    )
    if hasattr(theirs, "best_score_"):
        assert ours.best_score_ >= theirs.best_score_
    first = ours.cv_results_["round"] == 1
    for key, expected in theirs.cv_results_.items():
        if key.startswith(("split", "mean_test")):
            np.testing.assert_array_equal(ours.cv_results_[key][first], expected)


def test_sample_weight_with_routing():
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    for score_too in (True, False):
        with config_context(enable_metadata_routing=True):
            estimator = Ridge().set_fit_request(sample_weight=True)
            scoring = scorer.set_score_request(sample_weight=score_too)
            searches = [
                cls(estimator, {"alpha": [0.1, 1.0, 10.0]}, scoring=scoring, **kwargs)
                for cls, kwargs in (
                    (GridSearchCV, {}),
                    (RefiningGridSearchCV, {"n_rounds": 1}),
                )
            ]
            theirs, ours = (
                search.fit(X_REG, Y_REG, sample_weight=WEIGHT) for search in searches
            )
        assert_same_results(ours.cv_results_, theirs.cv_results_)


def test_groups_with_routing():
    with config_context(enable_metadata_routing=True):
        theirs, ours = (
            cls(
                LogisticRegression(max_iter=500),
                {"C": [0.1, 1.0]},
                cv=GroupKFold(3),
                **kwargs,
            ).fit(X_CLASS, Y_CLASS, groups=GROUPS)
            for cls, kwargs in (
                (GridSearchCV, {}),
                (RefiningGridSearchCV, {"n_rounds": 1}),
            )
        )
    assert_same_results(ours.cv_results_, theirs.cv_results_)


@pytest.mark.parametrize("params", [{"error_score": np.nan}, {"error_score": -9.0}])
def test_same_warnings(params):
    messages = []
    for cls, extra in ((GridSearchCV, {}), (RefiningGridSearchCV, {"n_rounds": 1})):
        search = cls(FailsAbove(), {"constant": [0.0, 1.0, 2.0]}, **params, **extra)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            search.fit(X_REG, Y_REG)
        messages.append(
            [(w.category, re.sub(r"line \d+", "line", str(w.message))) for w in caught]
        )
    ours, theirs = messages[1], messages[0]
    # scikit-learn calls fit on another line where there is a callback context.
    assert ours == theirs
    assert len(ours) >= 1


@pytest.mark.parametrize("verbose", [1, 3, 11])
def test_same_messages(verbose, capsys):
    printed = []
    for cls, extra in ((GridSearchCV, {}), (RefiningGridSearchCV, {"n_rounds": 1})):
        cls(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, verbose=verbose, **extra).fit(
            X_REG, Y_REG
        )
        lines = capsys.readouterr().out.splitlines()
        if verbose == 1:
            assert lines == [
                "Fitting 2 folds for each of 2 candidates, totalling 4 fits"
            ]
        printed.append([line.partition("total time")[0].strip("[].") for line in lines])
    cleaned = [[" ".join(x.replace(".", " ").split()) for x in p] for p in printed]
    assert cleaned[0] == cleaned[1]
    assert "Fitting 2 folds for each of 2 candidates" in cleaned[0][0]
