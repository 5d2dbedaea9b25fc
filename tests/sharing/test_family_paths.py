"""Which candidates are served and which have a fit of their own, by counting fits."""

from __future__ import annotations

import time
import warnings
from functools import wraps

import numpy as np
import pytest
import sklearn
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
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
from sklearn.linear_model import (
    ElasticNet,
    HuberRegressor,
    Lasso,
    LogisticRegression,
    Perceptron,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.fixes import parse_version

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.evaluation import _family_fits
from sklearn_refine.sharing._registry import find_family

X, Y = (a[::4] for a in load_breast_cancer(return_X_y=True))
X = X[:, :8] / X[:, :8].max(axis=0)
SUGAR, DISEASE = (a[:120] for a in load_diabetes(return_X_y=True))
WEIGHT = np.random.RandomState(0).uniform(0.2, 2.0, len(Y))
SEED = {"random_state": 0}
TREES = {"n_estimators": [2, 3, 5]}
DEPTHS = {"max_depth": [None, 30, 40]}
LIMITS = {"max_iter": [4000, 5000, 6000]}
K = {"n_neighbors": [1, 3, 5]}

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def no_class_is_proven():
    """Each test meets every class for the first time, and leaves no trace."""
    before = dict(_family_fits._IS_EXACT)
    _family_fits._IS_EXACT.clear()
    yield
    _family_fits._IS_EXACT.clear()
    _family_fits._IS_EXACT.update(before)


def table(kind, model, grid, *, data=(X, Y), fit=(), **options):
    if kind is RefiningGridSearchCV:
        options.setdefault("n_rounds", 1)
    search = kind(model, grid, **{"cv": 2, "refit": False, **options})
    return search.fit(*data, **dict(fit)).cv_results_


def assert_equal_scores(ours, theirs):
    assert ours["params"] == theirs["params"]
    for name in theirs:
        if "score" in name and "time" not in name:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def count_fits(monkeypatch, model, grid, **options):
    """Return the number of fits of the model's class; scores must be right."""
    cls, calls = type(model), []
    fit = cls.fit
    theirs = table(GridSearchCV, model, grid, **options)

    @wraps(fit)  # scikit-learn reads its parameters
    def counted(self, *args, **params):
        calls.append(self)
        return fit(self, *args, **params)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "fit", counted)
        ours = table(RefiningGridSearchCV, model, grid, **options)
    assert_equal_scores(ours, theirs)
    return len(calls)


NUMBERS = {"data": (SUGAR, DISEASE)}
#: One fit on each of 2 splits, and one that proves the class.
SERVED = {
    "forest": (RandomForestClassifier(**SEED), TREES, {}),
    "forest, depth": (RandomForestClassifier(3, **SEED), DEPTHS, {}),
    "forest of numbers": (RandomForestRegressor(**SEED), TREES, NUMBERS),
    "extra trees": (ExtraTreesClassifier(**SEED), TREES, {}),
    "extra regressors": (ExtraTreesRegressor(**SEED), TREES, NUMBERS),
    "bagging": (BaggingClassifier(**SEED), TREES, {}),
    "bagging of numbers": (BaggingRegressor(**SEED), TREES, NUMBERS),
    "boosting": (GradientBoostingClassifier(**SEED), TREES, {}),
    "boosting of numbers": (GradientBoostingRegressor(**SEED), TREES, NUMBERS),
    "ada": (AdaBoostClassifier(**SEED), TREES, {}),
    "ada of numbers": (AdaBoostRegressor(**SEED), TREES, NUMBERS),
    "histograms": (
        HistGradientBoostingClassifier(**SEED),
        {"max_iter": [2, 3, 5]},
        {},
    ),
    "histograms of numbers": (
        HistGradientBoostingRegressor(**SEED),
        {"max_iter": [2, 3, 5]},
        NUMBERS,
    ),
    "tree": (DecisionTreeClassifier(**SEED), DEPTHS, {}),
    "tree of numbers": (DecisionTreeRegressor(**SEED), DEPTHS, NUMBERS),
    "logistic": (LogisticRegression(C=1e-3), LIMITS, {}),
    "sgd": (SGDClassifier(**SEED), LIMITS, {}),
    "sgd of numbers": (SGDRegressor(tol=99.0, **SEED), LIMITS, NUMBERS),
    "perceptron": (Perceptron(**SEED), LIMITS, {}),
    "lasso": (Lasso(), LIMITS, NUMBERS),
    "elastic net": (ElasticNet(selection="random", **SEED), LIMITS, NUMBERS),
    "huber": (HuberRegressor(), LIMITS, NUMBERS),
    "poisson": (PoissonRegressor(), LIMITS, NUMBERS),
    "linear svm": (LinearSVC(**SEED), LIMITS, {}),
    "svm": (SVC(), LIMITS, {}),
    "svm of numbers": (SVR(), LIMITS, NUMBERS),
    "neighbours": (KNeighborsClassifier(), K, {}),
    "neighbours of numbers": (KNeighborsRegressor(), K, NUMBERS),
    "several metrics": (
        RandomForestClassifier(**SEED),
        TREES,
        {"scoring": ["accuracy", "roc_auc"]},
    ),
    "training scores": (KNeighborsClassifier(), K, {"return_train_score": True}),
    "sample weights": (
        RandomForestClassifier(**SEED),
        TREES,
        {"fit": {"sample_weight": WEIGHT}},
    ),
}


