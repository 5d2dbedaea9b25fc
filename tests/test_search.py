"""Both searches as a user meets them."""

import inspect
import pickle
import re
import time

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import loguniform, randint, uniform
from sklearn import clone
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes, load_iris
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, r2_score
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV, log_randint

X, Y = load_diabetes(return_X_y=True)
IRIS_X, IRIS_Y = load_iris(return_X_y=True)


class Function(RegressorMixin, BaseEstimator):
    """Its score is a function of its parameters, and of the rows it is tested on."""

    def __init__(self, a=1.0, b=1.0, c="x"):
        self.a = a
        self.b = b
        self.c = c

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return np.zeros(len(X))

    def score(self, X, y=None):
        shift = float(np.asarray(X)[:, 0].mean())
        return -abs(np.log10(abs(self.a) + 1e-9) - self.b / 7 + shift) - (self.c == "y")


def grid(**params):
    space = {"a": [0.1, 1.0, 10.0], "b": [1, 2, 3], "c": ["x", "y"]}
    return RefiningGridSearchCV(Function(), space, **{"cv": 3, **params})


def random(**params):
    space = {"a": loguniform(0.1, 10), "b": [1, 2, 3], "c": ["x", "y"]}
    params = {"cv": 3, "n_iter": 12, "n_rounds": 3, "random_state": 0, **params}
    return SuccessiveRandomSearchCV(Function(), space, **params)


both = pytest.mark.parametrize("make", [grid, random])


def scores(search):
    return {
        key: np.asarray(value).tolist()
        for key, value in search.cv_results_.items()
        if not key.endswith("_time") and not key.startswith("param")
    }


@both
@pytest.mark.parametrize("error_free", [True])
def test_same_for_every_n_jobs_and_backend(make, error_free):
    reference = make().fit(X, Y)
    for n_jobs, backend in [(2, "loky"), (2, "threading"), (1, "sequential")]:
        with joblib.parallel_config(backend=backend):
            search = make(n_jobs=n_jobs).fit(X, Y)
        assert scores(search) == scores(reference)
        assert search.cv_results_["params"] == reference.cv_results_["params"]


@both
def test_plan_bounds_what_fit_spends(make):
    plan = make().plan(X, Y)
    search = make().fit(X, Y)
    spent = search.rounds_
    assert list(plan.columns) == ["n_candidates", "n_fits"]
    assert plan.index.name == spent.index.name == "round"
    assert (spent[plan.columns] <= plan.loc[spent.index]).all(axis=None)
    assert search.n_fits_ == spent["n_fits"].sum() <= plan["n_fits"].sum()
    assert search.n_rounds_ == len(spent)
    assert len(search.cv_results_["params"]) == spent["n_candidates"].sum()


@both
def test_rounds_frame(make):
    search = make().fit(X, Y)
    frame = search.rounds_
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["best_so_far"].is_monotonic_increasing
    assert frame["best_so_far"].iloc[-1] == search.best_score_
    assert (frame["seconds"] > 0).all()
    assert all(len(line) <= 80 for line in frame.to_string().splitlines())
    windows = search.windows_
    ranges = windows[windows["parameter"] == "a"]
    assert (ranges["low"] <= ranges["high"]).all()
    assert set(windows["round"]) == {1, 2, 3}
    number = search.cv_results_["round"]
    assert np.bincount(number)[1:].tolist() == frame["n_candidates"].tolist()
    assert "round" not in make(n_rounds=1).fit(X, Y).cv_results_


@both
def test_nothing_of_the_users_is_changed(make):
    search = make()
    before = {k: repr(v) for k, v in search.get_params(deep=False).items()}
    estimator = search.estimator
    data = X.copy(), Y.copy()
    search.fit(*data)
    assert search.estimator is estimator
    assert not hasattr(estimator, "n_features_in_")
    assert {k: repr(v) for k, v in search.get_params(deep=False).items()} == before
    np.testing.assert_array_equal(data[0], X)
    np.testing.assert_array_equal(data[1], Y)


@both
def test_unseeded_splitter_gives_every_round_the_same_splits(make):
    seen = []

    def remember(estimator, X, y):
        seen.append(tuple(y))
        return estimator.score(X, y)

    search = make(cv=ShuffleSplit(3), scoring=remember).fit(X, Y)
    assert search.n_rounds_ == 3
    n_splits = 3
    first = seen[:n_splits]
    assert len(set(first)) == n_splits
    for start in range(0, len(seen), n_splits):
        assert seen[start : start + n_splits] == first


