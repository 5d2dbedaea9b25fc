"""Legal values of a parameter: declared by the estimator or known for its library."""

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
from sklearn_refine.space._libraries import KnownRange, known_range
from sklearn_refine.space._limits import DECLARED, KNOWN, Limits, limits_of_list


@dataclass(frozen=True)
class Legal:
    """The legal values of one parameter.

    Attributes
    ----------
    declared : bool
        Whether the estimator declares them, or its library is known. If not, the
        list itself says how far later rounds may go.
    integers, reals, fractions : tuple of Limits
        The ranges for ints only, for ints and floats, and for floats only.
    array_like : bool
        Whether a sequence is accepted.
    constraints : tuple
        The declared constraints themselves.
    known : bool
        Whether they come from a known library. The user's bounds may widen them.
    sentinels : tuple of int or float
        Numbers with a meaning of their own, such as -1 for "no limit".
    """

    declared: bool = False
    integers: tuple[Limits, ...] = ()
    reals: tuple[Limits, ...] = ()
    fractions: tuple[Limits, ...] = ()
    array_like: bool = True
    constraints: tuple[Any, ...] = ()
    known: bool = False
    sentinels: tuple[int | float, ...] = ()

    def accepts(self, value: Any) -> bool:
        """Whether `value` satisfies at least one declared constraint."""
        return any(
            make_constraint(constraint).is_satisfied_by(value)
            for constraint in self.constraints
        )

    def holds(self, value: float) -> bool:
        """Whether a number lies in a legal range."""
        return any(
            value in limits for limits in (*self.integers, *self.reals, *self.fractions)
        )

    def range_of(self, values: Iterable[float], *, integer: bool) -> Limits | None:
        """Return the legal range that holds most `values`; None if none does."""
        values = list(values)
        if not self.declared:
            return limits_of_list(values) if values else None
        own = self.integers if integer else self.fractions
        counts = [(sum(v in r for v in values), r) for r in (*own, *self.reals)]
        count, best = max(counts, key=lambda pair: pair[0], default=(0, None))
        return best if count else None


def legal_values(
    estimator: Any, name: str, replacements: Mapping[str, Sequence[Any]]
) -> Legal:
    """Return what is known about the legal values of a parameter.

    Parameters
    ----------
    estimator : estimator
        Any object with ``get_params``. It is not changed.
    name : str
        Name of the parameter; nested names are joined by ``__``.
    replacements : mapping of str to sequence
        The values that the search lists for each parameter. If the search replaces
        ``"clf"``, the owner of ``"clf__C"`` is one of the listed estimators.

    Returns
    -------
    Legal
        The declaration of the first owner that has one. If there are several
        owners, the ranges are narrowed to the ranges that all of them accept.
    """
    *path, leaf = name.split("__")
    declared = []
    for owner in _find_owners(estimator, path, replacements):
        found = _declared_by(owner, leaf)
        if found is not None:
            declared.append(found)
    if not declared:
        return Legal()
    first, *others = declared
    for other in others:
        first = Legal(
            declared=True,
            integers=_intersect_all(first.integers, other.integers),
            reals=_intersect_all(first.reals, other.reals),
            fractions=_intersect_all(first.fractions, other.fractions),
            array_like=first.array_like and other.array_like,
            constraints=first.constraints,
            known=first.known and other.known,
            sentinels=tuple({*first.sentinels, *other.sentinels}),
        )
    return first


def _declared_by(owner: Any, parameter: str) -> Legal | None:
    """Return the legal values of one owner's parameter, None if nothing is known."""
    # Asked of the class, since an object may answer every attribute.
    declared = getattr(type(owner), "_parameter_constraints", None)
    constraints = declared.get(parameter) if isinstance(declared, dict) else None
    if constraints is not None and constraints != "no_validation":
        return _parse_constraints(constraints)
    known = known_range(owner, parameter)
    return None if known is None else _from_known(known)


def _from_known(known: KnownRange) -> Legal:
    limits = (known.limits.because(KNOWN),)
    return Legal(
        declared=True,
        integers=limits if known.integer else (),
        reals=() if known.integer else limits,
        array_like=False,
        known=True,
        sentinels=known.sentinels,
    )


def _find_owners(
    estimator: Any, path: list[str], replacements: Mapping[str, Sequence[Any]]
) -> list[Any]:
    """Return the objects that may own the parameter below `path`."""
    for depth in range(len(path), 0, -1):
        listed = replacements.get("__".join(path[:depth]))
        if listed is not None:
            found = [_get_nested(value, path[depth:]) for value in listed]
            return [owner for owner in found if owner is not None]
    owner = _get_nested(estimator, path)
    return [] if owner is None else [owner]


def _get_nested(owner: Any, path: list[str]) -> Any:
    """Return the nested parameter at `path`, or None if there is none."""
    if not path:
        return owner
    if not hasattr(owner, "get_params") or isinstance(owner, type):
        return None
    return owner.get_params(deep=True).get("__".join(path))


def _parse_constraints(constraints: Sequence[Any]) -> Legal:
    """Read scikit-learn's ``_parameter_constraints`` of one parameter."""
    ranges: dict[Any, list[Limits]] = {Integral: [], Real: [], RealNotInt: []}
    array_like = False
    for constraint in constraints:
        inner = getattr(constraint, "constraint", constraint)  # unwraps Hidden
        if isinstance(inner, Interval):
            ranges[inner.type].append(
                Limits(
                    -math.inf if inner.left is None else float(inner.left),
                    math.inf if inner.right is None else float(inner.right),
                    inner.closed in ("left", "both"),
                    inner.closed in ("right", "both"),
                ).because(DECLARED)
            )
        elif inner in (Integral, int):
            ranges[Integral].append(Limits().because(DECLARED))
        elif inner in (Real, float):
            ranges[Real].append(Limits().because(DECLARED))
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


def _intersect_all(
    first: Sequence[Limits], second: Sequence[Limits]
) -> tuple[Limits, ...]:
    """Return all intersections of two ranges that are not empty."""
    both = [a.intersect(b) for a in first for b in second]
    return tuple(r for r in both if r.low < r.high)
