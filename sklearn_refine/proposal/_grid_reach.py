"""How far the next round of a grid search may go beyond the candidates tried.

Three rules narrow the legal ranges from round to round. They depend on the sizes and
failures of candidates, never on measured times: the same search tries the same
candidates on every machine.

- Failures: where all fits beyond a value failed, that value is the limit.
- Size: a number that is a size at most doubles per round, the depth of trees grows by
  at most two, and all sizes together stay within `MAX_GROWTH` times the largest listed.
- Budget: the candidates of a later round cost about `MAX_ROUND` times as much as those
  of the first round, if costs grow in proportion to each size: to a number of trees,
  to their depth, to the units in all layers. Of a group that one fit serves, the
  largest counts, and the scoring of the others.
- Undeclared ends: past the end of a range that nothing declares, only neighbours of the
  best center go, in one parameter at a time, until a fit beyond it has succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

from sklearn_refine._history import Candidate, History, is_failed
from sklearn_refine.proposal._grid_free import Groups
from sklearn_refine.space._axes import (
    Axis,
    Dimension,
    Key,
    LayersAxis,
    NumberAxis,
    layer_widths,
)
from sklearn_refine.space._infer import Subspace
from sklearn_refine.space._limits import (
    BOUNDS,
    DECLARED,
    KNOWN,
    LEARNED,
    SIZE,
    Limits,
)

#: A candidate is at most this many times as large as the largest listed one.
MAX_GROWTH = 4.0
#: A later round costs about this many times as much as the first one, at most. With the
#: refit and its own work, a search of three rounds so takes up to four times as long.
MAX_ROUND = 1.25
#: What scoring a candidate costs that another one serves, of a fit of its own.
SCORING_SHARE = 0.1
#: Parameters whose cost doubles with each step, and how far they grow per round.
DEPTHS = ("max_depth", "depth")
DEPTH_STEP = 2
#: The beginnings of the names of ints that make a model smaller, not larger.
SHRINKING = ("min_",)


class Reach:
    """The limits of the next round.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    history : History
        All rounds so far.
    groups : Groups
        Which candidates one fit serves.
    """

    def __init__(
        self, subspaces: Sequence[Subspace], history: History, groups: Groups
    ) -> None:
        self._subspaces = subspaces
        self._largest_listed = [
            {axis.name: _largest_listed(axis) for axis in subspace.axes}
            for subspace in subspaces
        ]
        self._largest_of_all: dict[str, float] = {}
        for axis in (axis for subspace in subspaces for axis in subspace.axes):
            costs = [_cost(axis, value) for value in axis.listed]
            known = self._largest_of_all.get(axis.name, 0.0)
            self._largest_of_all[axis.name] = max(known, *costs)
        self._known: dict[tuple[int, str, int], tuple[Any, _Fact]] = {}
        # Of each dimension: the numbers tried, and those of fits that succeeded.
        self._tried: dict[tuple[int, Key], list[float]] = {}
        self._succeeded: dict[tuple[int, Key], list[float]] = {}
        self._failed: dict[tuple[int, Key], list[float]] = {}
        for candidate, outcomes in zip(
            history.candidates, history.outcomes, strict=True
        ):
            failed = is_failed(outcomes)
            for axis in subspaces[candidate.subspace].axes:
                for key, number in axis.numbers(candidate.params[axis.name]).items():
                    place = (candidate.subspace, key)
                    self._tried.setdefault(place, []).append(number)
                    found = self._failed if failed else self._succeeded
                    found.setdefault(place, []).append(number)
        listed = [c for c in history.candidates if not c.invented]
        self._n_listed = groups.count(listed)
        of_groups: dict[Any, list[float]] = {}
        for row, candidate in enumerate(listed):
            is_free = groups.name(candidate.subspace) is not None
            group = groups.key(candidate) if is_free else row
            of_groups.setdefault(group, []).append(self._cost(candidate))
        self._listed_cost = sum(map(_group_cost, of_groups.values()))

    def dimension(self, subspace: int, axis: Axis, key: Key) -> Dimension:
        """Return a dimension with the limits of this round."""
        dim = axis.dimension(key)
        learned = self._learned_limits((subspace, key))
        size = self._size_limits(axis.name, dim, self._tried.get((subspace, key), []))
        limits = dim.limits.intersect(learned).intersect(size)
        return replace(dim, limits=limits)

    def _learned_limits(self, place: tuple[int, Key]) -> Limits:
        """Return the range beyond which every fit failed."""
        succeeded, failed = self._succeeded.get(place), self._failed.get(place, [])
        if not succeeded:
            return Limits()
        low, high = min(succeeded), max(succeeded)
        below = any(number < low for number in failed)
        above = any(number > high for number in failed)
        return Limits(
            low if below else -math.inf, high if above else math.inf, below, above
        ).because(LEARNED)

    def _size_limits(self, name: str, dim: Dimension, tried: list[float]) -> Limits:
        """Return how large a size may become in this round."""
        if not _is_size(dim) or not tried:
            return Limits()
        largest = max(tried)
        high = largest + DEPTH_STEP if _is_depth(name) else 2 * max(largest, 1.0)
        return Limits(high=high, high_closed=True).because(SIZE)

    def is_as_large_as_allowed(
        self, candidate: Candidate, axis: Axis, key: Key
    ) -> bool:
        """Whether a candidate is too large with a number that is larger by one."""
        value = candidate.params[axis.name]
        if not axis.dimension(key).integer:
            return False
        larger = axis.replace(value, {key: int(axis.numbers(value)[key]) + 1})
        params = {**candidate.params, axis.name: larger}
        return self.is_too_large(candidate.subspace, params)

    @staticmethod
    def end_at(dim: Dimension, number: float) -> Dimension:
        """Return a dimension whose size limit is a number."""
        size = Limits(high=number, high_closed=True).because(SIZE)
        return replace(dim, limits=dim.limits.intersect(size))

    def is_too_large(self, subspace: int, params: Mapping[str, Any]) -> bool:
        """Whether all sizes of a candidate together exceed the largest listed ones."""
        growth = math.prod(fact.growth for fact in self._facts(subspace, params))
        return growth > MAX_GROWTH * (1 + 1e-9)

    def affordable(
        self, groups: Iterable[Sequence[Candidate]], limit: int
    ) -> list[list[Candidate]]:
        """Return the first groups, as many as come closest to the budget.

        There are at most `limit` of them and at least one. If the limit is above the
        number of listed groups, the budget is larger in proportion. Members that cost
        too much are left out.
        """
        left = MAX_ROUND * self._listed_cost * max(1.0, limit / self._n_listed)
        taken: list[list[Candidate]] = []
        for group in groups:
            costs = [self._cost(candidate) for candidate in group]
            cheapest = min(costs, default=0.0)
            most = 2 * left if taken else max(2 * left, cheapest)
            if len(taken) == limit or cheapest > most:
                break
            if group:
                taken.append(
                    [c for c, x in zip(group, costs, strict=True) if x <= most]
                )
                left -= _group_cost([cost for cost in costs if cost <= most])
        return taken

    def _cost(self, candidate: Candidate) -> float:
        """Return the size of a candidate, where 1 is the largest listed one."""
        facts = self._facts(candidate.subspace, candidate.params)
        return math.prod(fact.cost for fact in facts)

    def is_beyond_failures(self, subspace: int, params: Mapping[str, Any]) -> bool:
        """Whether a candidate has a number beyond which every fit failed."""
        return any(fact.beyond_failures for fact in self._facts(subspace, params))

    def is_unproven(self, subspace: int, params: Mapping[str, Any]) -> bool:
        """Whether a candidate lies past an undeclared end that no fit has passed."""
        return any(fact.unproven for fact in self._facts(subspace, params))

    def _facts(self, subspace: int, params: Mapping[str, Any]) -> list[_Fact]:
        """Return what is known of each value; a window has few different ones."""
        found = []
        for axis in self._subspaces[subspace].axes:
            value = params[axis.name]
            place = (subspace, axis.name, id(value))
            if place not in self._known:
                # The value is kept, so that its id stays its own.
                self._known[place] = value, self._examine(subspace, axis, value)
            found.append(self._known[place][1])
        return found

    def _examine(self, subspace: int, axis: Axis, value: Any) -> _Fact:
        beyond_failures = unproven = False
        for key, number in axis.numbers(value).items():
            beyond_failures |= number not in self._learned_limits((subspace, key))
            if succeeded := self._succeeded.get((subspace, key)):
                limits = axis.dimension(key).limits
                above, below = number > max(succeeded), number < min(succeeded)
                unproven |= above and not _is_declared(limits.high_reason)
                unproven |= below and not _is_declared(limits.low_reason)
        listed = self._largest_listed[subspace][axis.name]
        size = _size(axis, value) if listed else None
        growth = size / listed if listed and size is not None else 1.0
        cost = 1.0
        if listed and size is not None:
            cost = _cost(axis, value) / self._largest_of_all[axis.name]
        return _Fact(beyond_failures, unproven, growth, cost)


class _Fact(NamedTuple):
    """What the rules say of one value of a parameter."""

    beyond_failures: bool
    unproven: bool
    growth: float  # relative to the largest size listed in the same dict
    cost: float  # relative to the largest size listed in any dict


def describe_axis(axis: Axis) -> dict[str, Any]:
    """Return how the values of an axis are read, and how far later rounds may go."""
    keys = sorted(
        {key for value in axis.listed for key in axis.numbers(value)}, key=str
    )
    if not keys:
        return {"read_as": "choice", "lowest": None, "highest": None, "why": ""}
    dim = axis.dimension(keys[0])
    limits = dim.limits
    read_as: str = "layers" if isinstance(axis, LayersAxis) else dim.scale
    if dim.integer and read_as != "layers":
        read_as = f"integer {read_as}"
    reasons = [limits.low_reason, limits.high_reason]
    if _is_size(dim):
        step = "grows by 2" if _is_depth(axis.name) else "at most doubles"
        reasons.append(f"{step} per round")
    return {
        "read_as": read_as,
        "lowest": limits.low,
        "highest": limits.high,
        "why": "; ".join(dict.fromkeys(reasons)),
    }


def _group_cost(costs: Sequence[float]) -> float:
    """Return what candidates cost of which the largest serves the others."""
    largest = max(costs)
    return largest + SCORING_SHARE * (sum(costs) - largest)


def _is_declared(reason: str) -> bool:
    return reason in (BOUNDS, DECLARED, KNOWN)


def _is_depth(name: str) -> bool:
    return name.split("__")[-1] in DEPTHS


def _is_size(dim: Dimension) -> bool:
    """Whether larger numbers make a larger model, as far as a list can tell.

    They do if they are whole and not negative. The user's upper bound says more.
    """
    bounded = dim.limits.high_reason == BOUNDS
    return dim.integer and dim.low >= 0 and not bounded


def _largest_listed(axis: Axis) -> float | None:
    """Return the largest listed size on an axis; None if its numbers are no sizes."""
    sizes = [size for value in axis.listed if (size := _size(axis, value)) is not None]
    has_choices = any(not axis.numbers(value) for value in axis.listed)
    if _is_depth(axis.name) and has_choices:
        return None  # a listed "no limit" is larger than any number
    return max(sizes, default=None) or None


def _size(axis: Axis, value: Any) -> float | None:
    """Return a number that grows with the cost of a value, None if it has none."""
    if isinstance(axis, LayersAxis):
        if not all(_is_size(axis.dimension(key)) for key in axis.numbers(value)):
            return None
        widths = layer_widths(value)
        return float(sum(widths) + sum(a * b for a, b in pairwise(widths)))
    numbers = axis.numbers(value)
    name = axis.name.split("__")[-1]
    if not isinstance(axis, NumberAxis) or not numbers or not _is_size(axis.dim):
        return None
    if name.startswith(SHRINKING):
        return None
    (number,) = numbers.values()
    return 2.0 ** min(number, 1000.0) if _is_depth(axis.name) else number


def _cost(axis: Axis, value: Any) -> float:
    """Return what a value adds to a round: its number, or its units in all layers."""
    return float(sum(axis.numbers(value).values()))
