"""What a worker is given: what all fits of a search share, and one fit of a unit."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Task:
    """What every fit of a search shares.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit, never fitted itself.
    X, y : array-like
        The data.
    splits : mapping of int to (train, test)
        Drawn once for all rounds; a worker gets those it needs.
    n_splits : int
        How many there are.
    options : mapping
        Keyword arguments of scikit-learn's ``_fit_and_score``.
    caller : estimator or None
        The search, for its callbacks.
    fit_timeout : float or None
        Seconds that a fit on one split may take, its scores included.
    parent : int
        Number of the process that the search runs in.
    may_exit : bool
        Whether a worker may end itself when a fit does not answer.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Mapping[int, tuple[Any, Any]]
    n_splits: int
    options: Mapping[str, Any]
    caller: Any
    fit_timeout: float | None = None
    parent: int = field(default_factory=os.getpid)
    may_exit: bool = False

    def part(self, jobs: Sequence[Job], called: bool) -> Task:
        """Return what a worker needs of it for some jobs."""
        splits = {job.split: self.splits[job.split] for job in jobs}
        return replace(self, splits=splits, caller=self.caller if called else None)


@dataclass(frozen=True)
class Job:
    """One fit of a unit.

    Attributes
    ----------
    params : mapping of str to object
        The candidate's parameters.
    split : int
        The index of the split.
    prefix : hashable
        Equal for jobs that share their prefix.
    number, of : int
        The candidate's place among those of the round, for messages.
    context : callback context or None
        Of this fit.
    """

    params: Mapping[str, Any]
    split: int
    prefix: Hashable
    number: int
    of: int
    context: Any
