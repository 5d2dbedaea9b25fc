"""Exceptions of the user's signal handlers end a search as they are."""

import ast
import os
import random
import signal
import threading
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sklearn_refine
from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    read_journal,
    smoothed_best,
)
from sklearn_refine._interrupts import Interrupts, defer_interrupts
from sklearn_refine.evaluation._round import RoundEvaluation
from sklearn_refine.journal._journal import Journal

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "setitimer"), reason="has no timers"
)

X = np.random.RandomState(0).normal(size=(30, 2))
Y = X @ [1.0, 2.0] + np.random.RandomState(1).normal(size=30)
ALPHAS = {"alpha": [0.01, 0.1, 1.0, 10.0]}


class Stop(KeyboardInterrupt):
    """An interrupt of the user."""


class LateError(Exception):
    """An error of the user."""


ERRORS = [TimeoutError, ValueError, LateError, Stop, SystemExit]
#: Errors and numbers of jobs. Each search with two jobs starts new workers.
CASES = [*((error, 1) for error in ERRORS), (TimeoutError, 2), (Stop, 2)]


def error_of(function):
    try:
        function()
    except BaseException as error:
        return error
    return None


@contextmanager
def alarm(error):
    """Handle alarms by raising an error; check that the handler is restored."""

    def handler(*_):
        raise error

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        yield error
        assert signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def ring(*_):
    signal.raise_signal(signal.SIGALRM)


