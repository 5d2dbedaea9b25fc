"""Units of work: what candidates can share, cut by the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sklearn_refine.sharing._pipelines as sharing
from sklearn_refine._sklearn_compat import num_samples
from sklearn_refine.evaluation._inputs import FitInputs
from sklearn_refine.evaluation._schedule import PlannedFit, schedule_fits

SPLIT_BYTES = 1 << 26  # of transformed data that a task may hold beyond one split's
BLOCKS = 8  # of candidates that are completed one after the other, where time is short


@dataclass(frozen=True)
class SharingKeys:
    """What the plan must know of a candidate that can share work."""

    prefix: Any
    stack: Any


@dataclass(frozen=True)
class Task:
    """Fits that are made in one go.

    Attributes
    ----------
    pairs : tuple of (int, int)
        Candidates, by their index in the round, and splits.
    cost : float
        Expected seconds, or anything proportional to them.
    share : bool
        Whether they share work; else each is made as scikit-learn makes it.
    """

    pairs: tuple[tuple[int, int], ...]
    cost: float
    share: bool

    def __add__(self, other: Task) -> Task:
        return Task(self.pairs + other.pairs, self.cost + other.cost, self.share)

    def part(self, pairs: Sequence[tuple[int, int]]) -> Task | None:
        """Return a task of some of its fits; None if there are none."""
        if not pairs:
            return None
        cost = self.cost * len(pairs) / len(self.pairs)
        return Task(tuple(pairs), cost, self.share)

    def singles(self) -> Iterator[Task]:
        """Return a task for each of its fits, which shares nothing."""
        for pair in self.pairs:
            yield Task((pair,), self.cost / len(self.pairs), share=False)


def sharing_keys(inputs: FitInputs, params: Mapping[str, Any]) -> SharingKeys | None:
    """Say what a candidate can share with others, None if nothing."""
    if inputs.options["verbose"] > 1:
        return None  # scikit-learn reports on each fit as it starts and ends
    try:
        chain = sharing.links(sharing.build(inputs.estimator, params))
        if chain is None:
            return None
        found = SharingKeys(
            sharing.prefix_key(chain, params), sharing.stack_key(chain[-1], inputs.X)
        )
        hash(found)  # a value that an MLP does not allow may have none
    except Exception:
        return None  # its own fit will say what is wrong
    return found if found.stack is not None or sharing.has_prefix(chain) else None


def make_tasks(
    pairs: Sequence[tuple[int, int]],
    shareable: Sequence[SharingKeys | None],
    expected: Sequence[float],
    n_workers: int,
    X: Any,
    *,
    in_turn: bool,
    join: bool,
) -> list[Task]:
    """Return tasks in the order in which they should start.

    Parameters
    ----------
    pairs : sequence of (int, int)
        What is to be fitted.
    shareable : sequence of SharingKeys or None
        Of each candidate.
    expected : sequence of float
        What a fit of each candidate may cost.
    n_workers : int
        How many tasks can run side by side.
    X : array-like
        The data.
    in_turn : bool
        Whether some candidates shall be complete before others start, for the case
        that there is no time for all of them; else the longest tasks come first.
    join : bool
        Whether small tasks may be made one, so that their fits arrive together; what
        has not arrived is lost if the search is ended.
    """
    blocks = [list(pairs)]
    if in_turn:
        numbers = sorted({i for i, _ in pairs})
        size = max(1, -(-len(numbers) // BLOCKS))
        block_of = {i: n // size for n, i in enumerate(numbers)}
        blocks = [[] for _ in range(block_of[numbers[-1]] + 1)] if numbers else []
        for i, split in pairs:
            blocks[block_of[i]].append((i, split))
    at_once = 1 + SPLIT_BYTES // max(1, _n_bytes(X))
    tasks = []
    for block in blocks:
        fits = []
        alone = []
        for i, split in block:
            shared, cost = shareable[i], float(expected[i])
            if shared is None:
                alone.append(Task(((i, split),), cost, share=False))
            else:
                fits.append(PlannedFit(i, split, shared.prefix, shared.stack, cost))
        if not in_turn:
            alone.sort(key=lambda task: task.cost, reverse=True)
        for planned in schedule_fits(fits, n_workers, at_once, join=join):
            pairs_of_task = tuple((fit.candidate, fit.split) for fit in planned)
            tasks.append(
                Task(pairs_of_task, sum(fit.cost for fit in planned), share=True)
            )
        tasks += alone
    return tasks


def _n_bytes(X: Any) -> int:
    """Estimate the size of the data in bytes, as floating-point numbers."""
    shape = getattr(X, "shape", None) or (num_samples(X), 1)
    dense = 8
    for size in shape:
        dense *= int(size)
    n_stored = getattr(X, "nnz", None)  # of a sparse array
    return dense if n_stored is None else 12 * int(n_stored)
