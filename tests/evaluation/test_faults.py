"""A search that is killed, interrupted or disturbed loses no finished fit."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from fault_searches import X, Y, n_lines, networks
from joblib import parallel_config, register_parallel_backend
from joblib.parallel import ThreadingBackend
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV, read_journal
from sklearn_refine.evaluation._signals import TimeUp, time_limit

pytestmark = pytest.mark.filterwarnings("ignore:One or more of the test:UserWarning")

SCRIPT = Path(__file__).with_name("fault_searches.py")


def start(task, folder, *arguments):
    """Start a search in a process of its own."""
    with (folder / "errors").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), task, str(folder)]
            + [json.dumps(argument) for argument in arguments],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )


def finish(process, folder, seconds=600):
    """Wait for a process and return its output."""
    process.wait(timeout=seconds)
    out = folder / f"out-{process.pid}.json"
    assert out.exists(), (folder / "errors").read_text()
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return finish(start("plain", folder, 1), folder)


@pytest.mark.slow
@pytest.mark.parametrize(("n_moments", "n_jobs"), [(22, 1), (3, 2)])
def test_killed_at_any_moment_and_resumed(n_moments, n_jobs, uninterrupted, tmp_path):
    found = finish(start("killed", tmp_path, n_moments, n_jobs, n_jobs), tmp_path)
    assert len(found) == n_moments
    for number, resumed in enumerate(found):
        assert resumed["results"] == uninterrupted
        # Running fits are repeated. With several workers, so are fits whose results
        # had not arrived while their workers had begun the next fits.
        not_arrived = n_jobs if n_jobs > 1 else 0
        assert 60 <= resumed["fits"] <= 60 + n_jobs + not_arrived
        with sqlite3.connect(tmp_path / str(number) / "search.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    assert any(resumed["first"] < 50 for resumed in found)


@pytest.mark.slow
def test_workers_of_a_killed_process_start_no_fit(tmp_path):
    process = start("plain", tmp_path, 2, 0.1)
    log = tmp_path / "log"
    while process.poll() is None and n_lines(log) < 10:
        time.sleep(0.02)
    process.kill()  # without its workers, which still have queued calls
    process.wait()
    before = n_lines(log)
    time.sleep(1.0)
    with suppress(ProcessLookupError):  # joblib keeps an idle worker for a while
        os.killpg(process.pid, signal.SIGKILL)
    assert n_lines(log) == before


@pytest.mark.slow
def test_two_processes_share_a_journal(uninterrupted, tmp_path):
    processes = [start("plain", tmp_path, 1) for _ in range(2)]
    for process in processes:
        assert finish(process, tmp_path) == uninterrupted
    assert n_lines(tmp_path / "log") <= 1.3 * 60
    assert len(read_journal(tmp_path / "search.db")) == 60


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "n_jobs"), [("plain", 1), ("plain", 2), ("alone", 1), ("stacked", 1)]
)
def test_ctrl_c_keeps_complete_candidates(kind, n_jobs, tmp_path):
    process = start("interrupted", tmp_path, kind, n_jobs)
    journal = tmp_path / "search.db"
    enough = 80 if kind == "stacked" else 12
    while process.poll() is None and n_fits(journal) < enough:
        time.sleep(0.02)
    for _ in range(3):  # an impatient user
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)
    left = finish(process, tmp_path, seconds=60)
    wait_for_the_end_of_group(process.pid)
    assert left["stop_reason"] == "interrupted"
    assert not left["refitted"]
    assert len(left["scores"]) >= 3
    assert np.isfinite(left["scores"]).all()
    assert left["best_index"] == np.argmax(left["scores"])
    assert left["best_params"] == left["params"][left["best_index"]]
    assert sum(left["n_candidates"]) == len(left["scores"])
    if kind != "plain":  # no MLP was ended early
        full = networks(None, True, 1).set_params(refit=False)
        full.param_grid = {"alpha": full.param_grid["alpha"][: len(left["scores"])]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            full.fit(X, Y)
        scores = dict(
            zip(
                map(repr, full.cv_results_["params"]),
                full.cv_results_["mean_test_score"],
                strict=True,
            )
        )
        for params, score in zip(left["params"], left["scores"], strict=True):
            assert scores.get(params, score) == score
    assert set(read_journal(journal)["status"]) == {"ok"}


def n_fits(journal):
    return (
        len(read_journal(journal)) if journal.exists() and journal.stat().st_size else 0
    )


def wait_for_the_end_of_group(group):
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("a worker is left")


class Faulty(RegressorMixin, BaseEstimator):
    """Predicts the mean, except for the value `at`, which causes the fault."""

    def __init__(self, value=0, fault="none", at=3, log=None):
        self.value = value
        self.fault = fault
        self.at = at
        self.log = log

    def fit(self, X, y):
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{self.value}\n")
        if self.value == self.at:
            FAULTS[self.fault]()
        self.mean_ = float(np.mean(y)) + self.value
        return self

    def predict(self, X):
        if self.value == self.at and self.fault in PREDICTIONS:
            return PREDICTIONS[self.fault](X)
        return np.full(len(X), self.mean_)


class UnpicklableError(Exception):
    def __init__(self, one, two):
        super().__init__(one)
        self.held = lambda: two


def raise_unpicklable():
    raise UnpicklableError("one", "two")


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def hang_in_compiled_code():
    sum(range(10**13))  # signals are not handled before it is done


def use_all_memory():
    import resource

    limits = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 33, limits[1]))
        [np.empty(1 << 28) for _ in range(64)]
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


FAULTS = {
    "none": lambda: None,
    "dies": die,
    "sleeps": lambda: time.sleep(10_000),
    "hangs": hang_in_compiled_code,
    "memory": use_all_memory,
    "unpicklable": raise_unpicklable,
    "prints": lambda: sys.stdout.write("x" * (1 << 20)),
}
PREDICTIONS = {"sleeps in predict": lambda X: time.sleep(10_000)}
FAULTS |= dict.fromkeys(PREDICTIONS, FAULTS["none"])
VALUES = {"value": [0, 1, 2, 3, 4, 5]}


def faulty(fault, **options):
    options = {"cv": 2, "n_rounds": 1, **options}
    return RefiningGridSearchCV(Faulty(fault=fault), VALUES, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("dies", {"n_jobs": 2}, "The worker process died during the fit"),
        ("sleeps", {"n_jobs": 2, "fit_timeout": 0.3}, "fit_timeout=0.3 seconds"),
        ("sleeps", {"fit_timeout": 0.3}, "fit_timeout=0.3 seconds"),
        ("sleeps in predict", {"fit_timeout": 0.3}, "fit_timeout=0.3 seconds"),
        ("hangs", {"n_jobs": 2, "fit_timeout": 0.3}, "fit_timeout=0.3 seconds"),
        ("memory", {"n_jobs": 2}, "MemoryError"),
        ("memory", {}, "MemoryError"),
        ("unpicklable", {"n_jobs": 2}, "UnpicklableError"),
    ],
)
def test_a_fault_fails_one_candidate(fault, options, message):
    with pytest.warns(FitFailedWarning, match=message):
        search = faulty(fault, **options).fit(X, Y)
    scores = search.cv_results_["mean_test_score"]
    expected = GridSearchCV(Faulty(), VALUES, cv=2).fit(X, Y)
    expected = expected.cv_results_["mean_test_score"].copy()
    expected[3] = np.nan
    np.testing.assert_array_equal(scores, expected)
    assert search.best_params_ == {"value": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "options", "error", "message"),
    [
        ("dies", {"n_jobs": 2}, RuntimeError, "ran alone.*'value': 3"),
        ("sleeps", {"fit_timeout": 0.2}, TimeoutError, "fit_timeout=0.2 seconds"),
        ("unpicklable", {"n_jobs": 2}, RuntimeError, "UnpicklableError: one"),
        ("unpicklable", {}, UnpicklableError, "one"),
    ],
)
def test_a_fault_is_raised_if_error_score_is_raise(fault, options, error, message):
    search = faulty(fault, error_score="raise", **options)
    with pytest.raises(error, match=message):
        search.fit(X, Y)


@pytest.mark.slow
def test_output_of_fits_does_no_harm(capfd):
    search = faulty("prints", n_jobs=2).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def bad_score(estimator, X, y):
    value = {1: np.nan, 2: np.inf, 3: "good"}.get(estimator.value, 0.5)
    return {"score": value, "other": 1.0} if estimator.fault == "several" else value


@pytest.mark.filterwarnings("ignore:Scoring failed:UserWarning")
def test_invalid_scores_raise_the_error_of_grid_search(tmp_path):
    def make(kind, **more):
        return kind(Faulty(), VALUES, cv=3, scoring=bad_score, refit=False, **more)

    expected = error_of(lambda: make(GridSearchCV).fit(X, Y))
    found = error_of(
        lambda: make(
            RefiningGridSearchCV, n_rounds=1, journal=tmp_path / "search.db"
        ).fit(X, Y)
    )
    assert found == expected
    assert "good" in str(found)


def error_of(function):
    try:
        function()
    except Exception as error:
        return type(error), str(error)
    return None


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_infinite_and_missing_scores_are_kept(score, tmp_path):
    for _ in range(2):
        search = RefiningGridSearchCV(
            Faulty(),
            VALUES,
            cv=3,
            n_rounds=1,
            scoring=Score(score),
            journal=tmp_path / "search.db",
            refit=False,
        ).fit(X, Y)
        scores = search.cv_results_["split0_test_score"]
        np.testing.assert_array_equal(scores, [0, -1, -2, score, -4, -5])


class Score:
    """A scorer that gives one value a score of its own."""

    def __init__(self, score):
        self.score = score

    def __call__(self, estimator, X, y):
        return self.score if estimator.value == 3 else -float(estimator.value)


def test_time_limit_with_threads_warns():
    search = faulty("none", n_jobs=2, fit_timeout=10)
    with (
        parallel_config("threading"),
        pytest.warns(UserWarning, match="fit_timeout=10 has no effect"),
    ):
        search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 6


def wait(X):
    time.sleep(0.5)
    return X


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer:UserWarning")
def test_shared_steps_and_networks_have_time_limits(tmp_path):
    slow = make_pipeline(FunctionTransformer(wait), Ridge())
    search = RefiningGridSearchCV(
        slow, {"ridge__alpha": [1.0, 2.0, 3.0]}, cv=3, n_rounds=1, fit_timeout=0.1
    )
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"fit_timeout=0\.1 seconds"):
        search.fit(X, Y)
    assert time.perf_counter() - start < 1.5  # the step is fitted once a split
    network = MLPRegressor(solver="sgd", tol=0.0, random_state=0)
    search = RefiningGridSearchCV(
        network,
        {"max_iter": [3, 10**6], "n_iter_no_change": [10**6]},
        cv=3,
        n_rounds=1,
        fit_timeout=0.3,
    )
    with pytest.warns(FitFailedWarning, match="3 fits failed"):
        search.fit(X, Y)
    assert search.best_params_["max_iter"] == 3


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_journal_with_every_backend(backend, tmp_path):
    def make(**more):
        return RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, **more)

    expected = make().fit(X, Y)
    with parallel_config(backend):
        search = make(n_jobs=2, journal=tmp_path / "search.db").fit(X, Y)
    assert search.best_params_ == expected.best_params_
    for name, values in expected.cv_results_.items():
        if "time" not in name and name != "params":
            np.testing.assert_array_equal(search.cv_results_[name], values)
    assert len(read_journal(tmp_path / "search.db")) == search.n_fits_


@pytest.mark.parametrize("n_jobs", [None, 1])
@pytest.mark.parametrize("backend", ["multiprocessing", "threading", "loky"])
def test_one_worker_with_every_backend(backend, n_jobs):
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, n_jobs=n_jobs)
    expected = clone(search).fit(X, Y)
    with parallel_config(backend, n_jobs=1):
        search.fit(X, Y)
    assert search.best_params_ == expected.best_params_
    assert search.best_score_ == expected.best_score_


class Slow(Ridge):
    def fit(self, X, y):
        time.sleep(0.05)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", [RefiningGridSearchCV, SuccessiveRandomSearchCV])
def test_time_budget_ends_a_search(kind, n_jobs):
    space = {"alpha": np.geomspace(1e-6, 1e6, 400).tolist()}
    more = {} if kind is RefiningGridSearchCV else {"n_iter": 400, "random_state": 0}
    search = kind(Slow(), space, cv=3, n_jobs=n_jobs, time_budget=4, **more)
    start = time.perf_counter()
    search.fit(X, Y)
    assert time.perf_counter() - start < 8
    assert search.stop_reason_ == "time_budget"
    scores = search.cv_results_["mean_test_score"]
    assert 1 <= len(scores) < 400
    assert np.isfinite(scores).all()
    assert search.best_score_ == scores.max()
    assert search.predict(X).shape == Y.shape
    assert search.n_fits_ >= 3 * len(scores)


class LateWorkers(ThreadingBackend):
    """Workers that are ready two seconds after the first call."""

    def _get_pool(self):
        if self._pool is None:
            time.sleep(2.0)
        return super()._get_pool()


def test_the_start_of_the_workers_costs_no_time_budget():
    register_parallel_backend("late", LateWorkers)
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0]}, n_rounds=1, n_jobs=2, time_budget=1
    )
    with parallel_config("late"):
        search.fit(X, Y)
    assert search.stop_reason_ == "completed"
    assert search.n_fits_ == 10


def test_time_budget_without_a_complete_candidate():
    search = RefiningGridSearchCV(
        Slow(), {"alpha": [1.0, 2.0]}, cv=20, n_rounds=1, time_budget=0.2
    )
    with pytest.raises(ValueError, match=r"time_budget=0.2 seconds were over .* raise"):
        search.fit(X, Y)


def test_a_sufficient_time_budget_changes_nothing():
    plain = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}).fit(X, Y)
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0, 10.0]}, time_budget=600)
    search.fit(X, Y)
    assert search.stop_reason_ == "completed"
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"]
    )


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="has no timers")
def test_a_time_limit_restores_outer_timers():
    rings = []
    previous = signal.signal(signal.SIGALRM, lambda *_: rings.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with time_limit(1e10, may_exit=False):
            pass
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left <= 0.2
        with (
            pytest.raises(TimeUp, match=r"^$"),
            time_limit(0.05, may_exit=False),
        ):
            time.sleep(10)
        while not rings:
            time.sleep(0.01)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class RaisesAsPools(Ridge):
    def fit(self, X, y):
        raise BrokenProcessPool("of the fit")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_pool_error_of_a_fit_is_not_a_dead_worker(n_jobs):
    search = RefiningGridSearchCV(
        RaisesAsPools(), {"alpha": [1.0]}, n_jobs=n_jobs, error_score="raise"
    )
    with pytest.raises(BrokenProcessPool, match="of the fit"):
        search.fit(X, Y)


def test_an_interrupted_second_fit_keeps_no_results_of_the_first():
    class Interrupted(Ridge):
        def fit(self, X, y):
            if len(X) < 20:
                raise KeyboardInterrupt("as told")
            return super().fit(X, y)

    search = RefiningGridSearchCV(Interrupted(), {"alpha": [1.0]}).fit(X, Y)
    with pytest.raises(KeyboardInterrupt, match="as told"):
        search.fit(X[:20], Y[:20])
    assert search.stop_reason_ == "interrupted"
    assert not hasattr(search, "cv_results_")
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize("name", ["time_budget", "fit_timeout"])
@pytest.mark.parametrize("value", [0, -1, "1 h"])
def test_seconds_are_positive_numbers(name, value):
    search = RefiningGridSearchCV(Ridge(), {"alpha": [1.0]}, **{name: value})
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        search.fit(X, Y)


def test_failed_fits_are_read_back(tmp_path):
    def make(**more):
        search = faulty("unpicklable", journal=tmp_path / "search.db", **more)
        return search.set_params(estimator__log=str(tmp_path / "log"))

    with pytest.warns(FitFailedWarning, match="UnpicklableError"):
        make().fit(X, Y)
    assert n_lines(tmp_path / "log") == 12 + 1
    with pytest.warns(FitFailedWarning, match="UnpicklableError"):
        search = make(error_score=-1e9).fit(X, Y)
    assert n_lines(tmp_path / "log") == 12 + 2  # the refits
    assert search.cv_results_["mean_test_score"][3] == -1e9
    with pytest.raises(UnpicklableError, match="one"):
        make(error_score="raise").fit(X, Y)


def test_timed_out_fits_are_tried_again_with_more_time(tmp_path):
    def make(seconds):
        search = faulty("none", journal=tmp_path / "search.db", fit_timeout=seconds)
        return search.set_params(estimator=Sleeper(log=str(tmp_path / "log")))

    with pytest.warns(FitFailedWarning, match="fit_timeout=0.1"):
        make(0.1).fit(X, Y)
    n_fits = n_lines(tmp_path / "log")
    with pytest.warns(FitFailedWarning, match="fit_timeout=0.1"):
        make(0.05).fit(X, Y)
    assert n_lines(tmp_path / "log") == n_fits + 1  # the refit
    search = make(30).fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert n_lines(tmp_path / "log") == n_fits + 2 + 2


def test_shared_steps_that_timed_out_are_read_back(tmp_path):
    log = tmp_path / "log"

    class Sleeps(FunctionTransformer):
        def fit(self, X, y=None):
            with log.open("a") as file:
                file.write("fit\n")
            time.sleep(0.5)
            return super().fit(X, y)

    globals()["Sleeps"] = Sleeps
    Sleeps.__qualname__ = "Sleeps"
    grid = [
        {"sleeps": ["passthrough"], "ridge__alpha": [1.0, 2.0]},
        {"ridge__alpha": [3.0, 4.0, 5.0]},
    ]
    for n_fits in (2, 2):
        search = RefiningGridSearchCV(
            make_pipeline(Sleeps(), Ridge()),
            grid,
            cv=2,
            n_rounds=1,
            fit_timeout=0.2,
            journal=tmp_path / "search.db",
        )
        with pytest.warns(FitFailedWarning, match="fit_timeout=0.2"):
            search.fit(X, Y)
        assert n_lines(log) == n_fits


class Sleeper(Faulty):
    def fit(self, X, y):
        super().fit(X, y)
        if self.value == 3:
            time.sleep(0.3)
        return self
