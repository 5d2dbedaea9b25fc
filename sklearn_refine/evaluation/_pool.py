"""The workers: joblib's, of whatever backend is active, and what is lost with one."""

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
from sklearn.utils.parallel import Parallel
from threadpoolctl import threadpool_limits

from sklearn_refine.evaluation._signals import can_interrupt

#: The number of a call, and the call as ``delayed`` makes it; it returns its number
#: and a result.
Call = tuple[int, Any]


class WorkerPool:
    """The workers of one search.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.
    pre_dispatch : int or str
        Number of calls handed out ahead, as in joblib.
    at_once : bool
        Whether results are wanted as soon as they are there, also from backends that
        give them only when all calls are done: those get a few calls at a time.
    """

    def __init__(self, n_jobs: int | None, pre_dispatch: Any, *, at_once: bool) -> None:
        backend, _ = get_active_backend()
        self._backend = backend
        self._heard: Callable[[Any], None] | None = None
        name = type(backend).__name__
        self.n_workers = effective_n_jobs(n_jobs)
        #: For calls; no two have the same, also of several runs.
        self.numbers = count()
        self.lost: list[int] = []
        #: Whether a worker is a process that may be ended, without a loss to others.
        self.may_exit = self.n_workers > 1 and name == "LokyBackend"
        self.has_time_limits = (
            can_interrupt()
            if self.n_workers == 1
            else name in ("LokyBackend", "MultiprocessingBackend")
        )
        self._streams = self.n_workers == 1 or backend.supports_return_generator
        self._chunk = 2 * self.n_workers if at_once else None
        self._pre_dispatch = pre_dispatch
        self._n_jobs = n_jobs
        self._parallel = self._new()

    def _new(self) -> Parallel:
        backend = self._backend if self.n_workers > 1 else None
        n_jobs = self._n_jobs
        if self._streams and not self._backend.supports_return_generator:
            # joblib asks the active backend for a generator, though it needs no worker.
            backend, n_jobs = "sequential", 1
        return Parallel(
            n_jobs=n_jobs,
            backend=backend,
            batch_size=1,  # tasks are cut to size already
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
            # joblib looks for results every 10 ms. A process that is killed should not
            # have lost what came in between.
            retrieve = backend.retrieve_result_callback

            def retrieve_and_tell(out: Any) -> Any:
                results = retrieve(out)
                if self._heard is not None:
                    with suppress(Exception):
                        for result in results:
                            self._heard(result)
                return results

            backend.retrieve_result_callback = retrieve_and_tell
        return self

    def __exit__(self, *error: Any) -> None:
        vars(self._backend).pop("retrieve_result_callback", None)
        with _quiet():
            self._parallel.__exit__(*error)

    def run(
        self,
        calls: Iterator[Call],
        *,
        ahead: Any = None,
        heard: Callable[[Any], None] | None = None,
    ) -> Generator[Any, None, None]:
        """Make calls; yield what they return in the order in which they finish.

        Calls that were handed out when a worker died, and have not returned, are
        `lost` afterwards; no more are handed out then.

        Parameters
        ----------
        calls : iterator of (number, call)
            Read as workers get free, from any thread.
        ahead : int or str, default=None
            Number of calls handed out ahead, if not that of the search.
        heard : callable, default=None
            Given each result as soon as it is there, mostly before it is yielded, in
            another thread, and only by backends that can do so.
        """
        self._heard = heard
        self._parallel.pre_dispatch = self._pre_dispatch if ahead is None else ahead
        self.lost = []
        handed_out: dict[int, None] = {}

        def dispatch() -> Iterator[Any]:
            for number, call in calls:
                handed_out[number] = None
                yield call

        results = self._results(dispatch())
        try:
            for result in results:
                del handed_out[result[0]]
                yield result
        except TerminatedWorkerError:  # not what workers cannot import, or fits raise
            self.lost = list(handed_out)
        finally:
            with _quiet():
                results.close()
        if self.lost:
            # joblib still holds calls that it had read when the worker died, and would
            # make them with those of the next run.
            self.__exit__(None, None, None)
            self._parallel = self._new()
            self.__enter__()

    def _results(self, calls: Iterator[Any]) -> Generator[Any, None, None]:
        if self._streams:
            yield from self._parallel(calls)
        while part := list(islice(calls, self._chunk)):
            yield from self._parallel(part)

    def dismiss(self) -> None:
        """End the processes that joblib would keep for the next call."""
        if self.may_exit:
            from joblib.externals.loky import get_reusable_executor

            with suppress(Exception), _quiet():
                get_reusable_executor().shutdown(wait=True, kill_workers=True)
            # One that was being started when Ctrl-C reached the others is not among
            # them, and Python would wait for it at its end.
            for process in active_children():
                if process.name.startswith("LokyProcess"):
                    process.terminate()
                    process.join()


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread: for small matrices, more only wait for each other.

    In the main thread only: limits that overlap in several threads would not be undone.
    """
    if threading.current_thread() is threading.main_thread():
        return threadpool_limits(1, user_api="blas")  # type: ignore[no-any-return]
    return nullcontext()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep quiet about results that are not asked for in the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
