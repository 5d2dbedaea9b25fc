"""Each rule for a parameter without effect, against scikit-learn itself."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.decomposition import KernelPCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from sklearn_refine.space._inactive import _RULES, ModelKey, inactive

X, Y = make_classification(80, 5, n_informative=4, n_redundant=0, random_state=0)
X = np.abs(X)
TEXTS = ["aa bb cc", "bb cc dd", "cc dd ee ff", "aa ff", "bb bb ee"]

KERNELS = {"gamma": (0.1, 0.7), "degree": (2, 3), "coef0": (0.0, 0.5)}
LIBSVM = [{"kernel": kernel} for kernel in ("linear", "rbf", "poly", "sigmoid")]
PAIRWISE = [
    {"kernel": kernel}
    for kernel in ("linear", "rbf", "laplacian", "polynomial", "chi2", "cosine")
]
MLP = {
    "learning_rate": ("constant", "adaptive"),
    "momentum": (0.5, 0.9),
    "nesterovs_momentum": (True, False),
    "beta_1": (0.5, 0.9),
    "beta_2": (0.9, 0.999),
    "epsilon": (1e-8, 1e-2),
    "learning_rate_init": (0.001, 0.1),
    "shuffle": (True, False),
    "batch_size": (10, 30),
    "n_iter_no_change": (1, 9),
    "power_t": (0.1, 0.9),
    "validation_fraction": (0.1, 0.4),
    "max_fun": (3, 15000),
}
SOLVERS = [
    {"solver": solver, **more}
    for solver in ("adam", "sgd", "lbfgs")
    for more in ({}, {"early_stopping": True}, {"learning_rate": "invscaling"})
]
SGD = {
    "l1_ratio": (0.1, 0.9),
    "epsilon": (0.01, 0.5),
    "eta0": (0.001, 0.1),
    "power_t": (0.1, 0.7),
    "validation_fraction": (0.1, 0.4),
}
SGD_SWITCHES = [
    {"learning_rate": rate, "penalty": penalty, "early_stopping": stop}
    for rate in ("optimal", "constant", "invscaling")
    for penalty in ("l2", "elasticnet")
    for stop in (False, True)
]
BOOSTING = {"validation_fraction": (0.1, 0.4), "tol": (1e-4, 0.5)}
STOPS = [{"n_iter_no_change": None}, {"n_iter_no_change": 1}]
HISTOGRAM = {**BOOSTING, "n_iter_no_change": (1, 9)}
EARLY = [{"early_stopping": value} for value in (False, True, "auto")]
SEED = {"random_state": 0}
SMALL = {"n_estimators": 4, **SEED}
METRICS = [{"metric": metric} for metric in ("minkowski", "manhattan", "chebyshev")]
NET = {"hidden_layer_sizes": (3,), "max_iter": 12, **SEED}
RADIUS = {"radius": 2.0}
# Estimator, the values of each parameter, the settings of the switches.
CASES = [
    *((cls(), KERNELS, LIBSVM) for cls in (SVC, SVR, OneClassSVM)),
    *((cls(nu=0.3), KERNELS, LIBSVM) for cls in (NuSVC, NuSVR)),
    (KernelRidge(gamma=0.5), KERNELS, PAIRWISE),
    (Nystroem(n_components=5, **SEED), KERNELS, PAIRWISE),
    (
        KernelPCA(2, **SEED),
        {**KERNELS, "alpha": (0.1, 1.0)},
        [*LIBSVM, {"fit_inverse_transform": True}],
    ),
    *((cls(**NET), MLP, SOLVERS) for cls in (MLPClassifier, MLPRegressor)),
    *(
        (cls(max_iter=5, eta0=0.01, **SEED), SGD, SGD_SWITCHES)
        for cls in (SGDClassifier, SGDRegressor)
    ),
    (
        Perceptron(**SEED),
        {name: SGD[name] for name in ("l1_ratio", "validation_fraction")},
        [{"penalty": "l2"}, {"penalty": "elasticnet"}, {"early_stopping": True}],
    ),
    (
        LogisticRegression(**SEED),
        {"l1_ratio": (0.1, 0.9), "intercept_scaling": (0.5, 2.0)},
        [
            {"penalty": "l2", "solver": "lbfgs"},
            {"penalty": "l2", "solver": "liblinear"},
            {"penalty": "elasticnet", "solver": "saga", "l1_ratio": 0.5},
        ],
    ),
    (GradientBoostingClassifier(**SMALL), BOOSTING, STOPS),
    (
        GradientBoostingRegressor(**SMALL),
        {**BOOSTING, "alpha": (0.3, 0.9)},
        [*STOPS, {"loss": "huber"}, {"loss": "quantile"}],
    ),
    (HistGradientBoostingClassifier(max_iter=3, **SEED), HISTOGRAM, EARLY),
    (
        HistGradientBoostingRegressor(max_iter=3, **SEED),
        {**HISTOGRAM, "quantile": (0.3, 0.7)},
        [*EARLY, {"loss": "quantile", "quantile": 0.5}],
    ),
    *(
        (cls(**more), {"p": (1, 3)}, METRICS)
        for cls, more in (
            (KNeighborsClassifier, {}),
            (KNeighborsRegressor, {}),
            (RadiusNeighborsClassifier, RADIUS),
            (RadiusNeighborsRegressor, RADIUS),
        )
    ),
    (
        SimpleImputer(),
        {"fill_value": (0.0, 7.0)},
        [{"strategy": name} for name in ("mean", "median", "constant")],
    ),
    *(
        (cls(), {"smooth_idf": (True, False)}, [{"use_idf": True}, {"use_idf": False}])
        for cls in (TfidfTransformer, TfidfVectorizer)
    ),
]


def answers(model):
    """Return all that a fitted model says, as bytes."""
    data = TEXTS if isinstance(model, TfidfVectorizer) else X
    if isinstance(model, SimpleImputer):
        data = np.where(X > 2, np.nan, X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data, Y) if data is X else model.fit(data)
        found = []
        for name in ("predict", "predict_proba", "decision_function", "transform"):
            if hasattr(model, name):
                out = getattr(model, name)(data)
                out = out.toarray() if hasattr(out, "toarray") else out
                found.append(np.asarray(out).tobytes())
    return found


def rule_cases():
    for model, values, switches in CASES:
        for name in values:
            yield pytest.param(
                model, name, values[name], switches, id=f"{type(model).__name__}-{name}"
            )


def test_every_rule_is_compared():
    compared = {(type(model).__name__, name) for model, vs, _ in CASES for name in vs}
    assert compared == {(cls, name) for cls, rules in _RULES.items() for name in rules}


@pytest.mark.parametrize(("model", "name", "values", "switches"), [*rule_cases()])
def test_what_is_inactive_changes_no_bit(model, name, values, switches):
    n_inactive = 0
    for switch in switches:
        given = model.__class__(**{**model.get_params(deep=False), **switch})
        if name not in inactive(given, given.get_params(deep=False)):
            continue
        n_inactive += 1
        first, second = (
            answers(type(given)(**{**given.get_params(deep=False), name: value}))
            for value in values
        )
        assert first, "the model says nothing"
        assert first == second, switch
    assert n_inactive, "no switch turns the parameter off"


def test_only_exact_classes_of_scikit_learn_are_known():
    class MySVC(SVC):
        pass

    params = SVC(kernel="linear").get_params()
    assert inactive(SVC(), params) == {"gamma", "degree", "coef0"}
    assert inactive(MySVC(), params) == set()


def test_a_key_finds_the_owner_of_each_parameter():
    pipe = make_pipeline(StandardScaler(), SVC(kernel="linear"))
    key = ModelKey(pipe)
    assert key({"svc__gamma": 1.0}) == key({"svc__gamma": 2.0})
    assert key({"svc__gamma": 1.0, "svc__C": 1}) != key(
        {"svc__gamma": 1.0, "svc__C": 2}
    )
    rbf = {"svc__kernel": "rbf"}
    assert key({**rbf, "svc__gamma": 1.0}) != key({**rbf, "svc__gamma": 2.0})
    # The candidate puts another estimator in the place of the step.
    other = {"svc": SVC(kernel="rbf")}
    assert key({**other, "svc__gamma": 1.0}) != key({**other, "svc__gamma": 2.0})
    passed = {"svc": "passthrough", "svc__gamma": 1.0}
    assert key.active(passed) == passed


def test_values_that_cannot_be_compared_stay_active():
    key = ModelKey(SVC())
    params = {"kernel": np.array(["a", "b"]), "gamma": 1.0}
    assert key.active(params) == params