@both
def test_clone_and_pickle(make):
    search = make()
    assert clone(search).get_params().keys() == search.get_params().keys()
    before = pickle.loads(pickle.dumps(search)).fit(X, Y)
    after = pickle.loads(pickle.dumps(before))
    np.testing.assert_array_equal(after.predict(X), before.predict(X))
    assert after.rounds_.equals(before.rounds_)
    check_is_fitted(after)


@both
def test_html_links_to_our_documentation(make):
    search = make()
    for shown in (search._repr_html_(), search.fit(X, Y)._repr_html_()):
        link = r'https://sklearn-refine\.readthedocs\.io/[^"]*sklearn_refine\.'
        assert re.search(link + type(search).__name__, shown)


@both
def test_tol_stops(make):
    search = make(tol=1e6).fit(X, Y)
    assert search.stop_reason_ == "tol"
    assert search.n_rounds_ == 2
    assert make(tol=0.0).fit(X, Y).stop_reason_ == "completed"


def test_exhausted():
    search = RefiningGridSearchCV(
        KNeighborsClassifier(),
        {"n_neighbors": [1, 2, 3, 4]},
        bounds={"n_neighbors": (1, 4)},
    ).fit(IRIS_X, IRIS_Y)
    assert search.stop_reason_ == "exhausted"
    assert search.n_rounds_ == 1
    only_choices = RefiningGridSearchCV(SVC(), {"kernel": ["rbf", "linear"]})
    assert only_choices.plan(IRIS_X, IRIS_Y).shape == (1, 2)
    assert only_choices.fit(IRIS_X, IRIS_Y).stop_reason_ == "completed"


@pytest.mark.parametrize("values", [[0.1, 1.0], randint(3, 5), log_randint(3, 5)])
def test_small_space_warns_as_randomized_search(values):
    search = SuccessiveRandomSearchCV(Ridge(), {"alpha": values}, n_iter=5)
    with pytest.warns(UserWarning, match="total space of parameters 2 is smaller"):
        search.fit(X, Y)
    assert search.n_fits_ == 10
    assert search.stop_reason_ == "completed"


class Dice:
    """A distribution without quantiles that repeats its values."""

    def rvs(self, random_state=None):
        return float(random_state.randint(1, 4))


@pytest.mark.parametrize("n_rounds", [1, 4])
def test_fewer_candidates_than_n_iter_warn(n_rounds):
    search = SuccessiveRandomSearchCV(
        Ridge(), {"alpha": Dice()}, n_iter=10, n_rounds=n_rounds, random_state=0
    )
    with pytest.warns(UserWarning, match="Only 3 candidates .* n_iter=10.*Lower n_ite"):
        search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 3


@pytest.mark.parametrize("options", [{"tol": 1e9}, {"time_budget": 0.3}])
def test_a_limit_of_the_user_ends_a_search_without_a_warning(options):
    search = SuccessiveRandomSearchCV(
        Slow() if "time_budget" in options else Ridge(),
        {"alpha": uniform()},
        n_iter=40,
        random_state=0,
        **options,
    )
    search.fit(X, Y)  # warnings are errors
    assert len(search.cv_results_["params"]) < 40
    assert search.stop_reason_ in options


class Slow(Ridge):
    """A model whose fits take a while."""

    def fit(self, X, y):
        time.sleep(0.02)
        return super().fit(X, y)


def test_a_value_listed_twice_keeps_its_row_and_is_fitted_once():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0, 1.0, np.float64(1.0), 2.0]})
    search.fit(X, Y)
    assert search.rounds_.loc[1, ["n_candidates", "n_fits"]].tolist() == [4, 10]
    first = search.cv_results_["mean_test_score"][:3]
    assert len(set(first)) == 1


def test_numpy_scalars_do_not_leak():
    search = RefiningGridSearchCV(Ridge(), {"alpha": np.logspace(-2, 0, 3)}).fit(X, Y)
    assert all(type(p["alpha"]) is float for p in search.cv_results_["params"])
    assert type(search.best_params_["alpha"]) is float


