"""What later rounds invent never costs the user: refit callables, errors, warnings."""

import warnings

import numpy as np
import pytest
from scipy.stats import uniform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.cross_decomposition import PLSRegression
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    read_journal,
)

ALL = load_diabetes(return_X_y=True)
X, Y = ALL[0][:120], ALL[1][:120]
IRIS = load_iris(return_X_y=True)
pytestmark = pytest.mark.filterwarnings("ignore:One or more of the test scores")


class Picky(RegressorMixin, BaseEstimator):
    """Fails above `limit`, unless that is None; declares nothing."""

    def __init__(self, alpha=1.0, limit=1.0, fails=True):
        self.alpha = alpha
        self.limit = limit
        self.fails = fails

    def fit(self, X, y):
        if self.fails and self.alpha > self.limit:
            raise ValueError(f"alpha={self.alpha} is above {self.limit}")
        self.model_ = Ridge(1 / self.alpha).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)


GRID = {"alpha": [0.1, 1.0, 10.0]}


def argmax(results):
    return int(np.argmax(results["mean_test_score"]))


class Seen:
    """A callable `refit` that keeps the results it was shown."""

    def __init__(self):
        self.results = []

    def __call__(self, results):
        self.results.append(results)
        return int(np.nanargmax(results["mean_test_score"]))


@pytest.mark.slow
def test_scikit_learn_s_example_of_a_refit_callable_runs_after_the_class_swap():
    def lower_bound(results):
        i = np.argmax(results["mean_test_score"])
        return results["mean_test_score"][i] - results["std_test_score"][i]

    def best_low_complexity(results):
        good = np.flatnonzero(results["mean_test_score"] >= lower_bound(results))
        return good[results["param_reduce_dim__n_components"][good].argmin()]

    from sklearn.pipeline import Pipeline

    pipe = Pipeline(
        [
            ("reduce_dim", PCA(random_state=42)),
            ("classify", LogisticRegression(random_state=42, C=0.01, max_iter=1000)),
        ]
    )
    grid = {"reduce_dim__n_components": [6, 8, 10, 15, 20, 25, 35, 45, 55]}
    digits, labels = load_digits(return_X_y=True)
    digits, labels = digits[:400], labels[:400]
    for racing in (False, True):
        search = RefiningGridSearchCV(
            pipe,
            grid,
            scoring="accuracy",
            cv=5,
            refit=best_low_complexity,
            racing=racing,
        ).fit(digits, labels)
        means = search.cv_results_["mean_test_score"]
        assert np.isfinite(means[search.best_index_])
        assert search.best_params_ == search.cv_results_["params"][search.best_index_]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("racing", [False, True])
def test_a_callable_sees_what_grid_search_could_have_shown(racing):
    seen = Seen()
    # One listed value fails, and what the search invents beyond 10.
    grid = [
        {"alpha": [0.1, 1.0, 10.0], "limit": [10.0]},
        {"alpha": [30.0], "limit": [10.0]},
    ]
    search = RefiningGridSearchCV(Picky(), grid, cv=3, refit=seen, racing=racing)
    search.fit(X, Y)
    everything = search.cv_results_
    assert np.isnan(everything["mean_test_score"]).sum() > 1
    for results in seen.results:
        missing = np.isnan(results["mean_test_score"])
        assert [results["params"][i] for i in np.flatnonzero(missing)] in (
            [{"alpha": 30.0, "limit": 10.0}],
            [],
        )
        ranks = results["rank_test_score"]
        assert sorted(ranks)[0] == 1
        assert len(ranks) == len(results["params"])
    last = seen.results[-1]
    index = int(np.nanargmax(last["mean_test_score"]))
    assert search.best_params_ == last["params"][index]
    assert search.best_params_ == everything["params"][search.best_index_]


def test_a_plain_argmax_never_takes_an_invented_failure():
    pipe = make_pipeline(StandardScaler(), PCA(), LogisticRegression())
    grid = {"pca__n_components": [1, 2, 3, 4]}
    GridSearchCV(pipe, grid, refit=argmax).fit(*IRIS)
    with pytest.warns(FitFailedWarning, match="proposed in later rounds"):
        search = RefiningGridSearchCV(pipe, grid, refit=argmax).fit(*IRIS)
    assert 1 <= search.best_params_["pca__n_components"] <= 4


def test_a_callable_that_raises_between_rounds_does_not_end_the_search():
    calls = []

    def late(results):
        calls.append(len(results["params"]))
        if len(calls) < 3:
            raise RuntimeError("not yet")
        return argmax(results)

    search = RefiningGridSearchCV(Ridge(), GRID, refit=late)
    with pytest.warns(UserWarning, match=r"RuntimeError: not yet.*between round"):
        search.fit(X, Y)
    assert search.n_rounds_ == len(calls) == 3
    assert search.best_index_ == argmax(search.cv_results_)