@pytest.mark.parametrize("name", SERVED)
def test_one_fit_on_a_split_serves_all(name, monkeypatch):
    model, grid, options = SERVED[name]
    assert count_fits(monkeypatch, model, grid, **options) == 3
    assert {type(model): True} == _family_fits._IS_EXACT
    assert count_fits(monkeypatch, model, grid, **options) == 2


def plain_scorer(model, X, y):
    return accuracy_score(y, model.predict(X))


class Forest(RandomForestClassifier):
    """A subclass may do anything."""


def stops_halfway(stage, model, _):
    return stage >= model.n_estimators // 2


FOREST = RandomForestClassifier(**SEED)
WARM = RandomForestClassifier(warm_start=True, **SEED)
ALONE = {
    "foreign scorer": (FOREST, TREES, {"scoring": plain_scorer}),
    "subclass": (Forest(**SEED), TREES, {}),
    "warm start": (WARM, TREES, {}),
    "verbose": (GradientBoostingClassifier(verbose=1, **SEED), TREES, {}),
    "verbose inside": (
        BaggingClassifier(SVC(verbose=True), **SEED),
        {"n_estimators": [1, 2]},
        {},
    ),
    "verbose search": (FOREST, TREES, {"verbose": 2}),
    "out of bag": (RandomForestClassifier(oob_score=True, **SEED), TREES, {}),
    "out of the bag": (BaggingClassifier(oob_score=True, **SEED), TREES, {}),
    "monitor": (
        GradientBoostingClassifier(**SEED),
        {"n_estimators": [2, 4, 8]},
        {"fit": {"monitor": stops_halfway}},
    ),
    "a weight that is no number": (
        KNeighborsClassifier(),
        {"n_neighbors": [1, 3], "weights": [lambda d: np.exp(-d)]},
        {},
    ),
    "trees of a depth": (
        DecisionTreeClassifier(**SEED),
        {"max_depth": [1, 2, 3]},
        {},
    ),
    "pruned forest": (
        RandomForestClassifier(2, ccp_alpha=0.02, **SEED),
        {"max_depth": [None, 30, 4]},
        {},
    ),
    "limits that are reached": (LogisticRegression(), {"max_iter": [2, 3, 4]}, {}),
    "too many neighbours": (KNeighborsClassifier(), {"n_neighbors": [500, 600]}, {}),
}


@pytest.mark.parametrize("name", ALONE)
def test_a_family_steps_aside(name, monkeypatch):
    model, grid, options = ALONE[name]
    n = 2 * np.prod([len(values) for values in grid.values()])
    assert count_fits(monkeypatch, model, grid, **options) == n
    assert not _family_fits._IS_EXACT


@pytest.mark.parametrize(
    ("model", "grid", "is_random"),
    [
        (RandomForestClassifier(), TREES, True),
        (DecisionTreeClassifier(), DEPTHS, True),
        (BaggingClassifier(), TREES, True),
        (SGDClassifier(), LIMITS, True),
        (LinearSVC(), LIMITS, True),
        (SVC(probability=True), LIMITS, True),
        (ElasticNet(selection="random"), LIMITS, True),
        (ElasticNet(), LIMITS, False),
        (LogisticRegression(C=1e-3), LIMITS, False),
        (SVC(), LIMITS, False),
        (SVR(), LIMITS, False),
    ],
)
def test_models_without_a_seed_are_not_shared_if_they_draw(
    model, grid, is_random, monkeypatch
):
    calls = []
    fit = type(model).fit

    @wraps(fit)
    def counted(self, *args):
        calls.append(1)
        return fit(self, *args)

    monkeypatch.setattr(type(model), "fit", counted)
    data = NUMBERS if is_regressor(model) else {}
    table(RefiningGridSearchCV, model, grid, **data)
    assert len(calls) == (6 if is_random else 3)


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"), reason="no callbacks"
)
def test_callbacks_see_every_fit(monkeypatch):
    class Sees:
        ends = 0

        def setup(self, estimator, context):
            pass

        teardown = setup

        def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
            pass

        def on_fit_task_end(self, estimator, context, *, X=None, y=None):
            self.ends += context.task_name == "candidate-split-evaluation"

    calls = []
    fit = RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier,
        "fit",
        lambda self, *args: calls.append(1) or fit(self, *args),
    )
    sees = Sees()
    search = RefiningGridSearchCV(FOREST, TREES, cv=2, n_rounds=1, refit=False)
    search.set_callbacks(sees).fit(X, Y)
    assert len(calls) == sees.ends == 6


