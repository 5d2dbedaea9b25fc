"""How busy the cores are, and what a larger machine would make of the same fits.

A round of MLPs of unequal size, iterations and learning rate, by RefiningGridSearchCV
and SuccessiveRandomSearchCV with n_jobs=2. The efficiency is the time that fits and
scores took, by cv_results_, divided by (cores x wall time); the round that is shown
first starts its units by estimated size, the second by the times of the first. The
workers have been started, and have imported everything, before.

Then the recorded times of all fits are played through: units as the plan cuts them
for that many workers, started longest first or in the order of the candidates. This
is a simulation: a unit takes the sum of its fits' times whatever its size, though
small stacks train a little slower than large ones, and workers cost nothing.

Usage: python docs/benchmarks/parallel.py [--smoke]
"""

import argparse
import heapq
import os
import warnings

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
    log_randint,
)
from sklearn_refine.evaluation._schedule import PlannedFit, schedule_fits

STEP = "mlpclassifier__"


def fit_seconds(search):
    """Return the seconds of each fit with its score, (n_candidates, n_splits)."""
    results = search.cv_results_
    mean = results["mean_fit_time"] + results["mean_score_time"]
    return np.repeat(mean[:, None], search.n_splits_, axis=1)


def report(name, search):
    seconds = fit_seconds(search)
    for number, row in search.rounds_.iterrows():
        busy = seconds[search.cv_results_["round"] == number].sum()
        print(
            f"{name:<16}{number:>6}{int(row.n_fits):>7}{row.seconds:>10.2f}"
            f"{busy / (2 * row.seconds):>12.2f}"
        )


def simulate(search, n_workers, longest_first):
    """Return the efficiency of the recorded fits on so many workers."""
    seconds = fit_seconds(search)
    cells = []
    for i, params in enumerate(search.cv_results_["params"]):
        stack = str(params.get(f"{STEP}hidden_layer_sizes"))
        for split in range(search.n_splits_):
            cells.append(PlannedFit(i, split, (), stack, float(seconds[i, split])))
    units = schedule_fits(cells, n_workers, 99)
    if not longest_first:
        units = sorted(units, key=lambda unit: (unit[0].candidate, unit[0].split))
    free = [0.0] * n_workers
    for unit in units:
        heapq.heapreplace(free, free[0] + sum(cell.cost for cell in unit))
    return sum(cell.cost for cell in cells) / (n_workers * max(free))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    warnings.simplefilter("ignore")
    print(
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}; one BLAS thread"
    )
    X, y = load_digits(return_X_y=True)
    if smoke:
        X, y = X[:150], y[:150]
    pipe = make_pipeline(StandardScaler(), MLPClassifier(random_state=0, max_iter=60))
    sizes = [(16,), (32,), (64,), (100,), (32, 16), (100, 50)]
    grid = {
        f"{STEP}hidden_layer_sizes": sizes[:2] if smoke else sizes,
        f"{STEP}alpha": [1e-4, 1e-2, 1.0],
        f"{STEP}learning_rate_init": [1e-3] if smoke else [3e-4, 1e-3, 1e-2],
    }
    space = {
        f"{STEP}hidden_layer_sizes": layer_sizes(depth=(1, 2), width=(8, 128)),
        f"{STEP}alpha": loguniform(1e-5, 10),
        f"{STEP}learning_rate_init": loguniform(1e-4, 1e-1),
        f"{STEP}max_iter": log_randint(20, 100),
    }
    common = {"n_jobs": 2, "cv": 5, "refit": False, "n_rounds": 2}
    refining = RefiningGridSearchCV(pipe, grid, **common)
    n_iter = 6 if smoke else 60
    random = SuccessiveRandomSearchCV(
        pipe, space, n_iter=n_iter, random_state=0, **common
    )
    clone(random).set_params(n_iter=4).fit(X[:100], y[:100])  # starts the workers
    print(f"\n{'search':<16}{'round':>6}{'fits':>7}{'seconds':>10}{'efficiency':>12}")
    searches = {"refining": refining.fit(X, y), "random": random.fit(X, y)}
    for name, search in searches.items():
        report(name, search)
    print(f"\n{'simulated':<16}{'workers':>8}{'longest first':>15}{'in order':>10}")
    for name, search in searches.items():
        for n_workers in (2, 8, 32, 128):
            efficiency = [simulate(search, n_workers, first) for first in (True, False)]
            print(
                f"{name:<16}{n_workers:>8}{efficiency[0]:>15.2f}{efficiency[1]:>10.2f}"
            )


if __name__ == "__main__":
    main()
