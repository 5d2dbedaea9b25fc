"""What later rounds try where an estimator does not declare its legal values.

XGBoost, LightGBM and CatBoost declare nothing that scikit-learn can read, and so do
many people's own estimators. The grids are written as people write them. They search
the three libraries, and classes of this script that have the parameters and the checks
of other libraries: some raise an error for an illegal value, some accept it silently.

Each grid is searched by GridSearchCV, then by RefiningGridSearchCV in three modes:

all
    The search as it is.
no table
    The ranges known for the three libraries are left out, so only the rules for
    undeclared parameters remain. The other classes are in no table, so that this is the
    same as "all" for them.
none
    These rules are left out as well. The limits on sizes stay.

For each mode the table has candidates of later rounds; how many of them failed; how
many have a value that the documentation calls illegal or meaningless (for the three
libraries the table in `sklearn_refine/space/_libraries.py`, for a class of this script
`INTERVALS`); the best score; and the processor time divided by GridSearchCV's. Fits
take milliseconds here, so that this ratio also has the search's own work in it. A star
marks a best candidate that is illegal. LightGBM itself writes a line to stderr for each
fit that fails.

The aims: with the table at most 1 % of the later candidates of the three libraries
fail; without it, and for the other classes, at most 8 %; no best candidate is illegal;
best scores are not lower than without limits. BLAS and models have one thread.

Usage: python docs/benchmarks/third_party.py [--only WORD] [--smoke]
"""

import argparse
import os
import platform
import time
import warnings
from contextlib import ExitStack, contextmanager
from importlib import import_module
from unittest.mock import patch

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    RegressorMixin,
    TransformerMixin,
    is_classifier,
)
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.proposal._grid_reach import Reach
from sklearn_refine.space import _infer, _legal
from sklearn_refine.space._libraries import _limits, known_range
from sklearn_refine.space._limits import UNLIMITED

MODES = ("all", "no table", "none")


# --- estimators that declare nothing ----------------------------------------------


def require(condition, message):
    if not condition:
        raise ValueError(message)


def fraction(value):
    return 0 <= value <= 1


class Network(ClassifierMixin, BaseEstimator):
    """One hidden layer trained by SGD, with the checks of torch and Keras."""

    def __init__(
        self,
        hidden=8,
        lr=0.1,
        momentum=0.0,
        dropout=0.0,
        weight_decay=0.0,
        batch_size=32,
        max_epochs=5,
        validation_fraction=0.1,
    ):
        self.hidden = hidden
        self.lr = lr
        self.momentum = momentum
        self.dropout = dropout
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.validation_fraction = validation_fraction

    def fit(self, X, y):
        require(self.lr >= 0, "invalid learning rate")
        require(self.momentum >= 0, "invalid momentum value")
        require(self.weight_decay >= 0, "invalid weight_decay value")
        require(fraction(self.dropout), "dropout probability must be between 0 and 1")
        require(self.hidden >= 1, "units must be a positive integer")
        require(self.batch_size >= 1, "batch_size must be a positive integer")
        require(
            0 < self.validation_fraction < 1, "validation_fraction is not in (0, 1)"
        )
        rng = np.random.RandomState(0)
        X, y = X[: (n := int(len(X) * (1 - self.validation_fraction)))], y[:n]
        weights = [rng.normal(0, 0.3, (X.shape[1], self.hidden)), np.zeros(self.hidden)]
        steps = [np.zeros_like(w) for w in weights]
        for _ in range(self.max_epochs):
            order = rng.permutation(n)
            for start in range(0, n, self.batch_size):
                rows = order[start : start + self.batch_size]
                mask = rng.uniform(size=(len(rows), self.hidden)) >= self.dropout
                mask = mask / max(1 - self.dropout, 1e-3)
                h = np.tanh(X[rows] @ weights[0]) * mask
                error = self._probability(h @ weights[1]) - y[rows]
                back = np.outer(error, weights[1]) * mask * (1 - np.tanh(h) ** 2)
                for i, slope in enumerate((X[rows].T @ back, h.T @ error)):
                    slope = slope / len(rows) + self.weight_decay * weights[i]
                    steps[i] = self.momentum * steps[i] - self.lr * slope
                    weights[i] = weights[i] + steps[i]
        self.classes_, self.weights_ = np.array([0, 1]), weights
        return self

    def _probability(self, z):
        return 1 / (1 + np.exp(-np.clip(z, -30, 30)))

    def predict(self, X):
        return (np.tanh(X @ self.weights_[0]) @ self.weights_[1] > 0).astype(int)


