"""Searches on a dask cluster: the same results, and no work is lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from contextlib import suppress

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
from sklearn.model_selection import cross_validate

from sklearn_refine import RefiningGridSearchCV, read_journal

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore:One or more of the test:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Gate:
    """Passes connections on to the scheduler, and counts the bytes both ways."""

    def __init__(self, host, port):
        self.n_bytes = 0
        self._target = host, port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            near, _ = self._server.accept()
            far = socket.create_connection(self._target)
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source, sink):
        with suppress(OSError):
            while data := source.recv(1 << 16):
                self.n_bytes += len(data)
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A scheduler and two workers, started apart and in another folder."""
    distributed = pytest.importorskip(
        "distributed", reason="dask is missing: pip install sklearn-refine[dask]"
    )
    import cloudpickle

    # What the tests ask the scheduler and the workers; no estimator is here.
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"

    def start(kind, *arguments):
        with (folder / "log").open("a") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", f"distributed.cli.dask_{kind}"),
                    *("--no-dashboard", *arguments),
                ],
                cwd=folder,
                env=os.environ | {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
                stdout=log,
                stderr=log,
            )

    processes = [start("scheduler", "--port", "0", "--scheduler-file", str(file))]
    wait_until(lambda: file.exists() and file.stat().st_size)
    time.sleep(0.1)
    address = json.loads(file.read_text())["address"].removeprefix("tcp://")
    host, port = address.rsplit(":", 1)
    gate = Gate(host, int(port))
    processes += [start("worker", gate.address, "--nthreads", "1") for _ in range(2)]
    try:
        with distributed.Client(gate.address) as gate.client:
            gate.client.wait_for_workers(2, timeout=60)
            gate.client.upload_file(cluster_fits.__file__)
            yield gate
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="module")
def scheduler(gate):
    return gate.client


@pytest.fixture
def client(scheduler):
    yield scheduler
    wait_until(lambda: not scheduler.run_on_scheduler(n_tasks))
    scheduler.wait_for_workers(2, timeout=60)


def n_tasks(dask_scheduler):
    return len(dask_scheduler.tasks)


def on_dask(search, X, y, **options):
    with parallel_config("dask", **options):
        return search.fit(X, y)


@pytest.mark.parametrize(
    "kind", ["refining", "random", "racing", "racing over iterations"]
)
def test_results_are_the_same_as_in_one_process(kind, client, tmp_path):
    expected = results(networks(kind).fit(X, LABELS))
    search = networks(kind).set_params(n_jobs=-1, journal=tmp_path / "search.db")
    assert results(on_dask(search, X, LABELS)) == expected
    # A finished journal runs nothing.
    wait_until(lambda: not client.run_on_scheduler(n_tasks))
    before = client.run_on_scheduler(n_transitions)
    assert results(on_dask(clone(search), X, LABELS)) == expected
    assert client.run_on_scheduler(n_transitions) == before


def n_transitions(dask_scheduler):
    return dask_scheduler.transition_counter


def test_routing_configuration_and_callbacks(client, tmp_path):
    with config_context(enable_metadata_routing=True):
        expected = weighted(1, tmp_path / "log")
        with parallel_config("dask"):
            assert weighted(-1, tmp_path / "log") == expected


def test_a_time_budget_counts_from_the_first_task(client):
    search = networks("refining").set_params(time_budget=600)
    assert results(on_dask(search, X, LABELS)) == results(search.fit(X, LABELS))
    assert search.stop_reason_ == "completed"


def test_a_search_inside_a_task_of_dask(client):
    search = RefiningGridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2, n_rounds=1)
    expected = cross_validate(search, X, Y, cv=3)["test_score"]
    with parallel_config("dask"):
        found = cross_validate(search, X, Y, cv=3, n_jobs=-1)["test_score"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_workers_that_are_threads(scheduler):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        search = on_dask(networks("refining"), X, LABELS)
    assert results(search) == results(networks("refining").fit(X, LABELS))


def test_the_data_is_sent_once_a_search_and_freed(gate, client):
    big = np.random.RandomState(0).normal(size=(4000, 250))  # 8 MB
    target = big[:, 0]
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0, 10.0]}, cv=5, n_rounds=3, n_jobs=-1
    )
    for _ in range(2):
        before, exchanged = gate.n_bytes, n_exchanged(client)
        on_dask(search, big, target)
        # From here to the scheduler, and from there to a worker.
        assert 2.0 * big.nbytes < gate.n_bytes - before < 2.3 * big.nbytes
        # dask may drop the copy of the other worker between rounds.
        n_copies = search.n_rounds_
        assert n_exchanged(client) - exchanged < 1.1 * n_copies * big.nbytes
        wait_until(lambda: not sum(client.run(n_kept).values()))
    assert search.n_fits_ >= 30


