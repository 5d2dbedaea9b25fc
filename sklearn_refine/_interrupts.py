"""Exceptions that the user's signal handlers raise: Ctrl-C, or an alarm of their own.

A signal handler may raise at any line of the main thread. A change here may not break
that the search then ends with this exception itself, and that the user's handlers are
restored.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

#: The interrupts of the searches that run in the main thread, the innermost last.
_ACTIVE: list[Interrupts] = []


class Interrupts:
    """Remember the first exception of a signal handler until the search has ended.

    While it is active, each signal handler of the user is called by a method of this
    class. If code of a search catches the exception as if it was an error of its own,
    such as a failure of the surrogate, `check` raises it again. Only the first one is
    raised: while results are saved and workers are ended, a second Ctrl-C does nothing.

    A fit by scikit-learn's ``_fit_and_score`` is different. There, an Exception is an
    error of the fit, as in `GridSearchCV`. A KeyboardInterrupt is not, even if the fit
    catches it, as the fit of an MLP does.

    Only the main thread handles signals. In other threads this class does nothing.

    Parameters
    ----------
    raise_in_fits : bool, default=False
        Whether an Exception inside such a fit ends the search, too, as asked for by
        ``error_score="raise"``.

    Attributes
    ----------
    error : BaseException or None
        The exception that ends the search.
    """

    def __init__(self, *, raise_in_fits: bool = False) -> None:
        self._raise_in_fits = raise_in_fits
        self.error: BaseException | None = None
        self._last: BaseException | None = None
        self._handlers: dict[int, Callable[..., Any]] = {}
        self._is_deferred = False
        self._is_fitting = False
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._is_deferred = True
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
            _ACTIVE.append(self)
            self._is_deferred = False
            if self.error is not None:
                self.__exit__()
        return self

    def __exit__(
        self, kind: Any = None, error: BaseException | None = None, _: Any = None
    ) -> None:
        self._is_deferred = True
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._handle:  # not replaced meanwhile
                signal.signal(number, handler)
        if self in _ACTIVE:
            _ACTIVE.remove(self)
        if error is not self.error:
            self.check()

    def _handle(self, number: int, frame: Any) -> Any:
        handler = self._handlers[number]
        if os.getpid() != self._pid:  # in a worker that was forked
            return handler(number, frame)
        was_raised = self.error is not None
        try:
            return handler(number, frame)
        except BaseException as error:
            if was_raised:
                return None
            self._last = error
            is_of_fit = self._is_fitting and isinstance(error, Exception)
            if is_of_fit and not self._raise_in_fits:
                raise
            self.error = error
            if not self._is_deferred:
                raise

    def check(self) -> None:
        """Raise the exception of a signal handler again, if there was one."""
        if self.error is not None:
            raise self.error

    def caused(self, error: BaseException) -> bool:
        """Whether a search that ends with an error was interrupted by the user."""
        interrupted = self.error is not None or error is self._last
        return interrupted or isinstance(error, KeyboardInterrupt)


def raise_interrupt() -> None:
    """Raise the exception of a signal handler again, if some code has caught it."""
    interrupts = _find_innermost()
    if interrupts is not None:
        interrupts.check()


@contextmanager
def defer_interrupts() -> Iterator[None]:
    """Run a short block as a whole; raise exceptions of signal handlers after it."""
    interrupts = _find_innermost()
    if interrupts is None or interrupts._is_deferred:
        yield
        return
    before = interrupts.error
    interrupts._is_deferred = True
    try:
        yield
    finally:
        interrupts._is_deferred = False
    if before is None:
        interrupts.check()


@contextmanager
def fit_of_scikit_learn() -> Iterator[None]:
    """Leave exceptions of signal handlers to scikit-learn, as errors of a fit."""
    interrupts = _find_innermost()
    if interrupts is None:
        yield
        return
    interrupts._is_fitting = True
    try:
        yield
    finally:
        interrupts._is_fitting = False


def _find_innermost() -> Interrupts | None:
    is_main = threading.current_thread() is threading.main_thread()
    return _ACTIVE[-1] if is_main and _ACTIVE else None
