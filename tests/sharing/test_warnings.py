"""Candidates that share steps give the warnings that they give one by one.

A warning of a shared step comes once per split, not once per candidate.
"""

import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    QuantileTransformer,
    StandardScaler,
)

from sklearn_refine import RefiningGridSearchCV

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:60], Y[:60]
ALPHAS = [0.1, 1.0, 10.0, 100.0]
N_SPLITS = 3


class Warns(TransformerMixin, BaseEstimator):
    """Gives a warning in its methods, if a text is set."""

    def __init__(self, on_fit="", on_transform=""):
        self.on_fit = on_fit
        self.on_transform = on_transform

    def fit(self, X, y=None):
        warn(self.on_fit, X)
        self.fitted_ = True
        return self

    def transform(self, X):
        warn(self.on_transform, X)
        return X * 1.0


class WarningRidge(Ridge):
    """Gives a warning in its methods, and fails above a limit."""

    def __init__(self, alpha=1.0, fit_limit=np.inf, predict_limit=np.inf):
        super().__init__(alpha=alpha)
        self.fit_limit = fit_limit
        self.predict_limit = predict_limit

    def fit(self, X, y):
        warn(f"alpha is {self.alpha}", X)
        if self.alpha > self.fit_limit:
            raise RuntimeError("as told")
        return super().fit(X, y)

    def predict(self, X):
        warn(f"predicts with {self.alpha}", X)
        if self.alpha > self.predict_limit:
            raise RuntimeError("as told")
        return super().predict(X)


def warn(text, X):
    if text:
        # A text of its own for each split, and for its training and test rows.
        warnings.warn(text.replace("SUM", f"{X.sum():.6f}"), UserWarning, stacklevel=2)


def constant_column():
    return np.column_stack([X, np.ones(len(X))])


def rare_category():
    return np.where(np.arange(60) < 2, 9.0, np.arange(60) % 3)[:, None]


def empty_column():
    values = X.copy()
    values[:, 3] = np.nan
    return values


NETWORK = MLPRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
UNEVEN = TransformedTargetRegressor(Ridge(), func=np.abs, inverse_func=np.sqrt)
#: Estimator, data, and whether only shared steps warn, and nothing fails. What fails is
#: run again for its candidate by itself, since scikit-learn has to raise the error.
CASES = {
    "fit": (make_pipeline(Warns("same"), Ridge()), X, True),
    "fit, a text per split": (make_pipeline(Warns("SUM"), Ridge()), X, True),
    "transform": (make_pipeline(Warns("", "same"), Ridge()), X, True),
    "transform, a text per split": (make_pipeline(Warns("", "SUM"), Ridge()), X, True),
    "both": (make_pipeline(Warns("a SUM", "b SUM"), Ridge()), X, True),
    "two steps": (make_pipeline(Warns("a", "b"), Warns("c", "d"), Ridge()), X, True),
    "last step": (make_pipeline(Warns(), WarningRidge()), X, False),
    "all steps": (make_pipeline(Warns("a SUM", "b"), WarningRidge()), X, False),
    "a fit fails": (make_pipeline(Warns("a", "b"), WarningRidge(1, 5.0)), X, False),
    "a score fails": (
        make_pipeline(Warns("a", "b"), WarningRidge(1, np.inf, 5.0)),
        X,
        False,
    ),
    "networks": (make_pipeline(Warns("a SUM", "b SUM"), NETWORK), X, False),
    "target": (make_pipeline(StandardScaler(), UNEVEN), X, True),
    "constant column": (make_pipeline(SelectKBest(), Ridge()), constant_column(), True),
    "unknown category": (
        make_pipeline(OneHotEncoder(handle_unknown="ignore", drop="first"), Ridge()),
        rare_category(),
        True,
    ),
    "empty column": (make_pipeline(SimpleImputer(), Ridge()), empty_column(), True),
    "few values": (
        make_pipeline(
            KBinsDiscretizer(9, quantile_method="averaged_inverted_cdf"), Ridge()
        ),
        rare_category(),
        True,
    ),
    "few rows": (make_pipeline(QuantileTransformer(), Ridge()), X, True),
}


def search_of(kind, name, **params):
    pipe, _, _ = CASES[name]
    (alpha,) = (p for p in pipe.get_params() if p.endswith("alpha"))
    return kind(pipe, {alpha: ALPHAS}, cv=KFold(N_SPLITS), refit=False, **params)


def caught(kind, name, action, **params):
    """Count the warnings of a search, by category and text."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)
        warnings.onceregistry.clear()
        search_of(kind, name, **params).fit(CASES[name][1], Y)
    # The summary of failed fits has line numbers of scikit-learn in it.
    return Counter((w.category, str(w.message).splitlines()[0][:60]) for w in seen)


def without_convergence(counts):
    """Remove what a search says once, and GridSearchCV for each network."""
    assert any(category is ConvergenceWarning for category, _ in counts)
    return Counter({k: n for k, n in counts.items() if k[0] is not ConvergenceWarning})


@pytest.mark.parametrize("action", ["always", "default", "once"])
@pytest.mark.parametrize("name", CASES)
def test_the_same_warnings_as_grid_search(name, action):
    theirs = caught(GridSearchCV, name, action, return_train_score=True)
    ours = caught(
        RefiningGridSearchCV, name, action, n_rounds=1, return_train_score=True
    )
    assert theirs
    if name == "networks" and action != "always":
        theirs, ours = map(without_convergence, (theirs, ours))
    assert ours.keys() == theirs.keys()
    if CASES[name][2]:
        assert all(ours[key] <= theirs[key] for key in theirs)


@pytest.mark.parametrize("action", ["always", "default"])
@pytest.mark.parametrize("name", ["fit", "fit, a text per split"])
def test_a_warning_of_a_shared_step_comes_once_per_split(name, action):
    ours = caught(RefiningGridSearchCV, name, action, n_rounds=1)
    theirs = caught(GridSearchCV, name, action)
    assert ours.total() == N_SPLITS
    assert theirs.total() == N_SPLITS * len(ALPHAS)


SCRIPT = """
import sys
from sklearn.model_selection import GridSearchCV
from test_warnings import CASES, Y, search_of
from sklearn_refine import RefiningGridSearchCV

for kind, params in ((GridSearchCV, {}), (RefiningGridSearchCV, {"n_rounds": 1})):
    search_of(kind, "both", n_jobs=2, **params).fit(CASES["both"][1], Y)
    print("-- the next search", file=sys.stderr, flush=True)
"""


@pytest.mark.slow
def test_the_same_warnings_from_workers():
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", SCRIPT],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    theirs, ours = (
        Counter(re.findall(r"UserWarning: (.+)", part))
        for part in done.stderr.split("-- the next search")[:2]
    )
    assert ours.keys() == theirs.keys()
    assert len(ours) == 3 * N_SPLITS  # of the fit, and of training and test rows
    assert ours.total() < theirs.total()
