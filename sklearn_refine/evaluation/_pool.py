"""The workers of a search: what each engine that runs tasks must be able to do.

`_joblib.py`, `_dask.py` and `_ray.py` implement it; `_engines.py` selects one. A change
here may not break that every call is returned or reported as lost, also when a worker
process dies.
"""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import count
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

from sklearn_refine.evaluation._inputs import Fit, FitInputs


class Call(NamedTuple):
    """A task for a worker: the arguments of ``run_task``.

    `inputs` holds the data. An engine that keeps data in its workers sends it once.
    """

    number: int
    inputs: FitInputs
    fits: Sequence[Fit]
    share: bool


class WorkerPool(ABC):
    """The workers of one search, as a context that frees them at its end.

    Attributes
    ----------
    call_numbers : iterator of int
        Numbers for calls. No two calls have the same number, also in several runs.
    lost : list of int
        Numbers of the calls that the last run has lost with a worker.
    may_exit : bool
        Whether a worker is a process that may be ended without harm to others.
    why_no_time_limits : str or None
        Why a fit cannot be ended from outside, and the remedy. None if it can.
    """

    may_exit: bool = False
    why_no_time_limits: str | None = None

    def __init__(self) -> None:
        self.call_numbers = count()
        self.lost: list[int] = []

    def check_time_limit(self, seconds: float | None) -> None:
        """Warn if a time limit for fits has no effect here."""
        if seconds is not None and self.why_no_time_limits:
            warnings.warn(
                f"fit_timeout={seconds} has no effect {self.why_no_time_limits}",
                UserWarning,
                stacklevel=4,
            )

    @property
    @abstractmethod
    def n_workers(self) -> int:
        """The number of tasks that can run at the same time now, at least 1."""

    @abstractmethod
    def __enter__(self) -> WorkerPool: ...

    @abstractmethod
    def __exit__(self, *error: Any) -> None: ...

    def start(self) -> None:  # noqa: B027 - most engines start with their first call
        """Return once `n_workers` is known, before tasks are cut for the first time."""

    @abstractmethod
    def wait_for_worker(self) -> None:
        """Return once a worker has started and answered."""

    @abstractmethod
    def run(
        self,
        calls: Iterator[Call],
        *,
        pre_dispatch: Any = None,
        on_result: Callable[[Any], None] | None = None,
    ) -> Generator[Any, None, None]:
        """Run calls and yield their results in the order in which they finish.

        If a worker dies, calls that it had may be lost; they are `lost` afterwards.
        Calls that are running when the generator is closed are cancelled.

        Parameters
        ----------
        calls : iterator of Call
            Read whenever a worker becomes free, from any thread.
        pre_dispatch : int or str, default=None
            Number of calls to dispatch in advance; None for the pool's own.
        on_result : callable, default=None
            Called with each result as soon as it arrives, mostly before the result is
            yielded, and in another thread. Only some engines support it.
        """

    @abstractmethod
    def end_fits(self) -> None:
        """End fits that are still running, after the search was interrupted."""


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread: on small matrices, more threads wait for each other.

    Only in the main thread: limits that overlap in several threads are not undone.
    """
    if threading.current_thread() is threading.main_thread():
        return threadpool_limits(1, user_api="blas")  # type: ignore[no-any-return]
    return nullcontext()
