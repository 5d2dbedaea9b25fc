"""A search that the tests start in a process of its own, to be killed or interrupted.

Run as ``python cluster_script.py ENGINE ADDRESS FOLDER SECONDS``. The class of the
estimator is defined here, in ``__main__``, where no worker can import it.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from joblib import parallel_config
from sklearn.linear_model import Ridge

from sklearn_refine import RefiningGridSearchCV

X = np.random.RandomState(0).normal(size=(90, 4))
Y = X @ [1.0, 2.0, 3.0, 4.0]


class OfMain(Ridge):
    def __init__(self, alpha=1.0, log=None, seconds=0.1):
        super().__init__(alpha)
        self.log = log
        self.seconds = seconds

    def fit(self, X, y):
        with open(self.log, "a") as file:
            file.write(f"begin {self.alpha!r}\n")
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            sum(range(10_000))
            with open(self.log + ".running", "a") as file:
                file.write("x")
        return super().fit(X, y)


def connect(engine, address):
    if engine == "dask":
        from distributed import Client

        return Client(address)
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    return None


def main(engine, address, folder, seconds):
    warnings.simplefilter("ignore")
    folder = Path(folder)
    client = connect(engine, address)
    search = RefiningGridSearchCV(
        OfMain(log=str(folder / "log"), seconds=float(seconds)),
        {"alpha": [10.0**k for k in range(-5, 7)]},
        cv=3,
        n_rounds=1,
        n_jobs=-1,
        journal=folder / "search.db",
    )
    out = {"error": None}
    try:
        with parallel_config(engine):
            search.fit(X, Y)
    except BaseException as error:
        out["error"] = type(error).__name__
        out["end"] = time.time()
    if client is not None:
        time.sleep(2.0)
        out["processing"] = sum(map(len, client.processing().values()))
    else:
        time.sleep(2.0)
    running = folder / "log.running"
    before = running.stat().st_size
    time.sleep(0.5)
    out["is_still_running"] = running.stat().st_size > before
    scores = getattr(search, "cv_results_", {}).get("mean_test_score", np.empty(0))
    out |= {"scores": scores.tolist(), "pid": os.getpid()}
    (folder / "out.json").write_text(json.dumps(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
