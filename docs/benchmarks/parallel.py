"""How busy the cores are, and what a larger machine would make of the same fits.

A round of MLPs of unequal size, iterations and learning rate, by RefiningGridSearchCV
and SuccessiveRandomSearchCV with n_jobs=2. The efficiency is the time that fits and
scores took, by cv_results_, divided by (cores x wall time); the round that is shown
first starts its units by estimated size, the second by the times of the first. The
workers have been started, and have imported everything, before.

Then the recorded times of all fits are played through: units as the plan cuts them
for that many workers, started longest first or in the order of the candidates. This
is a simulation: a unit takes the sum of its fits' times whatever its size, though
small stacks train a little slower than large ones, and workers cost nothing. Each
round waits for its last unit. "slow workers" are one in twenty that take three times
as long; "lost workers" means that one unit in fifty is lost in its middle with its
worker, and starts again.

The last two tables are simulations, too. They draw candidates from the recorded ones:
how large a round has to be for so many workers, with one unit a fit (models that share
no work, "single") and with stacks of networks; and how many workers a race keeps busy,
with one unit a fit.

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
from sklearn_refine.evaluation._racing import contenders
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


def recorded(search, shares=True):
    """Return the fits of each round as (stack, seconds), by candidate and split."""
    seconds = fit_seconds(search)
    rounds = {}
    for i, params in enumerate(search.cv_results_["params"]):
        stack = str(params.get(f"{STEP}hidden_layer_sizes")) if shares else None
        of_round = rounds.setdefault(search.cv_results_["round"][i], [])
        of_round.append((stack, seconds[i]))
    return list(rounds.values())


def make_units(candidates, n_workers):
    """Return the seconds of the units of a round, the longest first."""
    cells = [
        PlannedFit(i, split, (), stack, float(cost), family=None if stack else i)
        for i, (stack, seconds) in enumerate(candidates)
        for split, cost in enumerate(seconds)
    ]
    units = schedule_fits(cells, n_workers, 99)
    return [(unit[0].candidate, sum(cell.cost for cell in unit)) for unit in units]


def play(units, n_workers, rng, slow=0.0, lost=0.0):
    """Return when the last unit ends."""
    speeds = np.where(rng.random(n_workers) < slow, 3.0, 1.0)
    free = [(0.0, worker) for worker in range(n_workers)]
    end, queue = 0.0, list(reversed(units))
    while queue:
        now, worker = heapq.heappop(free)
        seconds = queue.pop()
        spent = seconds * speeds[worker]
        if rng.random() < lost:
            queue.append(seconds)
            spent /= 2
        else:
            end = max(end, now + spent)
        heapq.heappush(free, (now + spent, worker))
    return end


def simulate(rounds, n_workers, longest_first=True, **trouble):
    """Return the efficiency of rounds of candidates on so many workers."""
    rng = np.random.default_rng(0)
    total = spent = 0.0
    for candidates in rounds:
        units = make_units(candidates, n_workers)
        if not longest_first:
            units = sorted(units)
        seconds = [cost for _, cost in units]
        total += sum(seconds)
        spent += play(seconds, n_workers, rng, **trouble)
    return total / (n_workers * spent)


def race(search, n_candidates, n_workers, rng):
    """Return the share of fits that a race runs, and the workers that it keeps busy."""
    n_splits = search.n_splits_
    scores = np.stack(
        [search.cv_results_[f"split{k}_test_score"] for k in range(n_splits)], axis=1
    )
    drawn = rng.integers(len(scores), size=n_candidates)
    seconds = fit_seconds(search)[drawn]
    scores = scores[drawn] + rng.normal(0, 1e-3, size=(n_candidates, 1))
    run = np.zeros(scores.shape, dtype=bool)
    busy = spent = 0.0
    while (wave := contenders(np.where(run, scores, np.nan), run)).any():
        rows = np.flatnonzero(wave)
        columns = run[rows].sum(axis=1)
        run[rows, columns] = True
        units = np.sort(seconds[rows, columns])[::-1]
        busy += units.sum()
        spent += play(units, n_workers, rng)
    return run.mean(), busy / spent


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
    many = (2, 8) if smoke else (2, 8, 32, 128, 512, 2048)
    print(
        f"\n{'simulated':<16}{'workers':>8}{'longest first':>15}{'in order':>10}"
        f"{'slow workers':>14}{'lost workers':>14}"
    )
    for name, search in searches.items():
        rounds = recorded(search)
        for n in many:
            print(
                f"{name:<16}{n:>8}{simulate(rounds, n):>15.2f}"
                f"{simulate(rounds, n, longest_first=False):>10.2f}"
                f"{simulate(rounds, n, slow=0.05):>14.2f}"
                f"{simulate(rounds, n, lost=0.02):>14.2f}"
            )
    rng = np.random.default_rng(0)
    print("\nEfficiency by the fits of a round for each worker")
    per_worker = (1, 4) if smoke else (1, 2, 4, 8, 16)
    print(f"{'units':<10}{'workers':>8}" + "".join(f"{k:>8}" for k in per_worker))
    for name, shares in (("single", False), ("stacks", True)):
        known = [each for of_round in recorded(random, shares) for each in of_round]
        for n in many:
            row = ""
            for k in per_worker:
                size = max(1, round(n * k / random.n_splits_))
                drawn = [known[i] for i in rng.integers(len(known), size=size)]
                row += f"{simulate([drawn], n):>8.2f}"
            print(f"{name:<10}{n:>8}{row}")
    print("\nWorkers that a race keeps busy, of")
    print(f"{'candidates':<12}{'fits run':>9}" + "".join(f"{n:>8}" for n in many))
    for size in (20,) if smoke else (20, 60, 240, 1000):
        found = [race(random, size, n, rng) for n in many]
        shown = "".join(f"{busy:>8.1f}" for _, busy in found)
        print(f"{size:<12}{np.mean([share for share, _ in found]):>9.2f}{shown}")


if __name__ == "__main__":
    main()
