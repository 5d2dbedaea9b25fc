"""Grids that zoom: halve the spacing around the best points, step past an edge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from sklearn_refine._history import Candidate, History, Level, Proposal, Window
from sklearn_refine.proposal._window_points import (
    Choice,
    in_turn,
    window_candidates,
)
from sklearn_refine.space._axes import (
    Axis,
    Dimension,
    Key,
    LayersAxis,
    value_key,
)
from sklearn_refine.space._infer import Subspace

#: A step past an edge that follows another one is longer by this factor, up to a
#: decade; so a narrow grid gets away from a wrong start, and a coarse one does not
#: leap.
GROWTH = 3.0


class ZoomGrid:
    """Proposes the user's grid, then finer windows around its best points.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    grid : sequence of list of dict
        The user's own candidates, one list for each of the dicts.
    n_rounds : int
        Rounds in all, the user's grid being the first.
    n_centers : int
        How many of the best points get a window.
    n_points : int
        Values on each dimension of a window, the center among them; odd.
    max_candidates : int or None
        Most candidates of a later round; None means as many as in the first.
    """

    def __init__(
        self,
        subspaces: Sequence[Subspace],
        grid: Sequence[Sequence[Mapping[str, Any]]],
        *,
        n_rounds: int,
        n_centers: int,
        n_points: int,
        max_candidates: int | None,
    ) -> None:
        self.subspaces = subspaces
        self.grid = grid
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.n_points = n_points
        self.max_candidates = max_candidates

    def plan(self) -> list[int]:
        """Return the largest number of candidates of each round."""
        first = sum(len(candidates) for candidates in self.grid)
        cap = first if self.max_candidates is None else self.max_candidates
        refinable = [s for s in self.subspaces if any(map(_is_refinable, s.axes))]
        if not refinable:
            return [first]
        largest = max(
            math.prod(_most_values(axis, self.n_points) for axis in subspace.axes)
            for subspace in refinable
        )
        return [first] + [min(cap, self.n_centers * largest)] * (self.n_rounds - 1)

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return the next round's candidates, none of which was tried before.

        Parameters
        ----------
        history : History
            All rounds so far; empty before the first.
        limit : int
            Most candidates to return.
        rng : RandomState
            Not used: a grid is deterministic.
        """
        if not len(history):
            return self._first_round()
        record = _Record(self.subspaces, history)
        windows = []
        near: list[list[Candidate]] = []
        far: list[list[Candidate]] = []
        for center in self._centers(record):
            window, choices = self._zoom(center, record)
            subspace = history.candidates[center].subspace
            names = [axis.name for axis in self.subspaces[subspace].axes]
            turn = len(history.rounds) - 1
            neighbours, others = window_candidates(
                history, subspace, names, choices, limit, turn
            )
            windows.append(window)
            near.append(neighbours)
            far.append(others)
        # The neighbours of every center come before the corners of any window.
        fresh: dict[Any, Candidate] = {}
        for candidate in (*(c for part in near for c in part), *in_turn(far)):
            if candidate not in history:
                fresh.setdefault(candidate.key, candidate)
        return Proposal(list(fresh.values())[:limit], windows)

    def _first_round(self) -> Proposal:
        windows = []
        for index, subspace in enumerate(self.subspaces):
            points: dict[Key, set[float]] = {}
            for axis in subspace.axes:
                for value in axis.listed:
                    for key, x in axis.coordinates(value).items():
                        points.setdefault(key, set()).add(x)
            levels = {key: Level(tuple(sorted(xs))) for key, xs in points.items()}
            shown = {axis.name: _shown(axis, axis.listed) for axis in subspace.axes}
            windows.append(Window(index, levels, shown))
        candidates = [
            Candidate(params, index)
            for index, part in enumerate(self.grid)
            for params in part
        ]
        return Proposal(candidates, windows)

    def _centers(self, record: _Record) -> list[int]:
        """Return the best points, but none between a better one and its neighbours.

        Such a point's window would repeat that of the better one.
        """
        centers: list[int] = []
        covered = np.zeros(len(record.history), dtype=bool)
        for index in record.ranking:
            if not covered[index]:
                centers.append(index)
                covered |= record.covered_by(index)
            if len(centers) == self.n_centers:
                break
        return centers

    def _zoom(self, center: int, record: _Record) -> tuple[Window, list[list[Choice]]]:
        """Return the window around a candidate and what it tries on each axis."""
        candidate = record.history.candidates[center]
        levels: dict[Key, Level] = {}
        choices = []
        shown = {}
        for axis in self.subspaces[candidate.subspace].axes:
            value = candidate.params[axis.name]
            numbers: dict[Key, list[float]] = {}
            for key, x in axis.coordinates(value).items():
                below, above, is_refined = record.neighbours(center, key)
                level, found = _refine(
                    axis.dimension(key),
                    x,
                    below,
                    above,
                    self.n_points,
                    follows_step=is_refined,
                )
                levels[key] = level
                numbers[key] = found
            options = _values(axis, value, numbers) + record.near_best(center, axis)
            choices.append(options)
            shown[axis.name] = _shown(axis, [option.value for option in options])
        return Window(candidate.subspace, levels, shown), choices


