"""Estimators for the workers of a cluster, and searches that the tests run there."""

import os
import signal
import time

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

X = np.random.RandomState(0).normal(size=(90, 4))
Y = X @ [1.0, 2.0, 3.0, 4.0] + np.random.RandomState(1).normal(size=90)
#: A worker takes seconds to start again, and a guilty fit ends three.
ONE_SPLIT = ShuffleSplit(1, random_state=0)
LABELS = (Y > 0).astype(int)


class Logged(Ridge):
    """A slow Ridge that writes the number of its process to a file.

    From its third fit on, a process waits until `n_processes` have written there.
    """

    def __init__(self, alpha=1.0, log=None, seconds=0.1, n_processes=1):
        super().__init__(alpha)
        self.log = log
        self.seconds = seconds
        self.n_processes = n_processes

    def fit(self, X, y):
        with open(self.log, "a") as file:
            file.write(f"{os.getpid()}\n")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end or self._is_alone(end + 60):
            time.sleep(0.01)
        return super().fit(X, y)

    def _is_alone(self, end):
        with open(self.log) as file:
            numbers = file.read().split()
        is_early = numbers.count(str(os.getpid())) < 3
        n_missing = self.n_processes - len(set(numbers))
        return n_missing > 0 and not is_early and time.monotonic() < end


class Faulty(RegressorMixin, BaseEstimator):
    """Predicts the mean; for `at`, the fit kills its process, hangs or raises."""

    def __init__(self, value=0, at=3, fault="dies"):
        self.value = value
        self.at = at
        self.fault = fault

    def fit(self, X, y):
        if self.value == self.at:
            if self.fault == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.fault == "sleeps":
                time.sleep(600)
            elif self.fault == "raises":
                raise OSError("no such value")
        self.mean_ = float(np.mean(y)) + self.value
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def faulty(fault, **options):
    options = {"cv": 2, "n_rounds": 1, "n_jobs": -1, **options}
    return RefiningGridSearchCV(
        Faulty(fault=fault), {"value": [0, 1, 2, 3, 4, 5]}, **options
    )


def fault_free():
    """Return the scores of `faulty` with `cv=ONE_SPLIT` where no fit is faulty."""
    search = faulty("none", cv=ONE_SPLIT, n_jobs=1).fit(X, Y)
    return search.cv_results_["mean_test_score"].copy()


def logged(folder, **options):
    """Return a search of 36 fits in two rounds."""
    options = {"cv": 3, "n_rounds": 2, "n_jobs": -1, **options}
    names = {"seconds", "n_processes"} & options.keys()
    estimator = Logged(log=str(folder / "log"), **{n: options.pop(n) for n in names})
    alphas = [10.0**k for k in range(-3, 5)]
    return RefiningGridSearchCV(estimator, {"alpha": alphas}, **options)


def networks(kind):
    network = MLPClassifier((8,), max_iter=20, random_state=0)
    pipe = make_pipeline(StandardScaler(), network)
    alpha, rate = "mlpclassifier__alpha", "mlpclassifier__learning_rate_init"
    if kind == "random":
        space = {alpha: loguniform(1e-5, 10.0), rate: loguniform(1e-4, 0.1)}
        return SuccessiveRandomSearchCV(
            pipe, space, n_iter=8, n_rounds=2, random_state=0, cv=3
        )
    grid = {alpha: [1e-4, 1e-2, 1.0], rate: [1e-3, 1e-2]}
    racing = {"racing": True, "racing over iterations": "iterations"}.get(kind, False)
    return RefiningGridSearchCV(pipe, grid, cv=4, n_rounds=2, racing=racing)


class Recorder:
    """A callback of scikit-learn 1.9 that writes each task to a file.

    As scikit-learn's own, it is copied to the workers.
    """

    def __init__(self, log):
        self.log = log

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        pass

    def on_fit_task_end(self, estimator, context, *, X=None, y=None):
        with open(self.log, "a") as file:
            file.write(f"{context.task_name} {context.task_id}\n")


def weighted(n_jobs, log):
    """Return results with routed weights, and the tasks that a callback has seen."""
    pipe = make_pipeline(StandardScaler(), Ridge())
    for step in pipe:
        step.set_fit_request(sample_weight=True)
    pipe[-1].set_score_request(sample_weight=True)
    search = RefiningGridSearchCV(
        pipe, {"ridge__alpha": [0.1, 1.0, 10.0]}, cv=3, n_rounds=2, n_jobs=n_jobs
    )
    log.write_text("")
    if hasattr(search, "set_callbacks"):
        search.set_callbacks(Recorder(str(log)))
    search.fit(X, Y, sample_weight=np.arange(90) % 3)
    return results(search), sorted(log.read_text().splitlines())


def results(fitted):
    """Return the results that must be equal, as text."""
    table = fitted.cv_results_
    kept = {
        name: repr(np.asarray(table[name]).tolist())  # a missing score equals itself
        for name in table
        if "time" not in name and "param" not in name
    }
    kept["params"] = [repr(params) for params in table["params"]]
    kept["best"] = [repr(fitted.best_params_), int(fitted.best_index_)]
    return kept