@pytest.mark.filterwarnings("ignore:refit=")
def test_a_callable_that_always_raises_does_so_at_the_end_with_the_results_kept():
    def never(results):
        raise RuntimeError("never")

    search = RefiningGridSearchCV(Ridge(), GRID, refit=never)
    with pytest.raises(RuntimeError, match="never"):
        search.fit(X, Y)
    assert search.n_rounds_ == 3
    assert len(search.cv_results_["params"]) == search.rounds_["n_candidates"].sum()


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("scoring", [None, ["r2", "neg_mean_squared_error"]])
def test_raise_is_about_what_the_user_listed(n_jobs, scoring, tmp_path):
    refit = "r2" if scoring else True
    options = {"error_score": "raise", "scoring": scoring, "refit": refit, "cv": 3}
    grid = {"n_components": [2, 5, 9]}
    GridSearchCV(PLSRegression(), grid, **options).fit(*ALL)
    options |= {"n_jobs": n_jobs, "journal": tmp_path / "search.db"}
    for _ in range(2):  # the second time from the journal
        search = RefiningGridSearchCV(PLSRegression(), grid, **options)
        with pytest.warns(FitFailedWarning, match=r"(?s)n_components=\d+.*Pass bounds"):
            search.fit(*ALL)
        assert 1 <= search.best_params_["n_components"] <= 10
        failed = np.isnan(
            search.cv_results_["split0_test_" + ("r2" if scoring else "score")]
        )
        assert failed.sum() == 1
    assert (read_journal(tmp_path / "search.db")["status"] == "failed").sum() == 3
    with pytest.raises(ValueError, match="n_components"):
        RefiningGridSearchCV(PLSRegression(), {"n_components": [2, 99]}, **options).fit(
            *ALL
        )


def test_raise_is_about_every_value_of_a_random_search():
    search = SuccessiveRandomSearchCV(
        Picky(), {"alpha": uniform(0.1, 5)}, random_state=0, error_score="raise"
    )
    with pytest.raises(ValueError, match="is above"):
        search.fit(X, Y)


def test_the_warning_says_nothing_of_proposals_where_only_listed_values_failed():
    grid = {"alpha": [0.1, 1.0, 2.0], "limit": [1.0]}
    search = RefiningGridSearchCV(
        Picky(), grid, cv=2, bounds={"alpha": (None, 1.0)}, n_rounds=2
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, Y)
    texts = [str(w.message) for w in caught if w.category is FitFailedWarning]
    assert len(texts) == 1
    assert "later rounds" not in texts[0]


def test_what_was_done_is_part_of_the_results():
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0, 10.0, 100.0]}, cv=3)
    search.fit(X, Y)
    windows = search.windows_
    columns = ["round", "center", "parameter", "low", "high", "choices", "why"]
    assert windows.columns.tolist() == columns
    assert set(windows["round"]) == {1, 2, 3}
    assert (windows["center"] == -1).equals(windows["round"] == 1)
    second = windows[windows["round"] == 2].iloc[0]
    assert second["why"].startswith("steps below 1, the edge tried")
    assert (second["low"], second["choices"]) == (0.1, ())
    assert search.rounds_["note"].tolist()[:2] == ["", "beyond alpha"]
    assert search.best_on_edge_ == {} or "alpha" in search.best_on_edge_
    one = RefiningGridSearchCV(Ridge(), {"alpha": [50.0, 500.0]}, n_rounds=1).fit(X, Y)
    assert one.best_on_edge_ == {
        "alpha": "50 is the smallest value tried (no round has gone past it)"
    }


def test_a_random_search_says_when_the_best_lies_on_the_end_of_a_distribution():
    search = SuccessiveRandomSearchCV(
        Ridge(), {"alpha": [100.0, 200.0, 500.0]}, n_iter=3, n_rounds=1, random_state=0
    ).fit(X, Y)
    assert search.best_on_edge_ == {"alpha": "100 is the smallest value in the space"}


def test_stored_attributes_are_plain_data():
    search = RefiningGridSearchCV(Ridge(), GRID, cv=3).fit(X, Y)
    kinds = {type(value).__module__.split(".")[0] for value in vars(search).values()}
    assert "pandas" not in kinds
    assert search.rounds_.equals(search.rounds_)


def test_the_end_is_said_once_in_a_line(capsys):
    grid = {"alpha": [100.0, 1000.0]}
    RefiningGridSearchCV(Ridge(), grid, n_rounds=2, verbose=1).fit(X, Y)
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("The best candidate lies on an end of the space. alpha: ")
    RefiningGridSearchCV(Ridge(), grid, n_rounds=1, verbose=1).fit(X, Y)
    assert "lies on an end" not in capsys.readouterr().out


def test_a_limit_that_was_not_given_is_no_reason():
    # SVC declares C up to and including infinity.
    space = RefiningGridSearchCV(SVC(), {"C": [1, 10, 100]}).describe_space()
    assert space["why"].tolist() == ["declared limit"]
    bounds = {"C": (None, 500)}
    space = RefiningGridSearchCV(SVC(), {"C": [1, 10, 100]}, bounds=bounds)
    assert space.describe_space()["why"].tolist() == ["declared limit; bounds"]


def test_the_limits_are_known_before_the_cost():
    grid = [
        {"alpha": [0.2, 0.6, 1.0], "limit": [1.0, 2.0], "fails": [True, False]},
        {"alpha": [1, 5, 9]},
    ]
    space = RefiningGridSearchCV(
        Picky(), grid, bounds={"limit": (None, 3)}
    ).describe_space()
    rows = space.set_index(["grid", "parameter"])
    assert rows.loc[(0, "alpha")].tolist() == [
        *("linear", 0.0, 1.0, "limit read from the list")
    ]
    assert rows.loc[(0, "limit"), "highest"] == 3
    assert rows.loc[(0, "limit"), "why"] == "limit read from the list; bounds"
    assert rows.loc[(0, "fails"), "read_as"] == "choice"
    assert rows.loc[(1, "alpha"), "read_as"] == "integer linear"
    assert rows.loc[(1, "alpha"), "why"].endswith("at most doubles per round")
    with pytest.raises(ValueError, match="which is not in param_grid"):
        RefiningGridSearchCV(Picky(), grid, scales={"x": "log"}).describe_space()
