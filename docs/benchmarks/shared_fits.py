"""One fit for several candidates, against one fit for each.

GridSearchCV against RefiningGridSearchCV(n_rounds=1) on the same grid, without refit,
in one process, in turn; which of the two goes first changes from repeat to repeat. For
each case: the median seconds of both, the median of the ratios within the repeats, the
aim, and whether every column of cv_results_ but the times is equal. BLAS and OpenMP
have one thread on both sides, by variables set before numpy is imported.

Cases, with 3 to 5 splits of data that scikit-learn ships or makes:

forest, trees
    n_estimators, max_depth and min_samples_split; a depth limit that no tree reaches is
    no limit. "forest" is the grid that public code has most often.
boosting, histograms
    4 numbers of stages times 3 learning rates. The bound is the sum of the stages over
    their maximum, 2.5; the aim is 0.9 of it.
neighbours
    30 numbers of neighbours times 2 weights on 3000 x 20.
text
    CountVectorizer, TfidfTransformer and MultinomialNB on 800 made-up texts.
steps
    PCA x SelectKBest x SVC; the numbers of fits of each step are printed, too.
logistic, kernels
    Limits of iterations that are not reached; gamma and degree of kernels without them.
XGBoost, LightGBM
    n_estimators 50, 100, 200, if the libraries are installed.
nothing
    A grid that shares nothing; the aim is at most 3 % slower.
three rounds
    RefiningGridSearchCV with its 3 rounds against the one round of GridSearchCV, on the
    grid of "forest"; the best scores of both are printed.

Usage: python docs/benchmarks/shared_fits.py [--repeats N] [--n-jobs N]
       [--only NAME ...] [--smoke]
"""

import argparse
import os
import platform
import statistics
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from importlib.util import find_spec

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import sklearn
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_classification,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

import sklearn_refine
from sklearn_refine import RefiningGridSearchCV

CANCER = load_breast_cancer(return_X_y=True)
DIGITS = load_digits(return_X_y=True)
MADE = make_classification(3000, 20, n_informative=8, n_classes=3, random_state=0)
FOREST = {
    "n_estimators": [50, 100, 200],
    "max_depth": [None, 10, 20, 30],
    "min_samples_split": [2, 5, 10],
}


def texts():
    """Return 800 texts of words with Zipf's frequencies, and their 3 classes."""
    rng = np.random.RandomState(0)
    words = np.array([f"w{i}" for i in range(3000)])
    topics = np.arange(800) % 3
    rows = [words[rng.zipf(1.3, 120) * (1 + topic) % 3000] for topic in topics]
    return [" ".join(row) for row in rows], topics


def scaled(**steps):
    return Pipeline([("scaler", StandardScaler()), *steps.items()])


def seeded(kind, **params):
    return kind(random_state=0, **params)


def library(name, kind, **params):
    """Return a model of a library, None if it is not installed."""
    if find_spec(name) is None:
        return None
    return getattr(__import__(name), kind)(random_state=0, n_jobs=1, **params)


#: estimator, grid, data, splits, aim
CASES = {
    "forest": (seeded(RandomForestClassifier), FOREST, CANCER, 3, 5.0),
    "trees": (
        seeded(DecisionTreeRegressor),
        {
            "max_depth": [None, 10, 20, 30, 40, 50],
            "min_samples_split": [2, 5, 10],
            "min_samples_leaf": [1, 2, 4],
        },
        load_diabetes(return_X_y=True),
        5,
        2.5,
    ),
    "boosting": (
        seeded(GradientBoostingClassifier),
        {"n_estimators": [25, 50, 75, 100], "learning_rate": [0.03, 0.1, 0.3]},
        CANCER,
        3,
        2.25,
    ),
    "histograms": (
        seeded(HistGradientBoostingClassifier),
        {"max_iter": [25, 50, 75, 100], "learning_rate": [0.03, 0.1, 0.3]},
        MADE,
        3,
        2.25,
    ),
    "neighbours": (
        KNeighborsClassifier(),
        {"n_neighbors": list(range(1, 31)), "weights": ["uniform", "distance"]},
        MADE,
        5,
        7.0,
    ),
    "text": (
        Pipeline(
            [
                ("count", CountVectorizer()),
                ("tfidf", TfidfTransformer()),
                ("bayes", MultinomialNB()),
            ]
        ),
        {
            "count__ngram_range": [(1, 1), (1, 2)],
            "tfidf__use_idf": [True, False],
            "tfidf__norm": ["l1", "l2"],
            "bayes__alpha": [0.01, 0.1, 1.0],
        },
        texts(),
        5,
        7.5,
    ),
    "steps": (
        scaled(pca=PCA(), best=SelectKBest(), svc=SVC()),
        {
            "pca__n_components": [10, 20, 30],
            "best__k": [3, 6, 9],
            "svc__C": [0.01, 0.1, 1.0, 10.0, 100.0],
        },
        DIGITS,
        5,
        1.0,
    ),
    "logistic": (
        scaled(model=LogisticRegression()),
        {
            "model__C": [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1000.0],
            "model__max_iter": [100, 1000, 2500, 5000],
        },
        CANCER,
        5,
        3.0,
    ),
    "kernels": (
        scaled(svc=SVC()),
        {
            "svc__kernel": ["linear", "rbf", "poly"],
            "svc__C": [0.1, 1.0, 10.0, 100.0],
            "svc__gamma": [0.001, 0.01, 0.1, 1.0],
            "svc__degree": [2, 3],
        },
        CANCER,
        5,
        1.8,
    ),
    "XGBoost": (
        library("xgboost", "XGBClassifier"),
        {"n_estimators": [50, 100, 200]},
        MADE,
        5,
        1.6,
    ),
    "LightGBM": (
        library("lightgbm", "LGBMClassifier", verbose=-1),
        {"n_estimators": [50, 100, 200]},
        MADE,
        5,
        1.6,
    ),
    "nothing": (
        Ridge(),
        {"alpha": np.logspace(-3, 3, 100).tolist()},
        load_diabetes(return_X_y=True),
        5,
        0.97,
    ),
    "three rounds": (seeded(RandomForestClassifier), FOREST, CANCER, 3, 1.0),
}


