"""Bad input: the parameter, the value and the remedy, before any fit if possible."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, norm, randint
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
    log_randint,
)

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60], Y[:60]


class Counting(RegressorMixin, BaseEstimator):
    """Counts its fits, so that a test can say there was none."""

    n_fits = 0

    def __init__(self, alpha=1.0, beta=1.0, kind="a"):
        self.alpha = alpha
        self.beta = beta
        self.kind = kind

    def fit(self, X, y):
        Counting.n_fits += 1
        if self.kind == "broken":
            raise RuntimeError("cannot be fitted")
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_ * self.alpha)


GOOD_GRID = {"alpha": [0.1, 1.0, 10.0]}
GOOD_DISTRIBUTION = {"alpha": loguniform(0.1, 10)}

GRID_ERRORS = {
    "empty dict": ({"param_grid": {}}, r"param_grid={} names no parameter.*name at"),
    "empty list of dicts": ({"param_grid": []}, r"param_grid=\[\] names no parameter"),
    "no dict": ({"param_grid": 3}, r"'param_grid' parameter .* Got 3 instead"),
    "empty list": ({"param_grid": {"alpha": []}}, r"'alpha' need to be a non-empty"),
    "string": (
        {"param_grid": {"alpha": "abc"}},
        r"'alpha' needs to be a list.*wrapped",
    ),
    "single value": ({"param_grid": {"alpha": 1.0}}, r"'alpha' needs to be a list"),
    "unknown parameter": (
        {"param_grid": {"gamma": [1.0]}},
        r"param_grid names the parameter 'gamma'.*Valid parameters are",
    ),
    "misspelt parameter": (
        {"param_grid": {"alhpa": [1.0]}},
        r"'alhpa', which the estimator does not have. Did you mean 'alpha'\?",
    ),
    "distribution": (
        {"param_grid": {"alpha": loguniform(0.1, 10)}},
        r"param_grid\['alpha'\] is a distribution, loguniform\(0.1, 10\), and .* use "
        r"SuccessiveRandomSearchCV",
    ),
    "n_rounds": ({"n_rounds": 0}, r"'n_rounds' parameter .* Got 0 instead"),
    "n_centers": ({"n_centers": 0}, r"'n_centers' parameter .* Got 0 instead"),
    "n_points": ({"n_points": 2}, r"'n_points' parameter .* Got 2 instead"),
    "even n_points": ({"n_points": 4}, r"n_points=4 must be odd.*use 5"),
    "max_candidates": ({"max_candidates": 0}, r"'max_candidates' .* Got 0 instead"),
    "tol": ({"tol": -1.0}, r"'tol' parameter .* Got -1.0 instead"),
    "racing": ({"racing": "yes"}, r"'racing' parameter .* Got 'yes' instead"),
    "share_work": ({"share_work": 2}, r"'share_work' parameter .* Got 2 instead"),
    "scales name": (
        {"scales": {"gamma": "log"}},
        r"scales names .*'gamma'.*\['alpha'\]",
    ),
    "scales value": (
        {"scales": {"alpha": "sqrt"}},
        r"scales\['alpha'\]='sqrt' is unknown; use 'linear', 'log', 'layers' or",
    ),
    "log of negative numbers": (
        {"param_grid": {"alpha": [-0.5, 0.0, 1.0]}, "scales": {"alpha": "log"}},
        r"scales\['alpha'\]='log' needs positive numbers.*use 'linear'",
    ),
    "log of zero alone": (
        {"param_grid": {"alpha": [0.0]}, "scales": {"alpha": "log"}},
        r"scales\['alpha'\]='log' needs positive numbers",
    ),
    "log of strings": (
        {"param_grid": {"kind": ["a", "b"]}, "scales": {"kind": "log"}},
        r"scales\['kind'\]='log' needs positive numbers",
    ),
    "linear strings": (
        {"param_grid": {"kind": ["a", "b"]}, "scales": {"kind": "linear"}},
        r"scales\['kind'\]='linear' needs numbers.*use 'choice'",
    ),
    "bounds name": (
        {"bounds": {"gamma": (0, 1)}},
        r"bounds names .*'gamma'.*\['alpha'\]",
    ),
    "bounds order": (
        {"bounds": {"alpha": (5, 0.5)}},
        r"bounds\['alpha'\]=\(5, 0.5\): the lower bound is above.*\(0.5, 5\)",
    ),
    "bounds not a pair": (
        {"bounds": {"alpha": 5}},
        r"bounds\['alpha'\]=5 is not a pair",
    ),
    "bounds of three numbers": (
        {"bounds": {"alpha": np.array([1, 2, 3])}},
        r"bounds\['alpha'\]=\[1, 2, 3\] is not a pair",
    ),
    "bounds of strings": (
        {"bounds": {"alpha": ("a", None)}},
        r"holds 'a', which is not",
    ),
    "bounds NaN": ({"bounds": {"alpha": (np.nan, 1)}}, r"holds nan, which is not"),
    "bounds exclude all": (
        {"bounds": {"alpha": (20, 30)}},
        r"bounds\['alpha'\]=\(20, 30\) excludes every value.*Widen",
    ),
    "bounds on choices": (
        {"param_grid": {"kind": ["a", "b"]}, "bounds": {"kind": (0, 1)}},
        r"'kind' lists no numbers.*Remove the bound",
    ),
    "no splits": ({"cv": []}, r"(?s)cv=\[\] gives no splits|n_splits"),
}

RANDOM_ERRORS = {
    "no rvs": (
        {"param_distributions": {"alpha": object()}},
        r"'alpha' in param_distributions is neither a list nor .* with an rvs",
    ),
    "string": ({"param_distributions": {"alpha": "abc"}}, r"'alpha' .* got: 'abc'"),
    "single value": (
        {"param_distributions": {"alpha": 1.0}},
        r"got: 1.0 of type float. .*a single one, into a list",
    ),
    "set": (
        {"param_distributions": {"alpha": {0.1}, "beta": loguniform(1, 2)}},
        r"'alpha' .* got: \{0.1\} of type set. Put the values.* into a list",
    ),
    "dict": ({"param_distributions": {"alpha": {0.1: 1}}}, r"'alpha' .* of type dict"),
    "Series": (
        {"param_distributions": {"alpha": pd.Series([0.1, 1.0])}},
        r"(?s)'alpha' needs to be a list or a numpy array.*of type Series",
    ),
    "matrix": (
        {"param_distributions": {"alpha": np.ones((2, 2))}},
        r"(?s)'alpha' should be one-dimensional",
    ),
    "low of zero": (
        {"param_distributions": {"alpha": loguniform(0, 1)}},
        r"'alpha' .* cannot be drawn.* loguniform\(0, 1\) are invalid.*a low above 0",
    ),
    "negative scale": (
        {"param_distributions": {"alpha": norm(0, scale=-1)}},
        r"'alpha' .* norm\(0, scale=-1\) are invalid.*not negative",
    ),
    "low above high in one of two dicts": (
        {"param_distributions": [GOOD_DISTRIBUTION, {"beta": randint(5, 2)}]},
        r"'beta' .* randint\(5, 2\) are invalid.*a low below high",
    ),
    "not frozen": (
        {"param_distributions": {"alpha": loguniform}},
        r"'alpha' .* is loguniform of scipy without.*pass loguniform\(a, b\) with num",
    ),
    "empty list": ({"param_distributions": {"alpha": []}}, r"'alpha' .* empty list"),
    "empty dict": ({"param_distributions": {}}, r"names no parameter"),
    "empty list of dicts": ({"param_distributions": []}, r"names no parameter"),
    "list of no dicts": ({"param_distributions": [3]}, r"not a dict \(3\)"),
    "unknown parameter": (
        {"param_distributions": {"gamma": [1.0]}},
        r"param_distributions names the parameter 'gamma'",
    ),
    "n_iter": ({"n_iter": 0}, r"'n_iter' parameter .* Got 0 instead"),
    "n_rounds": ({"n_rounds": 0}, r"'n_rounds' parameter .* Got 0 instead"),
    "surrogate": ({"surrogate": "svm"}, r"'surrogate' parameter .* Got 'svm' instead"),
    "surrogate without fit": ({"surrogate": 3}, r"'surrogate' .* Got 3 instead"),
    "classifier as surrogate": (
        {"surrogate": DummyClassifier()},
        r"surrogate=DummyClassifier\(\) is no instance of a regressor.*'gp'",
    ),
    "class as surrogate": (
        {"surrogate": DummyRegressor},
        r"surrogate=.*DummyRegressor.* is no instance of a regressor",
    ),
    "random_state": ({"random_state": "a"}, r"'random_state' parameter .* Got 'a'"),
}


@pytest.mark.parametrize("method", ["fit", "plan"])
@pytest.mark.parametrize("case", GRID_ERRORS)
def test_grid_errors(case, method):
    params, match = GRID_ERRORS[case]
    params = {"param_grid": GOOD_GRID, **params}
    search = RefiningGridSearchCV(Counting(), params.pop("param_grid"), **params)
    Counting.n_fits = 0
    if case == "no splits" and method == "plan":
        return  # a plan of no fits is no error
    with pytest.raises((ValueError, TypeError), match=match):
        getattr(search, method)(X, Y)
    assert Counting.n_fits == 0


@pytest.mark.parametrize("method", ["fit", "plan"])
@pytest.mark.parametrize("case", RANDOM_ERRORS)
def test_random_errors(case, method):
    params, match = RANDOM_ERRORS[case]
    params = {"param_distributions": GOOD_DISTRIBUTION, **params}
    search = SuccessiveRandomSearchCV(
        Counting(), params.pop("param_distributions"), **params
    )
    Counting.n_fits = 0
    with pytest.raises((ValueError, TypeError), match=match):
        getattr(search, method)(X, Y)
    assert Counting.n_fits == 0


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: log_randint(0, 5), r"low=0 must be at least 1.*scipy.stats.randint"),
        (lambda: log_randint(5, 5), r"high=5 must be above low=5"),
        (lambda: log_randint(1.5, 5), r"low=1.5 must be an int"),
        (lambda: log_randint(1, True), r"high=True must be an int"),
        (lambda: layer_sizes(depth=0), r"depth=0 must be at least 1"),
        (lambda: layer_sizes(width=(9, 3)), r"width=\(9, 3\) .*did you mean \(3, 9\)"),
        (lambda: layer_sizes(width=(1, 2, 3)), r"must be an int or a pair of ints"),
        (lambda: layer_sizes(depth="a"), r"depth='a' must be an int or a pair"),
    ],
)
def test_distribution_errors(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("C", "'svc__C'"),
        ("scv__C", "'svc__C'"),
        ("svc__c", "'svc__C'"),
        ("svc_gamma", "'svc__gamma'"),
        ("svc__gama", "'svc__gamma'"),
        ("with_mean", "'scale__with_mean' or 'standardscaler__with_mean'"),
        ("strateggy", "'simpleimputer__strategy'"),
    ],
)
def test_a_wrong_name_gets_suggestions(name, meant):
    steps = ("simpleimputer", "standardscaler", "scale", "svc")
    models = [SimpleImputer(), StandardScaler(), StandardScaler(), SVC()]
    pipe = Pipeline([*zip(steps, models, strict=True)])
    expected = re.escape(f"Did you mean {meant}?")
    for search in (
        RefiningGridSearchCV(pipe, {name: [1, 2]}, cv=KFold(2)),
        SuccessiveRandomSearchCV(pipe, {name: [1, 2]}, n_iter=2, cv=KFold(2)),
    ):
        with pytest.raises(ValueError, match=expected):
            search.fit(X, Y)


@pytest.mark.parametrize(
    ("pair", "advice"),
    [
        (
            (0.1, 10),
            "stats.loguniform(0.1, 10) or scipy.stats.uniform(0.1, 9.9)",
        ),
        ((0.0, 0.5), "give scipy.stats.uniform(0.0, 0.5); for two values"),
    ],
)
def test_a_pair_of_floats_may_be_meant_as_a_range(pair, advice):
    search = SuccessiveRandomSearchCV(Ridge(), {"alpha": pair}, n_iter=2, cv=2)
    with pytest.warns(UserWarning, match=re.escape(advice)):
        search.fit(X, Y)
    assert set(search.cv_results_["param_alpha"]) == set(pair)


@pytest.mark.parametrize("values", [[0.1, 10.0], (2, 3), (0.1, 1.0, 10.0), (2.0, 1.0)])
def test_other_values_are_not_taken_for_a_range(values):
    search = SuccessiveRandomSearchCV(Ridge(), {"alpha": values}, n_iter=2, cv=2)
    search.fit(X, Y)
    assert set(search.cv_results_["param_alpha"]) <= set(values)


def test_unknown_parameter_of_a_replaced_step():
    pipeline = make_pipeline(SimpleImputer(), Ridge())
    grid = [
        {"ridge": [SVC()], "ridge__C": [1, 10]},
        {"ridge": [SVC()], "ridge__alpha": [1]},
    ]
    with pytest.raises(ValueError, match=r"param_grid names .*'ridge__alpha'"):
        RefiningGridSearchCV(pipeline, grid).fit(X, Y)


def test_nan_is_refused_where_the_estimator_declares_another_range():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, np.nan]})
    with pytest.raises(ValueError, match=r"'alpha' hold NaN.*remove it"):
        search.fit(X, Y)


def test_nan_is_a_choice_where_the_estimator_declares_it():
    search = RefiningGridSearchCV(
        make_pipeline(SimpleImputer(), Ridge()),
        {"simpleimputer__missing_values": [np.nan, -1], "ridge__alpha": [0.1, 1.0]},
        n_rounds=2,
    )
    search.fit(X, Y)
    assert "simpleimputer__missing_values" in search.best_params_


def test_nan_is_a_choice_where_nothing_is_declared():
    values = [np.nan, -999, 0]
    search = RefiningGridSearchCV(Counting(), {"beta": values}, n_rounds=2).fit(X, Y)
    tried = [params["beta"] for params in search.cv_results_["params"]]
    np.testing.assert_array_equal(tried, values)


def test_every_fit_failing():
    search = RefiningGridSearchCV(Counting(kind="broken"), GOOD_GRID)
    with pytest.raises(
        ValueError, match=r"(?s)All the 15 fits failed.*error_score='raise'"
    ):
        search.fit(X, Y)
    with pytest.raises(ValueError, match="All the 15 fits failed") as raised:
        search.fit(X, Y)
    assert raised.value.__notes__ == [
        "The error of 15 of these fits: RuntimeError: cannot be fitted"
    ]
    with pytest.raises(RuntimeError, match="cannot be fitted"):
        search.set_params(error_score="raise").fit(X, Y)


@pytest.mark.parametrize(
    ("value", "remedy"), [("red", "OneHotEncoder"), (np.nan, "SimpleImputer")]
)
def test_every_fit_failing_for_a_column_that_no_step_prepares(value, remedy):
    table = pd.DataFrame({"a": X[:, 0], "b": [value] * len(X)})
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2, n_rounds=1)
    with pytest.raises(ValueError, match="All the 2 fits failed") as raised:
        search.fit(table, Y)
    (note,) = raised.value.__notes__
    assert "The error of 2 of these fits: ValueError: " in note
    assert remedy in note


def test_every_fit_failing_for_a_target_with_missing_values():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2, n_rounds=1)
    with pytest.raises(ValueError, match="All the 2 fits failed") as raised:
        search.fit(X, np.where(np.arange(len(Y)) % 2, np.nan, Y))
    (note,) = raised.value.__notes__
    assert note.endswith("dropna(subset=[column]).")


def raising_scorer(estimator, X, y):
    raise RuntimeError("no score today")


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
@pytest.mark.parametrize(
    "search",
    [
        RefiningGridSearchCV(Counting(), GOOD_GRID, scoring=raising_scorer),
        SuccessiveRandomSearchCV(Counting(), GOOD_DISTRIBUTION, scoring=raising_scorer),
    ],
)
def test_scorer_that_raises(search):
    with pytest.raises(
        ValueError, match=r"scoring=<function raising_scorer.*error_score"
    ):
        search.fit(X, Y)
    # The times of the fits are not lost.
    assert (
        len(search.cv_results_["mean_fit_time"]) == search.rounds_["n_candidates"].sum()
    )
    with pytest.raises(RuntimeError, match="no score today"):
        search.set_params(error_score="raise").fit(X, Y)


@pytest.mark.parametrize("options", [{}, {"racing": True}, {"n_rounds": 1}])
def test_scorer_that_returns_no_score(options):
    search = RefiningGridSearchCV(
        Counting(), GOOD_GRID, scoring=lambda *_: {}, refit=False, **options
    )
    with pytest.raises(ValueError, match=r"scoring=.* without scores: \{\}. Return a"):
        search.fit(X, Y)


def test_nothing_is_handed_out_ahead():
    search = RefiningGridSearchCV(Counting(), GOOD_GRID, n_jobs=2, pre_dispatch=0)
    with pytest.raises(ValueError, match=r"pre_dispatch=0 hands out none. Give 1 or"):
        search.fit(X, Y)


def test_only_listed_values_raise():
    class BreaksBetween(Counting):
        def fit(self, X, y):
            if self.alpha not in (0.1, 1.0, 10.0):
                raise RuntimeError("only what the user listed")
            return super().fit(X, y)

    search = RefiningGridSearchCV(BreaksBetween(), GOOD_GRID, error_score="raise")
    message = r"(?s)20 of these failed fits.*proposed in later.*alpha=.*Pass bounds="
    with (
        pytest.warns(FitFailedWarning, match=message),
        pytest.warns(UserWarning, match=r"(?s)non-finite.*proposed 4 of.*Pass bounds="),
    ):
        search.fit(X, Y)
    assert search.best_params_["alpha"] in (0.1, 1.0, 10.0)
    search.set_params(param_grid={"alpha": [0.1, 1.0, 2.0]})
    with pytest.raises(RuntimeError, match="only what the user listed"):
        search.fit(X, Y)


def test_missing_scores_of_later_rounds_name_a_remedy():
    def score(estimator, X, y):
        return 1.0 if estimator.alpha in (0.1, 1.0, 10.0) else np.nan

    message = r"(?s)non-finite.*search itself proposed \d+ of.*Pass bounds="
    with pytest.warns(UserWarning, match=message):
        RefiningGridSearchCV(Counting(), GOOD_GRID, scoring=score).fit(X, Y)


def test_missing_scores_of_listed_values_are_warned_of_as_by_scikit_learn():
    def score(estimator, X, y):
        return 1.0 if estimator.alpha < 10.0 else np.nan

    search = RefiningGridSearchCV(Counting(), GOOD_GRID, scoring=score, n_rounds=1)
    with pytest.warns(UserWarning, match=r"non-finite: \[[^\]]*\]$"):
        search.fit(X, Y)


def test_a_later_round_that_fails_whole_is_a_warning():
    class BreaksBetween(Counting):
        def fit(self, X, y):
            if self.alpha not in (0.1, 1.0, 10.0):
                raise RuntimeError("only what the user listed")
            return super().fit(X, y)

    search = RefiningGridSearchCV(BreaksBetween(), GOOD_GRID, n_rounds=2)
    with (
        pytest.warns(FitFailedWarning, match="10 fits failed out of a total of 25"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, Y)
    assert search.best_params_["alpha"] in (0.1, 1.0, 10.0)


class MostlyInvalid(Counting):
    """Takes only one kind of three."""

    def fit(self, X, y):
        if self.kind != "c":
            raise ValueError("an invalid combination")
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"racing": True},
        {"surrogate": None},
        {"tol": 0.1},
        {"scoring": ["r2", "neg_max_error"], "refit": "r2"},
        {"scoring": lambda fitted, X, y: {"a": 1.0, "b": 2.0}, "refit": "b"},
        {"refit": lambda results: np.nanargmax(results["mean_test_score"])},
    ],
)
def test_a_random_search_outlives_rounds_that_fail_whole(options):
    """They are small, and each candidate may be an invalid combination."""
    space = {"kind": ["a", "b", "c"], "alpha": loguniform(0.1, 10)}
    late = 0
    for seed in range(6):
        search = SuccessiveRandomSearchCV(
            MostlyInvalid(), space, random_state=seed, n_rounds=5, cv=2, **options
        ).fit(X, Y)
        assert search.best_params_["kind"] == "c"
        late += np.isnan(search.rounds_["best_score"].iloc[0])
    assert late >= 2


@pytest.mark.parametrize("n_rounds", [1, 3])
def test_every_fit_of_a_random_search_failing(n_rounds):
    search = SuccessiveRandomSearchCV(
        Counting(kind="broken"), GOOD_DISTRIBUTION, n_rounds=n_rounds
    )
    with pytest.raises(ValueError, match=r"(?s)All the 50 fits failed.*error_score"):
        search.fit(X, Y)
    with pytest.raises(RuntimeError, match="cannot be fitted"):
        search.set_params(error_score="raise").fit(X, Y)


def test_y_is_required():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0, 2.0]})
    for method in (search.fit, search.plan):
        with pytest.raises(ValueError, match="requires y to be passed, but the target"):
            method(X)


def test_a_plan_needs_a_metric_to_refit_by():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0]}, scoring=["r2"])
    for method in (search.fit, search.plan):
        with pytest.raises(ValueError, match="refit must be set to a scorer"):
            method(X, Y)


@pytest.mark.filterwarnings("ignore:passing a class:FutureWarning")  # sklearn 1.7
@pytest.mark.parametrize("method", ["fit", "plan"])
@pytest.mark.parametrize("search", [RefiningGridSearchCV, SuccessiveRandomSearchCV])
def test_an_estimator_class_is_the_error_of_scikit_learn(search, method):
    with pytest.raises(TypeError, match=r"instance.* class|sklearn_tags") as theirs:
        GridSearchCV(Ridge, {"alpha": [1.0]}).fit(X, Y)
    with pytest.raises(TypeError, match=re.escape(str(theirs.value))):
        getattr(search(Ridge, {"alpha": [1.0]}), method)(X, Y)


class OneClass(ClassifierMixin, BaseEstimator):
    """A classifier that needs no y."""

    def __init__(self, width=1.0):
        self.width = width

    def fit(self, X, y=None):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_y_is_not_required_of_a_classifier_that_has_a_default_for_it():
    search = RefiningGridSearchCV(
        OneClass(),
        {"width": [1.0, 2.0]},
        scoring=lambda estimator, X, y=None: estimator.width,
        n_rounds=1,
    )
    assert search.fit(X).best_params_ == {"width": 2.0}


def test_y_is_required_by_the_last_step():
    search = RefiningGridSearchCV(make_pipeline(Ridge()), {"ridge__alpha": [1.0, 2.0]})
    with pytest.raises(
        ValueError, match=r"(?s)All the 10 fits failed.*requires y to be passed"
    ):
        search.fit(X)


def test_iterator_cv_is_kept_for_fit():
    splits = KFold(3).split(X)
    search = RefiningGridSearchCV(Counting(), GOOD_GRID, cv=splits)
    with pytest.raises(ValueError, match=re.escape("Pass cv=list(...) instead")):
        search.plan(X, Y)
    assert search.fit(X, Y).n_splits_ == 3


def test_inconsistent_splitter():
    class Liar(KFold):
        def get_n_splits(self, X=None, y=None, groups=None):
            return 4

    with pytest.raises(ValueError, match="Expected 4 splits, got 3"):
        RefiningGridSearchCV(Counting(), GOOD_GRID, cv=Liar(3)).fit(X, Y)


def test_refit_name_of_no_metric():
    search = RefiningGridSearchCV(
        Counting(), GOOD_GRID, scoring=["r2", "explained_variance"], refit="accuracy"
    )
    with pytest.raises(ValueError, match="'accuracy' was passed"):
        search.fit(X, Y)


def test_refit_callable_out_of_range():
    search = RefiningGridSearchCV(Counting(), GOOD_GRID, refit=lambda results: 99)
    with (
        pytest.raises(IndexError, match="best_index_ index out of range"),
        pytest.warns(UserWarning, match=r"raised IndexError.*calls it again after"),
    ):
        search.fit(X, Y)
    assert len(search.cv_results_["params"]) >= 3
