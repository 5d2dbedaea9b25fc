"""A progress line for searches, as a callback of scikit-learn 1.9."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import Any

import sklearn

from sklearn_refine._sklearn_compat import SUPPORTS_CALLBACKS

#: Seconds between two drawings of the line.
EVERY = 0.1


class RoundProgress:
    """Show the progress of a search in one line: round, fits, best score, time left.

    The line is redrawn in a terminal and in a notebook. Elsewhere, such as in a log
    file, there is one line per round. Nothing but scikit-learn 1.9 is needed. Unlike
    :class:`sklearn.callback.ProgressBar`, it shows scores, and candidates share as much
    work as without it.

    Parameters
    ----------
    file : file-like, default=None
        Where to write. If None, to ``sys.stdout``.

    Raises
    ------
    ImportError
        If scikit-learn is older than 1.9, which has no callbacks.

    See Also
    --------
    RefiningGridSearchCV : Its ``set_callbacks`` takes this callback.

    Notes
    -----
    The best score is the best mean of the candidates that are complete so far. The time
    left assumes that the planned fits take as long as the fits so far. It is too long
    for a race, until the first round shows how many fits the race saves.

    Examples
    --------
    >>> from io import StringIO
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV, RoundProgress
    >>> X, y = load_diabetes(return_X_y=True)
    >>> log = StringIO()
    >>> search = RefiningGridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]})
    >>> search = search.set_callbacks(RoundProgress(file=log)).fit(X, y)
    >>> print(log.getvalue())
    Round 1/3, 15/15 fits, best 0.48..., ... left
    Round 2/3, 15/15 fits, best 0.48..., ... left
    Round 3/3, 15/15 fits, best 0.48..., 45 fits in ...
    <BLANKLINE>
    """

    #: The search tells its progress by itself, so no fit has to call back.
    needs_fits = False

    def __init__(self, *, file: Any = None) -> None:
        if not SUPPORTS_CALLBACKS:
            raise ImportError(
                "RoundProgress needs scikit-learn 1.9 or later, which has callbacks; "
                f"{sklearn.__version__} is installed. Use verbose=1 instead: it prints "
                "one line per round."
            )
        self.file = file
        self._n_columns = 0
        self._last = -math.inf

    def setup(self, estimator: Any, context: Any) -> None:
        """Check that the estimator is a search in rounds; called by scikit-learn."""
        if not hasattr(type(estimator), "rounds_"):
            raise TypeError(
                f"RoundProgress shows the rounds of RefiningGridSearchCV and "
                f"SuccessiveRandomSearchCV, and a {type(estimator).__name__} has none. "
                "Use sklearn.callback.ProgressBar for it."
            )
        self._n_columns, self._last = 0, -math.inf

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing; called by scikit-learn."""

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Do nothing; called by scikit-learn."""

    def on_search_progress(self, state: Any) -> None:
        """Draw the line; called by the search after every fit."""
        if not _can_redraw(self._output):
            if state.is_round_done:
                self._print(progress_text(state))
            return
        now = time.monotonic()
        if not state.is_round_done and now - self._last < EVERY:
            return
        self._last = now
        text = progress_text(state)[: shutil.get_terminal_size().columns - 1]
        self._print(f"\r{text.ljust(self._n_columns)}", end="")
        self._n_columns = len(text)

    def teardown(self, estimator: Any, context: Any) -> None:
        """End the line; called by scikit-learn."""
        if self._n_columns:
            self._print()

    @property
    def _output(self) -> Any:
        return sys.stdout if self.file is None else self.file

    def _print(self, text: str = "", end: str = "\n") -> None:
        print(text, end=end, file=self._output, flush=True)


def progress_text(state: Any) -> str:
    """Return the line for a state of a search."""
    parts = [
        f"Round {state.round}/{state.n_rounds}",
        f"{state.n_fits}/{state.n_planned} fits",
    ]
    if not math.isnan(state.best):
        parts.append(f"best {state.best:.4g}")
    if state.is_round_done and state.round == state.n_rounds:
        parts.append(f"{state.n_fits_total} fits in {clock_text(state.seconds)}")
    elif not math.isnan(state.seconds_left):
        parts.append(f"{clock_text(state.seconds_left)} left")
    return ", ".join(parts)


def clock_text(seconds: float) -> str:
    """Return a time such as ``0.4 s``, ``42 s``, ``1:20`` or ``2:03:00``."""
    if seconds < 59.5:
        return f"{seconds:.1g} s" if seconds < 9.5 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _can_redraw(file: Any) -> bool:
    """Whether a line can be written over: in a terminal or in a notebook."""
    is_terminal = getattr(file, "isatty", lambda: False)()
    return bool(is_terminal) or type(file).__module__.startswith("ipykernel")