class _Record:
    """What the rounds so far say about each point, read once a round."""

    def __init__(self, subspaces: Sequence[Subspace], history: History) -> None:
        self.subspaces = subspaces
        self.history = history
        self.ranking = history.ranking()
        self.means = history.mean_scores()
        self.errors = history.standard_errors()
        self.coordinates = [
            {
                key: x
                for axis in subspaces[c.subspace].axes
                for key, x in axis.coordinates(c.params[axis.name]).items()
            }
            for c in history.candidates
        ]
        # What two candidates must share for one to lie beside the other.
        self._kinds = [
            (
                c.subspace,
                *(
                    axis.option(c.params[axis.name])
                    for axis in subspaces[c.subspace].axes
                ),
            )
            for c in history.candidates
        ]
        self._tried: dict[tuple[int, Key], set[float]] = {}
        for c, coordinates in zip(history.candidates, self.coordinates, strict=True):
            for key, x in coordinates.items():
                self._tried.setdefault((c.subspace, key), set()).add(x)

    def neighbours(
        self, center: int, key: Key
    ) -> tuple[float | None, float | None, bool]:
        """Return the nearest coordinates tried below and above a point.

        None where nothing was. The last value says whether they are those of a
        later round than the first.
        """
        level, is_refined = self._level_around(center, key)
        x = self.coordinates[center][key]
        position = level.points.index(x)
        below = level.points[position - 1] if position else level.below
        above = (
            level.points[position + 1]
            if position + 1 < len(level.points)
            else level.above
        )
        tried = self._tried[self.history.candidates[center].subspace, key]
        # The window ended here, but another window may have looked further on.
        if below is None:
            below = max((t for t in tried if t < x), default=None)
        if above is None:
            above = min((t for t in tried if t > x), default=None)
        return below, above, is_refined

    def covered_by(self, center: int) -> np.ndarray:
        """Say of each candidate whether it lies between a center and its neighbours."""
        kind = self._kinds[center]
        beside = [index for index, other in enumerate(self._kinds) if other == kind]
        within = np.ones(len(beside), dtype=bool)
        for key in self.coordinates[center]:
            x = np.array([self.coordinates[index][key] for index in beside])
            below, above, _ = self.neighbours(center, key)
            if below is not None:
                within &= x >= below
            if above is not None:
                within &= x <= above
        covered = np.zeros(len(self.history), dtype=bool)
        covered[np.array(beside)[within]] = True
        return covered

    def _level_around(self, center: int, key: Key) -> tuple[Level, bool]:
        """Return the finest level at which a point's neighbours were tried.

        The second value says whether that was in a later round than the first.
        """
        subspace = self.history.candidates[center].subspace
        tried = self._tried[subspace, key]
        for number in range(len(self.history.rounds) - 1, -1, -1):
            for window in self.history.rounds[number].windows:
                if (
                    window.subspace == subspace
                    and window.holds(self.coordinates[center])
                    and tried.issuperset(window.levels[key].points)
                ):
                    return window.levels[key], number > 0
        # The cap left out what its window had around this point on this dimension.
        return Level(tuple(sorted(tried))), True

    def near_best(self, center: int, axis: Axis) -> list[Choice]:
        """Return the other options within one standard error of a center's score.

        Each is given by its own best candidate's value.
        """
        if len({axis.option(value) for value in axis.listed}) == 1:
            return []
        candidate = self.history.candidates[center]
        own = axis.option(candidate.params[axis.name])
        enough = self.means[center] - self.errors[center]
        found: dict[Any, Choice] = {}
        for index in self.ranking:
            other = self.history.candidates[index]
            if other.subspace != candidate.subspace or self.means[index] < enough:
                continue
            value = other.params[axis.name]
            option = axis.option(value)
            if option != own and option not in found:
                found[option] = Choice(value, 1, (_OTHER,) * (len(found) + 1))
        return list(found.values())


