"""Races over iterations: the scores of who finishes, and everything that can happen."""

import os
import signal
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from scipy.stats import loguniform, uniform
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_callbacks import Recorder, with_callbacks

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    read_journal,
    smoothed_best,
)
from sklearn_refine.evaluation._paused import PAUSED, PausedFits
from sklearn_refine.mlp import _stack
from sklearn_refine.results._attributes import _paused_columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FLOWERS, SPECIES = load_iris(return_X_y=True)
RNG = np.random.RandomState(0)
X = RNG.normal(size=(80, 5))
Y = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * RNG.normal(size=80)

NETWORK = make_pipeline(
    StandardScaler(), MLPRegressor(hidden_layer_sizes=(8,), random_state=0, max_iter=20)
)
RATES = {"mlpregressor__learning_rate_init": np.geomspace(1e-4, 0.5, 12).tolist()}


def race(estimator, grid, X=X, y=Y, *, racing="iterations", n_rounds=1, **more):
    search = RefiningGridSearchCV(
        estimator, grid, racing=racing, n_rounds=n_rounds, cv=more.pop("cv", 3), **more
    )
    return search.fit(X, y)


def split_scores(search):
    results = search.cv_results_
    return np.array(
        [results[f"split{k}_test_score"] for k in range(search.n_splits_)], dtype=float
    )


def check(search, expected):
    """Check that all scores are those of a search without a race, and whole."""
    scores, others = split_scores(search), split_scores(expected)
    run = ~np.isnan(scores)
    np.testing.assert_array_equal(scores[run], others[run])
    results = search.cv_results_
    np.testing.assert_array_equal(run.sum(axis=0), results["n_splits_evaluated"])
    complete = run.all(axis=0)
    assert complete.any()
    np.testing.assert_array_equal(
        np.isnan(results["mean_test_score"]), ~complete, strict=True
    )
    assert (results["rank_test_score"][~complete] == complete.sum() + 1).all()
    assert complete[search.best_index_]


FAMILIES = {
    "mlp": (NETWORK, RATES, X, Y),
    "early stopping": (
        MLPClassifier(
            hidden_layer_sizes=(8,), random_state=0, max_iter=40, early_stopping=True
        ),
        {"learning_rate_init": np.geomspace(1e-3, 0.5, 8).tolist()},
        FLOWERS,
        SPECIES,
    ),
    "adaptive": (
        MLPRegressor(
            hidden_layer_sizes=(5,),
            solver="sgd",
            learning_rate="adaptive",
            max_iter=40,
            random_state=0,
        ),
        {"learning_rate_init": np.geomspace(1e-4, 0.01, 8).tolist()},
        X,
        Y,
    ),
    "converged": (
        MLPRegressor(hidden_layer_sizes=(5,), random_state=0, tol=0.05, max_iter=100),
        {"learning_rate_init": np.geomspace(1e-4, 0.1, 8).tolist()},
        X,
        Y,
    ),
    "forest": (
        RandomForestClassifier(n_estimators=16, random_state=0),
        {
            "min_samples_leaf": [1, 3, 10, 30],
            "max_depth": [2, None],
            "class_weight": ["balanced"],
        },
        FLOWERS,
        SPECIES,
    ),
    "trees searched": (
        ExtraTreesRegressor(random_state=0),
        {"n_estimators": [1, 2, 8, 17], "max_features": [0.2, 0.5, 1.0]},
        X,
        Y,
    ),
    "bagging": (
        BaggingRegressor(n_estimators=16, random_state=0),
        {"max_samples": np.linspace(0.3, 1.0, 8).tolist()},
        X,
        Y,
    ),
    "boosting": (
        make_pipeline(
            StandardScaler(), GradientBoostingClassifier(n_estimators=9, random_state=0)
        ),
        {
            "gradientboostingclassifier__learning_rate": [0.01, 0.1, 0.5],
            "gradientboostingclassifier__subsample": [0.5, 1.0],
            "gradientboostingclassifier__max_features": [0.2, None],
        },
        FLOWERS,
        SPECIES,
    ),
    "histograms": (
        HistGradientBoostingRegressor(max_iter=16, random_state=0, max_features=0.5),
        {"learning_rate": [0.01, 0.1, 0.5, 1.0], "max_leaf_nodes": [3, 10]},
        X,
        Y,
    ),
    "histograms, early stopping": (
        HistGradientBoostingClassifier(
            max_iter=40, random_state=0, early_stopping=True, n_iter_no_change=2
        ),
        {"learning_rate": [0.1, 0.5, 1.0, 3.0], "max_leaf_nodes": [3, 10]},
        X,
        Y > 0,
    ),
}


