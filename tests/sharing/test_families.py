"""Each family: equal tables, and served models with the bytes of their own fits."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    MultiTaskLasso,
    Perceptron,
    PoissonRegressor,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import BernoulliNB, ComplementNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC
from sklearn.tree import (
    BaseDecisionTree,
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
)

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.evaluation import _family_fits, _worker
from sklearn_refine.mlp import _stack
from sklearn_refine.sharing._families import Data
from sklearn_refine.sharing._registry import family_key, find_family
from sklearn_refine.sharing._tree import PrefixTree
from sklearn_refine.space._inactive import inactive

CANCER, BENIGN = (a[::4] for a in load_breast_cancer(return_X_y=True))
DIGITS, DIGIT = (a[:200] for a in load_digits(n_class=4, return_X_y=True))
SUGAR, DISEASE = (a[:150] for a in load_diabetes(return_X_y=True))
WEIGHT = np.random.RandomState(0).uniform(0.2, 2.0, 1000)
NAMES = np.array(["no", "yes", "maybe", "never"])
#: name: X, y; the integers of the digits have distances that tie.
CLASSES = {
    "binary": (CANCER, BENIGN),
    "strings": (CANCER, NAMES[BENIGN]),
    "float32": (CANCER.astype(np.float32), BENIGN),
    "multiclass": (DIGITS, DIGIT),
    "fortran": (np.asfortranarray(DIGITS), NAMES[DIGIT]),
}
NUMBERS = {
    "regression": (SUGAR, DISEASE),
    "float32": (SUGAR.astype(np.float32), DISEASE.astype(np.float32)),
    "ties": (np.round(SUGAR * 20), DISEASE),
}
OUTPUTS = {"two outputs": (SUGAR, np.c_[DISEASE, SUGAR[:, 2]])}
LABELS = {"two labels": (DIGITS, np.c_[DIGIT, DIGIT % 2])}
DEPTHS = [None, 2, 30, 50]
SMALL = {"random_state": 0}


def case(model, grid, data, fits=None, weights=True):
    """A model, its grid, data sets, and the fits on a split (None: not counted)."""
    return model, grid, data, fits, weights


RANDOM_STATE = np.random.RandomState(3)
POSITIVE = {name: CLASSES[name] for name in ("binary", "strings", "multiclass")}
FOREST = {"n_estimators": [2, 5, 9], "max_depth": DEPTHS}
STAGES = {"n_estimators": [1, 4, 12]}
ITERATIONS = {"max_iter": [5, 400, 800, 2000]}
ADAM = {
    "learning_rate": ["constant", "adaptive"],
    "nesterovs_momentum": [True, False],
    "momentum": [0.5, 0.9],
}
KNN = {"n_neighbors": [1, 2, 7, 12], "weights": ["uniform", "distance"]}
CASES = {
    "forest": case(RandomForestClassifier(**SMALL), FOREST, CLASSES | LABELS),
    "forest without bootstrap": case(
        RandomForestClassifier(bootstrap=False, max_features=None, **SMALL),
        FOREST,
        CLASSES,
    ),
    "forest of a random state": case(
        RandomForestClassifier(random_state=np.random.RandomState(3)), FOREST, CLASSES
    ),
    "balanced forest": case(
        RandomForestClassifier(class_weight="balanced_subsample", **SMALL),
        FOREST,
        CLASSES,
    ),
    "forest of regressors": case(
        RandomForestRegressor(**SMALL), FOREST, NUMBERS | OUTPUTS
    ),
    "extra trees": case(ExtraTreesClassifier(**SMALL), FOREST, CLASSES | LABELS),
    "extra regressors": case(ExtraTreesRegressor(**SMALL), FOREST, NUMBERS),
    "bagging": case(
        BaggingClassifier(max_features=0.5, **SMALL), STAGES, CLASSES, fits=1
    ),
    "bagging of regressors": case(BaggingRegressor(**SMALL), STAGES, NUMBERS, fits=1),
    "boosting": case(
        GradientBoostingClassifier(subsample=0.7, **SMALL), STAGES, CLASSES, fits=1
    ),
    "boosting that stops": case(
        GradientBoostingClassifier(n_iter_no_change=2, learning_rate=0.9, **SMALL),
        {"n_estimators": [1, 4, 12, 60]},
        CLASSES,
        fits=1,
    ),
    "boosting of regressors": case(
        GradientBoostingRegressor(loss="huber", **SMALL), STAGES, NUMBERS, fits=1
    ),
    "ada": case(AdaBoostClassifier(**SMALL), STAGES, CLASSES, fits=1),
    "ada of trees": case(
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), **SMALL),
        STAGES | {"estimator__max_depth": [1, 3]},
        CLASSES,
        fits=2,
    ),
    "ada of regressors": case(AdaBoostRegressor(**SMALL), STAGES, NUMBERS, fits=1),
    "histograms": case(
        HistGradientBoostingClassifier(**SMALL), {"max_iter": [1, 4, 9]}, CLASSES, 1
    ),
    "histograms that stop": case(
        HistGradientBoostingClassifier(
            early_stopping=True, scoring="accuracy", n_iter_no_change=2, **SMALL
        ),
        {"max_iter": [1, 4, 30]},
        CLASSES,
        fits=1,
    ),
    "histograms of numbers": case(
        HistGradientBoostingRegressor(early_stopping=True, **SMALL),
        {"max_iter": [1, 4, 30]},
        NUMBERS,
        fits=1,
    ),
    "tree": case(
        DecisionTreeClassifier(**SMALL),
        {"max_depth": DEPTHS, "max_features": [None, "sqrt"]},
        CLASSES | LABELS,
    ),
    "tree of regressors": case(
        DecisionTreeRegressor(splitter="random", **SMALL),
        {"max_depth": DEPTHS, "max_leaf_nodes": [None, 8]},
        NUMBERS | OUTPUTS,
    ),
    "pruned tree": case(
        DecisionTreeClassifier(**SMALL),
        {"max_depth": DEPTHS, "ccp_alpha": [0.0, 1e-3, 0.02, 0.5, 1.0]},
        CLASSES | LABELS,
    ),
    "tree that is always pruned": case(
        DecisionTreeClassifier(max_features="sqrt", random_state=RANDOM_STATE),
        {"max_depth": DEPTHS, "ccp_alpha": [1e-3, 0.02, 0.5]},
        CLASSES,
    ),
    "pruned tree for numbers": case(
        DecisionTreeRegressor(**SMALL),
        {"max_leaf_nodes": [None, 4, 9], "ccp_alpha": [10.0, 100.0, 1000.0]},
        NUMBERS | OUTPUTS,
    ),
    "tree of few leaves": case(
        DecisionTreeClassifier(max_features="sqrt", splitter="random", **SMALL),
        {"max_leaf_nodes": [2, 3, 8, 20, 500], "max_depth": DEPTHS},
        CLASSES | LABELS,
    ),
    "tree of few leaves for numbers": case(
        DecisionTreeRegressor(max_features=3, **SMALL),
        {"max_leaf_nodes": [2, 7, 30], "ccp_alpha": [0.0, 99.0], "max_depth": [4, 9]},
        NUMBERS | OUTPUTS,
    ),
    "pruned forest": case(
        RandomForestClassifier(ccp_alpha=0.02, **SMALL),
        {"n_estimators": [3, 8], "max_depth": [None, 3, 4, 5, 6, 7]},
        CLASSES,
    ),
    "extra tree of few leaves": case(
        ExtraTreeClassifier(**SMALL),
        {"max_leaf_nodes": [2, 9, 30], "ccp_alpha": [0.0, 1e-3, 0.02]},
        CLASSES,
    ),
    "extra tree": case(ExtraTreeClassifier(**SMALL), {"max_depth": DEPTHS}, CLASSES),
    "logistic": case(LogisticRegression(), {**ITERATIONS, "C": [1e-3, 10.0]}, CLASSES),
    "logistic saga": case(
        LogisticRegression(solver="saga", tol=0.1, **SMALL), ITERATIONS, CLASSES
    ),
    "sgd": case(
        SGDClassifier(average=True, early_stopping=True, **SMALL), ITERATIONS, CLASSES
    ),
    "sgd of numbers": case(SGDRegressor(tol=99.0, **SMALL), ITERATIONS, NUMBERS),
    "perceptron": case(Perceptron(**SMALL), ITERATIONS, CLASSES),
    "lasso": case(Lasso(), {**ITERATIONS, "alpha": [0.01, 1.0]}, NUMBERS | OUTPUTS),
    "elastic net": case(ElasticNet(selection="random", **SMALL), ITERATIONS, NUMBERS),
    "lasso of tasks": case(MultiTaskLasso(), ITERATIONS, OUTPUTS, weights=False),
    "huber": case(HuberRegressor(), {"max_iter": [2, 400, 900]}, NUMBERS),
    "poisson": case(PoissonRegressor(), ITERATIONS, {"r": (SUGAR, DISEASE)}),
    "lbfgs networks": case(
        MLPClassifier((5,), solver="lbfgs", tol=0.01, **SMALL),
        {"max_iter": [3, 400, 900], "learning_rate_init": [1e-3, 0.1]},
        CLASSES,
    ),
    "lbfgs networks for numbers": case(
        MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", tol=9.0, **SMALL),
        {"max_iter": [3, 400, 900], "batch_size": ["auto", 20]},
        NUMBERS | OUTPUTS,
    ),
    "adam networks": case(MLPClassifier((5,), max_iter=4, **SMALL), ADAM, CLASSES),
    "networks over epochs": case(
        MLPClassifier((5,), n_iter_no_change=2, tol=9.0, **SMALL),
        {"max_iter": [2, 60, 90], "learning_rate_init": [1e-3, 0.3], "alpha": [0.1, 9]},
        CLASSES,
    ),
    "sgd networks over epochs": case(
        MLPRegressor(
            hidden_layer_sizes=(5,),
            solver="sgd",
            n_iter_no_change=2,
            early_stopping=True,
            **SMALL,
        ),
        {"max_iter": [2, 60, 90], "alpha": [0.1, 9.0], "beta_1": [0.5, 0.9]},
        NUMBERS | OUTPUTS,
    ),
    "sgd networks": case(
        MLPRegressor(hidden_layer_sizes=(5,), solver="sgd", max_iter=4, **SMALL),
        {"learning_rate": ["constant", "invscaling"], "beta_1": [0.5, 0.9]},
        NUMBERS | OUTPUTS,
    ),
    "linear svm": case(LinearSVC(**SMALL), ITERATIONS, CLASSES),
    "svm": case(
        SVC(),
        {
            "kernel": ["linear", "rbf", "poly"],
            "gamma": [0.01, 0.1],
            "degree": [2, 3],
            "max_iter": [-1, 10],
        },
        CLASSES,
    ),
    "svm of numbers": case(
        SVR(), {"kernel": ["linear", "rbf"], "gamma": [0.01, 0.1]}, NUMBERS, fits=3
    ),
    "svm with probabilities": case(
        NuSVC(nu=0.1, **SMALL), {"kernel": ["linear", "rbf"], "coef0": [0, 1]}, CLASSES
    ),
    "neighbours": case(KNeighborsClassifier(), KNN, CLASSES | LABELS, weights=False),
    "neighbours by a tree": case(
        KNeighborsClassifier(algorithm="kd_tree"), KNN, CLASSES, weights=False
    ),
    "neighbours in blocks": case(
        KNeighborsClassifier(algorithm="brute", metric="manhattan"),
        KNN,
        CLASSES,
        weights=False,
    ),
    "neighbours of numbers": case(
        KNeighborsRegressor(), KNN, NUMBERS | OUTPUTS, weights=False
    ),
    **{
        f"smoothed {kind.__name__}": case(
            kind(), {"alpha": [1e-3, 0.5, 2]}, POSITIVE, fits=1
        )
        for kind in (MultinomialNB, ComplementNB, BernoulliNB)
    },
    "many neighbours": case(
        KNeighborsRegressor(), {"n_neighbors": [3, 60, 70]}, NUMBERS, weights=False
    ),
}
OPTIONS = ("plain", "train scores", "several scores", "weights")


def runs():
    """Every option on a case's first data, and one of them in turn on the others."""
    for name, (_, _, sets, _, has_weights) in CASES.items():
        options = OPTIONS if has_weights else OPTIONS[:-1]
        for number, data in enumerate(sets):
            in_turn = options[(number - 1) % len(options)]
            for option in options if number == 0 else [in_turn]:
                is_quick = number == 0 and option == "plain"
                marks = [] if is_quick else pytest.mark.slow
                yield pytest.param(name, data, option, marks=marks)