class Mixture(ClassifierMixin, BaseEstimator):
    """A Gaussian mixture for each class, as in scikit-lego."""

    def __init__(self, n_components=1, reg_covar=1e-3):
        self.n_components = n_components
        self.reg_covar = reg_covar

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.mixtures_ = [
            GaussianMixture(
                self.n_components, reg_covar=self.reg_covar, random_state=0
            ).fit(X[y == label])
            for label in self.classes_
        ]
        return self

    def predict(self, X):
        scores = np.column_stack([m.score_samples(X) for m in self.mixtures_])
        return self.classes_[scores.argmax(axis=1)]


class Lowess(RegressorMixin, BaseEstimator):
    """Means of the nearest rows, as in scikit-lego: `span` of all rows count."""

    def __init__(self, span=0.5, sigma=1.0):
        self.span = span
        self.sigma = sigma

    def fit(self, X, y):
        require(0 < self.span <= 1, "param `span` must be 0 < span <= 1")
        require(self.sigma >= 0, "param `sigma` must be >= 0")
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        distances = np.sqrt(((X[:, None] - self.X_) ** 2).sum(axis=2))
        width = np.quantile(distances, self.span, axis=1)[:, None]
        weights = np.exp(-((distances / width) ** 2) / self.sigma) + 1e-12
        return (weights * self.y_).sum(axis=1) / weights.sum(axis=1)


class Thresholder(ClassifierMixin, BaseEstimator):
    """Logistic regression with its own threshold; accepts any."""

    def __init__(self, threshold=0.5, C=1.0):
        self.threshold = threshold
        self.C = C

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C, max_iter=200).fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        chosen = self.model_.predict_proba(X)[:, 1] > self.threshold
        return self.classes_[chosen.astype(int)]


class Regularized(RegressorMixin, BaseEstimator):
    """The elastic net around fit_regularized of statsmodels; accepts anything."""

    def __init__(self, alpha=0.1, L1_wt=0.5):
        self.alpha = alpha
        self.L1_wt = L1_wt

    def fit(self, X, y):
        self.mean_, w = y.mean(), np.zeros(X.shape[1])
        step = 1 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]
        ridge = 1 + step * self.alpha * (1 - self.L1_wt)
        for _ in range(100):
            w = w - step * X.T @ (X @ w - (y - self.mean_)) / len(X)
            shrunk = np.abs(w) - step * self.alpha * self.L1_wt
            w = np.sign(w) * np.maximum(shrunk, 0) / ridge
        self.w_ = w
        return self

    def predict(self, X):
        return X @ self.w_ + self.mean_


class Penalised(RegressorMixin, BaseEstimator):
    """Ridge regression that checks its penalty, as scikit-survival does."""

    def __init__(self, alpha=0.0):
        self.alpha = alpha

    def fit(self, X, y):
        require(self.alpha >= 0, "alpha must be positive")
        A = X.T @ X + self.alpha * np.eye(X.shape[1])
        self.mean_ = y.mean()
        self.w_ = np.linalg.lstsq(A, X.T @ (y - self.mean_))[0]
        return self

    def predict(self, X):
        return X @ self.w_ + self.mean_


class Blend(RegressorMixin, BaseEstimator):
    """A share `w` of one model and the rest of another; accepts any share."""

    def __init__(self, w=0.5, k=5):
        self.w = w
        self.k = k

    def fit(self, X, y):
        self.models_ = Ridge().fit(X, y), KNeighborsRegressor(self.k).fit(X, y)
        return self

    def predict(self, X):
        one, other = (model.predict(X) for model in self.models_)
        return self.w * one + (1 - self.w) * other