QUICK = ("mlp", "forest", "histograms, early stopping")


@pytest.mark.parametrize(
    ("name", "can_keep"),
    [
        *((name, True) for name in QUICK),
        *(
            pytest.param(name, can_keep, marks=pytest.mark.slow)
            for name in FAMILIES
            for can_keep in (True, False)
            if not (can_keep and name in QUICK)
        ),
    ],
)
def test_who_finishes_has_the_scores_of_scikit_learn(name, can_keep, monkeypatch):
    """Also where nothing is kept, so that each fit starts anew after its pause."""
    estimator, grid, X, y = FAMILIES[name]
    if not can_keep:
        monkeypatch.setattr(PAUSED, "_max_bytes", -1)
    search = race(estimator, grid, X, y)
    expected = GridSearchCV(estimator, grid, cv=3).fit(X, y)
    check(search, expected)
    n_iter = search.cv_results_["n_iter_evaluated"]
    stopped = search.cv_results_["n_splits_evaluated"] == 0
    assert stopped.any()
    assert np.isfinite(search.cv_results_["partial_test_score"]).all()
    assert n_iter[stopped].max() < n_iter[~stopped].max()
    assert not PAUSED._fits


def partial_grid(estimator, grid, name, limit, X, y, cv=3):
    return GridSearchCV(estimator, {**grid, name: [limit]}, cv=cv).fit(X, y)


@pytest.mark.slow
def test_a_partial_score_is_the_score_with_fewer_iterations():
    search = race(NETWORK, RATES)
    results = search.cv_results_
    for limit in (5, 10):
        expected = partial_grid(NETWORK, RATES, "mlpregressor__max_iter", limit, X, Y)
        here = results["n_iter_evaluated"] == limit
        assert here.any()
        np.testing.assert_array_equal(
            results["partial_test_score"][here], split_scores(expected)[0][here]
        )
    forest, grid, X_, y_ = FAMILIES["forest"]
    results = race(forest, grid, X_, y_).cv_results_
    expected = partial_grid(forest, grid, "n_estimators", 2, X_, y_)
    here = results["n_iter_evaluated"] == 2
    assert here.any()
    np.testing.assert_allclose(
        results["partial_test_score"][here],
        expected.cv_results_["mean_test_score"][here],
        rtol=1e-14,
    )


def test_the_better_half_goes_on():
    search = race(NETWORK, RATES)
    n_iter = search.cv_results_["n_iter_evaluated"]
    assert sorted(n_iter) == [5] * 6 + [10] * 3 + [20] * 3
    first = partial_grid(NETWORK, RATES, "mlpregressor__max_iter", 5, X, Y)
    scores = split_scores(first)[0]
    assert scores[n_iter == 5].max() < scores[n_iter > 5].min()


def count_epochs(monkeypatch):
    counts = []
    run_epoch = _stack.Stack._run_epoch

    def run(self):
        counts.append(len(self.models))
        return run_epoch(self)

    monkeypatch.setattr(_stack.Stack, "_run_epoch", run)
    return counts


def test_no_epoch_is_run_twice(monkeypatch):
    counts = count_epochs(monkeypatch)
    search = race(NETWORK, RATES)
    n_later = search.cv_results_["n_splits_evaluated"].clip(1).sum() - 12
    assert sum(counts) == 12 * 5 + 6 * 5 + 3 * 10 + n_later * 20


