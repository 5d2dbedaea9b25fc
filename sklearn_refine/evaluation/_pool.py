"""The workers of a search, through joblib and its active backend.

A change here may not break that every call is returned or reported as lost, also when
a worker process dies.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import (
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from itertools import count, islice
from multiprocessing import active_children
from typing import Any

from joblib import effective_n_jobs
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed
from threadpoolctl import threadpool_limits

from sklearn_refine.evaluation._signals import can_interrupt

#: The number of a call, and the call as ``delayed`` makes it. The call returns a tuple
#: that begins with the number.
Call = tuple[int, Any]


class WorkerPool:
    """The workers of one search.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib.
    return_early : bool
        Whether results are needed as soon as they exist. Backends that return results
        only when all calls are done then get a few calls at a time.

    Attributes
    ----------
    call_numbers : iterator of int
        Numbers for calls. No two calls have the same number, also in several runs.
    lost : list of int
        Numbers of the calls that the last run has lost with a worker.
    may_exit : bool
        Whether a worker is a process that may be ended without harm to others.
    """

    def __init__(
        self, n_jobs: int | None, pre_dispatch: Any, *, return_early: bool
    ) -> None:
        backend, _ = get_active_backend()
        self._backend = backend
        self._on_result: Callable[[Any], None] | None = None
        name = type(backend).__name__
        self.n_workers = effective_n_jobs(n_jobs)
        self.call_numbers = count()
        self.lost: list[int] = []
        self.may_exit = self.n_workers > 1 and name == "LokyBackend"
        self.has_time_limits = (
            can_interrupt()
            if self.n_workers == 1
            else name in ("LokyBackend", "MultiprocessingBackend")
        )
        self._streams = self.n_workers == 1 or backend.supports_return_generator
        self._n_calls_at_once = 2 * self.n_workers if return_early else None
        self._pre_dispatch = pre_dispatch
        self._n_jobs = n_jobs
        self._parallel = self._make_parallel()

    def _make_parallel(self) -> Parallel:
        backend = self._backend if self.n_workers > 1 else None
        n_jobs = self._n_jobs
        if self._streams and not self._backend.supports_return_generator:
            # With one worker, joblib still requires the active backend to support
            # generators, although it does not use it.
            backend, n_jobs = "sequential", 1
        return Parallel(
            n_jobs=n_jobs,
            backend=backend,
            batch_size=1,  # tasks have the right size already
            return_as="generator_unordered" if self._streams else "list",
        )

    def check_time_limit(self, seconds: float | None) -> None:
        """Warn if a time limit for fits has no effect here."""
        if seconds is not None and not self.has_time_limits:
            warnings.warn(
                f"fit_timeout={seconds} has no effect with this backend of joblib, "
                "whose fits cannot be ended from outside; use its default, 'loky'.",
                UserWarning,
                stacklevel=4,
            )

    def __enter__(self) -> WorkerPool:
        self._parallel.__enter__()
        backend = self._backend
        if self.n_workers > 1 and backend.supports_retrieve_callback:
            # joblib looks for results every 10 ms. If the process is killed in
            # between, results that have arrived should not be lost.
            retrieve = backend.retrieve_result_callback

            def retrieve_and_report(out: Any) -> Any:
                results = retrieve(out)
                if self._on_result is not None:
                    with suppress(Exception):
                        for result in results:
                            self._on_result(result)
                return results

            backend.retrieve_result_callback = retrieve_and_report
        return self

    def __exit__(self, *error: Any) -> None:
        vars(self._backend).pop("retrieve_result_callback", None)
        with _ignore_warnings():
            self._parallel.__exit__(*error)

    def wait_for_worker(self) -> None:
        """Return once a worker has started and answered."""
        if self.n_workers > 1:
            number = next(self.call_numbers)
            list(self.run(iter([(number, delayed(_answer)(number))])))

    def run(
        self,
        calls: Iterator[Call],
        *,
        pre_dispatch: Any = None,
        on_result: Callable[[Any], None] | None = None,
    ) -> Generator[Any, None, None]:
        """Run calls and yield their results in the order in which they finish.

        If a worker dies, no more calls are dispatched. The calls that were dispatched
        and have not returned are `lost` afterwards.

        Parameters
        ----------
        calls : iterator of (number, call)
            Read whenever a worker becomes free, from any thread.
        pre_dispatch : int or str, default=None
            Number of calls to dispatch in advance; None for the pool's own.
        on_result : callable, default=None
            Called with each result as soon as it arrives, mostly before the result is
            yielded, and in another thread. Only some backends support it.
        """
        self._on_result = on_result
        self._parallel.pre_dispatch = (
            self._pre_dispatch if pre_dispatch is None else pre_dispatch
        )
        self.lost = []
        dispatched: dict[int, None] = {}

        def dispatch() -> Iterator[Any]:
            for number, call in calls:
                dispatched[number] = None
                yield call

        results = self._run_calls(dispatch())
        try:
            for result in results:
                del dispatched[result[0]]
                yield result
        except TerminatedWorkerError:
            # Import errors in workers and errors of fits have other classes.
            self.lost = list(dispatched)
        finally:
            with _ignore_warnings():
                results.close()
        if self.lost:
            # joblib still holds the calls that it had read when the worker died, and
            # would run them together with the calls of the next run.
            self.__exit__(None, None, None)
            self._parallel = self._make_parallel()
            self.__enter__()

    def _run_calls(self, calls: Iterator[Any]) -> Generator[Any, None, None]:
        if self._streams:
            yield from self._parallel(calls)
        while part := list(islice(calls, self._n_calls_at_once)):
            yield from self._parallel(part)

    def kill_workers(self) -> None:
        """End the processes that joblib would keep for the next call."""
        if self.may_exit:
            from joblib.externals.loky import get_reusable_executor

            with suppress(Exception), _ignore_warnings():
                get_reusable_executor().shutdown(wait=True, kill_workers=True)
            # The executor does not know a process that was just starting when Ctrl-C
            # came. Python would wait for that process at its end.
            for process in active_children():
                if process.name.startswith("LokyProcess"):
                    process.terminate()
                    process.join()


def _answer(number: int) -> tuple[int]:
    return (number,)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to one thread: on small matrices, more threads wait for each other.

    Only in the main thread: limits that overlap in several threads are not undone.
    """
    if threading.current_thread() is threading.main_thread():
        return threadpool_limits(1, user_api="blas")  # type: ignore[no-any-return]
    return nullcontext()


@contextmanager
def _ignore_warnings() -> Iterator[None]:
    """Ignore joblib's warnings about unread results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
