"""Sharing work changes only the time, and is used only where it should be."""

from __future__ import annotations

import re
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, GradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    KernelCenterer,
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.evaluation import _worker

X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X[:150], Y[:150]
XR, YR = load_diabetes(return_X_y=True)
XR, YR = XR[:150], YR[:150]
WEIGHT = np.random.RandomState(0).uniform(0.1, 2, 150)
GROUPS = np.arange(150) % 7
WORDS = np.array(["red", "green", "blue", "old", "new", "dog", "cat"])
TEXT = [" ".join(WORDS[np.random.RandomState(i).randint(0, 7, 6)]) for i in range(150)]
FRAME = pd.DataFrame({"n": X[:, 20], "m": X[:, 30], "c": WORDS[GROUPS]})

SMALL = {"max_iter": 8, "random_state": 0, "hidden_layer_sizes": (7,)}
MLP = MLPClassifier(**SMALL)
MLPR = MLPRegressor(**SMALL)
ALPHA = [1e-3, 0.1, 10.0]


class OtherPipeline(Pipeline):
    """A subclass may do anything."""


class FailsOn(TransformerMixin, BaseEstimator):
    """Cannot be fitted if `fails` is set."""

    def __init__(self, fails=False):
        self.fails = fails

    def fit(self, X, y=None):
        if self.fails:
            raise RuntimeError("as told")
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


class Locked(FailsOn):
    """Cannot be copied once it is fitted."""

    def fit(self, X, y=None):
        self.lock_ = threading.Lock()
        return super().fit(X)


class Stateless(FailsOn):
    """Has no attribute that shows that it is fitted."""

    def fit(self, X, y=None):
        return self


class NeverFitted(ClassifierMixin, BaseEstimator):
    """Has no attribute that shows that it is fitted, which a Pipeline checks."""

    def __init__(self, label=0):
        self.label = label

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), self.label)


def from_outside(estimator, X, y):
    """A scorer that looks at the estimator and at the data it is given."""
    assert isinstance(estimator, Pipeline)
    assert X.shape[1] == 64
    return float(np.mean(estimator.predict(X) == y)) - 1e-6 * estimator[-1].alpha


def two_numbers(estimator, X, y):
    return {"a": float(np.mean(estimator.predict(X) == y)), "b": 1.0}


def scaled(last, **params):
    return Pipeline([("scale", StandardScaler()), ("last", last)], **params)


def no_number(y_true, y_pred):
    raise ValueError("not today")


def search_of(estimator, grid, **params):
    return {"estimator": estimator, "grid": grid, **params}