class Neighbours(ClassifierMixin, BaseEstimator):
    """Nearest neighbours of smoothed rows, as tslearn has them for series."""

    def __init__(self, n_neighbors=5, window=0, p=2):
        self.n_neighbors = n_neighbors
        self.window = window
        self.p = p

    def _smooth(self, X):
        require(self.window >= 0, "the window is negative")
        kernel = np.ones(2 * self.window + 1) / (2 * self.window + 1)
        return np.apply_along_axis(np.convolve, 1, X, kernel, "same")

    def fit(self, X, y):
        self.model_ = KNeighborsClassifier(self.n_neighbors, p=self.p)
        self.model_.fit(self._smooth(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._smooth(X))


class Winsorizer(TransformerMixin, BaseEstimator):
    """Caps outliers, as in feature-engine, which checks only in the constructor."""

    def __init__(self, fold=1.5, tail=0.25):
        self.fold = fold
        self.tail = tail

    def fit(self, X, y=None):
        low, high = np.quantile(X, [self.tail, 1 - self.tail], axis=0)
        self.low_ = low - self.fold * (high - low)
        self.high_ = high + self.fold * (high - low)
        return self

    def transform(self, X):
        return np.clip(X, self.low_, self.high_)


class RareLabels(TransformerMixin, BaseEstimator):
    """Bins into labels, rare labels together, as indicators (feature-engine)."""

    def __init__(self, tol=0.05, q=5):
        self.tol = tol
        self.q = q

    def fit(self, X, y=None):
        require(self.q >= 1, "q must be a positive integer")
        self.cuts_ = np.quantile(X, np.linspace(0, 1, self.q + 1)[1:-1], axis=0)
        labels = self._label(X)
        share = [(labels == k).mean(axis=0) for k in range(self.q)]
        self.kept_ = [np.flatnonzero(s > self.tol) for s in share]
        return self

    def _label(self, X):
        return (X[:, None] > self.cuts_).sum(axis=1)

    def transform(self, X):
        labels = self._label(X)
        parts = [labels[:, kept] == k for k, kept in enumerate(self.kept_)]
        return np.column_stack([np.ones((len(X), 1)), *parts]).astype(float)


class Correlated(TransformerMixin, BaseEstimator):
    """Drops features that correlate more than `threshold` (feature-engine)."""

    def __init__(self, threshold=0.9):
        self.threshold = threshold

    def fit(self, X, y=None):
        require(fraction(self.threshold), "threshold takes values between 0 and 1")
        upper = np.triu(np.abs(np.corrcoef(X.T)), 1)
        self.kept_ = ~(upper > self.threshold).any(axis=0)
        return self

    def transform(self, X):
        return X[:, self.kept_]


class Percentile(TransformerMixin, BaseEstimator):
    """Keeps the features of largest variance after scaling by the range."""

    def __init__(self, percentile=50):
        self.percentile = percentile

    def fit(self, X, y):
        relevance = np.abs(np.corrcoef(X.T, y)[-1, :-1])
        self.kept_ = relevance >= np.percentile(relevance, 100 - self.percentile)
        return self

    def transform(self, X):
        return X[:, self.kept_]


class Components(TransformerMixin, BaseEstimator):
    """Principal components; at most as many as there are features."""

    def __init__(self, n_components=2, shrinkage=0.0):
        self.n_components = n_components
        self.shrinkage = shrinkage

    def fit(self, X, y=None):
        n = self.n_components
        require(1 <= n <= X.shape[1], f"n_components={n}, {X.shape[1]} features")
        require(fraction(self.shrinkage), "shrinkage must be between 0 and 1")
        C = np.cov(X.T)
        C = (1 - self.shrinkage) * C + self.shrinkage * np.diag(np.diag(C))
        self.vectors_ = np.linalg.eigh(C)[1][:, ::-1][:, :n]
        return self

    def transform(self, X):
        return X @ self.vectors_


class TargetEncoder(RegressorMixin, BaseEstimator):
    """Smoothed means of the target within cells (category_encoders)."""

    def __init__(self, smoothing=1.0, min_samples=1, n_cells=10):
        self.smoothing = smoothing
        self.min_samples = min_samples
        self.n_cells = n_cells

    def fit(self, X, y):
        require(self.smoothing > 0, "smoothing must be positive")
        self.cells_ = KMeans(self.n_cells, n_init=1, random_state=0).fit(X)
        n = np.bincount(self.cells_.labels_, minlength=self.n_cells)
        sums = np.bincount(self.cells_.labels_, y, self.n_cells)
        z = np.clip((n - self.min_samples) / self.smoothing, -30, 30)
        share = 1 / (1 + np.exp(-z))
        self.means_ = share * sums / np.maximum(n, 1) + (1 - share) * y.mean()
        return self

    def predict(self, X):
        return self.means_[self.cells_.predict(X)]


class Oversampled(ClassifierMixin, BaseEstimator):
    """A forest that draws rows of the rarer class more often."""

    def __init__(self, ratio=1.0, max_samples=1.0, max_depth=None):
        self.ratio = ratio
        self.max_samples = max_samples
        self.max_depth = max_depth

    def fit(self, X, y):
        require(0 < self.ratio <= 1, "ratio should be in (0, 1]")
        rng = np.random.RandomState(0)
        labels, n = np.unique(y, return_counts=True)
        few = np.flatnonzero(y == labels[n.argmin()])
        more = rng.choice(few, max(int(self.ratio * n.max()) - n.min(), 0))
        rows = np.r_[np.arange(len(y)), more]
        self.model_ = RandomForestClassifier(
            5, max_samples=self.max_samples, max_depth=self.max_depth, random_state=0
        ).fit(X[rows], y[rows])
        self.classes_ = labels
        return self

    def predict(self, X):
        return self.model_.predict(X)


class Trimmed(RegressorMixin, BaseEstimator):
    """Ridge regression without the rows of largest error, with a kernel."""

    def __init__(self, trim=0.0, C=1.0, gamma=0.1):
        self.trim = trim
        self.C = C
        self.gamma = gamma

    def fit(self, X, y):
        require(0 <= self.trim < 0.5, "trim must be in [0, 0.5)")
        require(self.C > 0, "C must be positive")
        kept = np.arange(len(y))
        for _ in range(2):
            K = rbf_kernel(X[kept], gamma=self.gamma)
            self.X_, self.mean_ = X[kept], y[kept].mean()
            A = K + np.eye(len(kept)) / self.C
            self.w_ = np.linalg.solve(A, y[kept] - self.mean_)
            errors = np.abs(self.predict(X) - y)
            kept = np.argsort(errors)[: int(len(y) * (1 - self.trim))]
        return self

    def predict(self, X):
        return rbf_kernel(X, self.X_, gamma=self.gamma) @ self.w_ + self.mean_


# --- grids ------------------------------------------------------------------------


def classes(n_rows):
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X[:n_rows, :15]), y[:n_rows]


