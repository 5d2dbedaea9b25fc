"""The candidates that a grid search has tried, with their coordinates and neighbours.

Windows and centers depend on these neighbours, so later rounds do too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import History, Level
from sklearn_refine.proposal._grid_free import Groups
from sklearn_refine.proposal._grid_points import Choice
from sklearn_refine.space._axes import Axis, Key
from sklearn_refine.space._infer import Subspace


class TriedGrid:
    """Coordinates, scores and neighbours of the candidates tried so far.

    It is built once per round.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    history : History
        All rounds so far.
    ranking : list of int
        Indices of the candidates with a score, best first, by mean score or by the
        prediction of a surrogate.
    groups : Groups
        Which candidates one fit serves.
    """

    def __init__(
        self,
        subspaces: Sequence[Subspace],
        history: History,
        ranking: list[int],
        groups: Groups,
    ) -> None:
        self.subspaces = subspaces
        self.history = history
        self.ranking = ranking
        self.groups = groups
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
        # Only candidates with equal options can be neighbours.
        self._options = [
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
        """Return the nearest tried coordinates below and above a center.

        A side without a tried coordinate is None. The last value tells whether the
        neighbours come from a later round than the first.
        """
        level, is_refined = self._find_level(center, key)
        x = self.coordinates[center][key]
        position = level.points.index(x)
        below = level.points[position - 1] if position else level.below
        above = (
            level.points[position + 1]
            if position + 1 < len(level.points)
            else level.above
        )
        tried = self._tried[self.history.candidates[center].subspace, key]
        # Another window may have tried coordinates beyond the edge of this level.
        if below is None:
            below = max((t for t in tried if t < x), default=None)
        if above is None:
            above = min((t for t in tried if t > x), default=None)
        return below, above, is_refined

    def mask_covered(self, center: int) -> np.ndarray:
        """Return a mask of the candidates between a center and its neighbours.

        All values of a free parameter are covered.
        """
        own = self._options[center]
        similar = [index for index, other in enumerate(self._options) if other == own]
        within = np.ones(len(similar), dtype=bool)
        for key in self.coordinates[center]:
            x = np.array([self.coordinates[index][key] for index in similar])
            if key == (self.groups.name(own[0]),):
                continue  # the candidates are one group
            below, above, _ = self.neighbours(center, key)
            if below is not None:
                within &= x >= below
            if above is not None:
                within &= x <= above
        covered = np.zeros(len(self.history), dtype=bool)
        covered[np.array(similar)[within]] = True
        return covered

    def _find_level(self, center: int, key: Key) -> tuple[Level, bool]:
        """Return the latest completely tried level around a center.

        The second value tells whether the level is from a later round than the first.
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
        # No level is complete, because the limit on candidates cut all windows here.
        return Level(tuple(sorted(tried))), True

    def competitive_choices(self, center: int, axis: Axis) -> list[Choice]:
        """Return other options scoring within one standard error of a center.

        Each option is represented by the value of its best candidate.
        """
        if len({axis.option(value) for value in axis.listed}) == 1:
            return []
        candidate = self.history.candidates[center]
        own = axis.option(candidate.params[axis.name])
        threshold = self.means[center] - self.errors[center]
        found: dict[Any, Choice] = {}
        for index in self.ranking:
            other = self.history.candidates[index]
            if other.subspace != candidate.subspace or self.means[index] < threshold:
                continue
            value = other.params[axis.name]
            option = axis.option(value)
            if option != own and option not in found:
                found[option] = Choice(value, 1, (), len(found) + 1)
        return list(found.values())
