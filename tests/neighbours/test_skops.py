"""skops saves and loads a fitted search, whatever it searched."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVR

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
    log_randint,
    one_standard_error,
    smoothed_best,
)

sio = pytest.importorskip(
    "skops.io", reason="install the dependency group 'neighbours' to run this"
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:80], Y[:80]
NETWORK = MLPRegressor(max_iter=5, random_state=0)
PIPE = Pipeline([("scale", StandardScaler()), ("model", Ridge())])
SCALES = [StandardScaler(), MinMaxScaler(), "passthrough"]
METRICS = ["r2", "neg_mean_squared_error"]


def first(results):
    return 0


def best_r2(results):
    return int(np.argmax(results["mean_test_r2"]))


def grid(estimator, param_grid, **params):
    return RefiningGridSearchCV(estimator, param_grid, cv=3, **params)


def random(estimator, space, **params):
    return SuccessiveRandomSearchCV(
        estimator, space, n_iter=9, cv=3, random_state=0, **params
    )


ALPHA = {"alpha": [0.1, 1.0, 10.0]}
ALPHA_DRAWN = {"alpha": loguniform(1e-3, 1e2)}
MODELS = [
    {"model": [Ridge()], "model__alpha": [0.1, 1.0]},
    {"model": [SVR()], "model__C": [1.0, 10.0]},
]
SEARCHES = {
    "grid": grid(Ridge(), ALPHA),
    "one round": grid(Ridge(), ALPHA, n_rounds=1),
    "layer sizes": grid(
        NETWORK, {"hidden_layer_sizes": [(3,), (5, 2)], "alpha": [1e-3, 1e-2]}
    ),
    "steps": grid(PIPE, {"scale": SCALES, "model__alpha": [0.1, 1.0]}),
    "models": grid(PIPE, MODELS),
    "callable refit": grid(Ridge(), ALPHA, refit=first),
    "metrics": grid(Ridge(), ALPHA, scoring=METRICS, refit="r2"),
    "metrics, callable refit": grid(Ridge(), ALPHA, scoring=METRICS, refit=best_r2),
    "one standard error": grid(Ridge(), ALPHA, refit=one_standard_error("alpha")),
    "smoothed": grid(Ridge(), ALPHA, refit=smoothed_best()),
    "no refit": grid(Ridge(), ALPHA, refit=False),
    "racing": grid(Ridge(), {"alpha": np.logspace(-3, 3, 9)}, racing=True),
    "bounds": grid(Ridge(), ALPHA, bounds={"alpha": (0.01, 100.0)}, tol=0.01),
    "numpy values": grid(Ridge(), {"alpha": np.logspace(-1, 1, 3)}),
    "edge": grid(Ridge(), {"alpha": [1e-9, 1e-8], "fit_intercept": [True, False]}),
    "random": random(Ridge(), ALPHA_DRAWN),
    "random layer sizes": random(
        NETWORK, {"hidden_layer_sizes": layer_sizes((1, 2), (2, 8))}
    ),
    "random integers": random(
        NETWORK, {"max_iter": log_randint(2, 9), "activation": ["relu", "tanh"]}
    ),
    "random models": random(
        PIPE,
        [
            {"model": [Ridge()], "model__alpha": loguniform(1e-3, 1e2)},
            {"model": [SVR()], "model__C": loguniform(1e-2, 1e2)},
        ],
    ),
    "random, callable refit": random(Ridge(), ALPHA_DRAWN, refit=first),
    "random racing": random(Ridge(), ALPHA_DRAWN, racing=True),
    "random metrics": random(Ridge(), ALPHA_DRAWN, scoring=METRICS, refit="r2"),
    "surrogate": random(Ridge(), ALPHA_DRAWN, surrogate=GaussianProcessRegressor()),
}


def save_and_load(search):
    data = sio.dumps(search)
    return sio.loads(data, trusted=sio.get_untrusted_types(data=data))


@pytest.mark.parametrize("name", SEARCHES)
def test_a_loaded_search_is_equal(name):
    search = SEARCHES[name].fit(X, Y)
    loaded = save_and_load(search)
    assert vars(loaded).keys() == vars(search).keys()
    # Estimators are compared by what they show.
    for attribute in ("rounds_", "windows_", "best_on_edge_", "stop_reason_"):
        saved, known = getattr(loaded, attribute), getattr(search, attribute)
        assert repr(saved) == repr(known)
    assert loaded.cv_results_.keys() == search.cv_results_.keys()
    for column, values in search.cv_results_.items():
        if column.startswith(("param", "params")):
            assert repr(list(loaded.cv_results_[column])) == repr(list(values))
        else:
            np.testing.assert_array_equal(loaded.cv_results_[column], values)
    assert repr(loaded.best_params_) == repr(search.best_params_)
    if search.refit:
        np.testing.assert_array_equal(loaded.predict(X), search.predict(X))


def test_a_journal_does_not_stand_in_the_way(tmp_path):
    search = grid(Ridge(), ALPHA, journal=str(tmp_path / "search.db")).fit(X, Y)
    assert save_and_load(search).best_params_ == search.best_params_


def test_types_to_trust_are_few():
    data = sio.dumps(SEARCHES["grid"].fit(X, Y))
    assert sio.get_untrusted_types(data=data) == [
        "sklearn.metrics._scorer._PassthroughScorer",
        "sklearn_refine._grid_search.RefiningGridSearchCV",
    ]


def test_an_unfitted_search_is_saved():
    assert repr(save_and_load(grid(Ridge(), ALPHA))) == repr(grid(Ridge(), ALPHA))
