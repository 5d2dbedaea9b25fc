"""What the evaluations of all rounds of a search have in common.

A change here may not break the store protocol, which the journal implements.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from sklearn_refine._history import Candidate, Outcome
from sklearn_refine._interrupts import Interrupts
from sklearn_refine.evaluation._convergence import ConvergenceCounts, summarize
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._inputs import FitInputs
from sklearn_refine.evaluation._pool import WorkerPool
from sklearn_refine.evaluation._progress import Progress


class Store(Protocol):
    """Keeps the outcomes of finished fits when the process ends."""

    round: int
    error_score: Any

    def known(self, candidate: Candidate, split: int) -> Outcome | None:
        """Return the outcome of a fit that was finished before."""
        ...

    def claim(self, fits: Sequence[tuple[Candidate, int]]) -> set[int]:
        """Announce fits; return the positions of fits that another process runs."""
        ...

    def save(self, fits: Sequence[tuple[Candidate, int, Outcome]]) -> None:
        """Store the outcomes of finished fits."""
        ...

    def close(self) -> None:
        """Write nothing more."""
        ...


class Deadline:
    """The time by which the fits of a search should be done.

    It counts from the moment when the first fit can start: the start of a cluster's
    workers may take longer than the fits.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end: float | None = None

    def start(self, pool: WorkerPool) -> None:
        """Start to count, once a worker is ready."""
        if self._end is None:
            pool.wait_for_worker()
            self._end = time.perf_counter() + self._seconds

    def allows(self, seconds: float) -> bool:
        """Whether work of this length would end in time."""
        return self._end is None or time.perf_counter() + seconds <= self._end


@dataclass(frozen=True)
class EvaluationContext:
    """What the evaluations of all rounds have in common.

    Attributes
    ----------
    pool : WorkerPool
        Runs the fits.
    inputs : FitInputs
        The inputs that all fits share.
    costs : CostModel
        Predicts the times of fits, and learns from measured times.
    share : bool
        Whether candidates may share work. The outcomes are the same.
    store : Store or None
        Returns the outcomes of earlier fits and stores new ones.
    deadline : Deadline or None
        When all fits should be done.
    convergence : ConvergenceCounts
        Counts the fits that do not converge.
    progress : Progress
        Counts the fits, and tells callbacks.
    interrupts : Interrupts
        Remembers an exception of a signal handler that other code has caught.
    """

    pool: WorkerPool
    inputs: FitInputs
    costs: CostModel
    convergence: ConvergenceCounts
    progress: Progress
    share: bool = True
    store: Store | None = None
    deadline: Deadline | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    def for_round(self, number: int, *, invented: bool) -> EvaluationContext:
        """Return the context of one round.

        With ``error_score="raise"``, only candidates that the user listed raise. An
        invented candidate that fails is a failed candidate.
        """
        error_score = self.inputs.options["error_score"]
        if invented and error_score == "raise":
            error_score = np.nan
        if self.store is not None:
            self.store.round, self.store.error_score = number, error_score
        options = {**self.inputs.options, "error_score": error_score}
        return replace(self, inputs=replace(self.inputs, options=options))

    def predict_seconds(self, candidates: Sequence[Candidate]) -> float:
        """Return how long candidates will take, from the times of earlier ones."""
        times = self.costs.predict([candidate.params for candidate in candidates])
        seconds: float = times.sum() * self.inputs.n_splits / self.pool.n_workers
        return seconds

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep the workers ready, and end them at once if the search is interrupted."""
        try:
            with summarize() if self.inputs.summarizes else nullcontext(), self.pool:
                yield
        except BaseException as error:
            if self.interrupts.caused(error):
                self.pool.end_fits()
            raise