def assert_ends_with(error, function):
    """Check that a function raises this very error, without a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert error_of(function) is error
    assert not caught, caught[0].message


def assert_keeps_results(search, n_rounds=1):
    assert search.stop_reason_ == "interrupted"
    assert len(search.rounds_) == n_rounds
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == search.rounds_["n_candidates"].sum() > 0
    assert np.isfinite(scores).all()
    assert search.best_index_ == scores.argmax()
    assert search.best_params_ == search.cv_results_["params"][search.best_index_]
    assert not hasattr(search, "best_estimator_")


class RingingSurrogate(LinearRegression):
    def fit(self, X, y):
        ring()
        return super().fit(X, y)


def random_search(**options):
    options = {"n_iter": 15, "random_state": 0, "cv": 2, **options}
    return SuccessiveRandomSearchCV(
        Ridge(), {"alpha": loguniform(1e-3, 1e3)}, **options
    )


def grid_search(estimator=None, **options):
    estimator = Ridge() if estimator is None else estimator
    return RefiningGridSearchCV(estimator, ALPHAS, **{"cv": 2, **options})


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["fit", "predict"])
def test_while_a_random_search_proposes(method, error, monkeypatch, tmp_path):
    monkeypatch.setattr(RingingSurrogate, "fit", LinearRegression.fit)
    monkeypatch.setattr(RingingSurrogate, method, ring)
    journal = tmp_path / "search.db"
    search = random_search(surrogate=RingingSurrogate(), journal=journal)
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert_keeps_results(search)
    assert len(read_journal(journal)) == search.n_fits_
    (note,) = expected.__notes__
    assert repr(str(journal)) in note
    assert "Run the same search" in note
    journal.rename(tmp_path / "moved.db")  # the journal is closed


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["rank", "select", "fit"])
def test_while_the_gaussian_process_proposes(place, error, monkeypatch):
    from sklearn_refine.proposal import _grid, _random
    from sklearn_refine.proposal._batch import Batch
    from sklearn_refine.proposal._surrogate import Surrogate

    if place == "fit":
        monkeypatch.setattr(_grid, "fit_surrogate", ring)
        monkeypatch.setattr(_random, "fit_process", ring)
    else:
        monkeypatch.setattr(Batch if place == "select" else Surrogate, place, ring)
    searches = [random_search()]
    if place != "select":  # a small grid has no more candidates than it tries
        grid = {"alpha": np.logspace(-4, 4, 9).tolist()}
        searches.append(grid_search(n_rounds=3).set_params(param_grid=grid))
    for search in searches:
        with alarm(error("now")) as expected:
            assert_ends_with(expected, lambda search=search: search.fit(X, Y))
        assert_keeps_results(search)


class Catches(LinearRegression):
    """Catches what a signal handler raises in it."""

    def fit(self, X, y):
        with suppress(BaseException):
            ring()
        return super().fit(X, y)


@pytest.mark.parametrize("error", ERRORS)
def test_a_surrogate_that_catches_it_keeps_it_from_nothing(error):
    search = random_search(surrogate=Catches())
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert_keeps_results(search)


@pytest.mark.slow
@pytest.mark.parametrize(("error", "n_jobs"), CASES)
@pytest.mark.parametrize("method", ["_update_seen", "_has_changed"])
def test_in_the_journal(method, error, n_jobs, monkeypatch, tmp_path):
    """The journal is written as a whole, and may still be written."""
    journal = tmp_path / "search.db"
    original = getattr(Journal, method)
    rings = []

    def ring_late(self, *args):
        is_main = threading.current_thread() is threading.main_thread()
        if self._session is not None and is_main and not rings:
            ring()
            rings.append(1)
        return original(self, *args)

    monkeypatch.setattr(Journal, method, ring_late)
    search = grid_search(journal=journal, n_rounds=1, n_jobs=n_jobs)
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert rings
    assert search.stop_reason_ == "interrupted"
    assert set(read_journal(journal)["status"]) <= {"ok"}
    search.fit(X, Y)
    assert len(read_journal(journal)) == search.n_fits_ == 8


@pytest.mark.parametrize("error", ERRORS)
def test_while_a_journal_is_opened(error, monkeypatch, tmp_path):
    original = Journal._find_run
    rings = []

    def ring_once(self, run):
        if not rings:
            rings.append(1)
            ring()
        return original(self, run)

    monkeypatch.setattr(Journal, "_find_run", ring_once)
    search = grid_search(journal=tmp_path / "search.db", n_rounds=1)
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert len(read_journal(tmp_path / "search.db")) == 0
    assert search.fit(X, Y).n_fits_ == 8


@pytest.mark.parametrize(("error", "n_jobs"), CASES)
def test_between_fits(error, n_jobs, monkeypatch):
    original = RoundEvaluation._record
    found = []

    def ring_in_between(self, task, outcomes, seconds):
        if len(found) == 4:
            ring()
        found.extend(outcomes)
        return original(self, task, outcomes, seconds)

    monkeypatch.setattr(RoundEvaluation, "_record", ring_in_between)
    search = grid_search(n_rounds=2, n_jobs=n_jobs)
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert search.stop_reason_ == "interrupted"
    assert 4 < len(found) == search.n_fits_
    if n_jobs == 1:
        assert_keeps_results(search)


class Slow(Ridge):
    def fit(self, X, y):
        time.sleep(0.1)
        return super().fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("error", [TimeoutError, Stop])
def test_while_workers_fit(error, tmp_path):
    journal = tmp_path / "search.db"
    search = grid_search(Slow(), n_jobs=2, n_rounds=1, journal=journal)
    search.set_params(param_grid={"alpha": np.logspace(-4, 4, 20).tolist()})

    def ring_later():
        while not journal.exists() or len(read_journal(journal)) < 20:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGALRM)

    thread = threading.Thread(target=ring_later)
    with alarm(error("now")) as expected:
        thread.start()
        assert_ends_with(expected, lambda: search.fit(X, Y))
    thread.join()
    assert search.stop_reason_ == "interrupted"
    assert 20 <= len(read_journal(journal)) < 40
    assert 0 < search.n_fits_ < 40
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def ring_for_one(estimator):
    if estimator.alpha == 1.0 and not hasattr(type(estimator), "has_rung"):
        type(estimator).has_rung = True
        ring()


class RingsInFit(Ridge):
    def fit(self, X, y):
        ring_for_one(self)
        return super().fit(X, y)


@pytest.fixture(autouse=True)
def silence():
    yield
    if hasattr(RingsInFit, "has_rung"):
        del RingsInFit.has_rung


@pytest.mark.parametrize("error", [TimeoutError, ValueError, LateError])
def test_in_a_fit_it_is_an_error_of_the_fit_as_in_grid_search(error):
    tables = []
    for kind, options in [(GridSearchCV, {}), (RefiningGridSearchCV, {"n_rounds": 1})]:
        search = kind(RingsInFit(), ALPHAS, cv=2, **options)
        with (
            alarm(error("now")),
            pytest.warns(UserWarning, match="One or more of the test scores"),
            pytest.warns(FitFailedWarning, match=f"{error.__name__}: now"),
        ):
            search.fit(X, Y)
        tables.append(search.cv_results_["mean_test_score"])
        del RingsInFit.has_rung
    np.testing.assert_array_equal(*tables)
    assert np.isnan(tables[0][2])


@pytest.mark.parametrize("error", ERRORS)
def test_in_a_fit_with_error_score_raise(error):
    search = grid_search(RingsInFit(), n_rounds=1, error_score="raise")
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert_keeps_results(search)


class RingsInLaterRounds(Ridge):
    def fit(self, X, y):
        if self.alpha not in ALPHAS["alpha"]:
            ring()
        return super().fit(X, y)


@pytest.mark.parametrize("error", ERRORS)
def test_in_a_fit_of_a_later_round_with_error_score_raise(error):
    """There, other errors are failures of the candidate that the search invented."""
    search = grid_search(RingsInLaterRounds(), n_rounds=2, error_score="raise")
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert_keeps_results(search)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("place", ["shared step", "last step"])
def test_in_fits_that_share_work(place, error):
    rings = []

    def ring_once(X):
        if len(rings) < 2:
            rings.append(1)
            if place == "shared step" or len(rings) == 2:
                ring()
        return X

    steps = {
        "shared step": make_pipeline(FunctionTransformer(ring_once), Ridge()),
        "last step": make_pipeline(FunctionTransformer(), RingsInFit()),
    }
    search = RefiningGridSearchCV(
        steps[place],
        {"ridge__alpha" if place == "shared step" else "ringsinfit__alpha": [0.1, 1.0]},
        cv=2,
        n_rounds=1,
    )
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert search.stop_reason_ == "interrupted"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_a_fit_of_an_mlp_that_catches_it(error, monkeypatch):
    """A subclass of KeyboardInterrupt stays what it is."""
    original = MLPRegressor._backprop
    rings = []

    def ring_once(self, *args, **kwargs):
        if not rings:
            rings.append(1)
            ring()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(MLPRegressor, "_backprop", ring_once)
    search = RefiningGridSearchCV(
        MLPRegressor(random_state=0, max_iter=3),
        {"alpha": [0.1, 1.0]},
        cv=2,
        n_rounds=1,
        share_work=False,
    )
    with alarm(error("now")) as expected:
        with pytest.warns(UserWarning, match="Training interrupted by user"):
            found = error_of(lambda: search.fit(X, Y))
        assert found is expected
    assert search.stop_reason_ == "interrupted"


class RingingDistribution:
    def ppf(self, q):
        ring()

    def cdf(self, x):
        ring()

    def rvs(self, size=None, random_state=None):
        return random_state.uniform(size=size)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["fit", "plan"])
def test_while_a_distribution_is_read(method, error):
    search = SuccessiveRandomSearchCV(Ridge(), {"alpha": RingingDistribution()})
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: getattr(search, method)(X, Y))


@pytest.mark.parametrize("n_rounds", [1, 2])
def test_in_smoothed_best(n_rounds, monkeypatch):
    from sklearn_refine.results import _refit

    monkeypatch.setattr(_refit, "expected_normal_scores", ring)
    search = grid_search(refit=smoothed_best(), n_rounds=n_rounds)
    with alarm(ValueError("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert search.stop_reason_ == "interrupted"
    assert len(search.cv_results_["params"]) == 4


@pytest.mark.parametrize("error", ERRORS)
def test_in_a_callable_refit_between_rounds(error):
    search = grid_search(refit=ring, n_rounds=2)
    with alarm(error("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert search.stop_reason_ == "interrupted"
    assert len(search.cv_results_["params"]) == 4


def handlers_that_warn():
    """Yield each handler of exceptions in the package that warns about them."""
    for path in sorted(Path(sklearn_refine.__file__).parent.rglob("*.py")):
        for handler in ast.walk(ast.parse(path.read_text())):
            if isinstance(handler, ast.ExceptHandler):
                calls = [n.func for n in ast.walk(handler) if isinstance(n, ast.Call)]
                if any(
                    isinstance(f, ast.Attribute) and f.attr == "warn" for f in calls
                ):
                    yield path.name, [f.id for f in calls if isinstance(f, ast.Name)]


def test_no_handler_warns_about_an_exception_of_the_user():
    found = list(handlers_that_warn())
    assert len(found) >= 2
    for name, calls in found:
        assert "raise_interrupt" in calls, name


def test_a_nested_search_that_is_interrupted_is_a_failed_fit():
    inner = random_search(surrogate=RingingSurrogate())
    outer = RefiningGridSearchCV(inner, {"n_iter": [14, 15]}, cv=2, n_rounds=1)
    with (
        alarm(LateError("now")),
        pytest.raises(ValueError, match=r"All the 4 fits failed(.|\n)*LateError: now"),
    ):
        outer.fit(X, Y)
    assert outer.stop_reason_ == "error"
    with alarm(Stop("now")) as expected:
        assert_ends_with(expected, lambda: outer.fit(X, Y))
    assert outer.stop_reason_ == "interrupted"


# Python throws away an exception that is raised while it collects garbage; the search
# raises it again.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("n_moments", "n_jobs"), [(25, 1), (4, 2)])
def test_at_any_moment(n_moments, n_jobs, tmp_path):
    """The exception is raised, or is the error of the fit that it came in."""
    draw = random.Random(n_jobs)
    make(n_jobs, tmp_path / "first.db").fit(X, Y)  # starts the workers
    start = time.perf_counter()
    make(n_jobs, tmp_path / "second.db").fit(X, Y)
    seconds = time.perf_counter() - start
    n_raised = 0
    for moment in range(n_moments):
        path = tmp_path / f"{moment}.db"
        search = make(n_jobs, path)
        with alarm(TimeoutError("now")) as expected, warnings.catch_warnings():
            warnings.filterwarnings("error", "The surrogate failed|.*cannot be written")
            warnings.filterwarnings("ignore", category=FitFailedWarning)
            warnings.filterwarnings("ignore", message="One or more of the|Scoring fail")
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(0.1, 1.0) * seconds)
            found = error_of(lambda search=search: search.fit(X, Y))
            left, _ = signal.getitimer(signal.ITIMER_REAL)
        if found is None:
            failed = np.isnan(search.cv_results_["mean_test_score"]).any()
            assert failed or left > 0
            continue
        assert found is expected
        n_raised += 1
        if hasattr(search, "cv_results_"):
            assert search.stop_reason_ == "interrupted"
            assert len(read_journal(path)) >= search.n_fits_
            n_candidates = search.rounds_["n_candidates"].sum()
            assert n_candidates == len(search.cv_results_["params"])
    assert n_raised > n_moments / 5


def make(n_jobs, journal):
    return SuccessiveRandomSearchCV(
        Ridge(),
        {"alpha": loguniform(1e-3, 1e3), "tol": loguniform(1e-6, 1e-1)},
        n_iter=24,
        cv=2,
        n_jobs=n_jobs,
        random_state=0,
        refit=False,
        journal=journal,
    )


def test_a_second_exception_is_dropped(monkeypatch):
    """While the results are saved, an alarm that rings again does no harm."""
    original = SuccessiveRandomSearchCV._set_results

    def ring_again(self, history):
        ring()
        original(self, history)

    monkeypatch.setattr(SuccessiveRandomSearchCV, "_set_results", ring_again)
    search = random_search(surrogate=RingingSurrogate())
    with alarm(LateError("now")) as expected:
        assert_ends_with(expected, lambda: search.fit(X, Y))
    assert_keeps_results(search)


def test_handlers_that_raise_nothing_are_called():
    rings = []
    search = random_search(surrogate=RingingSurrogate())
    previous = signal.signal(signal.SIGALRM, lambda *args: rings.append(args))
    try:
        search.fit(X, Y)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert len(rings) > 1
    assert all(number == signal.SIGALRM for number, _ in rings)
    assert search.stop_reason_ == "completed"


def test_a_handler_that_is_replaced_meanwhile_stays():
    def replacement(*_):
        return None

    previous = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        with Interrupts():
            signal.signal(signal.SIGALRM, replacement)
        assert signal.getsignal(signal.SIGALRM) is replacement
    finally:
        signal.signal(signal.SIGALRM, previous)


HANDLERS = set()


class Looks(Ridge):
    def fit(self, X, y):
        HANDLERS.add(signal.getsignal(signal.SIGALRM))
        return super().fit(X, y)


def test_a_search_in_another_thread_handles_no_signals():
    with alarm(LateError()):
        handler = signal.getsignal(signal.SIGALRM)
        search = grid_search(Looks(), n_rounds=2)
        thread = threading.Thread(target=search.fit, args=(X, Y))
        thread.start()
        thread.join()
        assert {handler} == HANDLERS
    assert search.stop_reason_ == "completed"


def test_deferred_exceptions_are_raised_after_the_block():
    done = []

    def ring_inside():
        with defer_interrupts():
            with defer_interrupts():
                ring()
            done.append(1)

    def search():
        with Interrupts():
            with suppress(LateError):
                ring_inside()
                done.append(2)
            with defer_interrupts():
                ring()
            done.append(3)  # only the first exception is raised

    with alarm(LateError("now")) as expected:
        assert_ends_with(expected, search)
    assert done == [1, 3]


@pytest.mark.parametrize("raises", [False, True])
def test_an_exception_that_was_caught_is_raised_at_the_end(raises):
    def search():
        with Interrupts():
            with suppress(LateError):
                ring()
            if raises:
                raise ValueError("what follows from it")

    with alarm(LateError("now")) as expected:
        assert_ends_with(expected, search)