def test_callable_refit_sees_all_rounds_and_leads_the_search():
    seen = []

    def smallest(results):
        seen.append(len(results["params"]))
        return int(np.argmin([p["alpha"] for p in results["params"]]))

    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, refit=smallest)
    search.fit(X, Y)
    assert seen[-1] == len(search.cv_results_["params"])
    assert search.best_params_["alpha"] == min(
        p["alpha"] for p in search.cv_results_["params"]
    )
    assert search.best_params_["alpha"] <= 0.001
    assert not hasattr(search, "best_score_")


def test_tol_goes_by_the_best_score_whatever_refit_prefers():
    search = RefiningGridSearchCV(
        Function(b=-28),
        {"a": [0.01, 0.1, 1.0]},
        cv=2,
        refit=lambda results: 0,  # so what is preferred gains nothing
        tol=0.1,
        n_rounds=4,
    ).fit(X, Y)
    gains = np.diff(search.rounds_["best_so_far"])
    assert gains[0] >= 0.1
    assert (gains[1:-1] >= 0.1).all()
    assert len(gains) > 1


@pytest.mark.parametrize("refit", ["b", False])
def test_multimetric_follows_the_refit_metric(refit):
    search = grid(
        scoring={
            "a": make_scorer(r2_score),
            "b": lambda estimator, X, y: -abs(estimator.a - 30),
        },
        refit=refit,
    ).fit(X, Y)
    assert search.multimetric_
    best = search.cv_results_["mean_test_b"].max()
    if refit:
        assert best == search.best_score_ > -10
        assert "rank_test_a" in search.cv_results_
    else:
        assert not hasattr(search, "best_index_")


def test_inputs_of_every_kind():
    expected = (
        RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(X, Y).best_score_
    )
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    inputs = [
        (X.tolist(), Y.tolist()),
        (frame, pd.Series(Y)),
        (pl.from_pandas(frame), Y),
        (sp.csr_matrix(X), Y),
    ]
    for data in inputs:
        search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(*data)
        assert search.best_score_ == pytest.approx(expected, abs=1e-3)
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}).fit(frame, Y)
    assert search.feature_names_in_.tolist() == list(frame.columns)
    assert search.n_features_in_ == X.shape[1]


def test_inside_a_pipeline_and_nested_cross_validation():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, n_rounds=2)
    pipeline = make_pipeline(StandardScaler(), search)
    assert np.isfinite(cross_val_score(pipeline, X, Y, cv=2)).all()


@pytest.mark.parametrize(
    ("estimator", "name", "values", "low", "high"),
    [
        (SVC(), "C", [0.1, 1.0, 10.0], 0, np.inf),
        (SVC(), "gamma", ["scale", 0.1, 1.0], 0, np.inf),
        (KNeighborsClassifier(), "n_neighbors", [1, 3, 5], 1, np.inf),
        (LogisticRegression(max_iter=50), "tol", [1e-3, 1e-2, 1e-1], 0, np.inf),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_legal_ranges_of_real_estimators(estimator, name, values, low, high):
    for sign in (-1, 1):  # drives the search down and up

        def score(fitted, X, y, sign=sign):
            value = getattr(fitted, name)
            return sign * (0 if isinstance(value, str) else value)

        search = RefiningGridSearchCV(
            estimator,
            {name: values},
            scoring=score,
            n_rounds=5,
            error_score="raise",
            cv=2,
        ).fit(IRIS_X, IRIS_Y)
        tried = [p[name] for p in search.cv_results_["params"]]
        numbers = [v for v in tried if not isinstance(v, str)]
        assert min(numbers) >= low
        assert max(numbers) <= high


@pytest.mark.parametrize("direction", [-4, 4])
def test_an_optimum_two_decades_outside(direction):
    def score(estimator, X, y):
        return -abs(np.log10(estimator.a) - direction)

    default = RefiningGridSearchCV(Function(), {"a": [0.01, 1.0, 100.0]}).n_rounds
    search = RefiningGridSearchCV(
        Function(),
        {"a": [0.01, 0.1, 1.0, 10.0, 100.0]},
        scoring=score,
        n_rounds=default + 2,
    ).fit(X, Y)
    assert abs(np.log10(search.best_params_["a"]) - direction) < 0.15


@settings(max_examples=25, deadline=None)
@given(
    a=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=4),
    b=st.lists(st.integers(-5, 50), min_size=1, max_size=3),
    n_rounds=st.integers(1, 4),
    n_centers=st.integers(1, 3),
)
def test_never_below_grid_search(a, b, n_rounds, n_centers):
    space = {"a": a, "b": b}
    theirs = GridSearchCV(Function(), space, cv=KFold(2)).fit(X, Y)
    ours = RefiningGridSearchCV(
        Function(), space, cv=KFold(2), n_rounds=n_rounds, n_centers=n_centers
    )
    plan = ours.plan(X, Y)
    ours.fit(X, Y)
    assert ours.best_score_ >= theirs.best_score_
    n = len(theirs.cv_results_["params"])
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"][:n], theirs.cv_results_["mean_test_score"]
    )
    assert ours.n_fits_ <= plan["n_fits"].sum()


