"""What a search costs beside its fits: scikit-learn's searches against these.

The estimator is a DummyClassifier on 100 rows, whose fit takes next to no time, so
that the time per fit is that of the search around it. Each search here is compared with
scikit-learn's in one process, in turn; which of the two goes first changes from repeat
to repeat. BLAS and OpenMP have one thread on both sides, by variables set before
numpy is imported. The workers are started before the first measurement.

Cases, all with 5 splits:

one round
    RefiningGridSearchCV(n_rounds=1) against GridSearchCV, on the same grid of 500.
three rounds
    RefiningGridSearchCV(n_rounds=3, max_candidates=500) against GridSearchCV. The first
    round is that grid; there are enough centers that the later rounds are full, too.
    The surrogate's own time, 0.2 to 0.3 s a later round, is in it.
random
    SuccessiveRandomSearchCV(n_iter=500, surrogate=None), with its default of 8 rounds,
    against RandomizedSearchCV(n_iter=500). The surrogate's own time, about 0.1 s a
    round, is in tables.py: it does not grow with the number of splits.

Times are divided by the number of fits. The first ratio is that of the two medians; the
second one is the median of the ratios within each repeat, which drifts of the machine
disturb less. The aim is 1.1 at most.

Usage: python docs/benchmarks/overhead.py [--repeats N] [--smoke]
"""

import argparse
import os
import platform
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import joblib
import numpy as np
import sklearn
from scipy.stats import uniform
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

import sklearn_refine
from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

N_SPLITS = 5
N_JOBS = (1, 2)


class TwoNumbers(DummyClassifier):
    """A DummyClassifier with two numbers to search over, best at (0.3, 0.6)."""

    def __init__(self, a=0.0, b=0.0, strategy="prior"):
        super().__init__(strategy=strategy)
        self.a = a
        self.b = b

    def score(self, X, y, sample_weight=None):
        distance = (self.a - 0.3) ** 2 + (self.b - 0.6) ** 2
        return super().score(X, y, sample_weight) - distance


def make_grid(n_a, n_b):
    return {
        "a": np.linspace(0, 1, n_a).tolist(),
        "b": np.linspace(0, 1, n_b).tolist(),
    }


def cases(n_a, n_b):
    """Return, by name, scikit-learn's search and the one compared with it."""
    grid = make_grid(n_a, n_b)
    n = n_a * n_b
    distributions = {"a": uniform(0, 1), "b": uniform(0, 1)}
    exhaustive = GridSearchCV(TwoNumbers(), grid, cv=N_SPLITS)
    return {
        "one round": (
            exhaustive,
            RefiningGridSearchCV(TwoNumbers(), grid, cv=N_SPLITS, n_rounds=1),
        ),
        "three rounds": (
            exhaustive,
            RefiningGridSearchCV(
                TwoNumbers(),
                grid,
                cv=N_SPLITS,
                n_rounds=3,
                n_centers=3 * n // 10,  # the fewest, about, that fill the rounds
                max_candidates=n,
            ),
        ),
        "random": (
            RandomizedSearchCV(
                TwoNumbers(), distributions, n_iter=n, cv=N_SPLITS, random_state=0
            ),
            SuccessiveRandomSearchCV(
                TwoNumbers(),
                distributions,
                n_iter=n,
                cv=N_SPLITS,
                surrogate=None,
                random_state=0,
            ),
        ),
    }


def seconds_per_fit(search, X, y):
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    return seconds / (len(search.cv_results_["params"]) * search.n_splits_)


def compare(reference, search, X, y, repeats):
    """Return the seconds per fit of both searches, one pair a repeat."""
    pairs = []
    for repeat in range(repeats):
        if repeat % 2:
            other = seconds_per_fit(search, X, y)
            pairs.append((seconds_per_fit(reference, X, y), other))
        else:
            pairs.append(
                (seconds_per_fit(reference, X, y), seconds_per_fit(search, X, y))
            )
    return pairs


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="one repeat with 20 candidates, to see that the script runs; "
        "its ratios mean nothing",
    )
    args = parser.parse_args()
    n_a, n_b = (5, 4) if args.smoke else (25, 20)
    repeats = 1 if args.smoke else args.repeats

    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 5)), rng.randint(2, size=100)

    print(
        f"sklearn_refine {sklearn_refine.__version__}, "
        f"scikit-learn {sklearn.__version__}, joblib {joblib.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, "
        f"{os.cpu_count()} CPUs"
    )
    print(f"{n_a * n_b} candidates, {N_SPLITS} splits, repeats: {repeats}")
    print()
    heads = ("case", "n_jobs", "fits", "sklearn ms", "refine ms", "ratio", "paired")
    line = "{:<14}{:>7}{:>8}{:>12}{:>11}{:>8}{:>8}"
    print(line.format(*heads))
    for n_jobs in N_JOBS:
        # Starts the workers, and fills every cache that first fits fill.
        GridSearchCV(TwoNumbers(), make_grid(5, 4), n_jobs=n_jobs).fit(X, y)
        for name, (reference, search) in cases(n_a, n_b).items():
            reference.set_params(n_jobs=n_jobs)
            search.set_params(n_jobs=n_jobs)
            pairs = compare(reference, search, X, y, repeats)
            ours, theirs = (
                statistics.median(pair[side] for pair in pairs) for side in (1, 0)
            )
            paired = statistics.median(b / a for a, b in pairs)
            print(
                line.format(
                    name,
                    n_jobs,
                    search.n_fits_,
                    f"{1e3 * theirs:.3f}",
                    f"{1e3 * ours:.3f}",
                    f"{ours / theirs:.3f}",
                    f"{paired:.3f}",
                ),
                flush=True,
            )


if __name__ == "__main__":
    # As a module, so that the class is sent to workers by its name. That of a script
    # is sent whole with each fit, which would hide what a search itself costs.
    import overhead

    overhead.main()
