"""The workers of a search through joblib and its active backend.

A change here may not break that every call is returned or reported as lost, also when
a worker process dies.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import active_children
from typing import Any

from joblib import effective_n_jobs
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend
from sklearn.utils.parallel import Parallel, delayed

from sklearn_refine.evaluation._pool import Call, WorkerPool
from sklearn_refine.evaluation._signals import can_interrupt
from sklearn_refine.evaluation._worker import run_task

#: Backends whose workers run fits in the main thread of a process of their own.
_INTERRUPTIBLE = ("LokyBackend", "MultiprocessingBackend", "SparkDistributedBackend")


class JoblibPool(WorkerPool):
    """The workers of joblib's active backend.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib.
    return_early : bool
        Whether results are needed as soon as they exist. Backends that return results
        only when all calls are done then get a few calls at a time.
    """

    def __init__(
        self, n_jobs: int | None, pre_dispatch: Any, *, return_early: bool
    ) -> None:
        super().__init__()
        backend, _ = get_active_backend()
        self._backend = backend
        self._on_result: Callable[[Any], None] | None = None
        name = type(backend).__name__
        self._n_workers: int = effective_n_jobs(n_jobs)
        self.may_exit = self._n_workers > 1 and name == "LokyBackend"
        has_time_limits = (
            can_interrupt() if self._n_workers == 1 else name in _INTERRUPTIBLE
        )
        if not has_time_limits:
            self.why_no_time_limits = (
                "with this backend of joblib, whose fits cannot be ended from outside; "
                "use its default, 'loky'."
            )
        self._streams = self._n_workers == 1 or backend.supports_return_generator
        self._n_calls_at_once = 2 * self._n_workers if return_early else None
        self._pre_dispatch = pre_dispatch
        self._n_jobs = n_jobs
        self._parallel = self._make_parallel()

    @property
    def n_workers(self) -> int:
        return self._n_workers

    def _make_parallel(self) -> Parallel:
        backend = self._backend if self._n_workers > 1 else None
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

    def __enter__(self) -> JoblibPool:
        self._parallel.__enter__()
        backend = self._backend
        if self._n_workers > 1 and backend.supports_retrieve_callback:
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
        if self._n_workers > 1:
            number = next(self.call_numbers)
            list(self._run(iter([(number, delayed(_answer)(number))])))

    def run(
        self,
        calls: Iterator[Call],
        *,
        pre_dispatch: Any = None,
        on_result: Callable[[Any], None] | None = None,
    ) -> Generator[Any, None, None]:
        self._on_result = on_result
        tasks = ((call.number, _make_task(call)) for call in calls)
        yield from self._run(tasks, pre_dispatch)

    def _run(
        self, calls: Iterator[tuple[int, Any]], pre_dispatch: Any = None
    ) -> Generator[Any, None, None]:
        """Run calls with their numbers; if a worker dies, dispatch no more of them."""
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

    def end_fits(self) -> None:
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


def _make_task(call: Call) -> Any:
    inputs = call.inputs.for_splits(fit.split for fit in call.fits)
    return delayed(run_task)(call.number, inputs, call.fits, call.share)


def _answer(number: int) -> tuple[int]:
    return (number,)


@contextmanager
def _ignore_warnings() -> Iterator[None]:
    """Ignore joblib's warnings about unread results."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
