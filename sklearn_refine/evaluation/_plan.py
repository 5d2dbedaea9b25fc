"""The plan of a round: which fits share their work, and which of them start first.

Pure: numbers and keys in, units out. No model is fitted and no clock is read.
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
class Cell:
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


def plan_units(
    cells: Sequence[Cell], n_workers: int, splits_at_once: int, *, join: bool = True
) -> list[list[Cell]]:
    """Cut cells into units of work, the longest first.

    MLPs of one architecture stay together over candidates and splits, in units of
    similar cost that are no more than a stack, and enough of them to keep all
    workers busy; small ones of several architectures share a unit. Of everything
    else, a unit is a split with all the candidates that share its prefix; where that
    leaves workers without work, the last units are cut once more, since an idle worker
    might as well fit the prefix again.

    Parameters
    ----------
    cells : sequence of Cell
        What is to be fitted.
    n_workers : int
        How many units can run side by side.
    splits_at_once : int
        Of how many splits a unit may hold the transformed data.
    join : bool, default=True
        Whether small stacks share a unit, whose fits then arrive together.

    Returns
    -------
    units : list of list of Cell
        Each cell in one unit; in the order in which they should start.
    """
    groups: dict[Hashable, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: (cell.split, cell.candidate)):
        kind = (cell.prefix, cell.stack)
        key = kind if cell.stack is not None else (*kind, cell.split)
        groups.setdefault(key, []).append(cell)
    stacked = [group for key, group in groups.items() if group[0].stack is not None]
    others = [group for key, group in groups.items() if group[0].stack is None]
    units = _cut_last(others, n_workers)
    stacks: list[list[Cell]] = []
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
    return sorted(units + stacks, key=_start)


def _joined(stacks: list[list[Cell]], most: float) -> list[list[Cell]]:
    """Join small stacks of several kinds, which then fit their prefix once.

    Parameters
    ----------
    stacks : list of list of Cell
        MLPs, each of one architecture.
    most : float
        The cost up to which they are joined.
    """
    units: dict[Hashable, list[list[Cell]]] = {}
    for stack in stacks:
        splits = tuple(sorted({cell.split for cell in stack}))
        parts = units.setdefault((stack[0].prefix, splits), [[]])
        larger = [*parts[-1], *stack]
        cut = stack[0].stack in {cell.stack for cell in parts[-1]}
        if cut or len(larger) > MOST_TOGETHER or _cost(larger) > most:
            parts.append(stack)
        else:
            parts[-1] = larger
    return [unit for parts in units.values() for unit in parts if unit]


def _start(unit: list[Cell]) -> tuple[float, float]:
    """Return what orders units: the longest first.

    Of units that are similar, to a fifth, those of the first candidates come first, so
    that some candidates are complete early.
    """
    cost = _cost(unit)
    return (
        -round(4 * log2(cost)) if cost > 0 else inf,
        sum(cell.candidate for cell in unit) / len(unit),
    )


def _cost(cells: Sequence[Cell]) -> float:
    return sum(cell.cost for cell in cells)


def _cut_last(groups: list[list[Cell]], n_workers: int) -> list[list[Cell]]:
    """Cut the groups that would run alone, so that all workers end together."""
    rest = len(groups) % n_workers
    if not rest:
        return groups
    groups = sorted(groups, key=_cost, reverse=True)
    units = groups[: len(groups) - rest]
    for group in groups[len(groups) - rest :]:
        units += _cut(group, min(len(group), ceil(n_workers / rest)))
    return units


def _cut_into_splits(group: list[Cell]) -> list[list[Cell]]:
    """Cut MLPs of one kind by split, if there are enough of each for a stack.

    Models that see the same rows in the same order have less to gather.
    """
    of_split: dict[int, list[Cell]] = {}
    for cell in group:
        of_split.setdefault(cell.split, []).append(cell)
    if min(map(len, of_split.values())) < WELL_TOGETHER:
        return []
    return [
        part
        for cells in of_split.values()
        for part in _cut(cells, ceil(len(cells) / MOST_TOGETHER))
    ]


def _cut_stacks(group: list[Cell], wanted: float, fewest: int) -> list[list[Cell]]:
    """Cut MLPs of one kind into as many units as wanted, of `fewest` at least."""
    at_least = ceil(len(group) / MOST_TOGETHER)
    at_most = max(at_least, len(group) // fewest)
    return _cut(group, min(at_most, max(at_least, round(wanted))))


def _cut_splits(unit: list[Cell], splits_at_once: int) -> list[list[Cell]]:
    splits = sorted({cell.split for cell in unit})
    return [
        [cell for cell in unit if cell.split in splits[i : i + splits_at_once]]
        for i in range(0, len(splits), splits_at_once)
    ]


def _cut(cells: list[Cell], n_parts: int) -> list[list[Cell]]:
    """Cut into runs whose lengths differ by one at most."""
    bounds = [len(cells) * i // n_parts for i in range(n_parts + 1)]
    return [cells[a:b] for a, b in pairwise(bounds) if b > a]
