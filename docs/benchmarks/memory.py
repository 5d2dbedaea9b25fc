"""The most memory that a search takes, beside GridSearchCV's.

Pipeline(StandardScaler(), MLPClassifier((32,))) with 8 values of alpha on 20000 x 200
random numbers (float64, 32 MB), 5 splits, one epoch. Each search runs in a process of
its own, n_jobs=1; the peak is the process's, less that of one that only imports and
makes the data.

Usage: python docs/benchmarks/memory.py [--smoke]
"""

import argparse
import os
import subprocess
import sys

CODE = """
import resource, sys, warnings
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_refine import RefiningGridSearchCV

warnings.simplefilter("ignore")
which, n_rows = sys.argv[1], int(sys.argv[2])
X = np.random.RandomState(0).normal(size=(n_rows, 200))
y = X[:, 0] > 0
pipe = make_pipeline(
    StandardScaler(), MLPClassifier((32,), max_iter=1, random_state=0)
)
grid = {"mlpclassifier__alpha": np.logspace(-5, 1, 8).tolist()}
if which == "GridSearchCV":
    GridSearchCV(pipe, grid, refit=False, cv=5).fit(X, y)
elif which == "RefiningGridSearchCV":
    RefiningGridSearchCV(pipe, grid, refit=False, cv=5, n_rounds=1).fit(X, y)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(which, n_rows):
    """Return the peak resident memory of a process in MB."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    out = subprocess.run(
        [sys.executable, "-c", CODE, which, str(n_rows)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=True,
    )
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return int(out.stdout) / unit


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    n_rows = 500 if parser.parse_args().smoke else 20000
    base = peak("nothing", n_rows)
    print(f"{'':<24}{'peak MB':>9}{'of the search MB':>18}")
    print(f"{'imports and data':<24}{base:>9.0f}")
    found = {}
    for which in ("GridSearchCV", "RefiningGridSearchCV"):
        found[which] = peak(which, n_rows)
        print(f"{which:<24}{found[which]:>9.0f}{found[which] - base:>18.0f}")
    ratio = found["RefiningGridSearchCV"] / found["GridSearchCV"]
    print(f"ratio of the peaks: {ratio:.2f} (the aim is 1.5 at most)")


if __name__ == "__main__":
    main()