@pytest.mark.slow
def test_no_tree_is_grown_twice(monkeypatch):
    forest, grid, X_, y_ = FAMILIES["bagging"]
    search = race(forest, grid, X_, y_)
    n_grown = np.where(search.cv_results_["n_splits_evaluated"], 3, 3)
    n_iter = search.cv_results_["n_iter_evaluated"]
    assert sorted(n_iter) == [2] * 4 + [4] * 1 + [16] * 3
    counts = []
    fit = BaggingRegressor._fit

    def count(self, *args, **kwargs):
        before = len(getattr(self, "estimators_", ()))
        fitted = fit(self, *args, **kwargs)
        counts.append(len(self.estimators_) - before * self.warm_start)
        return fitted

    monkeypatch.setattr(BaggingRegressor, "_fit", count)
    race(forest, grid, X_, y_, refit=False)
    assert sum(counts) == (n_grown * n_iter).sum()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_equal_with_several_jobs(backend):
    for name in ("mlp", "forest"):
        estimator, grid, X_, y_ = FAMILIES[name]
        expected = race(estimator, grid, X_, y_).cv_results_
        with parallel_config(backend):
            found = race(estimator, grid, X_, y_, n_jobs=2).cv_results_
        for key in expected:
            if "time" not in key and key != "params":
                np.testing.assert_array_equal(found[key], expected[key])


def test_number_of_iterations_is_searched():
    grid = {**RATES, "mlpregressor__max_iter": [1, 4, 20]}
    search = race(NETWORK, grid)
    check(search, GridSearchCV(NETWORK, grid, cv=3).fit(X, Y))


@pytest.mark.slow
def test_what_does_not_pause_races_over_splits():
    cases = [
        (
            MLPRegressor(
                hidden_layer_sizes=(4,), solver="lbfgs", random_state=0, max_iter=9
            ),
            {"alpha": np.geomspace(1e-4, 100, 8).tolist()},
        ),
        (
            AdaBoostRegressor(n_estimators=5, random_state=0),
            {"learning_rate": [0.1, 0.3, 1.0, 3.0]},
        ),
        (
            GradientBoostingRegressor(
                n_estimators=9, n_iter_no_change=3, random_state=0
            ),
            {"learning_rate": [0.01, 0.03, 0.1, 0.3, 1.0]},
        ),
        (
            RandomForestClassifier(n_estimators=4, random_state=0, warm_start=True),
            {"max_depth": [1, 2, 3, 4]},
        ),
    ]
    for estimator, grid in cases:
        y = Y > 0 if isinstance(estimator, RandomForestClassifier) else Y
        found = race(estimator, grid, y=y).cv_results_
        expected = race(estimator, grid, y=y, racing=True).cv_results_
        assert np.isnan(found.pop("n_iter_evaluated")).all()
        assert found.keys() == expected.keys()
        np.testing.assert_array_equal(
            found["mean_test_score"], expected["mean_test_score"]
        )


def test_without_shared_work_nothing_pauses():
    found = race(NETWORK, RATES, share_work=False).cv_results_
    expected = race(NETWORK, RATES, racing=True).cv_results_
    assert np.isnan(found["n_iter_evaluated"]).all()
    np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])


@pytest.mark.parametrize("n_candidates", [1, 2, 3])
def test_fewer_than_four_candidates_all_go_on(n_candidates):
    grid = {"mlpregressor__alpha": [1e-4, 1e-2, 1.0][:n_candidates]}
    search = race(NETWORK, grid)
    assert (search.cv_results_["n_iter_evaluated"] == 20).all()
    assert (search.cv_results_["n_splits_evaluated"] == 3).all()


def test_equal_candidates_go_on_together():
    constant = race(NETWORK, RATES, y=np.zeros(80), scoring=zero)
    assert (constant.cv_results_["n_splits_evaluated"] == 3).all()


def zero(estimator, X, y):
    estimator.predict(X)
    return 0.0


