"""The journal: resumed searches, fingerprints, invalid files and interruptions."""

import datetime as dt
import math
import os
import pickle
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, namedtuple
from decimal import Decimal
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, special, stats
from scipy.stats import (
    expon,
    loguniform,
    norm,
    rv_continuous,
    rv_discrete,
    rv_histogram,
    uniform,
)
from sklearn import clone, config_context
from sklearn.cluster import Birch
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import KFold, ShuffleSplit
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
    log_randint,
    read_journal,
)
from sklearn_refine.journal import _connection
from sklearn_refine.journal._code import UnknownIdentityError
from sklearn_refine.journal._file import open_file
from sklearn_refine.journal._fingerprint import describe, fingerprint
from sklearn_refine.journal._journal import Journal
from sklearn_refine.journal._sessions import add_start_time

X = np.random.RandomState(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0] + np.random.RandomState(1).normal(size=60)
GRID = {"alpha": [0.01, 1.0, 100.0]}


class Counted(Ridge):
    """Ridge that counts its fits."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).n_fits += 1
        return super().fit(X, y, sample_weight)


@pytest.fixture(autouse=True)
def reset_the_count():
    Counted.n_fits = 0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.db"


def grid(path, **more):
    estimator = more.pop("estimator", Counted())
    return RefiningGridSearchCV(
        estimator, more.pop("grid", GRID), refit=False, journal=path, **more
    )


def random(path, **more):
    more = {"n_iter": 12, "random_state": 0, **more}
    return SuccessiveRandomSearchCV(
        Counted(), {"alpha": loguniform(1e-3, 1e3)}, refit=False, journal=path, **more
    )


def assert_equal(ours, theirs, *, times=False):
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, values in theirs.cv_results_.items():
        if times or "time" not in name:
            np.testing.assert_array_equal(ours.cv_results_[name], values, name)
    assert ours.best_params_ == theirs.best_params_
    assert ours.n_fits_ == theirs.n_fits_


@pytest.mark.parametrize("make", [grid, random])
def test_a_second_run_fits_nothing(make, path):
    plain = make(None).fit(X, Y)
    n_fits = Counted.n_fits
    first = make(path).fit(X, Y)
    assert Counted.n_fits == 2 * n_fits
    second = make(path).fit(X, Y)
    assert Counted.n_fits == 2 * n_fits
    assert_equal(first, plain)
    assert_equal(second, first, times=True)
    assert len(read_journal(path)) == first.n_fits_


def test_parameters_that_may_change_between_runs(path):
    first = grid(path, n_rounds=2).fit(X, Y)
    n_fits = Counted.n_fits
    again = grid(
        path, n_rounds=2, n_jobs=2, verbose=0, time_budget=1000, fit_timeout=100
    )
    assert_equal(again.fit(X, Y), first, times=True)
    assert Counted.n_fits == n_fits
    more = grid(path, n_rounds=3).fit(X, Y)
    assert more.n_fits_ - first.n_fits_ == Counted.n_fits - n_fits > 0
    assert read_journal(path)["run"].nunique() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"cv": 3},
        {"scoring": "neg_mean_absolute_error"},
        {"grid": {"alpha": [0.02, 1.0, 100.0]}},
        {"bounds": {"alpha": (0.001, 1000)}},
        {"estimator": Counted(fit_intercept=False)},
        {"return_train_score": True},
        {"X": X + 1e-9},
        {"y": Y + 1e-9},
        {"X": X[::-1]},
        {"sample_weight": np.linspace(1, 2, 60)},
    ],
    ids=str,
)
def test_another_search_is_another_run(change, path):
    grid(path).fit(X, Y)
    n_fits = Counted.n_fits
    change = dict(change)
    data = (change.pop("X", X), change.pop("y", Y))
    params = {k: change.pop(k) for k in ["sample_weight"] if k in change}
    search = grid(path, **change).fit(*data, **params)
    assert Counted.n_fits == n_fits + search.n_fits_
    assert read_journal(path)["run"].nunique() == 2


def frozen(factor):
    return FrozenEstimator(StandardScaler().fit(X * factor))


@pytest.mark.parametrize("listed", [False, True])
def test_frozen_estimators_are_part_of_a_run(listed, path):
    def fit(path, *factors):
        given = [frozen(factor) for factor in factors]
        return grid(
            path,
            estimator=make_pipeline(given[0], Counted()),
            grid={
                "counted__alpha": [1.0, 100.0],
                **({"frozenestimator": given} if listed else {}),
            },
        ).fit(X, Y)

    first = fit(path, 1, 9)
    n_fits = Counted.n_fits
    np.testing.assert_array_equal(
        fit(path, 1, 9).cv_results_["mean_test_score"],
        first.cv_results_["mean_test_score"],
    )
    assert Counted.n_fits == n_fits
    second, plain = fit(path, 5, 3), fit(None, 5, 3)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(second.cv_results_[name], plain.cv_results_[name])
    assert read_journal(path)["run"].nunique() == 2


@pytest.mark.slow
@pytest.mark.parametrize("make", [grid, random])
@pytest.mark.parametrize("racing", [False, True])
def test_search_resumes_from_any_part_of_a_journal(make, racing, tmp_path):
    full = make(tmp_path / "full.db", racing=racing).fit(X, Y)
    lines = pd.Series(range(1, full.n_fits_ + 1))
    for kept in lines.sample(12, random_state=0):
        path = tmp_path / f"{kept}.db"
        copy(tmp_path / "full.db", path)
        execute(path, "DELETE FROM fits WHERE id > ?", [int(kept)])
        Counted.n_fits = 0
        assert_equal(make(path, racing=racing).fit(X, Y), full)
        assert Counted.n_fits == full.n_fits_ - kept


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=4, unique=True),
    st.integers(1, 3),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_search_resumes_from_any_rows_of_a_journal(alphas, n_rounds, train, draw):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.db"
        options = {
            "grid": {"alpha": alphas},
            "n_rounds": n_rounds,
            "return_train_score": train,
            "cv": 2,
        }
        full = grid(path, **options).fit(X, Y)
        rows = [i for i in range(1, full.n_fits_ + 1) if draw.random() < 0.5]
        execute(path, f"DELETE FROM fits WHERE id IN ({', '.join(map(str, rows))})")
        Counted.n_fits = 0
        assert_equal(grid(path, **options).fit(X, Y), full)
        assert Counted.n_fits == len(rows)


def test_metrics_and_train_scores_are_kept(path):
    X, y = load_iris(return_X_y=True)
    options = {
        "scoring": {"f1": make_scorer(f1_score, average="macro"), "acc": "accuracy"},
        "refit": "f1",
        "return_train_score": True,
    }
    model = make_pipeline(StandardScaler(), LogisticRegression())
    space = {"logisticregression__C": [0.1, 1.0]}
    searches = [
        RefiningGridSearchCV(model, space, journal=path, **options).fit(X, y)
        for _ in range(2)
    ]
    assert_equal(*searches, times=True)
    fits = read_journal(path)
    assert {"test_f1", "test_acc", "train_f1", "train_acc"} <= set(fits.columns)
    first = fits.loc[fits["round"] == 1, "param_logisticregression__C"]
    assert sorted(first) == [0.1] * 5 + [1.0] * 5
    assert fits["search"][0] == "RefiningGridSearchCV"
    assert fits["estimator"][0] == "Pipeline"
    assert fits["round"].tolist() == sorted(fits["round"])


def test_random_search_without_a_seed_resumes(path):
    first = random(path, random_state=None).fit(X, Y)
    n_fits = Counted.n_fits
    assert_equal(random(path, random_state=None).fit(X, Y), first, times=True)
    assert Counted.n_fits == n_fits


@pytest.mark.parametrize("cv", [KFold(3, shuffle=True), ShuffleSplit(3)], ids=str)
def test_splits_without_a_seed_give_a_warning(cv, path):
    with pytest.warns(UserWarning, match="draws other splits each time.*random_state"):
        grid(path, cv=cv).fit(X, Y)


@pytest.mark.parametrize("cv", [KFold(3), ShuffleSplit(3, random_state=0)], ids=str)
def test_splits_with_a_seed_give_no_warning(cv, path):
    grid(path, cv=cv).fit(X, Y)


def nameless():
    return lambda estimator, X, y: 0.0


def local():
    def score(estimator, X, y):
        return 0.0

    return score


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"scoring": nameless()}, "scoring is a lambda.*Define it with a name"),
        ({"scoring": {"a": nameless()}, "refit": "a"}, r"scoring\['a'\] is a lambda"),
        ({"scoring": local()}, r"scoring is defined inside a function \(local"),
        (
            {
                "estimator": make_pipeline(FunctionTransformer(nameless()), Ridge()),
                "grid": {"ridge__alpha": [1.0]},
            },
            r"estimator.steps\[0\]\[1\].func is a lambda",
        ),
        (
            {
                "estimator": make_pipeline(FunctionTransformer(None), Ridge()),
                "grid": {"functiontransformer__func": [None, nameless()]},
            },
            r"param_grid\['functiontransformer__func'\]\[1\] is a lambda",
        ),
        (
            {
                "estimator": make_pipeline(FrozenEstimator(Birch().fit(X)), Ridge()),
                "grid": {"ridge__alpha": [1.0]},
            },
            r"estimator.steps\[0\]\[1\].estimator.*_leaf_ holds itself",
        ),
    ],
)
def test_values_without_a_name_are_an_error_before_any_fit(more, message, path):
    search = grid(path).set_params(**{k: v for k, v in more.items() if k != "grid"})
    search.param_grid = more.get("grid", GRID)
    with pytest.raises(ValueError, match=message):
        search.fit(X, Y)
    assert Counted.n_fits == 0
    assert not path.exists()


def test_an_open_file_has_no_identity(tmp_path):
    with (
        open(tmp_path / "data", "w") as file,
        pytest.raises(
            UnknownIdentityError, match=r"scoring.*neither a name nor a content"
        ),
    ):
        describe(file, "scoring")
    itself = []
    itself.append(itself)
    with pytest.raises(UnknownIdentityError, match=r"X\[0\] holds itself"):
        describe(itself, "X")


def test_a_ufunc_of_a_user_has_no_identity():
    function = np.frompyfunc(abs, 1, 1)
    with pytest.raises(UnknownIdentityError, match="func is a ufunc of neither numpy"):
        describe(function, "func")


Pair = namedtuple("Pair", ["left", "right"])


class Listed(list):
    pass


class Grouped(set):
    pass


class Slotted:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held


class BelowSlots(Slotted):
    pass


def noted(value, note):
    value.note = note
    return value


def asking(weight):
    with config_context(enable_metadata_routing=True):
        return Ridge().set_fit_request(sample_weight=weight)


def fits(estimator):
    return [estimator.fit(X, Y), clone(estimator).fit(X, Y[::-1])]


class Wedge(rv_continuous):
    """A distribution of a user, with a parameter that scipy does not know."""

    def __init__(self, slope=1.0, **more):
        super().__init__(a=0, b=1, **more)
        self.slope = slope

    def _pdf(self, x):
        return 1 + self.slope * (x - 0.5)


def objects(*values):
    return pd.DataFrame({"a": pd.Series(values, dtype=object)})


HALVES = rv_discrete(values=([1, 2], [0.5, 0.5]))
COUNTS = rv_histogram(([1, 2], [0.0, 1.0, 2.0]))
SCIPY = [
    expon,
    norm,
    HALVES,
    rv_discrete(values=([1, 2], [0.25, 0.75])),
    rv_discrete(values=([1, 3], [0.5, 0.5])),
    HALVES(),
    HALVES(loc=1),
    rv_discrete(values=([1, 3], [0.5, 0.5]))(),
    COUNTS,
    rv_histogram(([1, 3], [0.0, 1.0, 2.0])),
    rv_histogram(([1, 2], [0.0, 2.0, 4.0])),
    COUNTS(),
    COUNTS(loc=1),
    rv_histogram(([1, 3], [0.0, 1.0, 2.0]))(),
    Wedge(),
    Wedge(2.0),
]
SCALARS = [
    dt.date(2020, 1, 1),
    dt.date(2020, 1, 2),
    dt.datetime(2020, 1, 1),
    dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
    Decimal("1.0"),
    Decimal("1.5"),
    Fraction(3, 2),
    Path("a"),
    Path("b"),
    pd.Interval(0, 1),
    pd.Interval(0, 1, closed="left"),
    pd.Timestamp("2021-01-01"),
    pd.NaT,
    pd.NA,
    ...,
]
BOOSTED = GradientBoostingRegressor(n_estimators=2, random_state=0)
VALUES = [
    1,
    1.0,
    True,
    None,
    "1",
    b"1",
    "x" * 500,
    "y" * 500,
    (1,),
    [1],
    {1},
    {1: 2},
    {2: 1},
    1j,
    np.nan,
    np.arange(3),
    np.arange(3.0),
    np.arange(500),
    np.arange(500)[::-1],
    np.array(["a", None], dtype=object),
    sparse.eye(3, format="csr"),
    sparse.eye(4, format="csr"),
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"b": [1, 2]}),
    pd.DataFrame({"a": [1, 2]}, index=[1, 0]),
    pd.Series([1, 2]),
    pd.Series([1, 2], index=pd.to_datetime(["2020-01-01", "2020-01-02"])),
    pd.Series([1, 2], dtype="category"),
    *[pd.Categorical(["a", "b"], order) for order in (["a", "b"], ["b", "a"])],
    pd.Categorical(["a", "b"], ["a", "b"], ordered=True),
    pd.DataFrame({"a": pd.Categorical(["a", "b"], ["b", "a"])}),
    pd.DataFrame({"a": pd.Categorical(["a", "b"], ["a", "b"])}),
    *[np.ma.array(np.arange(200), mask=np.arange(200) < n) for n in (2, 3)],
    pl.DataFrame({"a": [1, 3]}),
    Ridge(),
    Ridge(alpha=2),
    make_pipeline(StandardScaler(), Ridge()),
    Counted,
    Ridge,
    f1_score,
    make_scorer(f1_score),
    make_scorer(f1_score, average="macro"),
    partial(f1_score, average="micro"),
    uniform(0, 1),
    uniform(0, 2),
    loguniform(1, 2),
    layer_sizes((1, 2), (3, 4)),
    log_randint(1, 5),
    np.random.RandomState(0),
    np.random.RandomState(1),
    np.random.default_rng(0),
    range(3),
    slice(3),
    np.log,
    special.expit,
    np,
    *[held.get for held in ({1: 2}, {1: 3})],
    *[re.compile(pattern).sub for pattern in "ab"],
    *[np.vectorize(held.get) for held in ({1: 2}, {1: 3})],
    "a".join,
    math.sqrt,
    dict.fromkeys,
    np.add.reduce,
    Ridge().fit,
    list(range(500)),
    ["a"] * 500,
    ["ab"] + ["a"] * 499,
    {"a": np.arange(500.0)},
    Pair(1, 2),
    Pair(1, 3),
    Listed([1]),
    Listed([2]),
    noted(Listed([1]), 1),
    Grouped([1]),
    Grouped([2]),
    noted(Grouped([1]), 1),
    noted(Counter("a"), 1),
    Counter("a"),
    Slotted(1),
    Slotted(2),
    BelowSlots(1),
    BelowSlots(2),
    np.array([(1, 2.0)], dtype=np.dtype("i1,f8", align=True)),
    np.array([(1, 3.0)], dtype=np.dtype("i1,f8", align=True)),
    StandardScaler(),
    StandardScaler().set_output(transform="pandas"),
    asking(True),
    asking(False),
    *map(FrozenEstimator, fits(Ridge())),
    *map(FrozenEstimator, fits(make_pipeline(StandardScaler(), Ridge()))),
    *map(FrozenEstimator, fits(KNeighborsRegressor())),
    *map(FrozenEstimator, fits(BOOSTED)),
    FrozenEstimator(asking(True).fit(X, Y)),
    *[FunctionTransformer(model.predict) for model in fits(Ridge())],
    *[partial(Ridge.predict, model) for model in fits(Ridge())],
    *SCIPY,
    *SCALARS,
    *map(objects, SCALARS),
    pd.DataFrame({"a": pd.cut([1.0, 2.0, 3.0], [0, 2, 4])}),
    pd.DataFrame({"a": pd.cut([1.0, 2.0, 3.0], [0, 1, 4])}),
]


def test_different_values_have_different_texts():
    texts = [describe(value) for value in VALUES]
    assert len(set(texts)) == len(texts)
    assert texts == [describe(value) for value in VALUES]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_values_of_a_subclass_of_list_keep_their_scores(path):
    def search(journal):
        model = MLPRegressor(max_iter=5, random_state=0)
        sizes = {"hidden_layer_sizes": [Listed([2]), Listed([20])]}
        options = {"grid": sizes, "n_rounds": 1, "cv": 2}
        return grid(journal, estimator=model, **options).fit(X, Y)

    first = search(path)
    assert_equal(first, search(None))
    assert_equal(search(path), first, times=True)


def test_equal_values_have_equal_texts():
    assert describe({"a": 1, "b": 2}) == describe({"b": 2, "a": 1})
    assert describe(np.float64(0.5)) == describe(0.5)
    assert describe(np.asfortranarray(np.eye(20))) == describe(np.eye(20))
    assert describe(np.arange(500)[::2]) == describe(np.arange(500)[::2].copy())
    assert describe(sparse.eye(3).tocsc().tocoo()) == describe(sparse.eye(3).tocoo())
    vectorized = np.vectorize(math.sqrt, otypes=[float])
    text = describe(vectorized)
    vectorized([4.0])
    assert describe(vectorized) == text


class Power:
    """A distribution of a user for ``make_distribution``."""

    __make_distribution_version__ = "1.16.0"

    def __init__(self, exponent):
        self.exponent = exponent
        self.parameters = {"b": {"endpoints": (0, np.inf), "inclusive": (False, False)}}
        self.support = {"endpoints": (0, "b"), "inclusive": (True, True)}

    def cdf(self, x, b):
        return (x / b) ** self.exponent


def random_variables():
    """Return different random variables, each of them new."""
    Gamma, Wald = map(stats.make_distribution, (stats.gamma, stats.wald))
    return [
        stats.Normal(mu=0.0, sigma=1.0),
        stats.Normal(mu=0.0, sigma=1.0 + 1e-12),
        stats.Uniform(a=0.0, b=1.0),
        Gamma(a=2.0),
        Gamma(a=3.0),
        Wald(),
        stats.make_distribution(Power(2.0))(b=1.0),
        stats.make_distribution(Power(3.0))(b=1.0),
        stats.exp(stats.make_distribution(Power(2.0))(b=1.0)),
        stats.exp(stats.make_distribution(Power(3.0))(b=1.0)),
        stats.Mixture([stats.Normal(mu=1.0, sigma=2.0)]),
        stats.truncate(stats.Normal(mu=0.0, sigma=1.0), lb=0.0),
    ]


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(stats, "Binomial"),
    reason="make_distribution takes classes of the user since scipy 1.16",
)
def test_random_variables_are_described_by_parameters_and_code():
    variables = random_variables()
    texts = [describe(variable) for variable in variables]
    assert len(set(texts)) == len(texts)
    for variable in variables:
        variable.sample(rng=np.random.default_rng(0))
        variable.icdf(0.3)  # it fills caches
    with np.printoptions(precision=2):
        assert texts == [describe(variable) for variable in variables]
    assert texts == [describe(variable) for variable in random_variables()]
    code = (
        "from test_journal import *; "
        "print(*map(describe, random_variables()), sep=chr(10), end='')"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    ).stdout
    assert out == "\n".join(texts)


def test_distributions_are_described_by_their_parameters():
    texts = [describe(distribution) for distribution in SCIPY]
    for distribution in SCIPY:
        distribution.rvs(random_state=0)
    norm.rvs()  # from numpy's own generator
    assert texts == [describe(distribution) for distribution in SCIPY]
    named = rv_discrete(name="halves", values=((2, 1), (0.5, 0.5)), seed=1)
    assert describe(named) == describe(HALVES)
    arrays = np.array([1, 2]), np.array([0.0, 1.0, 2.0])
    assert describe(rv_histogram(arrays)) == describe(COUNTS)


@pytest.mark.filterwarnings("ignore:The total space of parameters:UserWarning")
@pytest.mark.parametrize("weights", [HALVES, HALVES(), COUNTS, COUNTS(), expon])
def test_search_resumes_with_a_distribution_that_is_not_frozen(weights, path):
    def search():
        return SuccessiveRandomSearchCV(
            Counted(), {"alpha": weights}, n_iter=6, random_state=0, journal=path
        ).fit(X, Y)

    first = search()
    n_fits = Counted.n_fits
    norm.rvs()  # from numpy's own generator
    assert_equal(search(), first)
    assert Counted.n_fits == n_fits + 1  # the refit


def test_types_are_described_by_their_names(path):
    texts = {describe(kind) for kind in (np.float64, np.float32, np.ndarray, float)}
    assert len(texts) == 4
    # A parameter of OneHotEncoder is a numpy type.
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge())
    search = RefiningGridSearchCV(model, {"ridge__alpha": [0.1, 1.0]}, journal=path)
    search.fit(np.arange(40).reshape(-1, 1) % 4, np.arange(40.0))
    assert len(read_journal(path)) == search.n_fits_


def test_classes_are_described_with_their_base_classes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    texts = []
    for number in (1, 2):
        name = f"inherits_{number}"
        code = f"class Base:\n    def score(self):\n        return {number}\n"
        (tmp_path / f"{name}.py").write_text(f"{code}class Mine(Base):\n    pass\n")
        texts.append(describe(import_module(name).Mine).replace(name, ""))
    assert texts[0] != texts[1]


@pytest.mark.parametrize(
    "change", ["", "+ 1", "k=2", "member", "in", "print", "static", "property"]
)
def test_classes_typed_at_a_prompt_are_described_by_their_code(change, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))

    def typed(change):
        lines = [
            "class Typed:",
            f"    member = {2 if change == 'member' else 1}",
            f"    def fit(self, k={2 if change == 'k=2' else 1}):",
            f"        return {{'a', {change == 'in'!r}}}, [i for i in range(3)]",
            f"    def score(self): return 1 {change if change == '+ 1' else ''}",
            f"    def say(self): {change if change == 'print' else 'len'}('')",
            f"    @staticmethod\n    def s(): return {change == 'static'}",
            f"    @property\n    def p(self): return {change == 'property'}",
        ]
        names = {"__name__": "__main__"}
        exec("\n".join(lines), names)
        return describe(names["Typed"])

    assert (typed(change) == typed("")) == (change == "")


@pytest.mark.slow
def test_texts_are_equal_in_every_process():
    code = (
        "from test_journal import VALUES; "
        "from sklearn_refine.journal._fingerprint import fingerprint; "
        "print(fingerprint({'values': VALUES}))"
    )
    out = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert out == [fingerprint({"values": VALUES})] * 2


def execute(path, statement, values=()):
    connection = sqlite3.connect(path)
    with connection:
        rows = connection.execute(statement, values).fetchall()
    connection.close()
    return rows


def copy(source, target):
    target.write_bytes(source.read_bytes())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "search.db"
    grid(path).fit(X, Y)
    return path.read_bytes()


def truncated(path, written):
    path.write_bytes(written[: len(written) * 2 // 3])


def few_bytes(path, written):
    path.write_bytes(written[:50])


def random_bytes(path, written):
    path.write_bytes(np.random.RandomState(0).bytes(5000))


def random_bytes_inside(path, written):
    noise = np.random.RandomState(0).bytes(2000)
    at = written.index(b"'alpha'") - 300
    path.write_bytes(written[:at] + noise + written[at + 2000 :])


def one_digit(path, written):
    at = written.index(b"ok0.9") + 2  # the status of a fit, then its score
    path.write_bytes(written[:at] + b"0.8" + written[at + 3 :])


def pipe(path, written):
    os.mkfifo(path)


def circle(path, written):
    path.symlink_to(path)


def no_utf8(path, written, word=b"{'alpha'"):
    at = written.index(word) + 3
    path.write_bytes(written[:at] + b"\xff" + written[at + 1 :])


def no_utf8_in_schema(path, written):
    no_utf8(path, written, b"CREATE TABLE claims")


def text(path, written):
    path.write_text("alpha,score\n1,2\n")


def another_program(path, written):
    execute(path, "CREATE TABLE messages (text)")


def future(path, written):
    path.write_bytes(written)
    execute(path, "PRAGMA user_version = 7")


def past(path, written):
    path.write_bytes(written)
    execute(path, "PRAGMA user_version = 1")


def other_schema(path, written):
    path.write_bytes(written)
    execute(path, "ALTER TABLE fits ADD COLUMN more")


def trigger(path, written):
    path.write_bytes(written)
    execute(
        path, "CREATE TRIGGER t AFTER INSERT ON sessions BEGIN DELETE FROM fits; END"
    )


def directory(path, written):
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (truncated, "is damaged .*bytes are missing.*Name another file"),
        (few_bytes, "is not a journal, or it is damaged"),
        (random_bytes, "is not a journal"),
        (random_bytes_inside, "is damaged"),
        (one_digit, r"is damaged \(fit number \d+\)"),
        (no_utf8, "is damaged .*UTF-8.*Name another file"),
        (no_utf8_in_schema, "is damaged .*utf-8.*Name another file"),
        (text, "is not a journal"),
        (another_program, "a database of another program; name another file"),
        (past, r"earlier version of sklearn_refine \(schema 1.*name another file"),
        (future, r"later version of sklearn_refine \(schema 7.*upgrade"),
        (other_schema, "damaged .*other tables"),
        (trigger, "damaged .*other tables"),
        (directory, "is a directory; name a file in it"),
        pytest.param(
            pipe,
            "is a device or a pipe; name a file",
            marks=pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX"),
        ),
        (circle, "cannot be read .*symbolic links.*name another file"),
    ],
)
def test_files_that_are_not_journals_are_left_as_they_are(make, message, written, path):
    make(path, written)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ValueError, match=message):
        grid(path).fit(X, Y)
    assert Counted.n_fits == 0
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("make", [no_utf8, no_utf8_in_schema])
def test_read_journal_of_damaged_text(make, written, path):
    make(path, written)
    with pytest.raises(ValueError, match=r"is damaged .*(?i:utf-8).*Name another file"):
        read_journal(path)


def test_an_empty_file_becomes_a_journal(path):
    path.touch()
    assert len(read_journal(path)) == 0  # as while it is made
    search = grid(path).fit(X, Y)
    assert len(read_journal(path)) == search.n_fits_


@pytest.mark.parametrize(
    ("name", "why"), [("a" * 300, "too long"), ("a\0b", "embedded null")]
)
def test_invalid_file_names(name, why, tmp_path):
    with pytest.raises(ValueError, match=rf"journal=.* cannot be read \(.*{why}"):
        grid(tmp_path / name).fit(X, Y)
    with pytest.raises(FileNotFoundError, match=r"journal=.* does not exist"):
        read_journal(tmp_path / name)


def test_a_path_of_bytes(path):
    class Named(os.PathLike):
        def __fspath__(self):
            return os.fsencode(path)

    search = grid(Named()).fit(X, Y)
    assert len(read_journal(Named())) == search.n_fits_


def test_no_directory(tmp_path):
    with pytest.raises(ValueError, match=r"there is no directory .*make it"):
        grid(tmp_path / "none" / "search.db").fit(X, Y)


def test_a_locked_journal(written, path, monkeypatch):
    path.write_bytes(written)
    monkeypatch.setattr(_connection, "BUSY_SECONDS", 0.2)
    connection = sqlite3.connect(path)
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ValueError, match=r"locked by another program for 0\.2"):
        grid(path).fit(X, Y)
    connection.rollback()
    connection.close()
    assert Counted.n_fits == 0


def test_locked_while_it_runs(path, monkeypatch):
    monkeypatch.setattr(_connection, "BUSY_SECONDS", 0.2)
    locks = []

    class Locks(Counted):
        def fit(self, X, y):
            if not locks:
                locks.append(sqlite3.connect(path))
                locks[0].execute("BEGIN EXCLUSIVE")
            return super().fit(X, y)

    globals()["Locks"] = Locks
    Locks.__qualname__ = "Locks"
    with pytest.warns(UserWarning, match="cannot be written .*locked"):
        search = grid(path, estimator=Locks()).fit(X, Y)
    locks[0].rollback()
    locks[0].close()
    assert_equal(search, grid(None).fit(X, Y))


def test_reading_keeps_the_locks_of_this_process(written, path):
    path.write_bytes(written)
    connection = open_file(path)
    with _connection.transaction(connection):
        connection.execute("DELETE FROM claims")
    read_journal(path)
    open_file(path).close()
    other = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]); "
        "connection.execute('SELECT * FROM fits').fetchall(); connection.close()"
    )
    subprocess.run([sys.executable, "-c", other, str(path)], check=True)
    # The last process to close a journal removes this file, which is still in use.
    assert path.with_name(f"{path.name}-wal").exists()
    connection.close()


def add_session_of_another_host(path):
    """Add an active session of another host to the first run."""
    execute(
        path,
        "INSERT INTO sessions (run, host, process, versions, started, seen) "
        "VALUES (1, '', '', '', '', ?)",
        [time.time()],
    )


def test_claims_end_when_writing_stops(path, monkeypatch):
    monkeypatch.setattr(_connection, "BUSY_SECONDS", 0.2)
    fits = [("a" * 16, 0), ("a" * 16, 1)]
    first, second = (Journal(path, "run", search="", estimator="") for _ in range(2))
    add_session_of_another_host(path)
    assert first.claim(fits) == set()
    assert second.claim(fits) == set(fits)
    lock = sqlite3.connect(path)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.warns(UserWarning, match="cannot be written .*locked"):
        first.save(1, [(fits[0], "{}", outcome(None))])
    lock.rollback()
    lock.close()
    assert second.claim(fits[:1]) == set()
    first.close()
    assert execute(path, "SELECT split, session FROM claims") == [(0, 2)]
    assert execute(path, "SELECT seen FROM sessions WHERE id = 1") == [(0.0,)]
    second.close()


def test_claims_are_not_released_in_another_file(path):
    journal = Journal(path, "run", search="", estimator="")
    path.rename(path.with_name("away.db"))
    with pytest.warns(UserWarning, match="cannot be written"):
        journal.save(1, [(("a" * 16, 0), "{}", outcome(None))])
    other = Journal(path, "run", search="", estimator="")
    journal.close()
    assert execute(path, "SELECT seen > 0 FROM sessions") == [(1,)]
    other.close()


def test_an_interrupt_leaves_a_journal_closed(path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt("now")

    journal = Journal(path, "run", search="", estimator="")
    monkeypatch.setattr(Journal, "_update_seen", interrupted)
    with pytest.raises(KeyboardInterrupt, match="now"):
        journal.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        journal._connection.execute("SELECT 1")
    journal.close()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
def test_an_interrupt_leaves_no_transaction_open(statement, path):
    class Interrupted(_connection._Connection):
        def execute(self, *given):
            found = super().execute(*given)
            if given[0] == "BEGIN IMMEDIATE" == statement:
                raise KeyboardInterrupt("now")
            return found

        def commit(self):
            raise KeyboardInterrupt("now")

    connection = sqlite3.connect(path, isolation_level=None, factory=Interrupted)
    with (
        pytest.raises(KeyboardInterrupt, match="now"),
        _connection.transaction(connection),
    ):
        connection.execute("CREATE TABLE made (number)")
    assert not connection.in_transaction
    connection.close()
    assert execute(path, "SELECT * FROM sqlite_master") == []


class Moves(Counted):
    """A Counted that changes the directory of the process."""

    def fit(self, X, y):
        os.chdir(tempfile.gettempdir())
        return super().fit(X, y)


def test_the_directory_changes_while_it_runs(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    search = grid(path.name, estimator=Moves()).fit(X, Y)
    assert len(read_journal(path)) == search.n_fits_


def test_deleted_while_it_runs(path):
    class Deletes(Counted):
        def fit(self, X, y):
            path.unlink(missing_ok=True)
            return super().fit(X, y)

    globals()["Deletes"] = Deletes
    Deletes.__qualname__ = "Deletes"
    with pytest.warns(UserWarning, match="cannot be written") as seen:
        search = grid(path, estimator=Deletes()).fit(X, Y)
    assert len(seen) == 1
    assert_equal(search, grid(None).fit(X, Y))


def run_as_nobody(code, folder):
    """Run code as a user who may not write everywhere."""
    if os.getuid() == 0:
        code = f"import os; os.setgid(65534); os.setuid(65534)\n{code}"
    return subprocess.run(
        [sys.executable, "-c", f"import test_journal as t, warnings\n{code}"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
def test_a_journal_that_can_only_be_read(written):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.db"
        path.write_bytes(written)
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        done = run_as_nobody(
            "import numpy as np\n"
            "with warnings.catch_warnings(record=True) as seen:\n"
            "    warnings.simplefilter('always')\n"
            f"    search = t.grid({str(path)!r}, n_rounds=4).fit(t.X, t.Y)\n"
            "print(search.n_fits_, t.Counted.n_fits, len(seen), seen[0].message)",
            folder,
        )
        Path(folder).chmod(0o755)
        assert path.read_bytes() == written
    assert done.returncode == 0, done.stderr
    n_fits, n_made, n_warnings, message = done.stdout.split(maxsplit=3)
    assert 0 < int(n_made) < int(n_fits)
    assert n_warnings == "1"
    assert "cannot be written" in message


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
def test_a_journal_without_permission(written):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "search.db"
        path.write_bytes(written)
        path.chmod(0)
        done = run_as_nobody(f"t.grid({str(path)!r}).fit(t.X, t.Y)", folder)
    assert "cannot be read (Permission denied); change its permissions" in done.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_full_disk(tmp_path):
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "import test_journal as t, warnings\n"
        "with warnings.catch_warnings(record=True) as seen:\n"
        "    warnings.simplefilter('always')\n"
        f"    search = t.grid({str(tmp_path / 'search.db')!r}, n_rounds=1,\n"
        "        grid={'alpha': [float(i) for i in range(1, 400)]}).fit(t.X, t.Y)\n"
        "print(search.n_fits_, len(seen), seen[0].message)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert done.stdout.startswith("1995 1 journal="), done.stderr
    assert "Make room" in done.stdout
    assert 0 < len(read_journal(tmp_path / "search.db")) < 1995


def error_of(function):
    try:
        function()
    except ValueError as error:
        return error
    return None


class Bomb:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


COLUMNS = [
    "run",
    "session",
    "round",
    "candidate",
    "split",
    "params",
    "status",
    "test_scores",
    "train_scores",
    "fit_time",
    "score_time",
    "n_test_samples",
    "error",
    "finished",
    "checksum",
]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("kind", ["bomb", "sql", "huge", "nested", "number"])
def test_a_hostile_journal_runs_nothing(column, kind, written, path, tmp_path):
    trace = tmp_path / "trace"
    value = {
        "bomb": pickle.dumps(Bomb(trace)),
        "sql": "'); DROP TABLE fits; --",
        "huge": "9" * (1 << 25),
        "nested": "[" * 100_000,
        "number": 10**15,
    }[kind]
    path.write_bytes(written)
    execute(path, f"UPDATE fits SET {column} = ? WHERE id = 3", [value])
    for use in (lambda: grid(path).fit(X, Y), lambda: read_journal(path)):
        error = error_of(use)
        assert error is None or "is damaged" in str(error)
    assert not trace.exists()
    assert execute(path, "SELECT count(*) FROM fits")[0][0] >= 1


def test_hostile_names_are_text(path):
    class Named(Counted):
        def get_params(self, deep=True):
            return {**super().get_params(deep), "a'); DROP TABLE fits; --": 1}

        def set_params(self, **params):
            params.pop("a'); DROP TABLE fits; --", None)
            return super().set_params(**params)

        def __init__(self, alpha=1.0, **kwargs):
            super().__init__(alpha)

        @classmethod
        def _get_param_names(cls):
            return ["alpha"]

    globals()["Named"] = Named
    Named.__qualname__ = "Named"
    space = {"alpha": [1.0, 2.0], "a'); DROP TABLE fits; --": [1]}
    for _ in range(2):
        search = grid(path, estimator=Named(), grid=space, n_rounds=1).fit(X, Y)
    fits = read_journal(path)
    assert len(fits) == search.n_fits_
    assert (fits["param_a'); DROP TABLE fits; --"] == 1).all()


def test_the_last_of_two_rows_of_a_fit_counts(path):
    first = grid(path).fit(X, Y)
    before = read_journal(path)
    columns = ", ".join(COLUMNS)
    execute(path, f"INSERT INTO fits ({columns}) SELECT {columns} FROM fits WHERE id=3")
    n_fits = Counted.n_fits
    assert_equal(grid(path).fit(X, Y), first, times=True)
    assert Counted.n_fits == n_fits
    after = read_journal(path)
    assert len(after) == first.n_fits_
    order = [i for i in range(len(before)) if i != 2] + [2]
    pd.testing.assert_frame_equal(after, before.loc[order].reset_index(drop=True))


def test_the_last_outcome_of_a_repeated_fit_counts(path):
    options = {"grid": {"alpha": [1.0]}, "n_rounds": 1, "cv": 2}
    grid(path, **options).fit(X, Y)
    rows = execute(path, "SELECT * FROM fits")
    found = [(("a" * 16, 0), "{}", outcome(error)) for error in ("went wrong", None)]
    journal = Journal(path, "run", search="", estimator="")
    for fit in found:
        journal.save(1, [fit])
    journal.close()
    again = Journal(path, "run", search="", estimator="")
    assert again.known(("a" * 16, 0)) == found[1][2]
    again.close()
    assert execute(path, "SELECT count(*) FROM fits") == [(len(rows) + 2,)]
    assert read_journal(path)["status"].tolist() == ["ok"] * (len(rows) + 1)


def outcome(error):
    return {
        "fit_error": error,
        "test_scores": 0.5,
        "n_test_samples": 3,
        "fit_time": 0.25,
        "score_time": 0.5,
    }


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_claims_of_a_dead_process_are_ignored(path):
    fit = ("a" * 16, 0)
    journal = Journal(path, "run", search="", estimator="")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1) as other:
        session = (
            1,
            "",
            "",
            time.time(),
            socket.gethostname(),
            add_start_time(str(other.pid)),
        )
        execute(
            path,
            "INSERT INTO sessions (run, versions, started, seen, host, process) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            session,
        )
        execute(path, "INSERT INTO claims VALUES (1, ?, ?, 2)", fit)
        assert journal.claim([fit]) == {fit}
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        assert journal.claim([fit]) == set()
    journal.close()


def test_read_journal_of_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; name the file"):
        read_journal(tmp_path / "none.db")


def test_read_journal_before_the_first_fit(path):
    with pytest.raises(RuntimeError, match="stop"):
        grid(path, estimator=Stops(), error_score="raise").fit(X, Y)
    assert len(read_journal(path)) == 0


def fails_at_two(estimator, X, y):
    if estimator.alpha == 2.0:
        raise RuntimeError("no score")
    return estimator.score(X, y)


def half(estimator, X, y):
    return 0.5


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:One or more of the (test|train):UserWarning")
@pytest.mark.parametrize("scoring", [fails_at_two, {"a": fails_at_two, "b": half}])
def test_failed_scores_are_the_error_score_of_each_run(scoring, path):
    def search(journal, error_score):
        options = {"grid": {"alpha": [1.0, 2.0, 3.0]}, "n_rounds": 1, "cv": 2}
        return grid(
            journal,
            scoring=scoring,
            error_score=error_score,
            return_train_score=True,
            **options,
        )

    for error_score, n_fits in [(np.nan, 6), (np.nan, 0), (-1.0, 2), (-1, 0)]:
        plain = search(None, error_score).fit(X, Y)
        Counted.n_fits = 0
        again = search(path, error_score).fit(X, Y)
        assert Counted.n_fits == n_fits
        for name, scores in plain.cv_results_.items():
            if "score" in name and "time" not in name:
                np.testing.assert_array_equal(again.cv_results_[name], scores)
    assert read_journal(path)["status"].tolist() == ["ok"] * 4 + ["unscored"] * 2
    with pytest.raises((RuntimeError, ValueError), match="no score"):
        search(path, "raise").fit(X, Y)


class Stops(Ridge):
    def fit(self, X, y):
        raise RuntimeError("stop")


def test_names_of_metrics_that_are_not_text(path):
    search = grid(path, scoring=numbered, n_rounds=1)
    with pytest.warns(UserWarning, match=r"cannot be written .*names of metrics"):
        search.fit(X, Y)
    assert search.cv_results_["mean_test_1"].tolist() == [0.5] * 3


def numbered(estimator, X, y):
    return {1: 0.5}
