"""What the rounds of a zooming grid say about each of its points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import History, Level
from sklearn_refine.proposal._grid_points import Choice
from sklearn_refine.space._axes import Axis, Key
from sklearn_refine.space._infer import Subspace


class TriedGrid:
    """What the rounds so far say about each point, read once a round.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    history : History
        All rounds so far.
    ranking : list of int
        The candidates with a score, the best first, by whatever is the measure.
    """

    def __init__(
        self, subspaces: Sequence[Subspace], history: History, ranking: list[int]
    ) -> None:
        self.subspaces = subspaces
        self.history = history
        self.ranking = ranking
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
                found[option] = Choice(value, 1, (), len(found) + 1)
        return list(found.values())
