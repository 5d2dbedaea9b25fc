"""What a race saves in seconds, and what it costs in quality.

The same random candidates are searched three times, in turn and in one process: without
a race, with ``racing=True`` and with ``racing="iterations"``. All scores of all three
must be equal where they exist; the script stops if they are not. Printed are means over
data sets and seeds.

time
    Processor seconds, as a share of those without a race (medians).
work
    Epochs or trees that were trained, as a share of all.
same
    The same candidate won, in percent of searches.
1 s.e.
    The winner's mean over all splits is within one standard error of the best one's.
regret
    The best mean minus the winner's, in standard errors of the best one.

Networks are an MLP behind a StandardScaler with at most 100 epochs, over learning rate,
alpha, architecture, activation and batch size. Forests and boosting have 80 trees.

BLAS has one thread, for all searches alike.

Usage: python docs/benchmarks/racing_seconds.py [--seeds N] [--rows N]
           [--candidates N] [--data NAME ...] [--splits N ...] [--models NAME ...]
           [--smoke]
"""

import argparse
import os
import time
import warnings
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from scipy.stats import loguniform, randint, uniform
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import SuccessiveRandomSearchCV

BAND_GAP = Path(__file__).parents[2] / "examples" / "data" / "band_gap.csv.gz"
RACES = (False, True, "iterations")


def load_band_gap():
    table = pd.read_csv(BAND_GAP).drop(columns="Composition")
    target = table.pop("band_gap_eV")
    return table.to_numpy(float), target.to_numpy(float)


DATA = {
    "digits": (lambda: load_digits(return_X_y=True), False),
    "breast cancer": (lambda: load_breast_cancer(return_X_y=True), False),
    "diabetes": (lambda: load_diabetes(return_X_y=True), True),
    "band gap": (load_band_gap, True),
}

MODELS = {
    "network": (
        lambda regression: (MLPRegressor if regression else MLPClassifier)(
            max_iter=100, random_state=0
        ),
        {
            "alpha": loguniform(1e-6, 1),
            "learning_rate_init": loguniform(1e-4, 1e-1),
            "hidden_layer_sizes": [
                *[(16,), (32,), (64,), (100,)],
                *[(30, 15), (50, 25), (100, 50)],
            ],
            "batch_size": [32, 64, 128, 200],
            "activation": ["relu", "tanh"],
        },
    ),
    "forest": (
        lambda regression: (
            RandomForestRegressor if regression else RandomForestClassifier
        )(n_estimators=80, random_state=0),
        {
            "max_features": uniform(0.1, 0.9),
            "min_samples_leaf": randint(1, 20),
            "max_depth": [3, 6, 10, None],
        },
    ),
    "boosting": (
        lambda regression: (
            GradientBoostingRegressor if regression else GradientBoostingClassifier
        )(n_estimators=80, random_state=0),
        {
            "learning_rate": loguniform(0.01, 1),
            "max_depth": randint(1, 6),
            "subsample": uniform(0.5, 0.5),
        },
    ),
    "histograms": (
        lambda regression: (
            HistGradientBoostingRegressor
            if regression
            else HistGradientBoostingClassifier
        )(max_iter=80, random_state=0),
        {
            "learning_rate": loguniform(0.01, 1),
            "max_leaf_nodes": randint(3, 40),
            "l2_regularization": loguniform(1e-3, 10),
        },
    ),
}


def rows_of(name, seed, n_rows):
    X, y = DATA[name][0]()
    rows = np.random.RandomState(seed).permutation(len(X))[:n_rows]
    X, y = X[rows], y[rows]
    return X, (y - y.mean()) / y.std() if DATA[name][1] else y


def search(kind, is_regression, n_candidates, seed, n_splits, racing):
    make, space = MODELS[kind]
    pipe = Pipeline([("scale", StandardScaler()), ("model", make(is_regression))])
    return SuccessiveRandomSearchCV(
        pipe,
        {f"model__{name}": values for name, values in space.items()},
        n_iter=n_candidates,
        n_rounds=1,
        racing=racing,
        cv=n_splits,
        refit=False,
        random_state=seed,
    )


def split_scores(results, n_splits):
    return np.array([results[f"split{k}_test_score"] for k in range(n_splits)]).T


def share_of_work(results, n_splits, all_splits):
    """Return the iterations that were run, as a share of all."""
    n_run = results["n_splits_evaluated"].astype(float)
    if "n_iter_evaluated" in results:
        n_iter = results["n_iter_evaluated"]
        part = n_iter / np.nanmax(n_iter)
        n_run += np.where(n_run > 0, 0, part * (n_splits if all_splits else 1))
    return n_run.sum() / (n_splits * len(n_run))


def compare(kind, name, seed, n_rows, n_candidates, n_splits):
    """Return a row for each race on one data set."""
    X, y = rows_of(name, seed, n_rows)
    rows, scores, full_seconds = [], None, None
    for racing in RACES:
        model = search(kind, DATA[name][1], n_candidates, seed, n_splits, racing)
        start = time.process_time()
        model.fit(X, y)
        seconds = time.process_time() - start
        results = model.cv_results_
        found = split_scores(results, n_splits)
        if scores is None:
            scores, full_seconds = found, seconds
            continue
        run = ~np.isnan(found)
        np.testing.assert_array_equal(found[run], scores[run])
        means = scores.mean(axis=1)
        best = means.argmax()
        error = scores[best].std(ddof=1) / np.sqrt(n_splits)
        regret = (means[best] - means[model.best_index_]) / error
        rows.append(
            {
                "model": kind,
                "splits": n_splits,
                "racing": str(racing),
                "time": seconds / full_seconds,
                "work": share_of_work(results, n_splits, kind != "network"),
                "same": 100.0 * (means[model.best_index_] == means[best]),
                "1 s.e.": 100.0 * (regret <= 1),
                "regret": regret,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--data", nargs="+", choices=DATA, default=[*DATA])
    parser.add_argument("--splits", type=int, nargs="+", default=[3, 5])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=[*MODELS])
    parser.add_argument("--smoke", action="store_true", help="only see that it runs")
    args = parser.parse_args()
    data, seeds, splits = args.data, range(args.seeds), args.splits
    if args.smoke:
        data, seeds, splits = ["diabetes"], [0], (3,)
        args.rows, args.candidates = 80, 8
    warnings.simplefilter("ignore")
    rows = []
    for kind in args.models:
        for n_splits in splits:
            for name in data:
                for seed in seeds:
                    rows += compare(
                        kind, name, seed, args.rows, args.candidates, n_splits
                    )
            table = pd.DataFrame(rows).groupby(["model", "splits", "racing"])
            summary = table.mean().assign(time=table["time"].median())
            summary["searches"] = table.size()
            print(summary.loc[[kind]].xs(n_splits, level=1).round(2), flush=True)
    print(summary.round(2).to_string())


if __name__ == "__main__":
    main()
