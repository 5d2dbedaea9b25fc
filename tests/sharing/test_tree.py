"""Steps of Pipelines: how often each is fitted, and equal scores in every case."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections import Counter
from functools import wraps
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.feature_selection import RFE, SelectKBest, SelectPercentile
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_refine import RefiningGridSearchCV

X, Y = (a[::5] for a in load_breast_cancer(return_X_y=True))
X = X[::2, :8] / X[:, :8].max(axis=0)
Y = Y[::2]
SUGAR, DISEASE = (a[:60] for a in load_diabetes(return_X_y=True))
WEIGHT = np.random.RandomState(0).uniform(0.2, 2.0, len(Y))
FRAME = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
SENTENCES = [
    f"{a} {b} the {c}"
    for a in ("a cat", "two dogs", "some birds")
    for b in ("see", "hear", "like")
    for c in ("moon", "sun", "sea", "cat")
]
ABOUT = [int("cat" in text or "sun" in text) for text in SENTENCES]
C = [0.1, 1.0]

pytestmark = pytest.mark.filterwarnings("ignore")


def table(kind, model, grid, *, data=(X, Y), fit=(), **options):
    if kind is RefiningGridSearchCV:
        options.setdefault("n_rounds", 1)
    search = kind(model, grid, **{"cv": 2, "refit": False, **options})
    return search.fit(*data, **dict(fit)).cv_results_


def assert_equal_tables(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert list(map(repr, ours["params"])) == list(map(repr, theirs["params"]))
    for name in theirs:
        if "score" in name and "time" not in name:
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def assert_same(model, grid, **options):
    assert_equal_tables(
        table(RefiningGridSearchCV, model, grid, **options),
        table(GridSearchCV, model, grid, **options),
    )


def count_fits(monkeypatch, classes, model, grid, **options):
    """Return the number of fits of each class, after a comparison of all scores."""
    theirs = table(GridSearchCV, model, grid, **options)
    counts = Counter()

    def counting(cls, name, method):
        @wraps(method)  # scikit-learn reads its parameters
        def counted(self, *args, **params):
            counts[cls.__name__] += 1
            return method(self, *args, **params)

        return counted

    with monkeypatch.context() as patch:
        for cls in classes:
            own = "fit_transform" if "fit_transform" in vars(cls) else "fit"
            patch.setattr(cls, own, counting(cls, own, getattr(cls, own)))
        ours = table(RefiningGridSearchCV, model, grid, **options)
    assert_equal_tables(ours, theirs)
    return [counts[cls.__name__] for cls in classes]


@pytest.mark.slow
def test_each_distinct_beginning_is_fitted_once_for_a_split(monkeypatch):
    digits, digit = (a[:80] for a in load_digits(n_class=3, return_X_y=True))
    # Exact components are fitted once for all their numbers, these are not.
    components = PCA(svd_solver="randomized", random_state=0)
    model = make_pipeline(
        StandardScaler(), components, SelectKBest(), SVC(kernel="linear")
    )
    grid = {
        "pca__n_components": [5, 10, 15],
        "selectkbest__k": [2, 3, 4],
        "svc__C": [1e-3, 1e-2, 0.1, 1.0, 10.0],
    }
    kinds = [StandardScaler, PCA, SVC, SelectKBest]
    found = count_fits(monkeypatch, kinds, model, grid, data=(digits, digit), cv=5)
    assert found[:3] == [5, 15, 225]
    assert found[3] == 15  # one serves every k


def test_steps_of_texts(monkeypatch):
    model = make_pipeline(CountVectorizer(), TfidfTransformer(), MultinomialNB())
    grid = {
        "countvectorizer__ngram_range": [(1, 1), (1, 2)],
        "tfidftransformer__use_idf": [True, False],
        "tfidftransformer__norm": ["l1", "l2"],
        "multinomialnb__alpha": [0.1, 1.0, 2.0],
    }
    kinds = [CountVectorizer, TfidfTransformer, MultinomialNB]
    data = (SENTENCES, ABOUT)
    found = count_fits(monkeypatch, kinds, model, grid, data=data, cv=3)
    assert found[:2] == [6, 24]
    assert 24 <= found[2] <= 25  # one serves every alpha; one more at its first use


def test_values_that_one_selection_must_not_serve(monkeypatch):
    steps = [("s", StandardScaler()), ("k", SelectKBest()), ("c", LogisticRegression())]
    assert_same(Pipeline(steps), {"k__k": [3, -1, 5, 99, "all", "bad", 2.5, True, 0]})
    steps[1] = ("k", SelectPercentile())
    grid = {"k__percentile": [20, -1, 50, 130, True, 0.5, "all"]}
    assert_same(Pipeline(steps), grid)


@pytest.mark.parametrize("step", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_one_elimination_serves_larger_numbers(step, monkeypatch):
    model = make_pipeline(
        StandardScaler(),
        RFE(LogisticRegression(), step=step),
        KNeighborsClassifier(),
    )
    grid = {
        "rfe__n_features_to_select": [3, 4, 7, 12, 99],
        "kneighborsclassifier__n_neighbors": [1],
    }
    wine = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of 99 features
        found = count_fits(monkeypatch, [RFE], model, grid, data=wine, cv=2)
    # 13 features; in steps of two, eliminations to 4 and 12 pass other numbers.
    assert found == [2 * 2] if step == 1 else 2 * 2 < found[0] < 2 * 5
    descending = {"rfe__n_features_to_select": [5, 0.5, None, 3, 8]}
    assert_same(model, descending, data=wine)


def test_a_selection_warns_of_too_many_features():
    steps = [("s", StandardScaler()), ("k", SelectKBest()), ("c", LogisticRegression())]
    texts = []
    for kind in (RefiningGridSearchCV, GridSearchCV):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            table(kind, Pipeline(steps), {"k__k": [3, 99, 100]})
        texts.append(sorted(str(w.message) for w in caught))
    assert texts[0] == texts[1]


def count_columns(rows):
    return np.asarray(rows)[:, : 1 + hasattr(rows, "columns")]


def test_a_served_selection_keeps_its_own_output():
    steps = [
        ("scale", StandardScaler()),
        ("select", SelectKBest()),
        ("count", FunctionTransformer(count_columns)),
        ("last", LogisticRegression()),
    ]
    frames = SelectKBest(k=5).set_output(transform="pandas")
    for values in ([frames, SelectKBest(k=3)], [SelectKBest(k=3), frames]):
        assert_same(Pipeline(steps), {"select": values, "last__C": C})


class Centers(TransformerMixin, BaseEstimator):
    """Subtracts means in place, and counts the calls of its methods."""

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        self.n_calls_ = 0
        return self

    def transform(self, X):
        X -= self.by * self.mean_
        self.n_calls_ += 1
        return X + self.n_calls_


class Draws(TransformerMixin, BaseEstimator):
    """Adds global random numbers while it is fitted."""

    n_fits = 0

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        Draws.n_fits += 1
        self.shift_ = self.by * np.random.uniform()
        return self

    def transform(self, X):
        return X + self.shift_


class FailsFor(TransformerMixin, BaseEstimator):
    """Fails for one value."""

    def __init__(self, value=0):
        self.value = value

    def fit(self, X, y=None):
        if self.value == 1:
            raise RuntimeError("as told")
        self.fitted_ = True
        return self

    def transform(self, X):
        if self.value == 2:
            raise RuntimeError("told later")
        return X * 1.0


IDENTITY = FunctionTransformer()
SCALE = StandardScaler()
SVM = SVC()
STEPS = {
    "in place": (
        make_pipeline(StandardScaler(copy=False), MinMaxScaler(copy=False), SVM),
        {"minmaxscaler__feature_range": [(0, 1), (0, 9)], "svc__C": C},
    ),
    "in place, with values": (
        make_pipeline(StandardScaler(copy=False), MinMaxScaler(copy=False), SVM),
        {
            "standardscaler__with_mean": [True, False],
            "minmaxscaler__clip": [True, False],
            "svc__C": C,
        },
    ),
    "state": (
        make_pipeline(Centers(), Centers(), SVM),
        {"centers-1__by": [0.1, 1.0], "centers-2__by": [0.5, 2.0], "svc__C": C},
    ),
    "identity": (
        make_pipeline(IDENTITY, Centers(), SVM),
        {"centers__by": [0.1, 1.0], "functiontransformer__validate": [True, False]},
    ),
    "passthrough": (
        Pipeline([("a", SCALE), ("b", "passthrough"), ("c", PCA(3)), ("d", SVM)]),
        {
            "a": ["passthrough", SCALE, None],
            "b": ["passthrough", MinMaxScaler(), None],
            "c__n_components": [2, 3],
        },
    ),
    "all passed over": (
        Pipeline([("a", SCALE), ("b", "passthrough"), ("d", SVM)]),
        {"a": ["passthrough"], "b": ["passthrough", None], "d__C": C},
    ),
    "two ways to pass over": (
        Pipeline([("a", SCALE), ("b", None), ("c", KernelPCA(2)), ("d", SVM)]),
        {"b": ["passthrough", None], "c__kernel": ["rbf", "linear"], "d__C": C},
    ),
    "replaced": (
        Pipeline([("a", SCALE), ("b", PCA(3)), ("c", SVM)]),
        {
            "b": [PCA(2), SelectKBest(k=2), PCA(3), SelectKBest(k=3), PCA(2)],
            "c": [SVM, KNeighborsClassifier(), DecisionTreeClassifier(random_state=0)],
        },
    ),
    "nested": (
        make_pipeline(
            make_pipeline(SCALE, PCA(4)), make_pipeline(SelectKBest(k=2), SVM)
        ),
        {
            "pipeline-1__pca__n_components": [3, 4],
            "pipeline-2__selectkbest__k": [1, 2],
            "pipeline-2__svc__C": C,
        },
    ),
    "columns": (
        make_pipeline(
            make_column_transformer((SCALE, [0, 1]), (MinMaxScaler(), [2, 3])),
            PCA(2),
            SVM,
        ),
        {
            "columntransformer__standardscaler__with_mean": [True, False],
            "columntransformer__minmaxscaler": [MinMaxScaler(), "drop"],
            "pca__n_components": [1, 2],
        },
    ),
    "one step fails": (
        make_pipeline(SCALE, FailsFor(), PCA(2), SVM),
        {"failsfor__value": [0, 1, 2, 3], "pca__n_components": [1, 2], "svc__C": C},
    ),
    "one number of components fails": (
        make_pipeline(SCALE, PCA(), SelectKBest(k=2), SVM),
        {"pca__n_components": [2, 99, -1, 3], "selectkbest__k": [1, 2], "svc__C": C},
    ),
    "random values": (
        make_pipeline(
            QuantileTransformer(n_quantiles=9, subsample=30, random_state=0),
            KBinsDiscretizer(strategy="kmeans", random_state=0),
            SVM,
        ),
        {"kbinsdiscretizer__n_bins": [2, 3], "svc__C": C},
    ),
    "trees": (
        make_pipeline(SCALE, SelectKBest(), RandomForestClassifier(random_state=0)),
        {
            "selectkbest__k": [2, 5],
            "randomforestclassifier__n_estimators": [2, 4],
            "randomforestclassifier__max_depth": [None, 2, 30],
        },
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for name in STEPS for option in ("plain", "train scores")]
    + [
        (name, option)
        for name in ("state", "passthrough", "trees")
        for option in ("several", "foreign")
    ],
)
def test_scores_of_steps(name, option):
    model, grid = STEPS[name]
    options = {
        "plain": {},
        "train scores": {"return_train_score": True},
        "several": {"scoring": ["accuracy", "f1"]},
        "foreign": {"scoring": lambda model, X, y: np.mean(model.predict(X) == y)},
    }[option]
    assert_same(model, grid, **options)


def test_errors_have_the_text_of_scikit_learn():
    model, grid = STEPS["one step fails"]
    for value in (1, 2):
        texts = []
        for kind in (RefiningGridSearchCV, GridSearchCV):
            with pytest.raises(RuntimeError, match="told") as caught:
                table(
                    kind,
                    model,
                    grid | {"failsfor__value": [0, value]},
                    error_score="raise",
                )
            texts.append(str(caught.value))
        assert texts[0] == texts[1]


DATA = {
    "sparse": (sparse.csr_matrix(X), Y),
    "sparse array": (sparse.csr_array(X), Y),
    "frame": (FRAME, pd.Series(Y)),
    "list": (X.tolist(), Y.tolist()),
    "float32": (X.astype(np.float32), Y),
    "fortran": (np.asfortranarray(X), Y.astype(str)),
}


@pytest.mark.parametrize("data", DATA)
def test_scores_of_data(data):
    model = make_pipeline(
        StandardScaler(with_mean=False),
        TruncatedSVD(4, random_state=0),
        SelectKBest(),
        SVM,
    )
    grid = {
        "standardscaler__copy": [True, False],
        "truncatedsvd__n_components": [3, 4],
        "selectkbest__k": [1, 2, 3],
        "svc__C": C,
    }
    assert_same(model, grid, data=DATA[data])


def test_scores_of_frames_and_columns_by_name():
    columns = make_column_transformer(
        (SCALE, ["x0", "x3"]), (MinMaxScaler(), make_column_selector("x[12]"))
    )
    model = make_pipeline(columns, SelectKBest(), SVM).set_output(transform="pandas")
    grid = {
        "columntransformer__standardscaler__with_std": [True, False],
        "selectkbest__k": [1, 2],
        "svc__C": C,
    }
    assert_same(model, grid, data=(FRAME, Y))
    assert_same(model, grid, data=(FRAME, Y), return_train_score=True)


def test_scores_around_a_target():
    # Without matrix products: old BLAS libraries do not give the same bits twice.
    last = DecisionTreeRegressor(max_depth=4, random_state=0)
    inner = make_pipeline(SCALE, PolynomialFeatures(), SelectKBest(k=2), last)
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    grid = {
        "regressor__polynomialfeatures__degree": [1, 2],
        "regressor__selectkbest__k": [1, 2],
        "regressor__decisiontreeregressor__min_samples_split": [2, 20],
        "transformer__with_std": [True, False],
    }
    assert_same(model, grid, data=(SUGAR, DISEASE))


@pytest.mark.parametrize("scorer_too", [False, True])
def test_scores_of_routed_weights(scorer_too):
    from sklearn.metrics import accuracy_score, make_scorer

    with config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True),
            PCA(3),
            SelectKBest(),
            RandomForestClassifier(random_state=0).set_fit_request(sample_weight=True),
        )
        grid = {
            "standardscaler__with_std": [True, False],
            "selectkbest__k": [1, 2],
            "randomforestclassifier__n_estimators": [2, 4],
        }
        scorer = make_scorer(accuracy_score)
        scorer.set_score_request(sample_weight=scorer_too)
        assert_same(model, grid, scoring=scorer, fit={"sample_weight": WEIGHT})


def test_weights_of_the_last_step_reach_the_scorer(monkeypatch):
    model = make_pipeline(SCALE, RandomForestClassifier(random_state=0))
    grid = {"randomforestclassifier__n_estimators": [2, 4, 6]}
    fit = {"randomforestclassifier__sample_weight": WEIGHT}
    found = count_fits(monkeypatch, [RandomForestClassifier], model, grid, fit=fit)
    assert found[0] <= 3


def test_steps_that_draw_are_not_shared_between_prefixes():
    model = make_pipeline(Draws(), SelectKBest(), SVM)
    Draws.n_fits = 0
    ours = table(RefiningGridSearchCV, model, {"selectkbest__k": [1, 2], "svc__C": C})
    assert Draws.n_fits == 4
    assert len(ours["params"]) == 4


def test_the_time_of_a_step_that_is_not_shared_between_prefixes_is_divided(monkeypatch):
    import time

    fit = Draws.fit
    monkeypatch.setattr(
        Draws, "fit", lambda self, *args: time.sleep(0.1) or fit(self, *args)
    )
    model = make_pipeline(Draws(), SelectKBest(), SVM)
    grid = {"selectkbest__k": [1, 2], "svc__C": [0.1, 1.0, 2.0, 3.0, 4.0]}
    ours = table(RefiningGridSearchCV, model, grid)
    assert 0.4 <= 2 * ours["mean_fit_time"].sum() < 0.7


class Traced(TransformerMixin, BaseEstimator):
    """Notes how many fitted ones are alive while it is fitted."""

    fitted: ClassVar = weakref.WeakSet()
    most = 0

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        gc.collect()
        Traced.most = max(Traced.most, len(Traced.fitted))
        self.fitted_ = True
        Traced.fitted.add(self)
        return self

    def transform(self, X):
        return self.by * X

    __hash__ = object.__hash__


def test_steps_are_freed_when_the_tree_moved_on():
    Traced.fitted.clear()
    Traced.most = 0
    model = make_pipeline(SCALE, Traced(), SVM)
    grid = {"traced__by": [1.0, 2.0, 3.0, 4.0, 5.0], "svc__C": C}
    table(RefiningGridSearchCV, model, grid)
    assert Traced.most <= 1
    gc.collect()
    assert not Traced.fitted


# Random Pipelines and grids.

TRANSFORMERS = {
    "passthrough": ("passthrough", {}),
    "scale": (StandardScaler(with_mean=False), {"with_std": [True, False]}),
    "scale in place": (
        StandardScaler(with_mean=False, copy=False),
        {"copy": [True, False]},
    ),
    "select": (SelectKBest(k=2), {"k": [1, 2, 3, "all", 99, -1]}),
    "percentile": (SelectPercentile(), {"percentile": [20, 50, 100, 130]}),
    "svd": (TruncatedSVD(3, random_state=0), {"n_components": [2, 3, 99]}),
    "identity": (FunctionTransformer(accept_sparse=True), {"validate": [True, False]}),
    "fails": (FailsFor(), {"value": [0, 1, 2]}),
}
LAST = {
    "svm": (
        SVC(),
        {"kernel": ["linear", "rbf"], "gamma": [0.1, 1.0], "max_iter": [-1, 5, 900]},
    ),
    "logistic": (LogisticRegression(), {"C": C, "max_iter": [3, 500, 900]}),
    "neighbours": (
        KNeighborsClassifier(),
        {"n_neighbors": [1, 2, 5, 80], "weights": ["uniform", "distance"]},
    ),
    "tree": (
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [None, 1, 20, 30], "ccp_alpha": [0.0, 0.02]},
    ),
    "forest": (
        RandomForestClassifier(random_state=0),
        {"n_estimators": [1, 3, 4], "max_depth": [None, 2, 20], "bootstrap": [True]},
    ),
    "boosting": (
        GradientBoostingClassifier(n_estimators=2, subsample=0.8, random_state=0),
        {"n_estimators": [1, 2, 5], "n_iter_no_change": [None, 1]},
    ),
    "ada": (AdaBoostClassifier(random_state=0), {"n_estimators": [1, 2, 5]}),
}
KINDS = {**DATA, "array": (X, Y)}


@st.composite
def searches(draw):
    names = draw(st.lists(st.sampled_from(sorted(TRANSFORMERS)), max_size=3))
    chosen = [TRANSFORMERS[name] for name in names]
    chosen.append(LAST[draw(st.sampled_from(sorted(LAST)))])
    steps, grid = [], {}
    for n, (step, values) in enumerate(chosen):
        is_last = n == len(chosen) - 1
        steps.append((f"s{n}", step))
        replaced = not is_last and draw(st.integers(0, 4)) == 0
        if replaced:
            others = st.sampled_from(sorted(TRANSFORMERS))
            names = draw(st.lists(others, min_size=1, max_size=2))
            grid[f"s{n}"] = [TRANSFORMERS[name][0] for name in names]
            continue
        for axis, listed in values.items():
            if draw(st.booleans()) or (is_last and not grid):
                size = 4 if is_last else 2
                drawn = st.lists(st.sampled_from(listed), min_size=1, max_size=size)
                grid[f"s{n}__{axis}"] = draw(drawn)
    options = draw(
        st.sampled_from(
            [
                {},
                {},
                {"return_train_score": True},
                {"scoring": ["accuracy", "f1_macro"]},
                {"fit": {f"s{len(chosen) - 1}__sample_weight": WEIGHT}},
            ]
        )
    )
    return Pipeline(steps), grid, draw(st.sampled_from(sorted(KINDS))), options


def outcome_of(kind, model, grid, **options):
    try:
        return table(kind, model, grid, **options)
    except ValueError as error:  # all fits failed, or strange labels
        return str(error)[:60]


def check_search(search):
    model, grid, data, options = search
    if len(model) == 1:
        grid = {name.removeprefix("s0__"): values for name, values in grid.items()}
        model = model[0]
        options = {k: v for k, v in options.items() if k != "fit"}
    ours, theirs = (
        outcome_of(kind, model, grid, data=KINDS[data], **options)
        for kind in (RefiningGridSearchCV, GridSearchCV)
    )
    if isinstance(theirs, str):
        assert ours == theirs
    else:
        assert_equal_tables(ours, theirs)


@pytest.mark.slow
@seed(0)
@given(searches())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_searches(search):
    check_search(search)


def in_columns(step):
    return make_column_transformer((step, [0, 1, 2]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrap", [lambda step: step, make_pipeline, in_columns])
def test_a_step_that_draws_when_it_transforms_scores_as_in_grid_search(wrap):
    """Each metric that needs another kind of prediction transforms the rows again."""
    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[:120, :4].copy(), y[:120]
    X[np.random.RandomState(0).uniform(size=X.shape) < 0.2] = np.nan
    imputer = IterativeImputer(sample_posterior=True, random_state=0, max_iter=2)
    model = make_pipeline(wrap(imputer), LogisticRegression())
    grid = {"logisticregression__C": [0.1, 1.0, 10.0]}
    options = {"cv": 3, "scoring": ["accuracy", "neg_log_loss"], "refit": False}
    theirs = GridSearchCV(model, grid, **options).fit(X, y).cv_results_
    ours = RefiningGridSearchCV(model, grid, n_rounds=1, **options).fit(X, y)
    for name in ("mean_test_accuracy", "mean_test_neg_log_loss"):
        np.testing.assert_array_equal(ours.cv_results_[name], theirs[name])