def regression(n_rows):
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X[:n_rows]), y[:n_rows]


LIBRARIES = """
xgb depth: max_depth=[3, 5, 7], min_child_weight=[1, 3, 5]
xgb shares: subsample=[0.6, 0.8, 1.0], colsample_bytree=[0.6, 0.8, 1.0]
xgb gamma: gamma=[0, 0.1, 0.2, 0.3, 0.4], max_depth=[3, 5]
xgb penalties: reg_alpha=[0, 0.001, 0.005, 0.01, 0.05], reg_lambda=[0.1, 1, 10]
xgb rate: learning_rate=[0.01, 0.1, 0.3], n_estimators=[5, 10, 20]
xgb four: subsample=[0.6, 0.8, 1.0], colsample_bytree=[0.6, 0.8, 1.0], \
    reg_alpha=[0, 0.1, 0.5], min_child_weight=[1, 3, 5]
xgb Kaggle: min_child_weight=[1, 5, 10], gamma=[0.5, 1, 2], subsample=[0.8, 1.0], \
    colsample_bytree=[0.8, 1.0], max_depth=[3, 4]
xgb-r three: learning_rate=[0.05, 0.1, 0.3], max_depth=[2, 3, 4], \
    subsample=[0.7, 0.85, 1.0]
xgb-r ints: reg_alpha=[0, 1, 10], gamma=[0, 1, 5]
xgb-r bins: max_bin=[16, 64, 256], max_delta_step=[0, 1, 5]
xgb-r shallow: max_depth=[1, 2, 3]
xgb-r unlimited: max_depth=[0, 3, 6], eta=[0.01, 0.1, 0.3]
lgb depth: max_depth=[-1, 5, 10], num_leaves=[15, 31, 63]
lgb depths: max_depth=[-1, 3, 5, 7]
lgb leaves: num_leaves=[2, 4, 8], min_child_samples=[5, 10, 20], \
    learning_rate=[0.01, 0.1, 0.3]
lgb four: subsample=[0.6, 0.8, 1.0], colsample_bytree=[0.6, 0.8, 1.0], \
    reg_alpha=[0, 0.1, 0.5], reg_lambda=[0, 0.1, 0.5]
lgb small: min_child_samples=[1, 5, 10], min_split_gain=[0, 0.1, 0.5]
lgb-r three: max_depth=[-1, 3, 6], num_leaves=[7, 15, 31], \
    learning_rate=[0.05, 0.1, 0.3]
lgb-r aliases: feature_fraction=[0.6, 0.8, 1.0], lambda_l1=[0, 1, 10]
cat-r depth: depth=[1, 2, 3], learning_rate=[0.1, 0.3, 0.5]
cat-r zeros: random_strength=[0, 1, 2], rsm=[0.5, 0.75, 1.0]
cat-r bagging: bagging_temperature=[0, 0.5, 1], l2_leaf_reg=[1, 3, 10]
cat three: iterations=[5, 10], depth=[2, 4, 6], l2_leaf_reg=[1, 3, 5]
"""
UNDECLARED = """
Network rates: lr=[0.01, 0.1, 0.5], max_epochs=[2, 4], hidden=[4, 8]
Network dropout: dropout=[0, 0.25, 0.5], weight_decay=[0, 0.001, 0.01]
Network momentum: momentum=[0.0, 0.5, 0.9], batch_size=[16, 32, 64]
Network hidden: hidden=[4, 8], validation_fraction=[0.1, 0.2, 0.3]
Mixture: n_components=[1, 2, 3], reg_covar=[0.001, 0.01, 0.1]
Lowess: span=[0.1, 0.5, 1.0], sigma=[0.5, 1.0, 2.0]
Thresholder: threshold=[0.3, 0.5, 0.7], C=[0.1, 1, 10]
Thresholder list: threshold=[0.25, 0.5, 0.75, 1.0]
Regularized: alpha=[0.01, 0.1, 1, 10], L1_wt=[0, 0.5, 1.0]
Penalised: alpha=[0, 0.1, 1, 10]
Blend: w=[0, 0.25, 0.5, 0.75, 1.0], k=[5, 10, 20]
Neighbours: n_neighbors=[1, 3, 5], window=[0, 1, 2]
Neighbours range: n_neighbors=range(1, 8, 2), p=[1, 2, 3]
Winsorizer: fold=[0.5, 1.5, 3.0], tail=[0.05, 0.1, 0.25]
RareLabels: tol=[0.01, 0.05, 0.1], q=[5, 10, 20]
Correlated: threshold=[0.8, 0.9, 1.0]
Percentile: percentile=[25, 50, 100]
Components: n_components=[2, 5, 10, 15], shrinkage=[0.0, 0.5, 1.0]
TargetEncoder: smoothing=[1, 5, 10], min_samples=[1, 5, 20], n_cells=[5, 10]
Oversampled: ratio=[0.5, 0.75, 1.0], max_samples=[0.5, 0.75, 1.0], \
    max_depth=[2, 4, None]
Trimmed: trim=[0, 0.1, 0.2], C=[0.1, 1, 10], gamma=[0.001, 0.01, 0.1]
"""
#: The legal values of the classes of this script.
INTERVALS = {
    Network: "hidden [1,inf) lr (0,inf) momentum [0,1) dropout [0,1)"
    " weight_decay [0,inf) batch_size [1,inf) max_epochs [1,inf)"
    " validation_fraction (0,1)",
    Mixture: "n_components [1,inf) reg_covar [0,inf)",
    Lowess: "span (0,1] sigma (0,inf)",
    Thresholder: "threshold [0,1] C (0,inf)",
    Regularized: "alpha [0,inf) L1_wt [0,1]",
    Penalised: "alpha [0,inf)",
    Blend: "w [0,1] k [1,inf)",
    Neighbours: "n_neighbors [1,inf) window [0,inf) p [1,inf)",
    Winsorizer: "fold (0,inf) tail (0,0.5)",
    RareLabels: "tol [0,1] q [2,inf)",
    Correlated: "threshold [0,1]",
    Percentile: "percentile [0,100]",
    Components: "n_components [1,15] shrinkage [0,1]",
    TargetEncoder: "smoothing (0,inf) min_samples [1,inf) n_cells [1,inf)",
    Oversampled: "ratio (0,1] max_samples (0,1] max_depth [1,inf)",
    Trimmed: "trim [0,0.5) C (0,inf) gamma (0,inf)",
}
LEGAL = {
    cls: {
        name: _limits(text)
        for name, text in zip(*[iter(texts.split())] * 2, strict=True)
    }
    for cls, texts in INTERVALS.items()
}


