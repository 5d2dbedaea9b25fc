"""The workers of a ray cluster, through tasks and its object store.

A change here may not break that a process of ray runs one task at a time, so that it
may be ended with its task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from sklearn_refine.evaluation._cluster import ClusterPool, KeptInputs, Lost

_POLL_SECONDS = 0.1
#: What is lost runs again fit by fit. ray would repeat the whole of a guilty task.
_MAX_RETRIES = 0
_LOSSES = (
    *("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError"),
    *("ObjectLostError", "TaskCancelledError"),
)


class RayPool(ClusterPool):
    """The workers of the ray cluster of this process.

    Parameters
    ----------
    backend : RayBackend
        joblib's backend, for the options of the user.
    n_jobs : int or None
        The largest number of tasks at a time. None or negative for all workers.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib. All with the default.
    """

    engine = "ray"
    remedy = "send it with ray.init(runtime_env={'py_modules': [...]})"
    may_exit = True

    def __init__(self, backend: Any, n_jobs: int | None, pre_dispatch: Any) -> None:
        import ray  # only where it is in use

        super().__init__(n_jobs, pre_dispatch)
        self._ray = ray
        self._losses = tuple(getattr(ray.exceptions, name) for name in _LOSSES)
        self._options = {
            "num_cpus": 1,
            "max_retries": _MAX_RETRIES,
            **(getattr(backend, "ray_remote_args", None) or {}),
        }
        self._remote: dict[Callable[..., Any], Any] = {}
        self._ready: deque[Any] = deque()

    def _count_workers(self) -> int:
        if not self._ray.is_initialized():
            return 0
        n_cpus = self._ray.cluster_resources().get("CPU", 0)
        return int(n_cpus // (self._options["num_cpus"] or 1))

    def start(self) -> None:
        if not self._ray.is_initialized():
            self._ray.init()
            self._counted = 0.0

    def _dumps(self, thing: Any, **options: Any) -> bytes:
        data: bytes = self._ray.cloudpickle.dumps(thing, **options)
        return data

    def _keep(self, inputs: KeptInputs) -> Any:
        return self._ray.put(inputs)

    def _is_kept(self) -> bool:
        return True  # its owner is this process

    def _free(self, kept: Any) -> None:
        """Do nothing: ray frees an object without references."""

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if function not in self._remote:
            self._remote[function] = self._ray.remote(function).options(**self._options)
        return self._remote[function].remote(*arguments)

    def _next(self, futures: Sequence[Any]) -> tuple[Any, Any] | None:
        if not self._ready:
            done, _ = self._ray.wait(futures, timeout=_POLL_SECONDS)
            if done:
                done, _ = self._ray.wait(futures, num_returns=len(futures), timeout=0)
            self._ready.extend(done)
        if not self._ready:
            return None
        future = self._ready.popleft()
        try:
            return future, self._ray.get(future)
        except self._losses:
            return future, Lost()
        except self._ray.exceptions.RayError as error:
            raise self._explain(f"{type(error).__name__}: {error}") from error

    def _cancel(self, futures: Sequence[Any]) -> None:
        self._ready.clear()
        if not futures:
            return
        with suppress(Exception):
            # ray ends this process if a task that has just finished is cancelled.
            _, futures = self._ray.wait([*futures], num_returns=len(futures), timeout=0)
        for future in futures:
            with suppress(Exception):
                self._ray.cancel(future, force=True)

    def end_fits(self) -> None:
        """Do nothing: cancelled fits are ended with their process."""
