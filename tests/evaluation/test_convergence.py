"""One warning for all fits of a search that do not converge."""

from __future__ import annotations

import threading
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

from sklearn_refine import RefiningGridSearchCV

X, Y = load_iris(return_X_y=True)
NETWORK = MLPClassifier(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
RATES = {"learning_rate_init": [1e-3, 1e-2, 1e-1]}
NOT_CONVERGED = "fits stopped at max_iter=3 before they converged"


class Impatient(TransformerMixin, BaseEstimator):
    """A step that warns, in its `fit`."""

    def __init__(self, max_iter=7):
        self.max_iter = max_iter

    def fit(self, X, y=None):
        warnings.warn("stopped early", ConvergenceWarning, stacklevel=2)
        return self

    def transform(self, X):
        return X


def caught(action, search, y=Y):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)
        search.fit(X, y)
    assert {w.category for w in seen} <= {ConvergenceWarning}
    return [str(w.message) for w in seen]


def search(estimator=NETWORK, grid=RATES, **params):
    return RefiningGridSearchCV(
        estimator, grid, cv=2, refit=False, **{"n_rounds": 1, **params}
    )


@pytest.mark.parametrize("share_work", [True, False])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_warning_with_the_number_of_fits(n_jobs, share_work):
    with joblib.parallel_config("threading"):
        fitted = search(n_jobs=n_jobs, share_work=share_work, n_rounds=2)
        (text,) = caught("default", fitted)
    n = fitted.n_fits_
    assert text.startswith(f"{n} of {n} {NOT_CONVERGED}. Raise max_iter, ")
    assert "Maximum iterations (3) reached" in text


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_one_warning_from_worker_processes(backend, capfd):
    with joblib.parallel_config(backend):
        (text,) = caught("default", search(n_jobs=2))
    assert text.startswith(f"6 of 6 {NOT_CONVERGED}")
    assert "ConvergenceWarning" not in capfd.readouterr().err


def test_fits_that_converge_are_not_counted():
    model = LogisticRegression()
    grid = [{"max_iter": [1, 1000]}]
    (text,) = caught("default", search(model, grid, share_work=False))
    assert text.startswith("2 of 4 fits stopped at max_iter=1 before they converged")


def test_a_step_that_candidates_share_counts_for_each():
    pipe = make_pipeline(Impatient(), Ridge())
    (text,) = caught("default", search(pipe, {"ridge__alpha": [1.0, 2.0]}), X[:, 0])
    assert text.startswith("4 of 4 fits stopped at max_iter=7 before they converged")


def test_two_limits_of_iterations_are_not_told_apart():
    pipe = make_pipeline(Impatient(), Ridge(max_iter=5))
    (text,) = caught("default", search(pipe, {"ridge__alpha": [1.0]}), X[:, 0])
    assert text.startswith("2 of 2 fits stopped before they converged. Raise the ")


def test_a_filter_that_shows_all_shows_the_warning_of_each_fit():
    ours = caught("always", search())
    theirs = caught("always", GridSearchCV(NETWORK, RATES, cv=2, refit=False))
    assert ours == theirs
    assert len(ours) == 6


def test_filters_that_ignore_or_raise_are_obeyed():
    assert caught("ignore", search()) == []
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.filterwarnings("ignore", "Stochastic Optimizer")
        warnings.filterwarnings("error", "the search")
        search().fit(X, Y)
    model = LogisticRegression(max_iter=1)
    with pytest.raises(ConvergenceWarning, match="failed to converge"):
        search(model, {"C": [1.0]}, error_score="raise").fit(X, Y)


def test_filters_and_the_function_that_shows_warnings_are_restored():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        before = list(warnings.filters), warnings.showwarning
        search().fit(X, Y)
        assert (list(warnings.filters), warnings.showwarning) == before
    assert NOT_CONVERGED in str(seen[0].message)


def test_warnings_of_other_threads_are_shown():
    def warn():
        warnings.warn("of another thread", ConvergenceWarning, stacklevel=1)

    def score(estimator, X, y):
        thread = threading.Thread(target=warn)
        thread.start()
        thread.join()
        return np.mean(y)

    texts = caught("default", search(Ridge(), {"alpha": [1.0]}, scoring=score))
    assert set(texts) == {"of another thread"}


def test_a_search_inside_a_fit_counts_as_that_fit():
    inner = search(NETWORK, {"alpha": [1e-3, 1e-2]}, n_rounds=1).set_params(refit=True)
    outer = search(inner, {"cv": [2, 3]}, share_work=False)
    (text,) = caught("default", outer)
    assert text.startswith("4 of 4 fits stopped")