def test_default_rounds_of_random_search():
    for n_iter, rounds, without in [
        (1, 1, 1),
        (2, 2, 2),
        (10, 3, 2),
        (24, 8, 4),
        (48, 8, 8),
        (500, 17, 8),
        (10_000, 47, 8),
    ]:
        search = SuccessiveRandomSearchCV(Ridge(), {"alpha": uniform()}, n_iter=n_iter)
        plan = search.plan(X, Y)
        assert len(plan) == rounds
        assert plan["n_candidates"].sum() == n_iter
        assert len(search.set_params(surrogate=None).plan(X, Y)) == without


def test_documented_and_shared_words():
    """Every parameter and fitted attribute is documented, alike in both classes."""
    sections = {}
    for cls in (RefiningGridSearchCV, SuccessiveRandomSearchCV):
        doc = inspect.getdoc(cls)
        entries = dict(re.findall(r"(?ms)^(\w+) : (.*?)(?=^\w+ : |^[A-Z]|\Z)", doc))
        parameters = set(inspect.signature(cls).parameters)
        assert parameters <= set(entries)
        sections[cls] = entries
    search = grid().fit(X, Y)
    fitted = {n for n in vars(search) if n.endswith("_") and not n.startswith("_")}
    assert fitted <= set(sections[RefiningGridSearchCV])
    own = {"n_rounds", "n_centers", "error_score"}
    ours, other = sections.values()
    for name in set(ours) & set(other) - own:
        assert ours[name] == other[name], name


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"racing": True},
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
        {"refit": lambda results: int(np.argmin(results["mean_test_score"]))},
    ],
    ids=["plain", "racing", "two metrics", "callable refit"],
)
@pytest.mark.parametrize("cls", [RefiningGridSearchCV, SuccessiveRandomSearchCV])
def test_verbose_says_in_a_line_a_round_how_far_the_search_is(cls, options, capsys):
    X, y = load_iris(return_X_y=True)
    space = {"C": [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]}
    given = {"n_rounds": 3} | ({"n_iter": 6} if cls is SuccessiveRandomSearchCV else {})
    model = LogisticRegression(max_iter=5000)
    search = cls(model, space, cv=3, verbose=1, **given, **options).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    if search.best_on_edge_:
        *lines, last = lines
        assert last.startswith("The best candidate lies on an end of the space. C: ")
        assert last.endswith(search.best_on_edge_["C"])
    *lines, closing = lines
    assert len(lines) == search.n_rounds_ == 3
    most = "at most " if "racing" in options else ""
    metric = options["refit"] if "scoring" in options else "score"
    best = -np.inf
    for number, line in enumerate(lines, start=1):
        text = re.fullmatch(
            rf"Fitting {most}3 folds for each of (\d+) candidates, totalling {most}"
            rf"(\d+) fits \(round {number} of 3"
            rf"(?:, best {metric} so far (.*), about [\d.]+ s)?\)",
            line,
        )
        row = search.rounds_.loc[number]
        assert int(text[2]) == 3 * int(text[1])
        assert row["n_fits"] <= int(text[2])
        if not most:
            assert row["n_fits"] == int(text[2])
        assert (text[3] is None) == (number == 1)
        if number > 1:
            assert text[3] == f"{best:.5g}"
        rows = search.cv_results_["round"] <= number
        means = search.cv_results_[f"mean_test_{metric}"][rows]
        best = np.nanmax(means)
    index = search.best_index_
    score = search.cv_results_[f"mean_test_{metric}"][index]
    said = (
        f"Best {metric} {score:.5g} (candidate {index}, round "
        f"{search.cv_results_['round'][index]}) after {search.n_fits_} fits in "
    )
    assert closing.startswith(said)
    assert closing.endswith(" s: all rounds were run.")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"n_rounds": 9, "tol": 5}, "the last round gained less than tol=5"),
        (
            {"n_rounds": 9, "bounds": {"max_depth": (1, 2)}},
            "no new candidates were left",
        ),
        ({"n_rounds": 3, "scoring": ["r2"], "refit": False}, "all rounds were run"),
    ],
)
def test_the_last_line_says_why_a_search_ended(options, reason, capsys):
    grid = {"max_depth": [1, 2], "ccp_alpha": [0.0, 0.01, 0.02]}
    if "bounds" in options:
        grid.pop("ccp_alpha")
    model = DecisionTreeRegressor(random_state=0)
    RefiningGridSearchCV(model, grid, cv=2, verbose=1, **options).fit(X, Y)
    ends = [line for line in capsys.readouterr().out.splitlines() if "after" in line]
    assert len(ends) == 1
    assert ends[0].endswith(f" s: {reason}.")
    assert ends[0].startswith("No best" if "refit" in options else "Best score ")