def test_mixed_estimators_race_in_their_own_groups():
    pipe = make_pipeline(StandardScaler(), None)
    pipe.steps[1] = ("model", LogisticRegression())
    grid = [
        {"model": [LogisticRegression()], "model__C": [0.01, 0.1, 1.0, 10.0]},
        {
            "model": [
                MLPClassifier(hidden_layer_sizes=(8,), random_state=0, max_iter=12)
            ],
            "model__learning_rate_init": np.geomspace(1e-4, 0.1, 6).tolist(),
        },
        {
            "model": [RandomForestClassifier(n_estimators=8, random_state=0)],
            "model__max_depth": [1, 2, 4, 8, None],
        },
    ]
    search = race(pipe, grid, FLOWERS, SPECIES)
    check(search, GridSearchCV(pipe, grid, cv=3).fit(FLOWERS, SPECIES))
    n_iter = search.cv_results_["n_iter_evaluated"]
    assert np.isnan(n_iter[:4]).all()
    assert sorted(n_iter[4:10])[2:] in ([3, 12, 12, 12], [6, 12, 12, 12])
    assert sorted(n_iter[10:])[-3:] == [8, 8, 8]


def test_failing_candidates_fail():
    rate = "mlpregressor__learning_rate_init"
    grid = {rate: [1e-3, 1e-2, 0.1, -1.0, 1e200, 0.5]}
    with pytest.warns(FitFailedWarning, match="2 fits failed out of a total of"):
        search = race(NETWORK, grid)
    results = search.cv_results_
    assert np.isnan(results["mean_test_score"][3:5]).all()
    assert (results["n_splits_evaluated"][3:5] == 1).all()
    for value, message in ((-1.0, "learning_rate_init"), (1e200, "non-finite")):
        bad = {rate: [1e-3, 1e-2, 0.1, value]}
        with pytest.raises(ValueError, match=message):
            race(NETWORK, bad, error_score="raise")
    with pytest.warns(FitFailedWarning, match="fits failed"):
        scored = race(NETWORK, grid, error_score=-99.0).cv_results_
    assert (scored["split0_test_score"][3:5] == -99.0).all()


def test_all_candidates_fail():
    grid = {"mlpregressor__learning_rate_init": [-1.0, -2.0, -3.0, -4.0]}
    with pytest.raises(ValueError, match=r"All the .* fits failed"):
        race(NETWORK, grid)


def nan_for_large_weights(estimator, X, y):
    score = -np.abs(estimator.predict(X) - y).mean()
    return score if score > -1.1 else np.nan


def test_candidates_without_a_score_do_not_go_on():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        search = race(NETWORK, RATES, scoring=nan_for_large_weights)
    results = search.cv_results_
    lost = np.isnan(results["partial_test_score"])
    assert 0 < lost.sum() < 9
    assert (results["n_splits_evaluated"][lost] == 0).all()


def test_the_partial_score_is_missing_if_one_split_has_none():
    def outcome(score):
        return {"paused_scores": [(1, score)], "n_iter": 8, "fit_time": np.nan}

    columns = _paused_columns(
        [[outcome({"own": np.nan}), outcome({"own": 1.0})], [outcome({"own": 1.0})] * 2]
    )
    np.testing.assert_array_equal(columns["partial_test_own"], [np.nan, 1.0])
    columns = _paused_columns([[outcome(0.5), outcome(1.0)]])
    np.testing.assert_array_equal(columns["partial_test_score"], [0.75])
    np.testing.assert_array_equal(columns["n_iter_evaluated"], [1.0])


def test_several_metrics():
    scoring = {"error": "neg_mean_absolute_error", "r2": "r2"}
    search = race(NETWORK, RATES, scoring=scoring, refit="r2", return_train_score=True)
    one = race(NETWORK, RATES, scoring="r2")
    results = search.cv_results_
    np.testing.assert_array_equal(
        results["partial_test_r2"], one.cv_results_["partial_test_score"]
    )
    np.testing.assert_array_equal(
        results["mean_test_r2"], one.cv_results_["mean_test_score"]
    )
    assert np.isfinite(results["partial_test_error"]).all()
    assert np.isnan(results["mean_train_r2"]).sum() > 3