RUNS = list(runs())


def options_of(option, data):
    several = ["accuracy", "f1_macro"]
    if data in NUMBERS | OUTPUTS or data == "r":
        several = ["r2", "neg_mean_absolute_error"]
    if data == "two labels":
        several = ["r2", "neg_mean_absolute_error"]
    return {
        "plain": {},
        "train scores": {"return_train_score": True},
        "several scores": {"scoring": several, "refit": several[0]},
        "weights": {},
    }[option]


def assert_same_tables(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in theirs:
        if name == "params":
            assert ours[name] == theirs[name]
        elif "time" not in name:
            np.testing.assert_array_equal(
                np.asarray(ours[name].tolist()), np.asarray(theirs[name].tolist())
            )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "data", "option"), RUNS)
def test_every_column_is_equal(name, data, option):
    model, grid, sets, _, _ = CASES[name]
    X, y = sets[data]
    options = {"cv": 2, **options_of(option, data)}
    if data in ("two labels", "two outputs"):
        # scikit-learn 1.7 cannot score a MultiTaskLasso by its own `score`.
        options.setdefault("scoring", "r2")
    params = {"sample_weight": WEIGHT[: len(y)]} if option == "weights" else {}
    theirs = GridSearchCV(model, grid, **options).fit(X, y, **params)
    ours = RefiningGridSearchCV(model, grid, n_rounds=1, **options).fit(X, y, **params)
    assert_same_tables(ours.cv_results_, theirs.cv_results_)
    column = "split0_test_" + options.get("refit", "score")
    assert np.isfinite(theirs.cv_results_[column]).any()
    assert all(_family_fits._IS_EXACT.values())


METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(
            *(name, kind), marks=[] if kind == next(iter(sets)) else pytest.mark.slow
        )
        for name, (_, _, sets, _, _) in CASES.items()
        for kind in sets
    ],
)
def test_served_models_have_the_bytes_of_their_own_fits(name, kind):
    model, grid, sets, _, _ = CASES[name]
    X, y = sets[kind]
    train, rows = slice(None, None, 2), X[1::2]
    members = [
        clone(model).set_params(**dict(zip(grid, values, strict=True)))
        for values in all_combinations(grid.values())
    ]
    family = find_family(members[0])
    data = Data([rows], lambda model: model.fit(X[train], y[train]))
    donors = []
    n_served = 0
    for member in sorted(members, key=family.order):
        params = {name: member.get_params()[name] for name in grid}
        for without_effect in inactive(member, member.get_params(deep=False)):
            params.pop(without_effect, None)
        fixed = family_key(family, "", params)
        own = clone(member).fit(X[train], y[train])
        served = None
        for donor, of_donor in donors:
            if of_donor == fixed:
                served = served or family.serve(donor, member, data)
        if served is None:
            donors.append((own, fixed))
            continue
        n_served += 1
        for method in METHODS:
            if hasattr(own, method):
                assert_same_bytes(
                    getattr(served.model, method)(rows), getattr(own, method)(rows)
                )
    assert n_served or kind in ("ties", "multiclass", "fortran", "two labels")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("params", "n_networks"),
    [
        ({"random_state": 0}, 2),
        ({"random_state": np.random.RandomState(5)}, 2),
        ({"random_state": 0, "solver": "sgd", "learning_rate_init": 1e9}, 16),
        ({"random_state": None}, 16),
    ],
)
def test_equal_networks_are_trained_once(params, n_networks, n_jobs, monkeypatch):
    model = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=4, **params))
    grid = {"mlpclassifier__" + name: values for name, values in ADAM.items()}
    grid["mlpclassifier__alpha"] = [0.1, 10.0]
    counts = []
    train = _worker.train_together

    def count(fits, limit):
        counts.append(len(fits))
        return train(fits, limit)

    monkeypatch.setattr(_worker, "train_together", count)
    options = {"cv": 3, "scoring": ["accuracy", "f1_macro"], "refit": False}
    ours = RefiningGridSearchCV(model, grid, n_rounds=1, n_jobs=n_jobs, **options)
    with parallel_config("threading"):
        ours.fit(DIGITS, DIGIT)
    assert sum(counts) == 3 * n_networks
    if params["random_state"] is not None:
        theirs = GridSearchCV(model, grid, **options).fit(DIGITS, DIGIT)
        assert_same_tables(ours.cv_results_, theirs.cv_results_)


