"""Legal ranges, read from the constraints that an estimator itself declares."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from sklearn_refine._sklearn_compat import (
    Interval,
    RealNotInt,
    make_constraint,
)

#: Beyond this, neighbouring integers share one float and cannot be told apart.
LARGEST_INT = 2**53


@dataclass(frozen=True)
class Limits:
    """A range of numbers; an end is part of it where it is `closed`."""

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False
    high_closed: bool = False

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return above and below

    def intersect(self, other: Limits) -> Limits:
        """Return the range of the numbers that lie in both."""
        low, low_open = max(
            (self.low, not self.low_closed), (other.low, not other.low_closed)
        )
        high, high_closed = min(
            (self.high, self.high_closed), (other.high, other.high_closed)
        )
        return Limits(low, high, not low_open, high_closed)


#: No limits at all.
UNLIMITED = Limits()


@dataclass(frozen=True)
class Legal:
    """What is known of the legal values of one parameter.

    Attributes
    ----------
    declared : bool
        False where the estimator declares nothing; then anything goes.
    integers, reals, fractions : tuple of Limits
        The ranges of numbers that must be an int, may be either, or must not
        be an int.
    array_like : bool
        Whether a sequence is accepted.
    constraints : tuple
        The declared constraints themselves.
    """

    declared: bool = False
    integers: tuple[Limits, ...] = ()
    reals: tuple[Limits, ...] = ()
    fractions: tuple[Limits, ...] = ()
    array_like: bool = True
    constraints: tuple[Any, ...] = ()

    def accepts(self, value: Any) -> bool:
        """Whether `value` satisfies a declared constraint."""
        return any(
            make_constraint(constraint).is_satisfied_by(value)
            for constraint in self.constraints
        )

    def range_of(self, values: Iterable[float], *, integer: bool) -> Limits | None:
        """Return the declared range that holds most of `values`, if one holds any."""
        if not self.declared:
            return Limits()
        values = list(values)
        own = self.integers if integer else self.fractions
        held = [(sum(v in r for v in values), r) for r in (*own, *self.reals)]
        count, best = max(held, key=lambda pair: pair[0], default=(0, None))
        return best if count else None


def legal_values(
    estimator: Any, name: str, replacements: Mapping[str, Sequence[Any]]
) -> Legal:
    """Read what `estimator` declares about its (nested) parameter `name`.

    Parameters
    ----------
    estimator : estimator
        Any object with ``get_params``; it is only read.
    name : str
        A parameter name, nested parts joined by ``__``.
    replacements : mapping of str to sequence
        The values that the search itself lists, so that the owner of
        ``"clf__C"`` is found where ``"clf"`` is searched too.

    Returns
    -------
    Legal
        Where several owners are possible, what the first one that declares the
        parameter says, narrowed to the range that all of them accept.
    """
    *path, leaf = name.split("__")
    declared = []
    for owner in _owners(estimator, path, replacements):
        constraints = getattr(owner, "_parameter_constraints", {}).get(leaf)
        if constraints is not None and constraints != "no_validation":
            declared.append(_parse(constraints))
    if not declared:
        return Legal()
    first, *others = declared
    for other in others:
        first = Legal(
            declared=True,
            integers=_common(first.integers, other.integers),
            reals=_common(first.reals, other.reals),
            fractions=_common(first.fractions, other.fractions),
            array_like=first.array_like and other.array_like,
            constraints=first.constraints,
        )
    return first


def _owners(
    estimator: Any, path: list[str], replacements: Mapping[str, Sequence[Any]]
) -> list[Any]:
    """Return the objects that may own a parameter below `path`."""
    for depth in range(len(path), 0, -1):
        listed = replacements.get("__".join(path[:depth]))
        if listed is not None:
            found = [_descend(value, path[depth:]) for value in listed]
            return [owner for owner in found if owner is not None]
    owner = _descend(estimator, path)
    return [] if owner is None else [owner]


def _descend(owner: Any, path: list[str]) -> Any:
    if not path:
        return owner
    if not hasattr(owner, "get_params") or isinstance(owner, type):
        return None
    return owner.get_params(deep=True).get("__".join(path))


def _parse(constraints: Sequence[Any]) -> Legal:
    ranges: dict[Any, list[Limits]] = {Integral: [], Real: [], RealNotInt: []}
    array_like = False
    for constraint in constraints:
        inner = getattr(constraint, "constraint", constraint)  # sklearn's Hidden
        if isinstance(inner, Interval):
            ranges[inner.type].append(
                Limits(
                    -math.inf if inner.left is None else float(inner.left),
                    math.inf if inner.right is None else float(inner.right),
                    inner.closed in ("left", "both"),
                    inner.closed in ("right", "both"),
                )
            )
        elif inner in (Integral, int):
            ranges[Integral].append(Limits())
        elif inner in (Real, float):
            ranges[Real].append(Limits())
        elif isinstance(inner, str) and inner == "array-like":
            array_like = True
    return Legal(
        declared=True,
        integers=tuple(ranges[Integral]),
        reals=tuple(ranges[Real]),
        fractions=tuple(ranges[RealNotInt]),
        array_like=array_like,
        constraints=tuple(constraints),
    )


def _common(first: Sequence[Limits], second: Sequence[Limits]) -> tuple[Limits, ...]:
    both = [a.intersect(b) for a in first for b in second]
    return tuple(r for r in both if r.low < r.high)