SVM = {"last__C": [0.1, 1, 10]}
NET = {"last__alpha": ALPHA}
# Searches, and how many of their fits must be run by scikit-learn one by one.
CASES = {
    "prefix": (search_of(scaled(SVC()), SVM), 0),
    "network": (search_of(MLP, {"alpha": ALPHA}), 0),
    "networks in a pipeline": (search_of(scaled(MLP), NET), 0),
    "architectures": (
        search_of(scaled(MLP), {**NET, "last__hidden_layer_sizes": [(5,), (4, 3)]}),
        0,
    ),
    "frozen transformers": (
        search_of(
            scaled(SVC()),
            {
                "scale": [
                    FrozenEstimator(StandardScaler().fit(X * by)) for by in (1, 99)
                ],
                **SVM,
            },
        ),
        0,
    ),
    "several prefixes": (
        search_of(
            make_pipeline(SelectKBest(), MLP),
            {"selectkbest__k": [5, 20], "mlpclassifier__alpha": ALPHA},
        ),
        0,
    ),
    "a target transformed outside": (
        search_of(
            TransformedTargetRegressor(scaled(MLPR), transformer=StandardScaler()),
            {"regressor__last__alpha": ALPHA},
            data=(XR, YR),
            return_train_score=True,
        ),
        0,
    ),
    "a target transformed inside": (
        search_of(
            scaled(
                TransformedTargetRegressor(
                    MLPR, transformer=QuantileTransformer(n_quantiles=9)
                )
            ),
            {"last__regressor__alpha": ALPHA},
            data=(XR, YR),
        ),
        0,
    ),
    "a target transformed by functions": (
        search_of(
            TransformedTargetRegressor(MLPR, func=np.log, inverse_func=np.exp),
            {"regressor__alpha": ALPHA},
            data=(XR, YR),
            scoring="neg_mean_absolute_error",
        ),
        0,
    ),
    "with and without a target transformed": (
        search_of(
            scaled(TransformedTargetRegressor(Ridge(), transformer=StandardScaler())),
            [{"last__regressor__alpha": [1, 9]}, {"last": [Ridge(), Ridge(9)]}],
            data=(XR, YR),
        ),
        0,
    ),
    "without and with a last pipeline": (
        search_of(
            scaled(make_pipeline(PCA(2), SVC())),
            [{"last": [SVC(), SVC(C=9)]}, {"last__svc__C": [1, 9]}],
        ),
        0,
    ),
    "a transformer that cannot be copied": (
        search_of(make_pipeline(Locked(), MLP), {"mlpclassifier__alpha": ALPHA}),
        0,
    ),
    "a transformer that cannot be copied for a scorer": (
        search_of(
            make_pipeline(Locked(), MLP),
            {"mlpclassifier__alpha": ALPHA},
            scoring=from_outside,
        ),
        9,
    ),
    "a transformer that cannot be copied, and no score": (
        search_of(
            make_pipeline(Locked(), SVC()),
            {"svc__C": [1, 9]},
            scoring=make_scorer(no_number),
        ),
        6,
    ),
    "a transformer without state": (
        search_of(make_pipeline(Stateless(), SVC()), {"svc__C": [1, 9]}),
        0,
    ),
    "a last step without state": (
        search_of(scaled(NeverFitted()), {"last__label": [0, 1]}),
        0,
    ),
    "the target's transformer searched": (
        search_of(
            TransformedTargetRegressor(scaled(Ridge())),
            {
                "transformer": [None, StandardScaler()],
                "regressor__last__alpha": [0.1, 1],
            },
            data=(XR, YR),
        ),
        0,
    ),
    "two outputs": (
        search_of(scaled(MLPR), NET, data=(XR, np.c_[YR, -YR]), scoring="r2"),
        0,
    ),
    "pipelines in a pipeline": (
        search_of(
            scaled(make_pipeline(PCA(5), MLP)), {"last__mlpclassifier__alpha": ALPHA}
        ),
        0,
    ),
    "train scores after a transformer that fits and transforms otherwise": (
        search_of(
            make_pipeline(PCA(5), SVC()), {"svc__C": [0.1, 1]}, return_train_score=True
        ),
        0,
    ),
    "metrics": (
        search_of(
            scaled(MLP),
            NET,
            scoring=["accuracy", "neg_log_loss", "roc_auc_ovr"],
            refit="accuracy",
            return_train_score=True,
        ),
        0,
    ),
    "a scorer from outside": (
        search_of(scaled(MLP), NET, scoring=from_outside, return_train_score=True),
        0,
    ),
    "a scorer of two numbers": (
        search_of(scaled(MLP), NET, scoring=two_numbers, refit="a"),
        0,
    ),
    "lbfgs": (search_of(scaled(MLP), {**NET, "last__solver": ["lbfgs", "adam"]}), 0),
    "last steps of several kinds": (
        search_of(scaled(SVC()), {"last": [SVC(), MLP, LogisticRegression()]}),
        0,
    ),
    "text": (
        search_of(
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
            {"logisticregression__C": [0.1, 1, 10]},
            data=(TEXT, Y),
        ),
        0,
    ),
    "text and a network, which is left sparse": (
        search_of(
            make_pipeline(TfidfVectorizer(), MLP),
            {"mlpclassifier__alpha": ALPHA},
            data=(TEXT, Y),
        ),
        0,
    ),
    "columns": (
        search_of(
            make_pipeline(
                make_column_transformer(
                    (StandardScaler(), ["n", "m"]), (OneHotEncoder(), ["c"])
                ),
                MLP,
            ),
            {"mlpclassifier__alpha": ALPHA},
            data=(FRAME, Y),
        ),
        0,
    ),
    "frames all the way": (
        search_of(
            scaled(MLP).set_output(transform="pandas"), NET, data=(pd.DataFrame(X), Y)
        ),
        0,
    ),
    "a kernel": (
        search_of(
            make_pipeline(KernelCenterer(), SVC(kernel="precomputed")),
            {"svc__C": [0.1, 1, 10]},
            data=(rbf_kernel(X, gamma=1e-3), Y),
            return_train_score=True,
        ),
        0,
    ),
    "no target": (
        search_of(
            scaled(KMeans(n_init=1, random_state=0)),
            {"last__n_clusters": [2, 3]},
            data=(X, None),
        ),
        0,
    ),
    "groups": (
        search_of(scaled(MLP), NET, cv=GroupKFold(3), fit={"groups": GROUPS}),
        0,
    ),
    "weights": (
        search_of(MLP, {"alpha": ALPHA}, fit={"sample_weight": WEIGHT}),
        0,
    ),
    "weights of a step": (
        search_of(
            scaled(MLP),
            NET,
            fit={"last__sample_weight": WEIGHT, "scale__sample_weight": WEIGHT},
        ),
        0,
    ),
    "nothing before the last step": (
        search_of(Pipeline([("last", SVC())]), SVM),
        9,
    ),
    "nothing to share": (search_of(SVC(), {"C": [0.1, 1]}), 6),
    "lbfgs alone": (search_of(MLP, {"solver": ["lbfgs"]}), 3),
    "warm start": (search_of(MLP, {"warm_start": [True, False]}), 3),
    "a subclass": (search_of(OtherPipeline([("s", PCA(3)), ("last", SVC())]), SVM), 9),
    "a verbose pipeline": (search_of(scaled(SVC(), verbose=True), SVM), 9),
    "reports on each fit": (search_of(scaled(SVC()), SVM, verbose=2), 9),
    "no last step": (
        search_of(
            scaled("passthrough"), {"scale__with_mean": [True]}, scoring=lambda *_: 1
        ),
        3,
    ),
    "a wrong value": (search_of(scaled(SVC()), {"last__C": [1, -1]}), 3),
    "a wrong value of a network": (search_of(scaled(MLP), {"last__alpha": [1, -1]}), 3),
    "a prefix that fails": (
        search_of(
            make_pipeline(FailsOn(), SVC()),
            {"failson__fails": [False, True], "svc__C": [1, 2]},
        ),
        6,
    ),
    "a network that diverges": (
        search_of(
            scaled(MLPR.set_params(solver="sgd", activation="identity")),
            {"last__learning_rate_init": [1e-3, 1e200]},
            data=(XR, YR),
        ),
        0,
    ),
    "a metric that fails": (
        search_of(
            scaled(SVC()),
            SVM,
            scoring={"ok": "accuracy", "no": make_scorer(no_number)},
            refit="ok",
        ),
        0,
    ),
    "a metric that fails for all": (
        search_of(scaled(MLP), NET, scoring=make_scorer(no_number)),
        0,
    ),
}