def test_a_search_of_one_round_prints_what_grid_search_prints(capsys):
    grid, model = {"max_depth": [1, 2]}, DecisionTreeRegressor(random_state=0)
    GridSearchCV(model, grid, cv=2, verbose=1).fit(X, Y)
    theirs = capsys.readouterr().out
    RefiningGridSearchCV(model, grid, cv=2, verbose=1, n_rounds=1).fit(X, Y)
    assert capsys.readouterr().out == theirs


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_verbose_knows_no_best_score_before_there_is_one(capsys):
    X, y = load_iris(return_X_y=True)
    one_class, all_classes = np.arange(50), np.arange(150)
    search = SuccessiveRandomSearchCV(
        LogisticRegression(max_iter=5000),
        {"C": loguniform(1e-3, 1)},
        n_iter=4,
        n_rounds=2,
        surrogate=None,
        cv=[(one_class, all_classes), (all_classes, all_classes)],
        refit=False,
        verbose=1,
    ).fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"]).all()
    first, second, last = capsys.readouterr().out.splitlines()
    assert last.startswith("No best candidate after 8 fits in ")
    text = "Fitting 2 folds for each of 2 candidates, totalling 4 fits (round"
    assert first == f"{text} 1 of 2)"
    assert re.fullmatch(re.escape(text) + r" 2 of 2, about [\d.]+ s\)", second)


class Breaks(RegressorMixin, BaseEstimator):
    """Is broken off at one value of `a`, on data with two features."""

    def __init__(self, a=1, error=None):
        self.a = a
        self.error = error

    def fit(self, X, y):
        if self.a == 3 and X.shape[1] == 2:
            raise self.error("broken off")
        return self

    def score(self, X, y):
        return float(self.a)


@pytest.mark.parametrize(
    ("error", "reason"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "error")]
)
def test_a_fit_that_is_broken_off_leaves_nothing_of_the_one_before(error, reason):
    search = RefiningGridSearchCV(
        Breaks(error=error), {"a": [1, 2, 3, 4]}, cv=2, n_rounds=1, error_score="raise"
    ).fit(pd.DataFrame(IRIS_X, columns=list("abcd")), IRIS_Y)
    assert search.best_params_ == {"a": 4}
    with pytest.raises(error, match="broken off"):
        search.fit(IRIS_X[:, :2], IRIS_Y)
    assert search.stop_reason_ == reason
    for name in ("best_estimator_", "refit_time_", "feature_names_in_"):
        assert not hasattr(search, name)
    kept = getattr(search, "best_params_", None)
    assert kept in (None, *search.cv_results_["params"])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_says_which_values_led_to_it(n_jobs):
    search = RefiningGridSearchCV(
        make_pipeline(PCA(), Ridge()),
        {"pca__n_components": [1, 2, 7]},
        error_score="raise",
        n_jobs=n_jobs,
    )
    with pytest.raises(ValueError, match="n_components=") as raised:
        search.fit(IRIS_X, IRIS_Y)
    (note,) = raised.value.__notes__
    assert "a fit with {'pca__n_components': 7}" in note