def test_probabilities_of_a_machine_with_a_limit():
    """Its inner fits may reach a limit that its own fit does not reach."""
    model = make_pipeline(StandardScaler(), SVC(probability=True, **SEED))
    grid = {"svc__max_iter": [-1, *range(30, 40)]}
    options = {"scoring": "neg_log_loss", "data": load_iris(return_X_y=True)}
    assert_equal_scores(
        table(RefiningGridSearchCV, model, grid, **options),
        table(GridSearchCV, model, grid, **options),
    )


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("model", [FOREST, KNeighborsClassifier()])
def test_scorers_with_routed_weights(model, scaled):
    with config_context(enable_metadata_routing=True):
        name = type(model).__name__.lower()
        axis = "n_neighbors" if hasattr(model, "n_neighbors") else "n_estimators"
        if axis == "n_estimators":
            model = RandomForestClassifier(**SEED).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        if scaled:
            model, axis = make_pipeline(scaler, model), f"{name}__{axis}"
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        options = {"scoring": scorer, "fit": {"sample_weight": WEIGHT}}
        ours = table(RefiningGridSearchCV, model, {axis: [1, 3, 5]}, **options)
        theirs = table(GridSearchCV, model, {axis: [1, 3, 5]}, **options)
    assert_equal_scores(ours, theirs)


def always_fails(true, predicted):
    raise ValueError("as told")


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("model", [FOREST, KNeighborsClassifier()])
def test_a_metric_that_fails_costs_only_its_own_score(model, scaled):
    axis = "n_neighbors" if hasattr(model, "n_neighbors") else "n_estimators"
    if scaled:
        axis = f"{type(model).__name__.lower()}__{axis}"
        model = make_pipeline(StandardScaler(), model)
    scoring = {"good": "accuracy", "bad": make_scorer(always_fails)}
    options = {"scoring": scoring}
    ours = table(RefiningGridSearchCV, model, {axis: [1, 3, 5]}, **options)
    theirs = table(GridSearchCV, model, {axis: [1, 3, 5]}, **options)
    assert np.isnan(theirs["mean_test_bad"]).all()
    assert_equal_scores(ours, theirs)


MODELS = [
    (FOREST, TREES),
    (GradientBoostingClassifier(**SEED), TREES),
    (LogisticRegression(C=1e-3), LIMITS),
    (KNeighborsClassifier(), K),
]


@pytest.mark.parametrize("way", ["wrong", "raises", "raises later"])
@pytest.mark.parametrize(("model", "grid"), MODELS)
def test_a_family_that_is_wrong_changes_no_score(model, grid, way, monkeypatch):
    theirs = table(GridSearchCV, model, grid)
    family = find_family(model)
    serve = type(family).serve
    n_calls = []

    def wrong(self, donor, model, rows):
        n_calls.append(1)
        if way == "raises" or (way == "raises later" and len(n_calls) > 1):
            raise RuntimeError("by hand")
        served = serve(self, donor, model, rows)
        if served is not None and way == "wrong":
            served.model.classes_ = served.model.classes_[::-1]
        return served

    monkeypatch.setattr(type(family), "serve", wrong)
    ours = table(RefiningGridSearchCV, model, grid)
    assert_equal_scores(ours, theirs)
    assert n_calls
    assert not any(_family_fits._IS_EXACT.values())