def test_later_rounds_and_tol():
    search = race(NETWORK, RATES, n_rounds=3)
    assert search.n_rounds_ == 3
    results = search.cv_results_
    assert {5.0, 10.0, 20.0} == set(results["n_iter_evaluated"])
    later = results["round"] > 1
    assert (results["n_splits_evaluated"][later] == 0).any()
    assert search.rounds_["n_fits"].sum() == search.n_fits_
    assert search.n_fits_ == results["n_splits_evaluated"].sum()
    endings = search.rounds_[["n_complete", "n_dropped", "n_paused"]]
    np.testing.assert_array_equal(endings.sum(axis=1), search.rounds_["n_candidates"])
    n_run = results["n_splits_evaluated"]
    assert endings["n_complete"].sum() == (n_run == 3).sum()
    assert endings["n_paused"].sum() == (n_run == 0).sum()
    assert "n_paused" not in race(NETWORK, RATES, racing=True).rounds_
    ended = race(NETWORK, RATES, n_rounds=3, tol=10.0)
    assert (ended.n_rounds_, ended.stop_reason_) == (2, "tol")


@pytest.mark.parametrize("surrogate", ["gp", None])
def test_random_search(surrogate):
    space = {
        "mlpregressor__learning_rate_init": loguniform(1e-4, 0.5),
        "mlpregressor__alpha": loguniform(1e-6, 1),
    }
    search = SuccessiveRandomSearchCV(
        NETWORK,
        space,
        n_iter=24,
        racing="iterations",
        surrogate=surrogate,
        random_state=0,
        cv=3,
    )
    search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 24
    # Most rounds have three candidates, which all go on.
    assert (search.cv_results_["n_splits_evaluated"] == 0).any()


def test_refit_callables_see_complete_candidates():
    search = race(NETWORK, RATES, refit=smoothed_best())
    assert search.cv_results_["n_splits_evaluated"][search.best_index_] == 3


def test_a_pause_gives_no_convergence_warning():
    search = RefiningGridSearchCV(
        NETWORK, RATES, racing="iterations", n_rounds=1, cv=3, refit=False
    )
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(20\)") as caught:
        search.fit(X, Y)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert len(messages) == search.n_fits_
    assert all("(20)" in message for message in messages)


def test_a_journal_needs_no_fit_again(tmp_path, monkeypatch):
    path = tmp_path / "search.db"
    for name in ("mlp", "forest"):
        estimator, grid, X_, y_ = FAMILIES[name]
        expected = race(estimator, grid, X_, y_, journal=path, n_rounds=2)
        with monkeypatch.context() as patch:
            patch.setattr("sklearn_refine.evaluation._joblib.run_task", no_task)
            found = race(estimator, grid, X_, y_, journal=path, n_rounds=2)
        for key, values in expected.cv_results_.items():
            np.testing.assert_array_equal(found.cv_results_[key], values)
    shown = read_journal(path, params="text")["params"].astype(str)
    assert shown.str.contains("mlpregressor__max_iter': 5").any()


def no_task(*args):
    raise AssertionError("a fit was run again")


def test_a_killed_search_goes_on(tmp_path, monkeypatch):
    expected = race(NETWORK, RATES, n_rounds=2)
    path = tmp_path / "search.db"
    counts = count_epochs(monkeypatch)
    run_epoch = _stack.Stack._run_epoch

    def run(self):
        if len(counts) == 47:
            raise KeyboardInterrupt("by hand")
        return run_epoch(self)

    with monkeypatch.context() as patch:
        patch.setattr(_stack.Stack, "_run_epoch", run)
        with pytest.raises(KeyboardInterrupt, match="by hand"):
            race(NETWORK, RATES, n_rounds=2, journal=path)
    assert not PAUSED._fits
    assert len(read_journal(path)) > 12
    found = race(NETWORK, RATES, n_rounds=2, journal=path)
    for key, values in expected.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(found.cv_results_[key], values)


def test_ctrl_c_keeps_what_is_finished(monkeypatch, request):
    # A shell lets what it starts in the background ignore SIGINT.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    counts = count_epochs(monkeypatch)
    run_epoch = _stack.Stack._run_epoch

    def run(self):
        if len(counts) == 50:  # while the first candidates run on later splits
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
        return run_epoch(self)

    monkeypatch.setattr(_stack.Stack, "_run_epoch", run)
    search = RefiningGridSearchCV(NETWORK, RATES, racing="iterations", cv=3, n_rounds=1)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):  # of Python's own handler
        search.fit(X, Y)
    assert search.stop_reason_ == "interrupted"
    assert set(search.cv_results_["n_iter_evaluated"]) == {5.0, 10.0, 20.0}


