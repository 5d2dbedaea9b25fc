"""Groups of candidates of which the largest needs a fit and the others none.

Where one fit serves every smaller value of a parameter, the parameter is *free*. A
round then counts groups, the candidates that differ only in it. A change here may not
make the candidates depend on whether work is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from sklearn_refine._history import Candidate
from sklearn_refine.space._axes import (
    Dimension,
    NumberAxis,
    candidate_key,
    value_key,
)
from sklearn_refine.space._infer import Subspace

#: Most new numbers of a window on a free axis. Each of them must be scored.
MAX_NUMBERS = 16
#: Most candidates of a group: these, and one with the number of the center.
MAX_MEMBERS = MAX_NUMBERS + 1


class Groups:
    """The groups of candidates, and the members that a round tries in each of them.

    Without a free axis, each candidate is a group.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    free : sequence of (str or None)
        The free parameter of each subspace. It has an effect only if its values are
        whole numbers.
    model_key : callable
        Maps parameters to a key that is equal for those which give the same model.
    """

    def __init__(
        self,
        subspaces: Sequence[Subspace],
        free: Sequence[str | None],
        model_key: Callable[[Mapping[str, Any]], Any] = candidate_key,
    ) -> None:
        self._model_key = model_key
        names = free or [None] * len(subspaces)
        self._axes = [
            _find_axis(subspace, name)
            for subspace, name in zip(subspaces, names, strict=True)
        ]
        self._values: dict[tuple[int, Any], Sequence[Any]] = {}

    def name(self, subspace: int) -> str | None:
        """Return the free parameter of a subspace."""
        axis = self._axes[subspace]
        return None if axis is None else axis.name

    def key(self, candidate: Candidate) -> Any:
        """Return a key that is equal for the candidates of a group."""
        axis = self._axes[candidate.subspace]
        if axis is None:
            return self._model_key(candidate.params)
        params = {**candidate.params, axis.name: axis.listed[0]}
        return candidate.subspace, axis.name, self._model_key(params)

    def count(self, candidates: Sequence[Candidate]) -> int:
        """Return the number of groups; a candidate listed twice counts twice."""
        free = {self.key(c) for c in candidates if self._axes[c.subspace]}
        return len(free) + sum(self._axes[c.subspace] is None for c in candidates)

    def add_window(self, center: Candidate, values: Sequence[Any]) -> None:
        """Add the values that a window tries on the free axis."""
        axis = self._axes[center.subspace]
        if axis is not None:
            own = value_key(center.params[axis.name])
            self._values.setdefault((center.subspace, own), values)

    def members(self, candidate: Candidate) -> Iterator[Candidate]:
        """Yield a candidate, and all others that one fit serves together with it."""
        yield candidate
        axis = self._axes[candidate.subspace]
        if axis is None:
            return
        own = candidate.params[axis.name]
        for value in self._values.get((candidate.subspace, value_key(own)), ()):
            if value != own:
                yield replace(candidate, params={**candidate.params, axis.name: value})


def fill_numbers(
    dim: Dimension,
    x: float,
    below: float | None,
    above: float | None,
    numbers: Sequence[float],
) -> list[float]:
    """Return the new numbers of a window on a free axis, ascending.

    These are all whole numbers between the center's neighbours or, past an edge, up to
    the farthest number. If there are too many, they are multiples of a round step.

    Parameters
    ----------
    dim : Dimension
        With the limits of the round.
    x : float
        The coordinate of the center.
    below, above : float or None
        The nearest coordinates tried; None at an edge.
    numbers : sequence of float
        The new numbers of a window on an axis that is not free.
    """
    center = int(dim.decode(x))
    edges = []
    if below is None:
        edges.append(int(min(numbers, default=center)))
    if above is None:
        edges.append(int(max(numbers, default=center)))
    low = min([center, *edges]) if below is None else int(dim.decode(below)) + 1
    high = max([center, *edges]) if above is None else int(dim.decode(above)) - 1
    found: set[int] = set()
    for step in _round_steps():
        first = -(-low // step) * step
        found = {*edges, *range(first, high + 1, step)} - {center}
        if len(found) <= MAX_NUMBERS:
            break
    return [number for number in sorted(found) if number in dim.limits]


def _find_axis(subspace: Subspace, name: str | None) -> NumberAxis | None:
    """Return the axis of a parameter whose values are all whole numbers."""
    for axis in subspace.axes:
        if axis.name == name and isinstance(axis, NumberAxis) and axis.dim.integer:
            return axis if all(map(axis.numbers, axis.listed)) else None
    return None


def _round_steps() -> Iterator[int]:
    """Yield 1, 2, 5, 10, 20, 25, 50, 100 and so on."""
    yield from (1, 2, 5)
    for power in count(1):
        yield from (int(digits * 10**power) for digits in (1, 2, 2.5, 5))
