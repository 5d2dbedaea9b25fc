"""Tasks: groups of fits that a worker runs in one go, and their order.

A change here may change the order and the time of fits, but no result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sklearn_refine._sklearn_compat import is_own_scorer, num_samples
from sklearn_refine.evaluation._inputs import FitInputs
from sklearn_refine.evaluation._schedule import PlannedFit, schedule_fits
from sklearn_refine.sharing._keys import prefix_path, stack_key
from sklearn_refine.sharing._pipelines import (
    build_estimator,
    last_step_path,
    unnest,
)
from sklearn_refine.sharing._registry import family_key, find_family
from sklearn_refine.space._inactive import ModelKey

#: The index of a candidate in its round, and the index of a split.
Pair = tuple[int, int]

EXTRA_BYTES = 1 << 26  # of transformed data in a task, beyond the first split
N_BLOCKS = 8  # of candidates that are completed one after the other


@dataclass(frozen=True)
class SharingKeys:
    """Keys that are equal for candidates that can share work.

    Attributes
    ----------
    prefix : tuple of hashable
        One key for what is around the steps and one for each step that can be shared.
        Equal for candidates that share all but their last step.
    stack : hashable or None
        Equal for MLPs that can train together; None for every other last step.
    family : hashable or None
        Equal for candidates whose models can serve each other.
    """

    prefix: tuple[Any, ...]
    stack: Any
    family: Any


@dataclass(frozen=True)
class Task:
    """Fits that a worker runs in one go.

    Attributes
    ----------
    pairs : tuple of (int, int)
        The fits, as indices of candidates in the round and of splits.
    cost : float
        Expected seconds, or a number proportional to them.
    share : bool
        Whether the fits share work. If not, scikit-learn runs each of them by itself.
    """

    pairs: tuple[Pair, ...]
    cost: float
    share: bool

    def __add__(self, other: Task) -> Task:
        return Task(self.pairs + other.pairs, self.cost + other.cost, self.share)

    def subset(self, pairs: Sequence[Pair]) -> Task | None:
        """Return a task of some of the fits, None if there are none."""
        if not pairs:
            return None
        cost = self.cost * len(pairs) / len(self.pairs)
        return Task(tuple(pairs), cost, self.share)

    def single_fits(self) -> Iterator[Task]:
        """Yield a task for each fit. These tasks share no work."""
        for pair in self.pairs:
            yield Task((pair,), self.cost / len(self.pairs), share=False)


def find_sharing_keys(
    inputs: FitInputs, params: Mapping[str, Any], model_key: ModelKey
) -> SharingKeys | None:
    """Return the keys of a candidate, None if it can share no work."""
    if inputs.options["verbose"] > 1:
        return None  # scikit-learn reports the start and the end of each fit
    try:
        nested = unnest(build_estimator(inputs.estimator, params))
        if nested is None:
            return None
        active = model_key.active(params)
        prefix = prefix_path(nested, active)
        family = find_family(nested[-1])
        own_key = None
        if family is not None and is_own_scorer(inputs.options["scorer"]):
            model_params = family_key(family, last_step_path(nested), active)
            own_key = (type(nested[-1]), prefix, model_params)
        keys = SharingKeys(prefix, stack_key(nested[-1], inputs.X), own_key)
        hash(keys)  # fails for some values that an MLP does not allow
    except Exception:
        return None  # the fit will raise the error
    return keys


def drop_lone_families(
    keys: Sequence[SharingKeys | None],
) -> list[SharingKeys | None]:
    """Return None for candidates that share nothing with the others."""
    sizes = Counter(key.family for key in keys if key is not None)
    kept: list[SharingKeys | None] = []
    for key in keys:
        if key is not None and sizes[key.family] == 1:
            key = replace(key, family=None)
        shares = key is not None and (
            key.stack is not None or key.family is not None or len(key.prefix) > 1
        )
        kept.append(key if shares else None)
    return kept


def number_keys(
    keys: Sequence[SharingKeys | None],
) -> tuple[list[tuple[int, ...]], list[int | None]]:
    """Return numbers in place of keys; they are shorter to send to workers.

    Returns
    -------
    prefixes : list of tuple of int
        Equal numbers stand for equal steps after equal steps.
    families : list of int or None
        Equal for candidates whose models can serve each other.
    """
    steps: dict[Any, int] = {}
    models: dict[Any, int] = {}
    prefixes: list[tuple[int, ...]] = []
    families: list[int | None] = []
    for key in keys:
        path = () if key is None else key.prefix
        begins = [path[: n + 1] for n in range(len(path))]
        prefixes.append(tuple(steps.setdefault(b, len(steps)) for b in begins))
        family = None if key is None else key.family
        is_none = family is None
        families.append(None if is_none else models.setdefault(family, len(models)))
    return prefixes, families


def make_tasks(
    pairs: Sequence[Pair],
    keys: Sequence[SharingKeys | None],
    costs: Sequence[float],
    n_workers: int,
    X: Any,
    *,
    in_blocks: bool,
    join: bool,
) -> list[Task]:
    """Return tasks in the order in which they should start.

    Parameters
    ----------
    pairs : sequence of (int, int)
        The fits.
    keys : sequence of SharingKeys or None
        The sharing keys of each candidate.
    costs : sequence of float
        The expected cost of a fit of each candidate.
    n_workers : int
        Number of tasks that can run at the same time.
    X : array-like
        The data.
    in_blocks : bool
        Whether a block of candidates should be complete before the next block starts,
        for the case that the time is not enough for all of them. If not, the longest
        tasks come first.
    join : bool
        Whether small tasks may be joined, so that their results arrive together.
        Results that have not arrived are lost if the search is ended.
    """
    max_splits = 1 + EXTRA_BYTES // max(1, _estimate_bytes(X))
    tasks = []
    for block in _cut_into_blocks(pairs, keys) if in_blocks else [pairs]:
        shared: list[PlannedFit] = []
        unshared: list[Task] = []
        for i, split in block:
            key, cost = keys[i], float(costs[i])
            if key is None:
                unshared.append(Task(((i, split),), cost, share=False))
            else:
                shared.append(
                    PlannedFit(i, split, key.prefix, key.stack, cost, key.family)
                )
        if not in_blocks:
            unshared.sort(key=lambda task: task.cost, reverse=True)
        for fits in schedule_fits(shared, n_workers, max_splits, join=join):
            task_pairs = tuple((fit.candidate, fit.split) for fit in fits)
            tasks.append(Task(task_pairs, sum(fit.cost for fit in fits), share=True))
        tasks += unshared
    return tasks


def _cut_into_blocks(
    pairs: Sequence[Pair], keys: Sequence[SharingKeys | None]
) -> list[list[Pair]]:
    """Return blocks of candidates, each with its fits; none divides a family."""
    candidates = sorted({i for i, _ in pairs})
    size = max(1, -(-len(candidates) // N_BLOCKS))
    families: dict[Any, list[int]] = {}
    for i in candidates:
        key = keys[i]
        family = (i,) if key is None or key.family is None else key.family
        families.setdefault(family, []).append(i)
    block_of: dict[int, int] = {}
    number = n_in_block = 0
    for members in families.values():
        if n_in_block >= size:
            number, n_in_block = number + 1, 0
        block_of |= dict.fromkeys(members, number)
        n_in_block += len(members)
    blocks: dict[int, list[Pair]] = {n: [] for n in block_of.values()}
    for i, split in pairs:
        blocks[block_of[i]].append((i, split))
    return list(blocks.values())


def _estimate_bytes(X: Any) -> int:
    """Estimate the size of the data in bytes, as floating-point numbers."""
    shape = getattr(X, "shape", None) or (num_samples(X), 1)
    n_bytes = 8
    for size in shape:
        n_bytes *= int(size)
    n_stored = getattr(X, "nnz", None)  # only sparse arrays have it
    return n_bytes if n_stored is None else 12 * int(n_stored)