def run(case, monkeypatch=None, kind=RefiningGridSearchCV, **more):
    """Fit a search; return its results and the number of fits run one by one."""
    case = dict(case)
    data = case.pop("data", (X, Y))
    fit_params = case.pop("fit", {})
    params = {"cv": 3, "refit": False, **case, **more}
    estimator, grid = clone(params.pop("estimator")), params.pop("grid")
    unshared = []
    if monkeypatch is not None:
        plain = _worker.run_unshared
        wrapped = lambda *args: unshared.append(args) or plain(*args)  # noqa: E731
        monkeypatch.setattr(_worker, "run_unshared", wrapped)
    if kind is RefiningGridSearchCV:
        params = {"n_rounds": 1, **params}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        search = kind(estimator, grid, **params).fit(*data, **fit_params)
    return search.cv_results_, len(unshared)


def assert_same(ours, theirs):
    assert [k for k in ours if k != "round"] == [k for k in theirs if k != "round"]
    for key, values in theirs.items():
        if key != "params" and not key.startswith("param_") and "_time" not in key:
            np.testing.assert_array_equal(ours[key], values, err_msg=key)


@pytest.mark.parametrize("name", CASES)
def test_results_and_number_of_unshared_fits(name, monkeypatch):
    case, n_unshared = CASES[name]
    ours, found = run(case, monkeypatch)
    assert found == n_unshared
    assert_same(ours, run(case, kind=GridSearchCV)[0])
    assert_same(run(case, share_work=False)[0], ours)


@pytest.mark.parametrize(
    "name", ["networks in a pipeline", "metrics", "prefix", "frozen transformers"]
)
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_workers_change_no_score(name, backend):
    from joblib import parallel_config

    case, _ = CASES[name]
    with parallel_config(backend=backend, n_jobs=2):
        parallel = run({**case, "n_rounds": 2}, n_jobs=None)[0]
    assert_same(parallel, run({**case, "n_rounds": 2})[0])


