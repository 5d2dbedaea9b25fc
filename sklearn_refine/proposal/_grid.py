"""Grids that zoom: halve the spacing around the best points, step past an edge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import Candidate, History, Level, Proposal, Window
from sklearn_refine.proposal._grid_features import GridFeatures
from sklearn_refine.proposal._grid_points import (
    Choice,
    in_turn,
    mixes,
    spanned_candidates,
    window_candidates,
)
from sklearn_refine.proposal._grid_steps import refine
from sklearn_refine.proposal._surrogate import (
    N_BEST,
    Surrogate,
    learn,
    warn_of_failure,
)
from sklearn_refine.proposal._tried_grid import TriedGrid
from sklearn_refine.space._axes import (
    Axis,
    Key,
    LayersAxis,
    to_python,
    value_key,
)
from sklearn_refine.space._infer import Subspace

#: The fewest candidates with a score that the surrogate learns from; of less it knows
#: little but its priors.
FEWEST = 8
#: The most candidates of a round that the surrogate chooses, and what it chooses from:
#: at least the first number, a multiple of what it shall choose, at most the last one.
MOST_CHOSEN = 300
POOL, POOL_RATIO, LARGEST_POOL = 1000, 4, 1200


class GridProposer:
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
    surrogate : "gp", regressor or None, default=None
        What says which points are the best, and which candidates a round tries where
        it cannot try all; None goes by the mean scores and by a fixed order.
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
        surrogate: Any = None,
    ) -> None:
        self.subspaces = subspaces
        self.grid = grid
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.n_points = n_points
        self.max_candidates = max_candidates
        self.surrogate = surrogate
        self.features = GridFeatures(subspaces)

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
            What the surrogate draws from; without one, a grid draws nothing.
        """
        if not len(history):
            return self._first_round()
        if self.surrogate is not None and len(history.ranking()) >= FEWEST:
            try:
                learned = learn(self.surrogate, self.features, history, rng)
                if learned is not None:
                    return self._refined(history, limit, learned, rng)
            except Exception as error:  # whatever the model raises
                warn_of_failure(error, "takes plain windows around the best scores")
        return self._refined(history, limit, None, rng)

    def _refined(
        self,
        history: History,
        limit: int,
        learned: Surrogate | None,
        rng: np.random.RandomState,
    ) -> Proposal:
        """Return a later round: windows, and what they hold or some of it."""
        ranking = history.ranking() if learned is None else learned.rank(history)
        record = TriedGrid(self.subspaces, history, ranking)
        windows = []
        near: list[list[Candidate]] = []
        far: list[list[Candidate]] = []
        spans: dict[int, list[list[list[Choice]]]] = {}
        turn = len(history.rounds) - 1
        for center in self._centers(record):
            window, choices = self._zoom(center, record)
            subspace = history.candidates[center].subspace
            names = [axis.name for axis in self.subspaces[subspace].axes]
            neighbours, others = window_candidates(
                history, subspace, names, choices, limit, turn
            )
            windows.append(window)
            near.append(neighbours)
            far.append(others)
            spans.setdefault(subspace, []).append(choices)
        # The neighbours of every center come before the corners of any window.
        fresh: dict[Any, Candidate] = {}
        for candidate in (*(c for part in near for c in part), *in_turn(far)):
            if candidate not in history:
                fresh.setdefault(candidate.key, candidate)
        if learned is not None and len(fresh) > limit:
            best = [history.candidates[place] for place in ranking[:N_BEST]]
            n = min(limit, MOST_CHOSEN)
            pool = self._pool(history, fresh, spans, n, rng)
            chosen = learned.choose(pool, best, n, rng)
            fresh = {c.key: c for c in (*chosen, *fresh.values())}
        return Proposal(list(fresh.values())[:limit], windows)

    def _pool(
        self,
        history: History,
        fresh: Mapping[Any, Candidate],
        spans: Mapping[int, list[list[list[Choice]]]],
        n: int,
        rng: np.random.RandomState,
    ) -> list[Candidate]:
        """Return what the surrogate chooses `n` candidates from.

        That is the grid which all numbers tried so far and the new ones span, with the
        choices that the windows hold; of a larger grid, a random part.
        """
        size = min(max(POOL, POOL_RATIO * n), LARGEST_POOL)
        pool = dict(list(fresh.items())[: size // 2])
        share = math.ceil((size - len(pool)) / len(spans))
        for subspace, windows in spans.items():
            axes = self.subspaces[subspace].axes
            for candidate in spanned_candidates(
                history, subspace, axes, windows, share, rng
            ):
                pool.setdefault(candidate.key, candidate)
        return list(pool.values())

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

    def _centers(self, record: TriedGrid) -> list[int]:
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

    def _zoom(
        self, center: int, record: TriedGrid
    ) -> tuple[Window, list[list[Choice]]]:
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
                level, found = refine(
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


def _values(
    axis: Axis, center: Any, numbers: Mapping[Key, list[float]]
) -> list[Choice]:
    """Return what a window tries on an axis: mixes of its dimensions' numbers."""
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
    for combination in mixes(places, lambda place: int(place[0] is not None)):
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
    unique = list({value_key(value): to_python(value) for value in values}.values())
    if isinstance(axis, LayersAxis) or not any(map(axis.coordinates, unique)):
        return tuple(unique)
    numbers = [value for value in unique if axis.coordinates(value)]
    others = [value for value in unique if not axis.coordinates(value)]
    return (min(numbers), max(numbers), *others)