def read_grids(text):
    """Return (name, grid) for each line."""
    for line in text.replace("\\\n", "").strip().splitlines():
        name, _, lists = line.partition(": ")
        yield name, eval(f"dict({lists})", {})


def libraries():
    """Return (name, estimator, grid) for XGBoost, LightGBM and CatBoost."""
    from catboost import CatBoostClassifier, CatBoostRegressor
    from lightgbm import LGBMClassifier, LGBMRegressor
    from xgboost import XGBClassifier, XGBRegressor

    xgb = {"n_estimators": 8, "n_jobs": 1, "random_state": 0}
    lgb = {"n_estimators": 10, "n_jobs": 1, "random_state": 0, "verbosity": -1}
    cat = {
        "iterations": 8,
        "depth": 3,
        "thread_count": 1,
        "random_seed": 0,
        "verbose": False,
        "allow_writing_files": False,
    }
    estimators = {
        "xgb": XGBClassifier(**xgb),
        "xgb-r": XGBRegressor(**xgb),
        "lgb": LGBMClassifier(**lgb),
        "lgb-r": LGBMRegressor(**lgb),
        "cat": CatBoostClassifier(**cat),
        "cat-r": CatBoostRegressor(**cat),
    }
    return [
        (name, estimators[name.split()[0]], grid)
        for name, grid in read_grids(LIBRARIES)
    ]


