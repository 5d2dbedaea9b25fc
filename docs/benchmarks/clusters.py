"""Searches on a dask cluster of this machine: seconds beside loky, and bytes sent.

Seconds: the same search with two workers of joblib's loky and of dask, in turn, and
GridSearchCV on both. The first search of each engine, which starts its workers, is not
counted. The gain is the time of GridSearchCV divided by the time of
RefiningGridSearchCV with n_rounds=1, whose candidates are the same.

Bytes: 32 MB of data, 50 fits and 3 rounds. What the workers got from the scheduler is
the size of the data; what they sent to each other is their own count.

Usage: python docs/benchmarks/clusters.py [--smoke]
"""

import argparse
import os
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from joblib import parallel_config
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV


def searches(smoke):
    network = make_pipeline(
        StandardScaler(), MLPClassifier(max_iter=30, random_state=0)
    )
    of_network = {
        "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
        "mlpclassifier__learning_rate_init": [3e-4, 1e-3, 1e-2],
    }
    forest = RandomForestClassifier(random_state=0)
    of_forest = {"n_estimators": [50, 100, 200], "max_features": [4, 8, 16]}
    if smoke:
        of_forest = {"n_estimators": [3, 5, 10], "max_features": [4, 8]}
    return {"networks": (network, of_network), "forests": (forest, of_forest)}


def measure(backend, search, X, y):
    start = time.perf_counter()
    with parallel_config(backend):
        search.fit(X, y)
    return time.perf_counter() - start


def compare_seconds(X, y, smoke):
    print(
        f"{'search':<10}{'loky':>8}{'dask':>8}{'ratio':>8}"
        f"{'gain on loky':>14}{'gain on dask':>14}"
    )
    for name, (estimator, grid) in searches(smoke).items():
        options = {"cv": 5, "n_jobs": 2, "refit": False}
        kinds = {
            "rounds": RefiningGridSearchCV(estimator, grid, n_rounds=3, **options),
            "one": RefiningGridSearchCV(estimator, grid, n_rounds=1, **options),
            "grid": GridSearchCV(estimator, grid, **options),
        }
        seconds = {}
        for _ in range(1 if smoke else 3):
            for kind, search in kinds.items():
                for backend in ("loky", "dask"):
                    spent = measure(backend, search, X, y)
                    seconds.setdefault((kind, backend), []).append(spent)
        least = {key: min(values) for key, values in seconds.items()}
        loky, dask = least["rounds", "loky"], least["rounds", "dask"]
        gains = [least["grid", b] / least["one", b] for b in ("loky", "dask")]
        print(
            f"{name:<10}{loky:>8.2f}{dask:>8.2f}{dask / loky:>8.2f}"
            f"{gains[0]:>14.2f}{gains[1]:>14.2f}"
        )


def compare_bytes(client, smoke):
    X = np.random.default_rng(0).normal(size=(2000 if smoke else 20_000, 200))
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0, 10.0]}, n_rounds=3, n_jobs=-1, refit=False
    )

    def exchanged():
        return sum(
            client.run(
                lambda dask_worker: dask_worker.transfer_outgoing_bytes_total
            ).values()
        )

    before = exchanged()
    measure("dask", search, X, X[:, 0])
    between = exchanged() - before
    print(
        f"\n{X.nbytes / 1e6:.1f} MB of data, {search.n_fits_} fits: "
        f"{between / 1e6:.1f} MB from worker to worker"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    warnings.simplefilter("ignore")
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        print("skipped: dask is not installed (pip install sklearn-refine[dask])")
        return
    X, y = load_digits(return_X_y=True)
    if smoke:
        X, y = X[:150], y[:150]
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        for backend in ("loky", "dask"):
            search = RefiningGridSearchCV(
                MLPClassifier(max_iter=2), {"alpha": [0.1, 1.0]}, n_rounds=1, n_jobs=2
            )
            measure(backend, search, X[:100], y[:100])
        compare_seconds(X, y, smoke)
        compare_bytes(client, smoke)


if __name__ == "__main__":
    main()
