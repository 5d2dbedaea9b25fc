"""What reaches a fit from outside: its time limit, and Ctrl-C."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from traceback import format_exc
from typing import Any

AGAIN_SECONDS = 1.0  # after which a fit that held on is told once more
LONGEST_SECONDS = 1e8  # of which timers know
GRACE_SECONDS = 1.0  # after which a process that does not answer is ended, at least


class TimeUp(BaseException):
    """The time of a fit is over; not an Exception, which the fit might catch."""


@contextmanager
def time_limit(seconds: float | None, may_exit: bool) -> Iterator[None]:
    """Raise `TimeUp` inside when the time is over.

    Python code is interrupted by a signal, where there is one (not on Windows) and in
    the main thread of a process. Compiled code that does not return to Python is not;
    its process is ended a moment later, if that is allowed.

    Parameters
    ----------
    seconds : float or None
        None for no limit.
    may_exit : bool
        Whether the process is a worker that may be ended.
    """
    if seconds is None:
        yield
        return
    seconds = min(max(float(seconds), 1e-3), LONGEST_SECONDS)
    start = time.monotonic()
    outer = (0.0, 0.0)
    armed = True
    previous: Any = None

    def ring(*_: Any) -> None:
        if armed:
            raise TimeUp

    interrupts = can_interrupt()
    if may_exit:
        grace = max(GRACE_SECONDS, 0.1 * seconds)
        faulthandler.dump_traceback_later(seconds + grace, exit=True, file=_nowhere())
    try:
        try:
            if interrupts:
                previous = signal.signal(signal.SIGALRM, ring)
                outer = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
            yield
        finally:
            armed = False
    finally:
        if interrupts:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, previous or signal.SIG_DFL)
            if outer[0]:  # of a search around this one, or of the user
                left = outer[0] - (time.monotonic() - start)
                signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6), outer[1])
        if may_exit:
            faulthandler.cancel_dump_traceback_later()


def can_interrupt() -> bool:
    """Whether Python code that runs here can be interrupted after a time."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "setitimer")


@cache
def _nowhere() -> Any:
    return open(os.devnull, "w")


@contextmanager
def as_worker(parent: int, may_exit: bool) -> Iterator[None]:
    """Leave Ctrl-C to the parent process, and raise only what it can read.

    Parameters
    ----------
    parent : int
        Number of the process that the search runs in; nothing is changed there.
    may_exit : bool
        Whether the process is a child of it that may be ended, which it is when the
        parent was killed: what was handed out ahead would be done for nobody.
    """
    if os.getpid() == parent:
        yield
        return
    if may_exit and os.getppid() != parent:
        os._exit(1)
    is_main = threading.current_thread() is threading.main_thread()
    # Else the terminal's Ctrl-C would end the epochs of an MLP early, as if it were
    # done, while the search is being ended.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        yield
    except Exception as error:
        if _travels(error):
            raise
        text = format_exc()
    else:
        return
    finally:
        if is_main:
            signal.signal(signal.SIGINT, previous or signal.SIG_DFL)
    raise RuntimeError(f"A fit raised an error that cannot be pickled:\n{text}")


def _travels(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False


class Interrupts:
    """Lets the first Ctrl-C through, and holds back those that follow it.

    What comes after the first is the saving of results and the end of the workers,
    which a second one would break off. Only the main thread has Ctrl-C at all.
    """

    def __init__(self) -> None:
        self.seen = False
        self._previous: Callable[..., Any] | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if callable(previous):
                self._previous = previous
                signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _handle(self, *of_signal: Any) -> None:
        if self.seen or self._previous is None:
            return
        try:
            self._previous(*of_signal)
        except KeyboardInterrupt:
            self.seen = True
            raise

    def check(self) -> None:
        """Raise the interrupt that something has caught, as the fit of an MLP does."""
        if self.seen:
            raise KeyboardInterrupt