def test_a_pipeline_with_memory_is_not_shared(tmp_path):
    case = search_of(scaled(SVC(), memory=str(tmp_path)), SVM)
    with pytest.MonkeyPatch.context() as patch:
        ours, unshared = run(case, patch)
    assert unshared == 9
    assert_same(ours, run(case, kind=GridSearchCV)[0])


@pytest.mark.parametrize("where", ["scale", "last", "both"])
def test_routed_weights_are_shared(where, monkeypatch):
    with config_context(enable_metadata_routing=True):
        scale = StandardScaler().set_fit_request(sample_weight=where != "last")
        last = clone(MLP).set_fit_request(sample_weight=where != "scale")
        case = search_of(make_pipeline(scale, last), {"mlpclassifier__alpha": ALPHA})
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        case.update(fit={"sample_weight": WEIGHT}, scoring=scorer)
        ours, unshared = run(case, monkeypatch)
        assert unshared == 0
        assert_same(ours, run(case, kind=GridSearchCV)[0])


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize(
    ("last", "name"),
    [(SVC(), "last"), (BaggingClassifier(SVC(), 2), "last__estimator")],
)
def test_metadata_requests_of_the_last_step_are_kept(scale, last, name, monkeypatch):
    with config_context(enable_metadata_routing=True):
        case = search_of(
            scaled(last),
            {
                name: [
                    SVC(C=C).set_fit_request(sample_weight=asks)
                    for C, asks in ((0.1, True), (0.1, False), (0.2, False))
                ]
            },
            fit={"sample_weight": WEIGHT**9},
            scoring=make_scorer(accuracy_score).set_score_request(sample_weight=False),
        )
        case["estimator"][0].set_fit_request(sample_weight=scale)
        if name != "last":
            last.set_params(random_state=0, estimator=case["grid"][name][0])
        else:
            case["estimator"].set_params(last=case["grid"][name][0])
        ours, unshared = run(case, monkeypatch)
        theirs = run(case, kind=GridSearchCV)[0]
        # If no step requests the weights, passing them is an error.
        assert unshared == (0 if scale else 6)
        assert np.isnan(theirs["mean_test_score"]).sum() == (0 if scale else 2)
        assert_same(ours, theirs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a wrong value", "The 'C' parameter of SVC must be a float"),
        ("a prefix that fails", "as told"),
        ("a network that diverges", "Solver produced non-finite parameter weights"),
    ],
)
def test_an_error_is_raised_as_scikit_learn_raises_it(name, message):
    case, _ = CASES[name]
    errors = []
    for kind in (RefiningGridSearchCV, GridSearchCV):
        with (
            warnings.catch_warnings(record=True, action="always") as said,
            pytest.raises((ValueError, RuntimeError), match=message) as caught,
        ):
            run(case, kind=kind, error_score="raise")
        categories = {w.category for w in said if w.category is not RuntimeWarning}
        errors.append((type(caught.value), str(caught.value), categories))
    assert errors[0] == errors[1]


def test_a_target_transformer_around_a_transformer_fails_as_in_grid_search():
    case = search_of(
        TransformedTargetRegressor(scaled(PCA())),
        {"regressor__last__n_components": [1, 2]},
        data=(XR, YR),
    )
    for kind in (RefiningGridSearchCV, GridSearchCV):
        with pytest.raises(ValueError, match="All the 6 fits failed"):
            run(case, kind=kind)


def test_a_transformer_is_fitted_once_for_each_split():
    fitted = []

    class Counts(FailsOn):
        def fit(self, X, y=None):
            fitted.append(len(X))
            return super().fit(X)

    search = RefiningGridSearchCV(
        make_pipeline(Counts(), SVC()), {"svc__C": [0.1, 1, 10]}, cv=4, n_rounds=1
    )
    search.set_params(refit=False).fit(X, Y)
    assert len(fitted) == 4


def test_shared_time_is_divided():
    import time

    class Slow(FailsOn):
        def fit(self, X, y=None):
            time.sleep(0.2)
            return super().fit(X)

    search = RefiningGridSearchCV(
        make_pipeline(Slow(), SVC()), {"svc__C": [0.1, 1, 10, 100]}, cv=2, n_rounds=1
    )
    search.set_params(refit=False).fit(X, Y)
    np.testing.assert_allclose(search.cv_results_["mean_fit_time"], 0.05, atol=0.03)


