"""scikit-learn's own estimator checks, with no expected failures."""

import pytest
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

# The checks ask of a network that it learns, and that it learns the same twice.
NETWORK = {
    "hidden_layer_sizes": (8,),
    "max_iter": 25,
    "random_state": 0,
    "solver": "lbfgs",
}
ESTIMATORS = {
    "ridge": (Ridge(), "alpha"),
    "logistic": (LogisticRegression(), "C"),
    "mlp-regressor": (MLPRegressor(**NETWORK), "alpha"),
    "mlp-classifier": (MLPClassifier(**NETWORK), "alpha"),
    "pipeline-regressor": (make_pipeline(StandardScaler(), Ridge()), "ridge__alpha"),
    "pipeline-classifier": (
        make_pipeline(StandardScaler(), LogisticRegression()),
        "logisticregression__C",
    ),
}
SLOW = ("mlp-regressor", "mlp-classifier", "pipeline-regressor")


def grid(estimator, name):
    return RefiningGridSearchCV(estimator, {name: [0.01, 0.1]}, cv=2, n_rounds=2)


def random(estimator, name):
    return SuccessiveRandomSearchCV(
        estimator,
        {name: loguniform(0.01, 0.1)},
        n_iter=3,
        n_rounds=2,
        cv=2,
        random_state=0,
    )


@pytest.mark.filterwarnings("ignore")  # the checks provoke what estimators warn about
@pytest.mark.parametrize("make_search", [grid, random])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.slow if case in SLOW else [])
        for case in ESTIMATORS
    ],
)
def test_estimator_checks(case, make_search):
    results = check_estimator(
        make_search(*ESTIMATORS[case]), on_skip=None, on_fail=None
    )
    failed = {
        result["check_name"]: result["exception"]
        for result in results
        if result["status"] not in ("passed", "skipped")
    }
    assert failed == {}
    assert len(results) > 40
