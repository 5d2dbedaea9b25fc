"""Checks of `scales` and `bounds`, the user's overrides of inferred axes.

All checks run before the first fit. Each error names the parameter and a remedy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

from sklearn_refine.space._axes import Axis, LayersAxis, is_number, layer_widths
from sklearn_refine.space._limits import BOUNDS, Limits

#: A lower and an upper bound; None where there is no bound.
Bounds: TypeAlias = tuple[float | None, float | None]


def check_overrides(
    param_grid: Sequence[Mapping[str, Any]],
    scales: Mapping[str, str],
    bounds: Mapping[str, Bounds],
) -> None:
    """Raise for an unknown parameter, an unknown scale or an invalid bound."""
    known = sorted({name for grid in param_grid for name in grid})
    for override, given in (("scales", scales), ("bounds", bounds)):
        for name in given:
            if name not in known:
                raise ValueError(
                    f"{override} names the parameter {name!r}, which is not in "
                    f"param_grid; it may name: {known}."
                )
    for name, scale in scales.items():
        if scale not in ("linear", "log", "layers", "choice"):
            raise ValueError(
                f"scales[{name!r}]={scale!r} is unknown; "
                "use 'linear', 'log', 'layers' or 'choice'."
            )
    for name, pair in bounds.items():
        _check_bounds(name, pair)


def _check_bounds(name: str, pair: Any) -> None:
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise ValueError(
            f"bounds[{name!r}]={pair!r} is not a pair; give (low, high), "
            "with None for a side without a bound."
        )
    for end in pair:
        if end is not None and (
            isinstance(end, bool) or not isinstance(end, Real) or math.isnan(end)
        ):
            raise ValueError(
                f"bounds[{name!r}]={pair!r} holds {end!r}, which is not a number; "
                "give (low, high), with None for a side without a bound."
            )
    low, high = pair
    if low is not None and high is not None and low > high:
        raise ValueError(
            f"bounds[{name!r}]={pair!r}: the lower bound is above the upper one; "
            f"did you mean ({high!r}, {low!r})?"
        )


def check_overrides_apply(
    subspaces: Sequence[Sequence[Axis]],
    scales: Mapping[str, str],
    bounds: Mapping[str, Bounds],
) -> None:
    """Raise if a scale or a bound fits the values of no subspace.

    An override that fits some subspaces has no effect on the other subspaces.
    """
    for name, scale in scales.items():
        listed, numbers = _collect_values(name, subspaces)
        if scale == "layers":
            lists = [a.listed for axes in subspaces for a in axes if a.name == name]
            if not any(map(are_layers, lists)):
                raise ValueError(
                    f"scales[{name!r}]='layers' needs tuples or lists of positive "
                    f"ints, got {listed!r}; use 'choice', or list layer sizes."
                )
            continue
        if scale == "log":
            numbers = [number for number in numbers if number > 0]
        if scale != "choice" and not numbers:
            needed, use = (
                ("positive numbers", "'linear' or 'choice', or list positive values")
                if scale == "log"
                else ("numbers", "'choice'")
            )
            raise ValueError(
                f"scales[{name!r}]={scale!r} needs {needed}, got {listed!r}; use {use}."
            )
    for name, pair in bounds.items():
        if scales.get(name) == "choice":
            continue
        listed, numbers = _collect_values(name, subspaces)
        if not numbers:
            raise ValueError(
                f"bounds[{name!r}]={pair!r}, but {name!r} lists no numbers: "
                f"{listed!r}. Remove the bound."
            )
        if not any(number in closed_limits(pair) for number in numbers):
            raise ValueError(
                f"bounds[{name!r}]={pair!r} excludes every value listed for {name!r}: "
                f"{listed!r}. Widen the bound, or list values inside it."
            )


def _collect_values(
    name: str, subspaces: Sequence[Sequence[Axis]]
) -> tuple[list[Any], list[float]]:
    """Return all listed values of a parameter, and all numbers or widths in them."""
    axes = [axis for axes in subspaces for axis in axes if axis.name == name]
    listed = [value for axis in axes for value in axis.listed]
    numbers: list[float] = []
    for axis in axes:
        for value in axis.listed:
            if isinstance(axis, LayersAxis):
                numbers += layer_widths(value)
            elif is_number(value):
                numbers.append(value)
    return listed, numbers


def are_layers(listed: Iterable[Any]) -> bool:
    """Whether the values can be layer sizes, with a tuple or list among them."""
    listed = list(listed)
    for value in listed:
        widths = value if type(value) in (tuple, list) else [value]
        if not widths or not all(
            is_number(w) and isinstance(w, Integral) and int(w) >= 1 for w in widths
        ):
            return False
    return any(type(value) in (tuple, list) for value in listed)


def closed_limits(bounds: Bounds | None) -> Limits:
    """Return bounds as a closed range, without a limit where there is no bound."""
    low, high = bounds or (None, None)
    return Limits(
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
        low is not None,
        high is not None,
    ).because(BOUNDS)