@pytest.mark.parametrize("random_state", [0, None])
def test_one_training_serves_all_numbers_of_epochs(random_state, monkeypatch):
    network = MLPClassifier((5,), tol=0.0, random_state=random_state)
    grid = {"max_iter": [9, 3, 27], "alpha": [0.1, 10.0]}
    counts = []
    run_epoch = _stack.Stack._run_epoch

    def count(self):
        counts.append(len(self.models))
        return run_epoch(self)

    monkeypatch.setattr(_stack.Stack, "_run_epoch", count)
    results = []
    for kind, more in ((RefiningGridSearchCV, {"n_rounds": 1}), (GridSearchCV, {})):
        search = kind(network, grid, cv=3, refit=False, **more)
        with pytest.warns(ConvergenceWarning, match="Maximum iterations") as caught:
            search.fit(DIGITS, DIGIT)
        messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
        results.append((search.cv_results_, sorted(messages)))
    n_epochs = 27 if random_state == 0 else 39
    assert sum(counts) == 3 * 2 * n_epochs
    if random_state == 0:
        assert_same_tables(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]
        some, few, many = results[0][0]["mean_fit_time"].reshape(2, 3).T
        assert (few < some).all()
        assert (some < many).all()


WIDE = np.random.RandomState(2).randn(30, 70)
MANY = load_digits().data[:1400:2, :40]
SOLVERS = ["full", "covariance_eigh", "auto", "randomized"]


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "rows",
    [
        *(CANCER, CANCER.astype(np.float32), DIGITS, np.asfortranarray(DIGITS)),
        *(WIDE, MANY, MANY.astype(np.float32)),
    ],
)
def test_served_components_have_the_bytes_of_their_own_fits(rows, solver, whiten):
    train, test = rows[::2], rows[1::2]
    model = PCA(svd_solver=solver, whiten=whiten, random_state=0)
    for n in (1, 4, 12, 14, None, 0.3, 0.95):
        if not (solver == "randomized" and isinstance(n, float)):
            own = clone(model).set_params(n_components=n)
            tree = PrefixTree([[0], [1]])
            fit_step = tree.cache(_fit_transform_one)
            for number, each in enumerate([clone(model), clone(own)]):
                tree.start([number])
                served_rows, served = fit_step(each, train, None, params={"fit": {}})
            assert_same_bytes(served_rows, own.fit_transform(train))
            assert served_rows.strides == own.fit_transform(train).strides
            assert_same_bytes(served.transform(test), own.transform(test))
            assert vars(served).keys() == vars(own).keys()
            for name, value in vars(own).items():
                if name.endswith("_"):
                    assert_same_bytes(
                        np.asarray(getattr(served, name)), np.asarray(value)
                    )


