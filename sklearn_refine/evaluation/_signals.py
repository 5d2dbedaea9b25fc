"""Interruptions of a fit from outside: its time limit, and Ctrl-C in a worker.

A change here may not break that a worker always returns or dies, and that signal
handlers and timers of the user are restored.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from traceback import format_exc
from typing import Any

REPEAT_SECONDS = 1.0  # between signals to a fit that caught the first one
MAX_TIMER_SECONDS = 1e8  # longer timers overflow
MIN_GRACE_SECONDS = 1.0  # before the process of a fit that does not react is ended


class TimeUp(BaseException):
    """The time of a fit is over. It is no Exception, which the fit might catch."""


@contextmanager
def time_limit(seconds: float | None, may_exit: bool) -> Iterator[None]:
    """Raise `TimeUp` inside the context when the time is over.

    Python code is interrupted by a signal. That needs the main thread of a process, and
    does not work on Windows. Compiled code that does not return to Python cannot be
    interrupted; its process is ended a moment later, if that is allowed.

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
    seconds = min(max(float(seconds), 1e-3), MAX_TIMER_SECONDS)
    start = time.monotonic()
    outer_timer = (0.0, 0.0)
    is_active = True
    previous: Any = None

    def raise_time_up(*_: Any) -> None:
        if is_active:
            raise TimeUp

    interrupts = can_interrupt()
    if may_exit:
        grace = max(MIN_GRACE_SECONDS, 0.1 * seconds)
        faulthandler.dump_traceback_later(
            seconds + grace, exit=True, file=_open_devnull()
        )
    try:
        try:
            if interrupts:
                previous = signal.signal(signal.SIGALRM, raise_time_up)
                outer_timer = signal.setitimer(
                    signal.ITIMER_REAL, seconds, REPEAT_SECONDS
                )
            yield
        finally:
            is_active = False
    finally:
        if interrupts:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, previous or signal.SIG_DFL)
            if outer_timer[0]:  # set by an outer search or by the user
                left = outer_timer[0] - (time.monotonic() - start)
                signal.setitimer(signal.ITIMER_REAL, max(left, 1e-6), outer_timer[1])
        if may_exit:
            faulthandler.cancel_dump_traceback_later()


def can_interrupt() -> bool:
    """Whether a signal can interrupt Python code in this thread."""
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "setitimer")


@cache
def _open_devnull() -> Any:
    return open(os.devnull, "w")


@contextmanager
def worker_process(parent_pid: int | None, may_exit: bool) -> Iterator[None]:
    """Leave Ctrl-C to the parent process, and raise only errors that can be pickled.

    Parameters
    ----------
    parent_pid : int or None
        Number of the process that runs the search. Nothing changes in that process.
        None for a worker of a cluster, which may be on another machine.
    may_exit : bool
        Whether the process may be ended. A child of the parent ends if the parent was
        killed, because the results of queued tasks would stay unread.
    """
    if os.getpid() == parent_pid:
        yield
        return
    if may_exit and parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)
    is_main = threading.current_thread() is threading.main_thread()
    # An MLP takes Ctrl-C as the end of its training and returns as if it were fitted.
    # The terminal sends Ctrl-C to the workers too, while the search is being ended.
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN) if is_main else None
    try:
        yield
    except Exception as error:
        if _can_be_pickled(error):
            raise
        text = format_exc()
    else:
        return
    finally:
        if is_main:
            signal.signal(signal.SIGINT, previous or signal.SIG_DFL)
    raise RuntimeError(f"A fit raised an error that cannot be pickled:\n{text}")


def _can_be_pickled(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False