def test_every_fit_gives_its_own_warning():
    def messages(kind, **params):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            kind(scaled(MLP), NET, cv=3, refit=False, **params).fit(X, Y)
        return [(str(w.message), w.category, w.filename) for w in caught]

    ours = messages(RefiningGridSearchCV, n_rounds=1)
    assert len(ours) == 9
    assert ours == messages(GridSearchCV)


def test_a_warning_turned_into_an_error_fails_only_its_candidates():
    grid = {"last__alpha": ALPHA, "last__max_iter": [5, 2000]}
    network = scaled(clone(MLP).set_params(tol=1e-2))
    results = []
    for kind, params in ((RefiningGridSearchCV, {"n_rounds": 1}), (GridSearchCV, {})):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", ConvergenceWarning)
            search = kind(network, grid, cv=3, refit=False, **params).fit(X, Y)
        results.append(search.cv_results_["mean_test_score"])
    assert np.isnan(results[0]).any()
    np.testing.assert_array_equal(*results)


def test_later_rounds_and_the_refit_are_the_same_too():
    def fit(share_work):
        search = RefiningGridSearchCV(
            scaled(MLP),
            {"last__alpha": [1e-3, 1e-1], "last__hidden_layer_sizes": [(4,), (8,)]},
            cv=StratifiedKFold(3, shuffle=True, random_state=0),
            share_work=share_work,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return search.fit(X, Y)

    ours, plain = fit(True), fit(False)
    assert_same(ours.cv_results_, plain.cv_results_)
    assert ours.best_params_ == plain.best_params_
    np.testing.assert_array_equal(ours.predict(X), plain.predict(X))


def test_estimators_and_data_of_the_user_are_unchanged():
    network, scaler = clone(MLP), StandardScaler()
    pipe = Pipeline([("scale", scaler), ("last", network)])
    data, target = X.copy(), Y.copy()
    run(search_of(pipe, NET))
    assert not hasattr(network, "coefs_")
    assert not hasattr(scaler, "mean_")
    assert [step for _, step in pipe.steps] == [scaler, network]
    np.testing.assert_array_equal(X, data)
    np.testing.assert_array_equal(Y, target)


@pytest.mark.parametrize(
    ("name", "values"),
    [("alpha", [-1.0, 1.0]), ("learning_rate", ["none", "constant"])],
)
def test_error_messages_equal_those_of_grid_search(name, values):
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=2, random_state=0))
    grid = {f"mlpclassifier__{name}": values}
    texts = []
    for kind, more in ((GridSearchCV, {}), (RefiningGridSearchCV, {"n_rounds": 1})):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            kind(model, grid, cv=2, refit=False, **more).fit(X, Y)
        # Line numbers differ between scikit-learn's code with and without callbacks.
        told = [str(w.message) for w in seen if "failed" in str(w.message)]
        texts.append([re.sub(r"line \d+", "line", text) for text in told])
    assert texts[0] == texts[1] != []


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hidden_layer_sizes", [(10,), ((5,), (5, 5))]),
        ("hidden_layer_sizes", [(10,), None]),
        ("hidden_layer_sizes", [(10,), (-400,)]),
        ("activation", ["relu", ["tanh"]]),
        ("shuffle", [True, [False]]),
        ("solver", ["adam", np.array(["adam", "sgd"])]),
        ("max_iter", [2, 0]),
    ],
)
def test_an_invalid_value_fails_only_its_candidate(name, values, n_jobs):
    model = MLPClassifier(max_iter=2, random_state=0)
    searches = [
        GridSearchCV(model, {name: values}, cv=2, n_jobs=n_jobs),
        RefiningGridSearchCV(model, {name: values}, cv=2, n_jobs=n_jobs),
    ]
    for search in searches:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search.fit(X, Y)
    first, second = (search.cv_results_["mean_test_score"] for search in searches)
    assert np.isnan(first[1])
    np.testing.assert_array_equal(second[:2], first)


def test_an_invalid_target_raises_the_error_of_grid_search():
    grid = {"alpha": [0.1, 1.0]}
    errors = []
    for kind in (GridSearchCV, RefiningGridSearchCV):
        with pytest.raises(ValueError, match=r"(?s)All the 4 fits failed.*UFunc") as e:
            kind(MLPR, grid, cv=2).fit(X, Y.astype(str))
        errors.append(re.sub(r"line \d+", "line", str(e.value)))
    assert errors[0] == errors[1]