#: Distance, in steps, between a center and another choice on the same axis.
_OTHER = 2.0


def _refine(
    dim: Dimension,
    x: float,
    below: float | None,
    above: float | None,
    n_points: int,
    *,
    follows_step: bool,
) -> tuple[Level, list[float]]:
    """Return the new level around coordinate `x`, and the new numbers on it."""
    inner = min((abs(n - x) for n in (below, above) if n is not None), default=1.0)
    outward = inner
    if follows_step and dim.scale == "log" and not dim.integer:
        outward = max(inner, min(GROWTH * inner, dim.decade))
    per_side = n_points // 2
    numbers = []
    for side, neighbour in ((-1, below), (1, above)):
        for step in range(1, per_side + 1):
            if neighbour is not None:
                gap = abs(neighbour - x) / (per_side + 1)
                target = x + (neighbour - x) * step / (per_side + 1)
            else:
                gap = outward
                target = _inside(dim, x, x + side * outward * step)
            number = _new_number(dim, x, target, gap, neighbour, side)
            if number is not None and number not in numbers:
                numbers.append(number)
    points = {x, *(dim.encode(number) for number in numbers)}
    return Level(tuple(sorted(points)), below, above), numbers


def _inside(dim: Dimension, x: float, target: float) -> float:
    """Return `target`, brought back to a legal coordinate."""
    low, high = dim.span
    if target <= low:
        return low if dim.limits.low_closed else (x + low) / 2
    if target >= high:
        return high if dim.limits.high_closed else (x + high) / 2
    return target


def _new_number(
    dim: Dimension,
    x: float,
    target: float,
    gap: float,
    neighbour: float | None,
    side: int,
) -> float | None:
    """Return the number at `target`, or None where there is no new one."""
    number = dim.decode(target, gap)
    center = dim.decode(x)
    if dim.integer and number == center and neighbour is None:
        number = center + side
    if number == center or number not in dim.limits:
        return None
    if dim.scale == "log" and number <= 0:
        return None
    y = dim.encode(number)
    if (y - x) * side <= 0:
        return None
    if neighbour is not None and (y - neighbour) * side >= 0:
        return None
    return number


def _values(
    axis: Axis, center: Any, numbers: Mapping[Key, list[float]]
) -> list[Choice]:
    """Return what a window tries on an axis: every mix of its dimensions' numbers."""
    keys = list(numbers)
    places: list[list[tuple[float | None, float]]] = []
    for key in keys:
        dim = axis.dimension(key)
        x = axis.coordinates(center)[key]
        ordered = sorted(numbers[key])
        n_below = sum(dim.encode(number) < x for number in ordered)
        steps = [
            i - n_below if i < n_below else i - n_below + 1 for i in range(len(ordered))
        ]
        places.append([(None, 0.0), *zip(ordered, map(float, steps), strict=True)])
    found = []
    for combination in product(*places):
        changed = {
            key: number
            for key, (number, _) in zip(keys, combination, strict=True)
            if number is not None
        }
        value = axis.replace(center, changed) if changed else center
        found.append(
            Choice(value, len(changed), tuple(step for _, step in combination))
        )
    return found


def _is_refinable(axis: Axis) -> bool:
    return any(axis.coordinates(value) for value in axis.listed)


def _most_values(axis: Axis, n_points: int) -> int:
    """Return the most values that a window can hold on an axis."""
    n_options = len({axis.option(value) for value in axis.listed})
    n_dims = max(len(axis.coordinates(value)) for value in axis.listed)
    return int(n_points**n_dims) + n_options - 1


def _shown(axis: Axis, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the ends of the numbers that a window holds, or its choices."""
    unique = list({value_key(value): value for value in values}.values())
    if isinstance(axis, LayersAxis) or not any(map(axis.coordinates, unique)):
        return tuple(unique)
    numbers = [value for value in unique if axis.coordinates(value)]
    others = [value for value in unique if not axis.coordinates(value)]
    return (min(numbers), max(numbers), *others)
