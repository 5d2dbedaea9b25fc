"""Fitted searches of many kinds, over an estimator that scores its own parameters."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
    log_randint,
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 3))
Y = X[:, 0] + 0.3 * RNG.normal(size=60)


class Toy(RegressorMixin, BaseEstimator):
    """Its score is best at alpha=1e-3, lr=1e-2; a large lr fails."""

    def __init__(
        self,
        alpha=1e-3,
        lr=1e-2,
        width=32,
        layers=(16,),
        act="relu",
        scaler=None,
        flag=True,
        drop=0.3,
        mix="scale",
    ):
        self.alpha = alpha
        self.lr = lr
        self.width = width
        self.layers = layers
        self.act = act
        self.scaler = scaler
        self.flag = flag
        self.drop = drop
        self.mix = mix

    def fit(self, X, y):
        if self.lr > 0.5:
            raise ValueError("diverged")
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)

    def score(self, X, y):
        a, b = np.log10(self.alpha) + 3, np.log10(self.lr) + 2
        score = 0.9 - 0.05 * a**2 - 0.1 * b**2
        score -= 0.3 * (self.act == "identity") + 0.02 * len(self.layers)
        score -= 0.1 * (self.drop - 0.3) ** 2 + 0.1 * (self.scaler is None)
        if self.mix != "scale":
            score -= 0.02 * abs(np.log10(self.mix))
        return score + 0.02 * np.sin(1e3 * X.sum() + 10 * a + 7 * b)


TWO = {"alpha": [1e-5, 1e-3, 1e-1], "lr": [1e-4, 1e-3, 1e-2]}
EIGHT = {
    "act": ["relu", "tanh", "identity"],
    "alpha": loguniform(1e-6, 1),
    "drop": uniform(0, 0.6),
    "flag": [True, False],
    "layers": layer_sizes(depth=(1, 3), width=(4, 128)),
    "lr": loguniform(1e-4, 0.4),
    "scaler": [None, StandardScaler(), MinMaxScaler()],
    "width": log_randint(4, 256),
}
DICTS = [
    {"alpha": [1e-5, 1e-3, 1e-1], "act": ["relu", "tanh"]},
    {
        "alpha": [1e-4, 1e-2],
        "mix": ["scale", 0.1, 1.0, 10.0],
        "scaler": [None, StandardScaler()],
    },
    {"lr": [1e-3, 1e-2]},
]
FAILING = {"alpha": [1e-4, 1e-2], "lr": [1e-2, 0.1, 0.3, 1.0]}
UNFITTED = {
    "refining": RefiningGridSearchCV(
        Toy(), TWO, n_rounds=4, bounds={"lr": (None, 0.4)}
    ),
    "grid": GridSearchCV(Toy(), TWO),
    "one": GridSearchCV(Toy(), {"alpha": [1e-4, 1e-2, 1.0]}),
    "eight": SuccessiveRandomSearchCV(Toy(), EIGHT, n_iter=40, random_state=0),
    "random": RandomizedSearchCV(Toy(), EIGHT, n_iter=40, random_state=0, cv=3),
    "dicts": RefiningGridSearchCV(Toy(), DICTS),
    "failing": GridSearchCV(Toy(), FAILING),
    "racing": RefiningGridSearchCV(
        Toy(), FAILING | {"layers": [(8,), (64, 32)]}, racing=True
    ),
    "halving": HalvingGridSearchCV(
        Toy(), TWO | {"act": ["relu", "tanh"]}, min_resources=15, random_state=0
    ),
    "multimetric": RandomizedSearchCV(
        Toy(),
        {"alpha": loguniform(1e-4, 1), "flag": [True, False]},
        n_iter=12,
        scoring={"own": Toy.score, "neg": "neg_mean_squared_error"},
        refit="own",
        random_state=0,
    ),
}


@cache
def fitted(name):
    """Return a fitted search; its warnings of failed fits are not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return UNFITTED[name].fit(X, Y)