def small(grid):
    """Return the first two values of each parameter."""
    return {name: values[:2] for name, values in grid.items()}


def timed(search, X, y):
    start = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - start


def has_equal_columns(ours, theirs):
    """Whether every column but the times is equal; later rounds come after them."""
    n = len(theirs["params"])
    return ours["params"][:n] == theirs["params"] and all(
        np.array_equal(
            np.asarray(ours[name][:n], dtype=object),
            np.asarray(column, dtype=object),
        )
        for name, column in theirs.items()
        if name.startswith(("split", "mean_test"))
    )


@contextmanager
def counted(*kinds):
    """Count the fits of some classes."""
    counts = Counter()
    own = {(kind, name): vars(kind)[name] for kind in kinds for name in vars(kind)}
    methods = [(kind, "fit") for kind in kinds]
    methods += [
        (kind, "fit_transform") for kind, name in own if name == "fit_transform"
    ]
    for kind, name in methods:
        setattr(kind, name, counting(getattr(kind, name), counts, kind.__name__))
    try:
        yield counts
    finally:
        for kind, name in methods:
            if (kind, name) in own:
                setattr(kind, name, own[kind, name])
            else:
                delattr(kind, name)


def counting(method, counts, name):
    def count(*args, **params):
        counts[name] += 1
        return method(*args, **params)

    return count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"sklearn_refine {sklearn_refine.__version__}, "
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, "
        f"n_jobs={options.n_jobs}"
    )
    # Starts the workers, which are not a part of any case.
    for kind in (GridSearchCV, RefiningGridSearchCV):
        kind(Ridge(), {"alpha": [0.1, 1.0]}, n_jobs=options.n_jobs).fit(*MADE)
    print(f"{'case':14} {'grid s':>8} {'ours s':>8} {'ratio':>6} {'aim':>5}  equal")
    for name in options.only:
        estimator, grid, (X, y), cv, aim = CASES[name]
        if estimator is None:
            print(f"{name:14} not installed")
            continue
        repeats = options.repeats
        if options.smoke:
            grid, cv, repeats = small(grid), 2, 1
            X, y = X[:120], y[:120]
            if "n_estimators" in grid:
                grid = {**grid, "n_estimators": [2, 4]}
        common = {"cv": cv, "n_jobs": options.n_jobs, "refit": False}
        n_rounds = 3 if name == "three rounds" else 1
        makers = [
            lambda e=estimator, g=grid, c=common: GridSearchCV(e, g, **c),
            lambda e=estimator, g=grid, c=common, n=n_rounds: RefiningGridSearchCV(
                e, g, n_rounds=n, **c
            ),
        ]
        times = []
        for repeat in range(repeats):
            pair = [make() for make in makers]
            seconds = {}
            for side in (0, 1) if repeat % 2 else (1, 0):
                seconds[side] = timed(pair[side], X, y)
            times.append((seconds[0], seconds[1]))
        theirs, ours = pair
        ratio = statistics.median(a / b for a, b in times)
        medians = [statistics.median(side) for side in zip(*times, strict=True)]
        is_equal = has_equal_columns(ours.cv_results_, theirs.cv_results_)
        print(
            f"{name:14} {medians[0]:8.2f} {medians[1]:8.2f} {ratio:6.2f} {aim:5.2f}  "
            f"{is_equal}",
            flush=True,
        )
        if name == "steps" and options.n_jobs == 1:
            with counted(StandardScaler, PCA, SelectKBest, SVC) as counts:
                makers[1]().fit(X, y)
            print(" " * 14, *(f"{kind} {n}" for kind, n in counts.items()), "fits")
        if name == "three rounds":
            print(
                f"{'':14} best score {ours.best_score_:.4f}, {theirs.best_score_:.4f}"
            )


if __name__ == "__main__":
    main()