class Slow(ClassifierMixin, BaseEstimator):
    """A base model that takes its time."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        time.sleep(self.seconds)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.mark.filterwarnings("ignore")
def test_a_donor_that_is_too_slow_costs_only_its_own_candidate():
    model = BaggingClassifier(Slow(0.02), **SEED)
    search = RefiningGridSearchCV(
        model, {"n_estimators": [1, 3, 1000]}, n_rounds=1, cv=2, fit_timeout=0.5
    )
    search.set_params(refit=False).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, False, True]


@pytest.fixture
def large_forests_fail(monkeypatch):
    fit = RandomForestClassifier.fit

    def fails(self, *args, **params):
        if self.n_estimators > 4:
            raise RuntimeError("too many trees")
        return fit(self, *args, **params)

    monkeypatch.setattr(RandomForestClassifier, "fit", fails)


def test_a_donor_that_fails_costs_only_its_own_candidate(large_forests_fail):
    ours, theirs = (
        table(kind, FOREST, TREES) for kind in (RefiningGridSearchCV, GridSearchCV)
    )
    assert np.isnan(theirs["mean_test_score"]).tolist() == [False, False, True]
    assert_equal_scores(ours, theirs)


def test_the_error_of_a_donor_is_raised(large_forests_fail):
    for kind in (RefiningGridSearchCV, GridSearchCV):
        with pytest.raises(RuntimeError, match="too many trees"):
            table(kind, FOREST, TREES, error_score="raise")


def test_each_member_has_its_row_in_a_journal(tmp_path, monkeypatch):
    options = {"journal": tmp_path / "fits.jsonl"}
    first = table(RefiningGridSearchCV, FOREST, TREES, **options)

    def no_fit(*_):
        raise AssertionError("everything is known")

    monkeypatch.setattr(RandomForestClassifier, "fit", no_fit)
    again = table(RefiningGridSearchCV, FOREST, TREES, error_score="raise", **options)
    assert_equal_scores(again, first)


@pytest.mark.parametrize(
    "options",
    [
        {"time_budget": 60.0},
        {"racing": True, "cv": 4},
        {"n_rounds": 2, "fit_timeout": 30.0},
    ],
)
@pytest.mark.parametrize(("model", "grid"), MODELS)
def test_scores_are_those_without_sharing(model, grid, options):
    grid = {name: [*values, 9, 20] for name, values in grid.items()}
    ours, plain = (
        table(RefiningGridSearchCV, model, grid, share_work=share, **options)
        for share in (True, False)
    )
    assert_equal_scores(ours, plain)


def test_workers_change_no_score():
    grid = {**TREES, "max_depth": [None, 2, 30]}
    with parallel_config(backend="loky", n_jobs=2):
        ours = table(RefiningGridSearchCV, FOREST, grid)
    assert_equal_scores(ours, table(GridSearchCV, FOREST, grid))


def test_the_time_of_a_donor_is_divided_by_the_sizes():
    model = BaggingClassifier(Slow(0.01), **SEED)
    grid = {"n_estimators": [3, 30]}
    table(RefiningGridSearchCV, model, grid)  # proves the class
    start = time.perf_counter()
    ours = table(RefiningGridSearchCV, model, grid)
    seconds = time.perf_counter() - start
    small, large = ours["mean_fit_time"]
    assert small == pytest.approx(large / 10, rel=0.2)
    assert 0.6 <= 2 * (small + large) <= seconds


@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (LogisticRegression(), {"max_iter": [2, 3, 4000, 5000]}),
        (LogisticRegression(C=1e-3, penalty="l2"), LIMITS),
        (SGDClassifier(max_iter=2, **SEED), {"max_iter": [2, 3, 4000, 5000]}),
        (AdaBoostClassifier(**SEED), TREES),
        (SVC(probability=True, **SEED), {"kernel": ["linear"], "gamma": [1, 2]}),
        (KNeighborsClassifier(), {"n_neighbors": [1, 3, 500]}),
    ],
)
def test_there_is_no_further_warning(model, grid):
    def said(kind):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table(kind, model, grid)
        return [str(w.message).partition("\n")[0] for w in caught]

    ours, theirs = said(RefiningGridSearchCV), said(GridSearchCV)
    assert set(ours) <= set(theirs)
    for text in set(ours):
        assert ours.count(text) <= theirs.count(text)
    # A fit that ends at its limit says so.
    ends = [sorted(t for t in texts if "onverge" in t) for texts in (ours, theirs)]
    assert ends[0] == ends[1]


def test_sharing_can_be_switched_off(monkeypatch):
    calls = []
    fit = Ridge.fit
    monkeypatch.setattr(Ridge, "fit", lambda self, *a: calls.append(1) or fit(self, *a))
    table(RefiningGridSearchCV, Ridge(), {"alpha": [1.0, 2.0]}, **NUMBERS)
    assert len(calls) == 4  # no family
    forests = []
    fit_forest = RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier,
        "fit",
        lambda self, *a: forests.append(1) or fit_forest(self, *a),
    )
    table(RefiningGridSearchCV, FOREST, TREES, share_work=False)
    assert len(forests) == 6
