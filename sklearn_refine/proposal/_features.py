"""Feature matrix of the candidates of a random search.

A surrogate is fitted to these features, so a change to them changes later rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import Candidate
from sklearn_refine.space._axes import is_number, value_key
from sklearn_refine.space._continuous_axes import QuantileAxis, SampledAxis
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._quantiles import DistributionSubspace, UnitAxis
from sklearn_refine.space._support import has_fast_quantiles

#: Value of the features of a parameter that a candidate does not have.
ABSENT = 0.5


class Features:
    """The features of candidates: numbers from 0 to 1, in groups.

    The features of numbers and layer sizes are their coordinates in quantile space.
    Choices are one-hot encoded; the subspace too, if there are several. Subspaces
    with equal axes of a parameter share its features. A sampled number is
    represented by its rank among the numbers tried. Other sampled values have a
    constant feature.

    Parameters
    ----------
    subspaces : sequence of DistributionSubspace
        The axes, one entry for each of the user's dicts.

    Attributes
    ----------
    groups : ndarray of shape (n_features,)
        Group of each feature. The one-hot features of a choice are one group.
    """

    def __init__(self, subspaces: Sequence[DistributionSubspace]) -> None:
        self._n_subspaces = len(subspaces)
        self._columns: list[tuple[str, UnitAxis | SampledAxis, list[int]]] = []
        column_by_axis: dict[Any, int] = {}
        for index, subspace in enumerate(subspaces):
            for name, axis in subspace.axes.items():
                place = column_by_axis.setdefault(
                    (name, _axis_key(axis)), len(self._columns)
                )
                if place == len(self._columns):
                    self._columns.append((name, axis, []))
                self._columns[place][2].append(index)
        sizes = [[self._n_subspaces] if self._n_subspaces > 1 else []]
        sizes += [_group_sizes(axis) for _, axis, _ in self._columns]
        flat = [size for part in sizes for size in part]
        self.groups = np.repeat(np.arange(len(flat)), flat)

    def __call__(
        self, candidates: Sequence[Candidate], tried: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the features, shape (n_candidates, n_features).

        The candidates `tried` determine the ranks of sampled numbers.
        """
        subspace_of = np.array(
            [candidate.subspace for candidate in candidates], dtype=int
        )
        parts = [np.empty((len(subspace_of), 0))]
        if self._n_subspaces > 1:
            parts.append(one_hot(subspace_of, self._n_subspaces))
        for name, axis, subspaces in self._columns:
            part = np.full((len(subspace_of), sum(_group_sizes(axis))), ABSENT)
            rows = np.flatnonzero(np.isin(subspace_of, subspaces))
            values = [candidates[row].params[name] for row in rows.tolist()]
            if isinstance(axis, SampledAxis):
                others = [c.params[name] for c in tried if c.subspace in subspaces]
                part[rows] = _relative_ranks(values, others)
            else:
                part[rows] = _encode(axis, values)
            parts.append(part)
        return np.hstack(parts)

    def is_free(self, candidates: Sequence[Candidate]) -> np.ndarray:
        """Return which features `move` can change, shape (n_candidates, n_features)."""
        subspace_of = np.array([candidate.subspace for candidate in candidates])
        free = np.zeros((len(candidates), len(self.groups)), dtype=bool)
        for _, axis, subspaces, place in self._movable():
            free[:, place : place + axis.n_dims] = np.isin(subspace_of, subspaces)[
                :, np.newaxis
            ]
        return free

    def move(self, candidates: Sequence[Candidate], X: np.ndarray) -> list[Candidate]:
        """Return candidates moved to the rows of X, in the features that are free."""
        moved = [dict(candidate.params) for candidate in candidates]
        for name, axis, subspaces, place in self._movable():
            rows = [i for i, c in enumerate(candidates) if c.subspace in subspaces]
            units = np.clip(X[rows, place : place + axis.n_dims], 0.0, 1.0)
            for row, value in zip(rows, axis.decode(units), strict=True):
                moved[row][name] = value
        return [
            Candidate(params, candidate.subspace)
            for params, candidate in zip(moved, candidates, strict=True)
        ]

    def _movable(self) -> Iterator[tuple[str, UnitAxis, list[int], int]]:
        """Yield the ordered axes, with their subspaces and first feature."""
        place = self._n_subspaces if self._n_subspaces > 1 else 0
        for name, axis, subspaces in self._columns:
            size = int(np.sum(_group_sizes(axis)))
            if not isinstance(axis, SampledAxis) and axis.ordered and size:
                yield name, axis, subspaces, place
            place += size


def _axis_key(axis: UnitAxis | SampledAxis) -> Any:
    """Return a hashable that is equal for axes with the same coordinates."""
    if isinstance(axis, ListAxis):
        return ("list", axis.identity)
    distribution: Any = axis.distribution
    if isinstance(axis, QuantileAxis) and not has_fast_quantiles(distribution):
        return ("slow", id(axis))  # each axis knows the quantiles of its own values
    frozen = getattr(distribution, "dist", None)
    if frozen is None:
        return ("object", repr(distribution))
    arguments = (tuple(distribution.args), tuple(sorted(distribution.kwds.items())))
    return ("scipy", type(frozen), repr(arguments))


def _group_sizes(axis: UnitAxis | SampledAxis) -> list[int]:
    """Return the number of features in each group of an axis."""
    if isinstance(axis, ListAxis) and axis.n_distinct == 1:
        return []
    if isinstance(axis, ListAxis) and not axis.ordered:
        return [axis.n_distinct]
    return [1] * max(axis.n_dims, 1)


def _encode(axis: UnitAxis, values: Sequence[Any]) -> np.ndarray:
    """Return the features of values on an axis, shape (n_values, n_features)."""
    if isinstance(axis, ListAxis) and axis.n_distinct == 1:
        return np.empty((len(values), 0))
    if isinstance(axis, ListAxis) and not axis.ordered:
        keys: dict[Any, int] = {}
        for value in axis.values:
            keys.setdefault(value_key(value), len(keys))
        return one_hot([keys[value_key(value)] for value in values], len(keys))
    return axis.encode_all(values)


def one_hot(places: Iterable[int], size: int) -> np.ndarray:
    """Return one-hot rows, scaled to a distance of 1 between different rows."""
    return np.asarray(np.eye(size)[np.asarray(places, dtype=int)] / np.sqrt(2))


def _relative_ranks(values: Sequence[Any], others: Sequence[Any]) -> np.ndarray:
    """Return the fraction of other numbers below each value; ties count half."""
    if not others or not all(map(is_number, [*values, *others])):
        return np.full((len(values), 1), ABSENT)
    numbers = np.sort(np.asarray(others, dtype=np.float64))
    places = np.searchsorted(numbers, values, "left") + np.searchsorted(
        numbers, values, "right"
    )
    return np.asarray(places / (2 * len(numbers))).reshape(-1, 1)