def n_exchanged(client):
    """Return the bytes that workers sent to each other."""
    return sum(
        client.run(
            lambda dask_worker: dask_worker.transfer_outgoing_bytes_total
        ).values()
    )


def n_kept(dask_worker):
    return len(dask_worker.data)


def kill_workers(client, n):
    pids = client.run(os.getpid)
    for pid in list(pids.values())[:n]:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("n_killed", [1, 2])
def test_killed_workers_cost_no_result(n_killed, client, tmp_path):
    expected = results(logged(tmp_path, n_jobs=1, seconds=0.0).fit(X, Y))
    (tmp_path / "log").unlink()
    search = logged(tmp_path, journal=tmp_path / "search.db")
    with disturbed(lambda: kill_workers(client, n_killed), tmp_path / "log", 8):
        on_dask(search, X, Y)
    found = results(search)
    assert found == expected
    assert len(read_journal(tmp_path / "search.db")) == search.n_fits_
    # A worker takes with it what it runs, and results that it has not sent yet.
    assert n_lines(tmp_path / "log") <= search.n_fits_ + 4 * n_killed


def test_a_fit_that_kills_its_worker_costs_one_candidate(client):
    with pytest.warns(FitFailedWarning, match="The worker process died"):
        search = on_dask(faulty("dies", cv=ONE_SPLIT), X, Y)
    expected = fault_free()
    expected[3] = np.nan
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_errors_of_fits(client):
    with pytest.raises(OSError, match="no such value"):
        on_dask(faulty("raises", error_score="raise"), X, Y)
    with pytest.warns(FitFailedWarning, match="no such value"):
        search = on_dask(faulty("raises", error_score=-7.0), X, Y)
    assert search.cv_results_["mean_test_score"][3] == -7.0


@pytest.mark.parametrize("where", ["estimator", "candidate"])
def test_a_module_that_workers_lack_is_named(where, client, monkeypatch):
    module = types.ModuleType("only_here")
    monkeypatch.setitem(sys.modules, "only_here", module)
    module.Mine = type("Mine", (Ridge,), {"__module__": "only_here"})
    estimator = module.Mine() if where == "estimator" else Ridge()
    grid = {"alpha": [1.0, 2.0]}
    if where == "candidate":
        from sklearn.pipeline import make_pipeline

        estimator, grid = make_pipeline(estimator), {"ridge": [module.Mine(), Ridge()]}
    search = RefiningGridSearchCV(estimator, grid, n_rounds=1, n_jobs=-1)
    start = time.monotonic()
    with pytest.raises(ModuleNotFoundError, match=r"'only_here'.*client\.upload_file"):
        on_dask(search, X, Y)
    assert time.monotonic() - start < 30


def test_a_time_limit_for_fits_warns(client):
    search = faulty("none", fit_timeout=5)
    with pytest.warns(UserWarning, match="fit_timeout=5 has no effect on dask"):
        on_dask(search, X, Y)


def test_a_client_that_is_killed_can_resume(client, start_script, tmp_path):
    address = client.scheduler.address
    script = start_script("dask", address)
    script.wait_for_fits(9)
    script.kill()
    wait_until(lambda: not client.run_on_scheduler(n_tasks))
    n_known = len(read_journal(tmp_path / "search.db"))
    assert n_known >= 4
    n_before = n_lines(script.log)
    resumed = start_script("dask", address).finish()
    assert resumed["error"] is None
    # A worker may begin one more fit before it hears that its client is gone.
    assert 0 <= n_lines(script.log) - n_before - (36 - n_known) <= 2
    assert len(resumed["scores"]) == 12
    assert np.isfinite(resumed["scores"]).all()


def test_ctrl_c_keeps_what_is_complete_and_ends_the_rest(client, start_script):
    script = start_script("dask", client.scheduler.address, seconds=1.0)
    script.wait_for_fits(10)
    script.interrupt()
    left = script.finish()
    assert left["error"] == "KeyboardInterrupt"
    assert left["processing"] == 0
    assert not left["is_still_running"]
    assert 1 <= len(left["scores"]) < 12
    assert np.isfinite(left["scores"]).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_cluster_that_grows_is_used(scheduler, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.upload_file(cluster_fits.__file__)
        cluster.adapt(minimum=0, maximum=2, interval="100ms", target_duration="500ms")
        search = logged(tmp_path, n_rounds=1, seconds=0.3, n_processes=2)
        on_dask(search, X, Y, wait_for_workers_timeout=60)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    pids = (tmp_path / "log").read_text().split()
    counts = {pid: pids.count(pid) for pid in set(pids) - {str(os.getpid())}}
    assert sorted(counts.values())[0] >= 4, counts
    assert len(counts) == 2
