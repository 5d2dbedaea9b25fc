"""How far a search is: counted after every fit, and told to its listeners.

A listener is a callback with a method ``on_search_progress``. It is called in the
process of the search, so the fits need not be sent a callback context.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_refine._history import Outcome


class ProgressState(NamedTuple):
    """How far a search is.

    Attributes
    ----------
    round, n_rounds : int
        Number of the round, from 1, and the planned number of rounds.
    n_fits, n_planned : int
        Number of finished and of planned fits of the round. A race may run fewer.
    n_fits_total : int
        Number of finished fits of all rounds.
    best : float
        Best score of a complete candidate; NaN if there is none.
    seconds : float
        Time since the first round began.
    seconds_left : float
        Expected time to the end of the search; NaN before the second fit.
    is_round_done : bool
        Whether the round has ended.
    """

    round: int
    n_rounds: int
    n_fits: int
    n_planned: int
    n_fits_total: int
    best: float
    seconds: float
    seconds_left: float
    is_round_done: bool


class Progress:
    """Counts fits, and tells listeners after each of them.

    Parameters
    ----------
    listeners : sequence of object
        Objects with a method ``on_search_progress``.
    score : callable
        Returns the score of an outcome in the metric that ranks candidates.
    planned : sequence of int
        The largest number of fits of each round.
    n_splits : int
        Number of splits of each candidate.
    time_budget : float or None
        The search ends after this number of seconds.
    """

    def __init__(
        self,
        listeners: Sequence[Any],
        score: Callable[[Outcome], float],
        planned: Sequence[int],
        n_splits: int,
        time_budget: float | None = None,
    ) -> None:
        self._listeners = listeners
        self._score = score
        self._planned = planned
        self._n_splits = n_splits
        self._time_budget = time_budget
        self._start = time.perf_counter()
        self._round = 0
        self._n_planned = 0
        self._n_planned_before = 0
        self._n_fits_before = 0
        self._n_fits = 0
        self._best = -np.inf
        self._first_end = 0.0
        self._scores: dict[int, list[float]] = {}

    def begin_round(self, n_planned: int) -> None:
        """Begin a round with at most this number of fits."""
        if not self._round:
            self._start = time.perf_counter()
        self._round += 1
        self._n_planned = n_planned
        self._n_fits = 0
        self._scores = {}
        self._tell()

    def add_fit(self, row: int, outcome: Outcome) -> None:
        """Count a fit of the candidate in this row of the round."""
        if not self._listeners:
            return
        self._n_fits += 1
        scores = self._scores.setdefault(row, [])
        scores.append(self._score(outcome))
        if len(scores) == self._n_splits:
            self._best = np.fmax(self._best, np.mean(scores))
        self._tell()

    def end_round(self) -> None:
        """End a round; a race may have run fewer fits than were planned."""
        self._tell(is_round_done=True)
        self._n_planned_before += self._n_planned
        self._n_fits_before += self._n_fits

    def _tell(self, *, is_round_done: bool = False) -> None:
        if not self._listeners:
            return
        seconds = time.perf_counter() - self._start
        state = ProgressState(
            self._round,
            max(len(self._planned), self._round),
            self._n_fits,
            self._n_planned,
            self._n_fits_before + self._n_fits,
            float(self._best) if self._best > -np.inf else float("nan"),
            seconds,
            self._seconds_left(seconds, is_round_done),
            is_round_done,
        )
        for listener in self._listeners:
            listener.on_search_progress(state)

    def _seconds_left(self, seconds: float, is_round_done: bool) -> float:
        """Return the time that the planned fits will take, judged by those so far.

        The time before the first fit has ended may be the start of the workers.
        """
        n_done = self._n_fits_before + self._n_fits
        if n_done < 2:
            self._first_end = seconds
            return float("nan")
        n_left = 0.0 if is_round_done else float(self._n_planned - self._n_fits)
        n_left += sum(self._planned[self._round :])
        if self._n_planned_before:  # a race runs only a part of the planned fits
            n_left *= self._n_fits_before / self._n_planned_before
        left = (seconds - self._first_end) / (n_done - 1) * n_left
        if self._time_budget is not None:
            left = min(left, max(self._time_budget - seconds, 0.0))
        return float(left)