def _fit_transform_one(step, X, y, params):
    assert not any(params.values())
    return step.fit_transform(X), step


@pytest.mark.parametrize("solver", SOLVERS)
def test_components_are_found_once(solver, monkeypatch):
    counts = []
    fit = PCA._fit
    monkeypatch.setattr(PCA, "_fit", lambda *args: counts.append(1) or fit(*args))
    model = make_pipeline(
        StandardScaler(), PCA(svd_solver=solver, random_state=0), LogisticRegression()
    )
    n_components = [2, 5, None, 0.9] if solver != "randomized" else [2, 5, 9, None]
    grid = {"pca__n_components": n_components, "logisticregression__C": [0.1, 1.0]}
    options = {"cv": 3, "refit": False, "error_score": "raise"}
    theirs = GridSearchCV(model, grid, **options).fit(CANCER, BENIGN)
    counts.clear()
    ours = RefiningGridSearchCV(model, grid, n_rounds=1, **options).fit(CANCER, BENIGN)
    assert_same_tables(ours.cv_results_, theirs.cv_results_)
    assert len(counts) == 3 * (4 if solver == "randomized" else 1)


@pytest.mark.parametrize(
    ("grid", "n_fits"),
    [
        ({"ccp_alpha": [0.0, 0.001, 0.01, 0.1]}, 1),
        ({"ccp_alpha": [0.001, 0.01, 0.1]}, 2),
        ({"max_leaf_nodes": [2, 4, 6, 8]}, 1),
        ({"max_leaf_nodes": [None, 4, 8], "ccp_alpha": [0.0, 0.1]}, 2),
        ({"max_leaf_nodes": [4, 8], "min_samples_leaf": [1, 5]}, 2),
    ],
)
def test_a_tree_is_grown_once(grid, n_fits, monkeypatch):
    counts = []
    fit = BaseDecisionTree._fit

    def count(*args, **kwargs):
        counts.append(1)
        return fit(*args, **kwargs)

    monkeypatch.setattr(BaseDecisionTree, "_fit", count)
    monkeypatch.setitem(_family_fits._IS_EXACT, DecisionTreeClassifier, True)
    model = DecisionTreeClassifier(random_state=0)
    RefiningGridSearchCV(model, grid, n_rounds=1, cv=3, refit=False).fit(CANCER, BENIGN)
    assert len(counts) == 3 * n_fits


@pytest.mark.parametrize("solver", SOLVERS[:3])
def test_components_alone_are_scored_as_ever(solver):
    grid = {"n_components": [1, 3, 8, None], "whiten": [False, True]}
    options = {"cv": 3, "error_score": "raise"}
    model = PCA(svd_solver=solver)
    X = np.random.RandomState(2).randn(90, 9)
    theirs = GridSearchCV(model, grid, **options).fit(X)
    ours = RefiningGridSearchCV(model, grid, n_rounds=1, **options).fit(X)
    assert_same_tables(ours.cv_results_, theirs.cv_results_)


def all_combinations(lists):
    return [list(values) for values in product(*lists)]


def assert_same_bytes(ours, theirs):
    if isinstance(theirs, list):
        for one, other in zip(ours, theirs, strict=True):
            assert_same_bytes(one, other)
        return
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    if theirs.dtype == object:
        assert ours.tolist() == theirs.tolist()
    else:
        assert ours.tobytes() == theirs.tobytes()
