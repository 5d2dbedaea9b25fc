"""Cut the fits of a wave into tasks: which fits share work, and which start first.

A change here may change the order and the time of fits, but no result. The module
works on numbers and keys only: it fits no model and reads no clock.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, log2

MAX_STACK = 25  # largest number of models that train together
GOOD_STACK = 12  # in a larger stack, a model is hardly faster
MIN_STACK = 4  # in a smaller stack, models lose more than other workers gain
MAX_TASKS_PER_WORKER = 6  # enough that the last tasks are short compared to the rest


@dataclass(frozen=True)
class PlannedFit:
    """One candidate on one split, as the schedule sees it.

    Attributes
    ----------
    candidate, split : int
        The indices of the candidate and of the split.
    prefix : tuple of hashable
        One key for what is around the steps and one for each step that can be shared.
        Equal for candidates that share all but their last step.
    stack : hashable or None
        Equal for MLPs that can train together; None for every other last step.
    cost : float
        Expected seconds, or a number proportional to them.
    family : hashable or None
        Equal for candidates whose models can serve each other.
    """

    candidate: int
    split: int
    prefix: tuple[Hashable, ...]
    stack: Hashable | None
    cost: float
    family: Hashable | None = None


def schedule_fits(
    fits: Sequence[PlannedFit],
    n_workers: int,
    max_splits: int,
    *,
    join: bool = True,
) -> list[list[PlannedFit]]:
    """Cut fits into tasks and return the longest first.

    MLPs of one architecture stay together across candidates and splits. Their tasks
    have similar costs, are not larger than a stack, and are numerous enough to keep all
    workers busy. Small stacks of several architectures share a task.

    For all other models, a task is one split with all candidates that share their
    first step or, without steps, a family. If that leaves workers idle, the last tasks
    are cut once more: an idle worker might as well fit a step again. A family is never
    cut, because it takes no longer than its largest member.

    Parameters
    ----------
    fits : sequence of PlannedFit
        The fits to schedule.
    n_workers : int
        Number of tasks that can run at the same time.
    max_splits : int
        Number of splits whose transformed data a task may hold.
    join : bool, default=True
        Whether small stacks share a task. Their results then arrive together.

    Returns
    -------
    tasks : list of list of PlannedFit
        The tasks in the order in which they should start. Each fit is in one task.
    """
    groups: dict[Hashable, list[PlannedFit]] = {}
    for fit in sorted(fits, key=lambda fit: (fit.split, fit.candidate)):
        if fit.stack is not None:
            key: Hashable = (fit.prefix, fit.stack)
        elif fit.prefix:
            key = (fit.prefix[:2], fit.split)
        else:
            key = (fit.family, fit.split)
        groups.setdefault(key, []).append(fit)
    stacked = [group for group in groups.values() if group[0].stack is not None]
    others = [group for group in groups.values() if group[0].stack is None]
    tasks = _cut_remaining_groups(others, n_workers)
    stacks: list[list[PlannedFit]] = []
    total = sum(_total_cost(group) for group in stacked)
    n_stacked = sum(map(len, stacked))
    n_tasks = n_workers * min(
        MAX_TASKS_PER_WORKER, max(1, n_stacked / GOOD_STACK / n_workers)
    )
    min_size = min(MIN_STACK, max(1, n_stacked // (2 * n_workers)))
    for group in stacked:
        wanted = 1.0
        if n_workers > 1 and total:
            wanted = n_tasks * _total_cost(group) / total
        parts = _cut_by_split(group)
        if n_workers <= len(parts) and (len(stacked) == 1 or n_workers == 1):
            stacks += _cut_remaining_groups(parts, n_workers)
            continue
        for part in _cut_stack(group, wanted, min_size):
            stacks += _limit_splits(part, max_splits)
    if join:
        stacks = _join_stacks(stacks, total / n_tasks if n_workers > 1 else inf)
    return sorted(tasks + stacks, key=_start_order)


def _join_stacks(
    stacks: list[list[PlannedFit]], max_cost: float
) -> list[list[PlannedFit]]:
    """Join small stacks of several architectures, which then fit their prefix once.

    Parameters
    ----------
    stacks : list of list of PlannedFit
        MLPs, each of one architecture.
    max_cost : float
        The largest cost of a joined task.
    """
    tasks: dict[Hashable, list[list[PlannedFit]]] = {}
    for stack in stacks:
        splits = tuple(sorted({fit.split for fit in stack}))
        parts = tasks.setdefault((stack[0].prefix, splits), [[]])
        joined = [*parts[-1], *stack]
        was_cut = stack[0].stack in {fit.stack for fit in parts[-1]}
        if was_cut or len(joined) > MAX_STACK or _total_cost(joined) > max_cost:
            parts.append(stack)
        else:
            parts[-1] = joined
    return [task for parts in tasks.values() for task in parts if task]


def _start_order(task: list[PlannedFit]) -> tuple[float, float]:
    """Return a sort key that orders tasks by their cost, the longest first.

    Among tasks whose costs differ by at most about a fifth, those of the first
    candidates come first, so that some candidates are complete early.
    """
    cost = _total_cost(task)
    return (
        -round(4 * log2(cost)) if cost > 0 else inf,
        sum(fit.candidate for fit in task) / len(task),
    )


def _total_cost(fits: Sequence[PlannedFit]) -> float:
    return sum(fit.cost for fit in fits)


def _cut_remaining_groups(
    groups: list[list[PlannedFit]], n_workers: int
) -> list[list[PlannedFit]]:
    """Cut the groups left after each worker had equally many, so all end together."""
    rest = len(groups) % n_workers
    if not rest:
        return groups
    groups = sorted(groups, key=_total_cost, reverse=True)
    tasks = groups[: len(groups) - rest]
    for group in groups[len(groups) - rest :]:
        tasks += _cut_between_families(group, ceil(n_workers / rest))
    return tasks


def _cut_between_families(
    group: list[PlannedFit], n_parts: int
) -> list[list[PlannedFit]]:
    """Cut into parts of similar cost, and divide no family."""
    by_prefix: dict[Hashable, dict[Hashable, list[PlannedFit]]] = {}
    for number, fit in enumerate(group):
        key = number if fit.family is None else (fit.family,)
        by_prefix.setdefault(fit.prefix, {}).setdefault(key, []).append(fit)
    parts: list[list[PlannedFit]] = [[]]
    left = _total_cost(group)
    for fits in (fits for same in by_prefix.values() for fits in same.values()):
        n_left = n_parts - len(parts)
        share = left / (n_left + 1)
        is_full = _total_cost(parts[-1]) + _total_cost(fits) / 2 > share
        if parts[-1] and is_full and n_left:
            left -= _total_cost(parts[-1])
            parts.append([])
        parts[-1] += fits
    return parts


def _cut_by_split(group: list[PlannedFit]) -> list[list[PlannedFit]]:
    """Cut MLPs of one architecture by split, if each split has enough for a stack.

    Models that see the same rows in the same order have fewer rows to gather.
    """
    of_split: dict[int, list[PlannedFit]] = {}
    for fit in group:
        of_split.setdefault(fit.split, []).append(fit)
    if min(map(len, of_split.values())) < GOOD_STACK:
        return []
    return [
        part
        for fits in of_split.values()
        for part in _cut(fits, ceil(len(fits) / MAX_STACK))
    ]


def _cut_stack(
    group: list[PlannedFit], wanted: float, min_size: int
) -> list[list[PlannedFit]]:
    """Cut MLPs of one architecture into about as many stacks as wanted."""
    at_least = ceil(len(group) / MAX_STACK)
    at_most = max(at_least, len(group) // min_size)
    return _cut(group, min(at_most, max(at_least, round(wanted))))


def _limit_splits(task: list[PlannedFit], max_splits: int) -> list[list[PlannedFit]]:
    """Cut a task so that no part has more than a number of splits."""
    splits = sorted({fit.split for fit in task})
    return [
        [fit for fit in task if fit.split in splits[i : i + max_splits]]
        for i in range(0, len(splits), max_splits)
    ]


def _cut(fits: list[PlannedFit], n_parts: int) -> list[list[PlannedFit]]:
    """Cut into parts of similar lengths, and divide no family."""
    families: dict[Hashable, list[PlannedFit]] = {}
    for number, fit in enumerate(fits):
        key = number if fit.family is None else (fit.family, fit.split)
        families.setdefault(key, []).append(fit)
    groups = list(families.values())
    bounds = [len(groups) * i // n_parts for i in range(n_parts + 1)]
    return [
        [fit for family in groups[a:b] for fit in family]
        for a, b in pairwise(bounds)
        if b > a
    ]
