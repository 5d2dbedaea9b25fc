"""Searches on a ray cluster: the same results, and no work is lost."""

import os
import signal
import sys
import threading
import time
import types
from contextlib import contextmanager

import cluster_fits
import numpy as np
import pytest
from cluster_fits import (
    LABELS,
    ONE_SPLIT,
    X,
    Y,
    fault_free,
    faulty,
    logged,
    networks,
    results,
    weighted,
)
from cluster_processes import disturbed, n_lines, start_script, wait_until
from joblib import parallel_config
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge

from sklearn_refine import RefiningGridSearchCV, read_journal
from sklearn_refine.evaluation._ray import RayPool

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore:One or more of the test:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # ray's own
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def ray():
    """A cluster of two workers in processes of their own."""
    ray = pytest.importorskip(
        "ray", reason="ray is missing: pip install sklearn-refine[ray]"
    )
    from ray.util.joblib import register_ray

    register_ray()
    # By default, other processes of a busy machine leave workers no time.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - as ray spells it
    # What the tests need in workers is found there by value.
    ray.cloudpickle.register_pickle_by_value(cluster_fits)
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=200_000_000,
    )
    yield ray
    ray.cloudpickle.unregister_pickle_by_value(cluster_fits)
    ray.shutdown()


def on_ray(search, X, y):
    with parallel_config("ray"):
        return search.fit(X, y)


@pytest.mark.parametrize(
    "kind", ["refining", "random", "racing", "racing over iterations"]
)
def test_results_are_the_same_as_in_one_process(kind, ray, tmp_path):
    expected = results(networks(kind).fit(X, LABELS))
    search = networks(kind).set_params(journal=tmp_path / "search.db", time_budget=600)
    assert results(on_ray(search, X, LABELS)) == expected
    assert search.stop_reason_ == "completed"
    if kind != "racing over iterations":  # each pause is a row there
        assert len(read_journal(tmp_path / "search.db")) == search.n_fits_
    assert results(on_ray(clone(search), X, LABELS)) == expected


def test_routing_configuration_and_callbacks(ray, tmp_path):
    with config_context(enable_metadata_routing=True):
        expected = weighted(1, tmp_path / "log")
        with parallel_config("ray"):
            assert weighted(-1, tmp_path / "log") == expected


def test_waiting_for_a_worker_often(ray):
    """ray may end this process if a finished task is cancelled."""
    pool = RayPool(None, None, "2*n_jobs")
    for _ in range(1000):
        pool.wait_for_worker()


def test_the_data_is_stored_once_a_search_and_freed(ray):
    big = np.random.RandomState(0).normal(size=(4000, 250))  # 8 MB
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=5, n_rounds=3
    )
    free = n_bytes_free(ray)
    for _ in range(2):
        with sampled(lambda: free - n_bytes_free(ray)) as used:
            on_ray(search, big, big[:, 0])
        assert big.nbytes <= max(used) < 1.5 * big.nbytes
        wait_until(lambda: free - n_bytes_free(ray) < 0.1 * big.nbytes)
    assert search.n_fits_ >= 30


def n_bytes_free(ray):
    return ray.available_resources().get("object_store_memory", 0.0)


@contextmanager
def sampled(look):
    """Collect what `look` returns, all the time."""
    found, ended = [], threading.Event()

    def collect():
        while not ended.wait(0.02):
            found.append(look())

    thread = threading.Thread(target=collect)
    thread.start()
    yield found
    ended.set()
    thread.join()


def test_a_killed_worker_costs_no_result(ray, tmp_path):
    expected = results(logged(tmp_path, n_jobs=1, seconds=0.0).fit(X, Y))
    (tmp_path / "log").unlink()
    search = logged(tmp_path, n_jobs=None, journal=tmp_path / "search.db")

    def kill():
        os.kill(int((tmp_path / "log").read_text().split()[-1]), signal.SIGKILL)

    with disturbed(kill, tmp_path / "log", 8):
        on_ray(search, X, Y)
    assert results(search) == expected
    assert n_lines(tmp_path / "log") <= search.n_fits_ + 2


@pytest.mark.parametrize(
    ("fault", "options", "message"),
    [
        ("dies", {}, "The worker process died"),
        ("sleeps", {"fit_timeout": 0.5}, "fit_timeout=0.5 seconds"),
    ],
)
def test_a_fault_costs_one_candidate(fault, options, message, ray):
    with pytest.warns(FitFailedWarning, match=message):
        search = on_ray(faulty(fault, cv=ONE_SPLIT, **options), X, Y)
    expected = fault_free()
    expected[3] = np.nan
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_errors_of_fits(ray):
    with pytest.raises(OSError, match="no such value"):
        on_ray(faulty("raises", error_score="raise"), X, Y)


def test_a_module_that_workers_lack_is_named(ray, monkeypatch):
    module = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    module.Mine = type("Mine", (Ridge,), {"__module__": "only_here"})
    search = RefiningGridSearchCV(module.Mine(), {"alpha": [1.0, 2.0]}, n_rounds=1)
    start = time.monotonic()
    with pytest.raises(ModuleNotFoundError, match=r"'only_here'.*runtime_env"):
        on_ray(search, X, Y)
    assert time.monotonic() - start < 30


def test_ctrl_c_keeps_what_is_complete_and_ends_the_rest(ray, start_script):
    address = ray.get_runtime_context().gcs_address
    script = start_script("ray", address, seconds=1.0)
    script.wait_for_fits(10)
    script.interrupt()
    left = script.finish()
    assert left["error"] == "KeyboardInterrupt"
    assert not left["is_still_running"]
    assert 1 <= len(left["scores"]) < 12
    assert np.isfinite(left["scores"]).all()