def test_the_fits_of_a_failed_stack_run_one_by_one(monkeypatch):
    def no_memory(self, **options):
        raise MemoryError("of a stack")

    expected = run(CASES["architectures"][0], kind=GridSearchCV)[0]
    monkeypatch.setattr("sklearn_refine.mlp._training.Stack.train", no_memory)
    ours, n_unshared = run(CASES["architectures"][0], monkeypatch)
    assert n_unshared == 18
    assert_same(ours, expected)


def test_a_stack_can_be_interrupted(monkeypatch):
    def interrupted(self, **options):
        raise KeyboardInterrupt("by hand")

    monkeypatch.setattr("sklearn_refine.mlp._training.Stack.train", interrupted)
    with pytest.raises(KeyboardInterrupt, match="by hand"):
        run(CASES["network"][0])


class ChangesRows(BaseEstimator):
    """A regressor whose ``fit`` and ``predict`` change what they are given."""

    def __init__(self, shift=0.0):
        self.shift = shift

    def fit(self, X, y):
        X *= 2
        y += self.shift
        self.mean_ = X.mean() + y.mean()
        return self

    def predict(self, X):
        X += self.shift
        return X[:, 0] + self.mean_


def _changes_targets(true, predicted):
    true += 1
    return -np.abs(true - predicted).mean()


def _changes_estimator_and_rows(estimator, X, y):
    score = -np.abs(estimator.predict(X) - y).mean()
    X.iloc[:] = 0
    estimator[0].scale_ *= 2
    return score


IMPUTER = IterativeImputer(sample_posterior=True, random_state=0, max_iter=2)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("train_score", [False, True])
@pytest.mark.parametrize(
    ("estimator", "grid", "scoring"),
    [
        (
            make_pipeline(MinMaxScaler(), Ridge(copy_X=False)),
            {"ridge__alpha": ALPHA},
            None,
        ),
        (
            make_pipeline(MinMaxScaler(), PLSRegression(copy=False)),
            {"plsregression__n_components": [1, 2, 3]},
            "r2",
        ),
        (ChangesRows(), {"shift": [0.0, 1.0, 2.0]}, "r2"),
        (
            make_pipeline(MinMaxScaler(), ChangesRows()),
            {"changesrows__shift": [0.0, 1.0, 2.0]},
            "r2",
        ),
        (
            make_pipeline(StandardScaler(copy=False), MLPR),
            {"mlpregressor__alpha": ALPHA},
            lambda estimator, X, y: estimator.score(X, y),
        ),
        (
            make_pipeline(StandardScaler(copy=False), Ridge()),
            {"ridge__alpha": ALPHA},
            None,
        ),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": ALPHA},
            make_scorer(_changes_targets),
        ),
        (MLPR, {"alpha": ALPHA}, make_scorer(_changes_targets)),
        (
            make_pipeline(StandardScaler().set_output(transform="pandas"), Ridge()),
            {"ridge__alpha": ALPHA},
            _changes_estimator_and_rows,
        ),
        (
            make_pipeline(IMPUTER, Ridge()),
            {"ridge__alpha": ALPHA},
            lambda estimator, X, y: estimator.score(X, y),
        ),
    ],
)
def test_changes_in_place_do_not_reach_other_candidates(
    estimator, grid, scoring, train_score
):
    rows = XR
    if scoring is _changes_estimator_and_rows:
        rows = pd.DataFrame(XR)
    elif isinstance(estimator, Pipeline) and estimator[0] is IMPUTER:
        rows = np.where(XR < -0.08, np.nan, XR)
    found = [
        search(
            estimator,
            grid,
            scoring=scoring,
            cv=3,
            return_train_score=train_score,
            **options,
        )
        .fit(rows.copy(), YR.copy())
        .cv_results_
        for search, options in (
            (GridSearchCV, {}),
            (RefiningGridSearchCV, {"n_rounds": 1}),
        )
    ]
    for name in found[0]:
        if "score" in name and "time" not in name:
            np.testing.assert_array_equal(found[1][name], found[0][name], err_msg=name)


def test_fit_parameters_without_rows_are_not_copied():
    stages = []
    search = RefiningGridSearchCV(
        scaled(GradientBoostingClassifier(n_estimators=2)),
        {"last__max_depth": [1, 2]},
        cv=3,
        n_rounds=1,
        refit=False,
    )
    search.fit(X, Y, last__monitor=lambda i, *_: stages.append(i))
    assert stages == [0, 1] * 6
