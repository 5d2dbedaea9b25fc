"""The workers of a dask cluster, through the futures of its client.

A change here may not break that the data survives the loss of workers: it is the result
of a task, which dask runs again.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

from sklearn_refine.evaluation._cluster import (
    ClusterPool,
    KeptInputs,
    Lost,
    stop_tasks,
)

_POLL_SECONDS = 0.1


class DaskPool(ClusterPool):
    """The workers of the client of joblib's active dask backend.

    Parameters
    ----------
    backend : DaskDistributedBackend
        joblib's backend, for its client and the options of the user.
    n_jobs : int or None
        The largest number of tasks at a time. None or negative for all workers.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib. All with the default.
    """

    engine = "dask"
    remedy = "send it with client.upload_file"
    why_no_time_limits = (
        "on dask, whose workers run fits in threads, which cannot be ended from "
        "outside; use ray, or joblib's default backend, 'loky'."
    )

    def __init__(self, backend: Any, n_jobs: int | None, pre_dispatch: Any) -> None:
        from distributed import as_completed  # only where dask is in use

        super().__init__(n_jobs, pre_dispatch)
        self._backend = backend
        self._client = backend.client
        self._done = as_completed(
            loop=self._client.loop, with_results=True, raise_errors=False
        )

    def _count_workers(self) -> int:
        return sum(self._client.ncores().values())

    def start(self) -> None:
        if not self._count_workers():
            # joblib waits for the first worker, and raises an error with the remedy.
            self._backend.effective_n_jobs(None)
            self._counted = 0.0

    def run(self, *arguments: Any, **options: Any) -> Generator[Any, None, None]:
        with self._backend.retrieval_context():  # of a search in a task of dask
            yield from super().run(*arguments, **options)

    def _dumps(self, thing: Any, **options: Any) -> bytes:
        import cloudpickle  # dask's, with the modules that users send by value

        data: bytes = cloudpickle.dumps(thing, **options)
        return data

    def _keep(self, inputs: KeptInputs) -> Any:
        with warnings.catch_warnings():
            # dask advises to send data once, which is what happens here.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return self._client.submit(keep, inputs, pure=False)

    def _is_kept(self) -> bool:
        return self._kept.status in ("pending", "finished")

    def _free(self, kept: Any) -> None:
        with suppress(Exception):  # the scheduler may be gone
            kept.cancel()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        options = {"fifo_timeout": "0 ms", **self._backend.submit_kwargs}
        future = self._client.submit(function, *arguments, pure=False, **options)
        self._done.add(future)
        return future

    def _next(self, futures: Sequence[Any]) -> tuple[Any, Any] | None:
        if not self._done.has_ready():
            with self._done.thread_condition:
                self._done.thread_condition.wait(_POLL_SECONDS)
        if not self._done.has_ready():
            return None
        future, result = next(self._done)
        if future.status == "finished":
            return future, result
        if future.status != "error":
            return future, Lost()  # the scheduler or its user has cancelled it
        _, error, _ = result
        if type(error).__name__ == "KilledWorker":
            return future, Lost()
        raise self._explain(_describe(error)) from error

    def _cancel(self, futures: Sequence[Any]) -> None:
        self._done.clear()
        if futures:
            with suppress(Exception):
                self._client.cancel(list(futures), force=True)

    def end_fits(self) -> None:
        with suppress(Exception):
            self._client.run(stop_tasks, self._search, wait=False)


def keep(inputs: KeptInputs) -> KeptInputs:
    """Return the inputs, as a task whose result stays in the workers."""
    return inputs


def _describe(error: BaseException) -> str:
    """Return the types and messages of an error and its causes."""
    texts = []
    left: BaseException | None = error
    while left is not None:
        texts.append(f"{type(left).__name__}: {left}")
        left = left.__cause__ or left.__context__
    return "; ".join(texts)