@pytest.mark.slow
def test_time_budget():
    grid = {"mlpregressor__alpha": np.geomspace(1e-6, 1, 400).tolist()}
    network = make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(50, 50), random_state=0, max_iter=100, tol=0.0
        ),
    )
    start = time.perf_counter()
    search = RefiningGridSearchCV(
        network, grid, racing="iterations", cv=3, time_budget=1.0, n_rounds=1
    )
    with pytest.raises(ValueError, match=r"time_budget=1.0 seconds were over"):
        search.fit(X, Y)
    assert time.perf_counter() - start < 20
    assert search.stop_reason_ == "error"
    done = race(NETWORK, RATES, time_budget=600)
    assert done.stop_reason_ == "completed"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="has no timers")
def test_fit_timeout_counts_all_parts():
    """A fit that is in time until its pause may be late afterwards."""
    grid = {"mlpregressor__alpha": [1e-4, 1e-3, 1e-2, 0.1, 1.0]}
    network = make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(8,), random_state=0, max_iter=100_000, tol=0.0
        ),
    )
    network.set_params(mlpregressor__n_iter_no_change=100_000)
    with pytest.raises(ValueError, match=r"All the .* fits failed"):
        race(network, grid, fit_timeout=0.5)


@pytest.mark.slow
@with_callbacks
def test_callbacks_see_whole_fits():
    for name in ("mlp", "forest"):
        estimator, grid, X_, y_ = FAMILIES[name]
        recorder = Recorder()
        search = RefiningGridSearchCV(
            estimator, grid, racing="iterations", n_rounds=1, cv=3
        ).set_callbacks(recorder)
        search.fit(X_, y_)
        leaves = [path[-1] for path in recorder.paths]
        fits = [leaf for leaf in leaves if leaf[0] == "candidate-split-evaluation"]
        assert len(fits) == len(set(fits)) == search.n_fits_
        expected = race(estimator, grid, X_, y_)
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"],
            expected.cv_results_["mean_test_score"],
        )


@pytest.mark.slow
def test_random_states_that_are_no_numbers():
    for random_state in (None, np.random.RandomState(0)):
        forest = RandomForestClassifier(n_estimators=8, random_state=random_state)
        search = race(forest, {"max_depth": [1, 2, 4, 6, 8]}, FLOWERS, SPECIES)
        assert search.best_score_ > 0.5
    space = {"max_features": uniform(0.1, 0.9)}
    search = SuccessiveRandomSearchCV(
        RandomForestClassifier(n_estimators=8), space, n_iter=8, racing="iterations"
    )
    assert search.fit(FLOWERS, SPECIES).best_score_ > 0.5


class Paused:
    """A paused fit; fits with one state cannot go on in two places."""

    def __init__(self, state):
        self.state = state


def test_paused_fits_are_kept_while_there_is_memory():
    fits = PausedFits(max_bytes=10)
    fits.put(("a", 0, 0), Paused("large"), 11.0)
    assert not fits.take({0: ("a", 0, 0)})
    for i in range(4):
        fits.put(("a", i, 0), Paused([i]), 4.0)
    found = fits.take({i: ("a", i, 0) for i in range(4)})
    assert {i: paused.state for i, paused in found.items()} == {2: [2], 3: [3]}
    fits.put(("a", 0, 0), Paused("all"), 10.0)
    fits.keep_only("b")
    assert not fits.take({0: ("a", 0, 0)})
    shared, own = object(), object()
    for i, state in enumerate([shared, shared, own]):
        fits.put(("b", i, 0), Paused(state), 1.0)
    assert fits.take({7: ("b", 1, 0)}).keys() == {7}
    assert fits.take({i: ("b", i, 0) for i in range(3)}).keys() == {2}


def test_racing_is_checked():
    with pytest.raises(ValueError, match=r"'racing' parameter .* must be"):
        race(NETWORK, RATES, racing="epochs")