def undeclared():
    """Return (name, estimator, grid) for the classes of this script."""
    found = []
    for name, grid in read_grids(UNDECLARED):
        estimator = globals()[name.split()[0]]()
        if isinstance(estimator, TransformerMixin):
            model = LogisticRegression(max_iter=200)
            if isinstance(estimator, Winsorizer | RareLabels):
                model = Ridge()
            estimator = Pipeline([("first", estimator), ("model", model)])
            grid = {f"first__{key}": values for key, values in grid.items()}
            strength = "C" if isinstance(model, LogisticRegression) else "alpha"
            grid[f"model__{strength}"] = [0.1, 1, 10]
        found.append((name, estimator, grid))
    return found


# --- modes ------------------------------------------------------------------------


@contextmanager
def limited(mode):
    """Leave out what a mode leaves out."""
    with ExitStack() as stack:

        def replace(owner, name, new):
            stack.enter_context(patch.object(owner, name, new))

        if mode != "all":
            replace(_legal, "known_range", lambda owner, parameter: None)
        if mode == "none":
            replace(_legal, "limits_of_list", lambda numbers: UNLIMITED)
            replace(_infer, "sentinels_of_list", lambda numbers: ())
            replace(Reach, "_learned_limits", lambda self, place: UNLIMITED)
            replace(Reach, "is_beyond_failures", lambda self, subspace, params: False)
            replace(Reach, "is_unproven", lambda self, subspace, params: False)
        yield


def is_legal(estimator, params):
    """Whether the documentation allows all values."""
    for name, value in params.items():
        *steps, leaf = name.split("__")
        owner = estimator.get_params()[steps[0]] if steps else estimator
        known = known_range(owner, leaf)
        if known is not None:
            legal = value in known.limits or value in known.sentinels
        else:
            limits = LEGAL.get(type(owner), {}).get(leaf)
            legal = limits is None or value is None or value in limits
        if not legal:
            return False
    return True


