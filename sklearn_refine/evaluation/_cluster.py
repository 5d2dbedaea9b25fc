"""The workers of a cluster: what dask and ray have in common, and what runs there.

The inputs of all fits are sent once. A task is small, so all tasks of a wave can be
sent at once, and the scheduler of the cluster sees how much work there is. A change
here may not break that errors of a fit, of loading and of the cluster stay apart.
"""

from __future__ import annotations

import ctypes
import pickle
import re
import threading
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any
from uuid import uuid4

import sklearn
from joblib import parallel_config
from joblib._utils import eval_expr
from sklearn.utils.parallel import delayed

from sklearn_refine.evaluation._inputs import FitInputs
from sklearn_refine.evaluation._pool import Call, WorkerPool
from sklearn_refine.evaluation._worker import run_task

#: scikit-learn's default. It limits copies of the data, which no task carries here.
_DEFAULT_PRE_DISPATCH = "2*n_jobs"
_COUNT_SECONDS = 1.0  # between two looks at the number of workers
_PATIENCE_SECONDS = 60.0  # without workers, before a warning


class ClusterPool(WorkerPool):
    """The workers of a cluster that keep the inputs of all fits.

    Parameters
    ----------
    n_jobs : int or None
        The largest number of tasks at a time. None or negative for all workers.
    pre_dispatch : int or str
        Number of calls to dispatch in advance, as in joblib. All with the default.
    """

    engine: str  # its name in messages
    remedy: str  # how a missing module reaches the workers

    def __init__(self, n_jobs: int | None, pre_dispatch: Any) -> None:
        super().__init__()
        self._max_workers = inf if n_jobs is None or n_jobs < 1 else n_jobs
        self._pre_dispatch = pre_dispatch
        self._search = uuid4().hex
        self._kept: Any = None
        self._n_workers = 0
        self._counted = -inf

    @abstractmethod
    def _count_workers(self) -> int:
        """Return the number of tasks that the cluster can run now; start nothing."""

    @abstractmethod
    def _dumps(self, thing: Any, **options: Any) -> bytes:
        """Pickle as the engine does."""

    @abstractmethod
    def _keep(self, inputs: KeptInputs) -> Any:
        """Send the inputs; return what stands for them in `_submit`."""

    @abstractmethod
    def _is_kept(self) -> bool:
        """Whether the inputs are still there, or can be restored by the cluster."""

    @abstractmethod
    def _free(self, kept: Any) -> None:
        """Forget the inputs."""

    @abstractmethod
    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function in a worker; return a hashable future."""

    @abstractmethod
    def _next(self, futures: Sequence[Any]) -> tuple[Any, Any] | None:
        """Return a future that is done, with its result, or None after a moment.

        The result is a `Lost` if the worker has died, and an exception that is not a
        fit's is raised.
        """

    @abstractmethod
    def _cancel(self, futures: Sequence[Any]) -> None:
        """Cancel futures; forget unread results."""

    @property
    def n_workers(self) -> int:
        now = time.monotonic()
        if now - self._counted > _COUNT_SECONDS:
            self._n_workers, self._counted = self._count_workers(), now
        return int(max(1, min(self._n_workers, self._max_workers)))

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._kept is not None:
            self._free(self._kept)
            self._kept = None

    def wait_for_worker(self) -> None:
        future = self._submit(answer)
        try:
            while self._next([future]) is None:
                pass
        except BaseException:
            self._cancel([future])
            raise

    def run(
        self,
        calls: Iterator[Call],
        *,
        pre_dispatch: Any = None,
        on_result: Callable[[Any], None] | None = None,
    ) -> Generator[Any, None, None]:
        self.lost = []
        running: dict[Any, int] = {}
        watch = _Watch(self)
        try:
            while True:
                while len(running) < self._max_running(pre_dispatch):
                    call = next(calls, None)
                    if call is None:
                        break
                    running[self._submit_call(call)] = call.number
                if not running:
                    return
                done = self._next([*running])
                watch.look()
                if done is None:
                    continue
                future, result = done
                number = running.pop(future)
                if isinstance(result, Lost):
                    self.lost.append(number)
                elif isinstance(result, Raised):
                    raise result.error
                elif isinstance(result, NotLoaded):
                    raise self._explain(result.text)
                else:
                    yield result
        finally:
            self._cancel([*running])

    def _max_running(self, pre_dispatch: Any) -> float:
        text = str(self._pre_dispatch if pre_dispatch is None else pre_dispatch)
        if text in ("all", _DEFAULT_PRE_DISPATCH):
            return self._max_workers
        n = eval_expr(text.replace("n_jobs", str(self.n_workers)))
        return max(1, min(int(n), self._max_workers))

    def _submit_call(self, call: Call) -> Any:
        if self._kept is None or not self._is_kept():
            self._kept = self._keep(KeptInputs.pack(call.inputs, self._dumps))
        wrapper, _, _ = delayed(run_task)()
        wrapper.with_config_and_warning_filters(sklearn.get_config(), warnings.filters)
        task = (wrapper, call.number, call.inputs.without_data(), call.fits, call.share)
        return self._submit(run_kept, self._search, self._kept, self._dumps(task))

    def _explain(self, text: str) -> Exception:
        """Return the error for a search that a worker cannot load."""
        missing = re.search(r"No module named '([^']+)'", text)
        if missing is None:
            return RuntimeError(
                f"A worker of the {self.engine} cluster could not load the search: "
                f"{text}. Use the same versions of Python and of all packages on the "
                "workers and here."
            )
        return ModuleNotFoundError(
            f"A worker of the {self.engine} cluster cannot import the module "
            f"{missing[1]!r}, which the search needs there. Install it on all workers, "
            f"or {self.remedy}.",
            name=missing[1],
        )


class _Watch:
    """Warns if a cluster has no workers for a long time."""

    def __init__(self, pool: ClusterPool) -> None:
        self._pool = pool
        self._seen: float | None = time.monotonic()

    def look(self) -> None:
        now = time.monotonic()
        self._pool.n_workers  # noqa: B018 - counts again after a while
        if self._seen is None:
            return
        if self._pool._n_workers:
            self._seen = now
        elif now - self._seen > _PATIENCE_SECONDS:
            self._seen = None
            warnings.warn(
                f"The {self._pool.engine} cluster has had no workers for "
                f"{_PATIENCE_SECONDS:g} seconds. The search waits for new ones; Ctrl-C "
                "ends it and keeps the complete candidates.",
                UserWarning,
                stacklevel=2,
            )


@dataclass(frozen=True)
class Lost:
    """In place of a result that was lost with a worker."""


@dataclass(frozen=True)
class Raised:
    """In place of a result: the exception of a fit."""

    error: Exception


@dataclass(frozen=True)
class NotLoaded:
    """In place of a result: why a worker could not load a task."""

    text: str


class KeptInputs:
    """The inputs of all fits as bytes, so that sending them runs no code of the user.

    Arrays are buffers of their own, which are never copied, and which the sizes that
    an engine measures include. A process unpickles the inputs once.
    """

    def __init__(self, *frames: Any) -> None:
        self._frames = frames
        self._inputs: FitInputs | None = None

    @classmethod
    def pack(cls, inputs: FitInputs, dumps: Callable[..., bytes]) -> KeptInputs:
        buffers: list[Any] = []
        shared = inputs.for_keeping()
        head = dumps(shared, protocol=5, buffer_callback=buffers.append)
        return cls(head, *(buffer.raw() for buffer in buffers))

    def unpack(self) -> FitInputs:
        if self._inputs is None:
            self._inputs = pickle.loads(self._frames[0], buffers=self._frames[1:])
        return self._inputs

    def __sizeof__(self) -> int:
        return object.__sizeof__(self) + sum(
            memoryview(frame).nbytes for frame in self._frames
        )

    def __reduce_ex__(self, protocol: Any) -> Any:
        if int(protocol) < 5:
            return KeptInputs, tuple(bytes(frame) for frame in self._frames)
        return KeptInputs, tuple(pickle.PickleBuffer(frame) for frame in self._frames)


def run_kept(search: str, kept: KeptInputs, task: bytes) -> Any:
    """Run a task in a worker that keeps the inputs of all fits.

    Returns
    -------
    result : TaskResult, Raised, NotLoaded or Lost
        What `run_task` returns, or what happened in place of it.
    """
    try:
        function, number, inputs, fits, share = pickle.loads(task)
        inputs = inputs.with_data(kept.unpack())
    except Exception as error:
        return NotLoaded(f"{type(error).__name__}: {error}")
    with _stoppable(search):
        try:
            # As in joblib's processes: a fit runs its own parallel work in threads.
            with parallel_config("threading", n_jobs=1):
                return function(number, inputs, fits, share)
        except Exception as error:
            return Raised(error)
        except Stopped:
            pass
    return Lost()


def answer() -> None:
    """Show that a worker is ready."""


class Stopped(BaseException):
    """The search has ended. It is no Exception, which a fit might catch."""


_LOCK = threading.Lock()
_RUNNING: dict[int, str] = {}  # the search of each thread that runs a task


@contextmanager
def _stoppable(search: str) -> Iterator[None]:
    thread = threading.get_ident()
    with _LOCK:
        _RUNNING[thread] = search
    try:
        yield
    finally:
        with _LOCK:
            del _RUNNING[thread]
            _raise_in(thread, None)  # it would come in the next task


def stop_tasks(search: str) -> None:
    """Stop the tasks of a search in this worker, as soon as they run Python code."""
    with _LOCK:
        for thread, running in _RUNNING.items():
            if running == search:
                _raise_in(thread, Stopped)


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    exception = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
