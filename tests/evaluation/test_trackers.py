"""Autologging is off while a search fits candidates, and as before afterwards."""

import subprocess
import sys
import threading
from contextlib import contextmanager
from types import ModuleType

import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import Ridge

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV
from sklearn_refine.evaluation._trackers import autologging_paused

NAME = "mlflow.utils.autologging_utils"
X, Y = [[0.0], [1.0], [2.0], [3.0]] * 3, [0.0, 1.0, 2.0, 3.0] * 3


def install_tracker():
    """Put a module in the place of MLflow's, with the same switch."""
    if NAME in sys.modules:
        return sys.modules[NAME]
    module = ModuleType(NAME)
    module._AUTOLOGGING_GLOBALLY_DISABLED = False

    @contextmanager
    def disable_autologging():
        module._AUTOLOGGING_GLOBALLY_DISABLED = True
        try:
            yield
        finally:
            module._AUTOLOGGING_GLOBALLY_DISABLED = False

    module.disable_autologging = disable_autologging
    sys.modules[NAME] = module
    return module


@pytest.fixture
def tracker(monkeypatch):
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield install_tracker()
    sys.modules.pop(NAME, None)


def is_off():
    return install_tracker()._AUTOLOGGING_GLOBALLY_DISABLED


class Tracked(BaseEstimator):
    """Its score is 1 if autologging was off during its fit.

    Like the module of an estimator that imports MLflow, it does so in each worker.
    """

    def __init__(self, value=0.0, fails=False):
        self.value = value
        self.fails = fails

    def __setstate__(self, state):
        install_tracker()
        super().__setstate__(state)

    def fit(self, X, y):
        self.was_off_ = is_off()
        if self.fails:
            raise RuntimeError("as told")
        return self

    def predict(self, X):
        return [0.0] * len(X)

    def score(self, X, y):
        return float(self.was_off_ and is_off())


class TrackedProcess(GaussianProcessRegressor):
    """A surrogate that may only be fitted while autologging is off."""

    def fit(self, X, y):
        assert is_off()
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")]
)
def test_it_is_off_in_every_fit_but_the_refit(tracker, n_jobs, backend):
    search = RefiningGridSearchCV(Tracked(), {"value": [1.0, 2.0]}, cv=2, n_jobs=n_jobs)
    with parallel_config(backend):
        search.fit(X, Y)
    assert set(search.cv_results_["mean_test_score"]) == {1.0}
    assert not search.best_estimator_.was_off_
    assert not is_off()


def test_it_is_off_while_a_surrogate_is_fitted(tracker):
    SuccessiveRandomSearchCV(
        Ridge(),
        {"alpha": [0.1, 1.0, 10.0, 100.0], "tol": [0.1, 0.01, 0.001]},
        n_iter=8,
        cv=2,
        surrogate=TrackedProcess(),
        random_state=0,
    ).fit(X, Y)
    assert not is_off()


def test_it_is_off_in_the_refit_of_an_inner_search(tracker):
    inner = RefiningGridSearchCV(Tracked(), {"value": [1.0]}, cv=2, n_rounds=1)
    outer = RefiningGridSearchCV(inner, {"tol": [None, 0.1]}, cv=2, n_rounds=1)
    outer.fit(X, Y)
    assert set(outer.cv_results_["mean_test_score"]) == {1.0}
    assert not outer.best_estimator_.best_estimator_.was_off_


def test_it_is_on_again_after_an_error(tracker):
    search = RefiningGridSearchCV(Tracked(fails=True), {"value": [1.0]}, cv=2)
    with pytest.raises(ValueError, match="All the 2 fits failed"):
        search.fit(X, Y)
    assert not is_off()


def test_it_stays_off_where_the_user_turned_it_off(tracker):
    with tracker.disable_autologging():
        search = RefiningGridSearchCV(Tracked(), {"value": [1.0]}, cv=2).fit(X, Y)
        assert search.best_estimator_.was_off_
        assert is_off()
    assert not is_off()


def test_it_stays_off_until_the_last_search_of_several_threads_ends(tracker):
    entered, leave = threading.Event(), threading.Event()

    def other_search():
        with autologging_paused:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other_search)
    with autologging_paused:
        thread.start()
        assert entered.wait(10)
    assert is_off()
    leave.set()
    thread.join()
    assert not is_off()


def test_trackers_are_never_imported():
    code = f"""
import sys
from sklearn.linear_model import Ridge
from sklearn_refine import RefiningGridSearchCV
RefiningGridSearchCV(Ridge(), {{"alpha": [0.1, 1.0]}}, cv=2).fit({X}, {Y})
assert "mlflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