def search_once(search, X, y):
    """Fit a search; return the processor seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # failures are what is counted here
        start = time.process_time()
        search.fit(X, y)
        return time.process_time() - start


def examine(search, estimator):
    """Return what a mode did on a grid."""
    results = search.cv_results_
    later = np.flatnonzero(results["round"] > 1)
    legal = [is_legal(estimator, results["params"][i]) for i in later]
    scores = results["mean_test_score"]
    best = search.best_index_
    splits = [results[f"split{k}_test_score"][best] for k in range(search.n_splits_)]
    return {
        "later": len(later),
        "failed": int(np.isnan(scores[later]).sum()),
        "illegal": len(later) - sum(legal),
        "best": scores[best],
        "error": np.std(splits, ddof=1) / np.sqrt(len(splits)),
        "legal": is_legal(estimator, search.best_params_),
    }


def run_grid(estimator, grid, n_rows, modes):
    """Return what each mode did on a grid."""
    X, y = (classes if is_classifier(estimator) else regression)(n_rows)
    reference = search_once(GridSearchCV(estimator, grid, cv=3), X, y)
    found = {}
    for mode in modes:
        search = RefiningGridSearchCV(estimator, grid, cv=3)
        with limited(mode):
            seconds = search_once(search, X, y)
        found[mode] = examine(search, estimator) | {"ratio": seconds / reference}
    return found


# --- report -----------------------------------------------------------------------


def describe(found):
    star = "" if found["legal"] else "*"
    counts = f"{found['later']:>5}{found['failed']:>5}{found['illegal']:>5}"
    return f"{counts}{found['best']:>8.4f}{star or ' '}{found['ratio']:>5.1f}"


def total(parts, mode, key):
    return sum(found[mode][key] for found in parts.values())


def conclude(known, unknown):
    """Print the shares of failed candidates, and how best scores compare."""
    print()
    for title, parts, aims in (
        ("the libraries", known, {"all": 1, "no table": 8, "none": None}),
        ("other classes", unknown, {"all": 8, "none": None}),
    ):
        for mode, aim in aims.items():
            n = max(total(parts, mode, "later"), 1)
            failed = 100 * total(parts, mode, "failed") / n
            illegal = 100 * total(parts, mode, "illegal") / n
            winners = sum(not found[mode]["legal"] for found in parts.values())
            print(
                f"{title}, {mode}: {n} later candidates, {failed:.1f} % failed"
                + (f" (aim: {aim} % at most)" if aim else "")
                + f", {illegal:.1f} % illegal, illegal winners: {winners}"
            )
    both = [*known.values(), *unknown.values()]
    legal = [found for found in both if found["none"]["legal"]]
    differences = np.array([f["all"]["best"] - f["none"]["best"] for f in legal])
    errors = np.array([f["none"]["error"] for f in legal])
    print(
        f"best score with and without limits, {len(legal)} grids with a legal winner "
        f"in both: higher in {(differences > 0).sum()}, equal in "
        f"{(differences == 0).sum()}, lower in {(differences < 0).sum()} (by more "
        f"than a standard error in {(differences < -errors).sum()}), "
        f"mean difference {differences.mean():.5f}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="grids with this word in the name")
    parser.add_argument("--rows", type=int, default=300)
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="every eighth grid on few rows, to see that the script runs; "
        "its numbers mean nothing",
    )
    args = parser.parse_args()
    names = ("sklearn", "xgboost", "lightgbm", "catboost", "numpy")
    versions = [f"{name} {import_module(name).__version__}" for name in names]
    print(*versions, f"Python {platform.python_version()}", sep=", ")
    head = f"{'later':>5}{'fail':>5}{'ill.':>5}{'best':>8} {'time':>5}"
    print(f"{'grid':<17}" + "".join(f" |{mode:^28}" for mode in MODES))
    print(f"{'':<17}" + f" |{head}" * len(MODES))
    parts = []
    for grids, modes in ((libraries(), MODES), (undeclared(), MODES[::2])):
        found = {}
        for name, estimator, grid in grids[:: 8 if args.smoke else 1]:
            if args.only not in name:
                continue
            n_rows = 100 if args.smoke else args.rows
            found[name] = run_grid(estimator, grid, n_rows, modes)
            cells = [describe(found[name][m]) if m in modes else "" for m in MODES]
            print(
                f"{name:<17}" + "".join(f" |{cell:<28}" for cell in cells), flush=True
            )
        parts.append(found)
    conclude(*parts)


if __name__ == "__main__":
    main()
