"""The plan of a round: which fits share their work, and which of them start first.

Pure: numbers and keys in, tasks out. No model is fitted and no clock is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, log2

MOST_TOGETHER = 25  # models that train together at most
WELL_TOGETHER = 12  # from which on more models a stack gain little
FEWEST_TOGETHER = 4  # below which cutting costs more than it spreads
MOST_UNITS = 6  # for each worker, so that the last ones are short beside the whole


@dataclass(frozen=True)
class PlannedFit:
    """One fit: a candidate on a split.

    Attributes
    ----------
    candidate, split : int
        Which.
    prefix : hashable
        Equal for candidates that share all but their last step.
    stack : hashable or None
        Equal for MLPs that can train together; None for every other last step.
    cost : float
        Expected seconds, or anything proportional to them.
    """

    candidate: int
    split: int
    prefix: Hashable
    stack: Hashable | None
    cost: float


def schedule_fits(
    fits: Sequence[PlannedFit],
    n_workers: int,
    splits_at_once: int,
    *,
    join: bool = True,
) -> list[list[PlannedFit]]:
    """Cut fits into tasks, the longest first.

    MLPs of one architecture stay together over candidates and splits, in tasks of
    similar cost that are no more than a stack, and enough of them to keep all
    workers busy; small ones of several architectures share a task. Of everything
    else, a task is a split with all the candidates that share its prefix; where that
    leaves workers without work, the last tasks are cut once more, since an idle worker
    might as well fit the prefix again.

    Parameters
    ----------
    fits : sequence of PlannedFit
        What is to be fitted.
    n_workers : int
        How many tasks can run side by side.
    splits_at_once : int
        Of how many splits a task may hold the transformed data.
    join : bool, default=True
        Whether small stacks share a task, whose fits then arrive together.

    Returns
    -------
    tasks : list of list of PlannedFit
        Each fit in one task; in the order in which they should start.
    """
    groups: dict[Hashable, list[PlannedFit]] = {}
    for fit in sorted(fits, key=lambda fit: (fit.split, fit.candidate)):
        kind = (fit.prefix, fit.stack)
        key = kind if fit.stack is not None else (*kind, fit.split)
        groups.setdefault(key, []).append(fit)
    stacked = [group for key, group in groups.items() if group[0].stack is not None]
    others = [group for key, group in groups.items() if group[0].stack is None]
    tasks = _cut_last(others, n_workers)
    stacks: list[list[PlannedFit]] = []
    total = sum(_cost(group) for group in stacked)
    n_stacked = sum(map(len, stacked))
    n_units = n_workers * min(MOST_UNITS, max(1, n_stacked / WELL_TOGETHER / n_workers))
    fewest = min(FEWEST_TOGETHER, max(1, n_stacked // (2 * n_workers)))
    for group in stacked:
        wanted = n_units * _cost(group) / total if n_workers > 1 and total else 1.0
        parts = _cut_into_splits(group)
        if n_workers <= len(parts) and (len(stacked) == 1 or n_workers == 1):
            stacks += _cut_last(parts, n_workers)
            continue
        for part in _cut_stacks(group, wanted, fewest):
            stacks += _cut_splits(part, splits_at_once)
    most = total / n_units if n_workers > 1 else inf
    if join:
        stacks = _joined(stacks, most)
    return sorted(tasks + stacks, key=_start)


def _joined(stacks: list[list[PlannedFit]], most: float) -> list[list[PlannedFit]]:
    """Join small stacks of several kinds, which then fit their prefix once.

    Parameters
    ----------
    stacks : list of list of PlannedFit
        MLPs, each of one architecture.
    most : float
        The cost up to which they are joined.
    """
    tasks: dict[Hashable, list[list[PlannedFit]]] = {}
    for stack in stacks:
        splits = tuple(sorted({fit.split for fit in stack}))
        parts = tasks.setdefault((stack[0].prefix, splits), [[]])
        larger = [*parts[-1], *stack]
        cut = stack[0].stack in {fit.stack for fit in parts[-1]}
        if cut or len(larger) > MOST_TOGETHER or _cost(larger) > most:
            parts.append(stack)
        else:
            parts[-1] = larger
    return [task for parts in tasks.values() for task in parts if task]


def _start(task: list[PlannedFit]) -> tuple[float, float]:
    """Return what orders tasks: the longest first.

    Of tasks that are similar, to a fifth, those of the first candidates come first, so
    that some candidates are complete early.
    """
    cost = _cost(task)
    return (
        -round(4 * log2(cost)) if cost > 0 else inf,
        sum(fit.candidate for fit in task) / len(task),
    )


def _cost(fits: Sequence[PlannedFit]) -> float:
    return sum(fit.cost for fit in fits)


def _cut_last(groups: list[list[PlannedFit]], n_workers: int) -> list[list[PlannedFit]]:
    """Cut the groups that would run alone, so that all workers end together."""
    rest = len(groups) % n_workers
    if not rest:
        return groups
    groups = sorted(groups, key=_cost, reverse=True)
    tasks = groups[: len(groups) - rest]
    for group in groups[len(groups) - rest :]:
        tasks += _cut(group, min(len(group), ceil(n_workers / rest)))
    return tasks


def _cut_into_splits(group: list[PlannedFit]) -> list[list[PlannedFit]]:
    """Cut MLPs of one kind by split, if there are enough of each for a stack.

    Models that see the same rows in the same order have less to gather.
    """
    of_split: dict[int, list[PlannedFit]] = {}
    for fit in group:
        of_split.setdefault(fit.split, []).append(fit)
    if min(map(len, of_split.values())) < WELL_TOGETHER:
        return []
    return [
        part
        for fits in of_split.values()
        for part in _cut(fits, ceil(len(fits) / MOST_TOGETHER))
    ]


def _cut_stacks(
    group: list[PlannedFit], wanted: float, fewest: int
) -> list[list[PlannedFit]]:
    """Cut MLPs of one kind into as many tasks as wanted, of `fewest` at least."""
    at_least = ceil(len(group) / MOST_TOGETHER)
    at_most = max(at_least, len(group) // fewest)
    return _cut(group, min(at_most, max(at_least, round(wanted))))


def _cut_splits(task: list[PlannedFit], splits_at_once: int) -> list[list[PlannedFit]]:
    splits = sorted({fit.split for fit in task})
    return [
        [fit for fit in task if fit.split in splits[i : i + splits_at_once]]
        for i in range(0, len(splits), splits_at_once)
    ]


def _cut(fits: list[PlannedFit], n_parts: int) -> list[list[PlannedFit]]:
    """Cut into runs whose lengths differ by one at most."""
    bounds = [len(fits) * i // n_parts for i in range(n_parts + 1)]
    return [fits[a:b] for a, b in pairwise(bounds) if b > a]
