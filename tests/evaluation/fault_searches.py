"""Searches that the tests of faults start in separate processes.

Run as ``python fault_searches.py COMMAND FOLDER [OPTIONS]``. The results of a search
are written to the folder as JSON.
"""

import json
import os
import random
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from sklearn_refine import RefiningGridSearchCV

X = np.random.RandomState(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, 3.0] + np.random.RandomState(1).normal(size=60)
ALPHAS = [10.0**k for k in range(-7, 7)]


class Logged(Ridge):
    """A slow Ridge that writes a line to a file for each fit."""

    def __init__(self, alpha=1.0, log=None, seconds=0.01):
        super().__init__(alpha)
        self.log = log
        self.seconds = seconds

    def fit(self, X, y):
        with open(self.log, "a") as file:
            file.write(f"{self.alpha!r}\n")
        time.sleep(self.seconds)
        return super().fit(X, y)


def search(folder, **options):
    """Return a search of 60 fits: 14 candidates and 6, 3 splits."""
    options = {"cv": 3, "n_rounds": 2, "journal": folder / "search.db", **options}
    return RefiningGridSearchCV(
        Logged(log=str(folder / "log")), {"alpha": ALPHAS}, **options
    )


def results(fitted):
    """Return the results that must be equal, as JSON values."""
    table = fitted.cv_results_
    kept = {
        name: np.asarray(table[name]).tolist()
        for name in table
        if "time" not in name and name != "params"
    }
    kept["best"] = [repr(fitted.best_params_), int(fitted.best_index_)]
    kept["rounds"] = fitted.rounds_[["n_candidates", "n_fits"]].to_numpy().tolist()
    return kept


def in_child(function):
    """Run a function in a copy of this process; return the process id."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()  # so that its workers are killed with it
            function()
        finally:
            os._exit(0)
    return child


def run_killed(folder, n_moments, n_jobs, seed):
    """Kill a search at random moments and resume it; return the numbers of fits."""
    draw = random.Random(seed)
    found = []
    for moment in range(n_moments):
        inside = folder / str(moment)
        inside.mkdir()

        def start(inside=inside):
            search(inside, n_jobs=n_jobs, refit=False).fit(X, Y)

        def resume(inside=inside):
            fitted = search(inside, n_jobs=n_jobs, refit=False).fit(X, Y)
            (inside / "results.json").write_text(json.dumps(results(fitted)))

        child = in_child(start)
        last = draw.randrange(1, 58)
        while n_lines(inside / "log") < last and not ended(child):
            time.sleep(0.001)
        time.sleep(draw.random() * 0.012)
        kill(child)
        first = n_lines(inside / "log")
        child = in_child(resume)
        os.waitpid(child, 0)
        kill(child)
        found.append(
            {
                "first": first,
                "fits": n_lines(inside / "log"),
                "results": json.loads((inside / "results.json").read_text()),
            }
        )
    return found


def kill(child):
    """Kill a child, if it still runs, and its workers."""
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(child, 0)


def n_lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def ended(child):
    return os.waitpid(child, os.WNOHANG)[0] == child


def run_plain(folder, n_jobs, seconds=0.01):
    """Run a search to its end and return the results."""
    running = search(folder, n_jobs=n_jobs, refit=False)
    running.estimator.seconds = seconds
    return results(running.fit(X, Y))


def run_interrupted(folder, kind, n_jobs):
    """Run a search until Ctrl-C and return the attributes that it has then."""
    if kind == "plain":
        running = search(folder, n_jobs=n_jobs)
        running.estimator.seconds = 0.05
    else:
        running = networks(folder, kind == "stacked", n_jobs)
    try:
        running.fit(X, Y)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the search has ended
        return {
            "stop_reason": running.stop_reason_,
            "scores": running.cv_results_["mean_test_score"].tolist(),
            "best_index": int(running.best_index_),
            "best_params": repr(running.best_params_),
            "params": [repr(params) for params in running.cv_results_["params"]],
            "n_rounds": running.n_rounds_,
            "n_candidates": running.rounds_["n_candidates"].tolist(),
            "refitted": hasattr(running, "best_estimator_"),
        }
    return {"stop_reason": running.stop_reason_}


def networks(folder, share_work, n_jobs):
    """Return a search of many MLPs, which treat Ctrl-C as the end of training."""
    network = MLPRegressor(max_iter=60, tol=0.0, n_iter_no_change=100, random_state=0)
    return RefiningGridSearchCV(
        network,
        {"alpha": [10.0 ** (k / 10) for k in range(-120, 0)]},
        cv=3,
        n_jobs=n_jobs,
        journal=folder and folder / "search.db",
        share_work=share_work,
        n_rounds=1,
    )


if __name__ == "__main__":
    command, folder = sys.argv[1], Path(sys.argv[2])
    arguments = [json.loads(argument) for argument in sys.argv[3:]]
    commands = {
        "killed": run_killed,
        "plain": run_plain,
        "interrupted": run_interrupted,
    }
    warnings.simplefilter("ignore")
    output = commands[command](folder, *arguments)
    (folder / f"out-{os.getpid()}.json").write_text(json.dumps(output))
