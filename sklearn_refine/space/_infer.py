"""The user's lists, read as axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from sklearn_refine.space._axes import (
    Axis,
    ChoiceAxis,
    Dimension,
    Key,
    LayersAxis,
    NumberAxis,
    Scale,
    is_number,
    layer_widths,
    value_key,
)
from sklearn_refine.space._limits import Legal, Limits, legal_values

Bounds = tuple[float | None, float | None]

#: Two values alone are read as a logarithmic axis from this ratio on, and more that
#: double at each step.
DECADE = 10.0
#: Distances that differ less than by this factor are about even.
UNEVEN = 2.0
#: How far each ratio may be from the mean one, in the logarithm: 1-3-10 and
#: 1-2-5-10 are meant as logarithmic, 1-2-3-5 is not.
RATIO_TOLERANCE = 0.25


@dataclass(frozen=True)
class Subspace:
    """The axes of one of the user's dicts, sorted by parameter name."""

    axes: tuple[Axis, ...]

    def axis(self, name: str) -> Axis:
        """Return the axis of parameter `name`."""
        return next(axis for axis in self.axes if axis.name == name)


def grid_space(
    estimator: Any,
    param_grid: Sequence[Mapping[str, Sequence[Any]]],
    scales: Mapping[str, str] | None = None,
    bounds: Mapping[str, Bounds] | None = None,
) -> list[Subspace]:
    """Read lists of values as axes.

    Parameters
    ----------
    estimator : estimator
        Asked for the legal range of each parameter; never changed.
    param_grid : sequence of mappings of str to sequence
        One mapping a subspace.
    scales : mapping of str to {"linear", "log", "choice"}, optional
        Overrides of the inferred scale.
    bounds : mapping of str to (low, high), optional
        Closed ranges for what later rounds may propose; None leaves a side open.

    Returns
    -------
    list of Subspace
        One a mapping, in order.

    Raises
    ------
    ValueError
        If `scales` or `bounds` name no parameter, fit its values in none of the
        mappings, or if a listed value is NaN where the estimator declares what is
        legal, and not NaN.
    """
    scales, bounds = scales or {}, bounds or {}
    bounds = {
        name: pair.tolist() if isinstance(pair, np.ndarray) else pair
        for name, pair in bounds.items()
    }
    _check_names(param_grid, scales, bounds)
    subspaces = [
        Subspace(
            tuple(
                infer_axis(
                    name,
                    list(listed),
                    legal_values(estimator, name, grid),
                    scales.get(name),
                    bounds.get(name),
                )
                for name, listed in sorted(grid.items())
            )
        )
        for grid in param_grid
    ]
    _check_fit(subspaces, scales, bounds)
    return subspaces


def _check_names(
    param_grid: Sequence[Mapping[str, Any]],
    scales: Mapping[str, str],
    bounds: Mapping[str, Bounds],
) -> None:
    known = sorted({name for grid in param_grid for name in grid})
    for what, given in (("scales", scales), ("bounds", bounds)):
        for name in given:
            if name not in known:
                raise ValueError(
                    f"{what} names the parameter {name!r}, which is not in "
                    f"param_grid; it may name: {known}."
                )
    for name, scale in scales.items():
        if scale not in ("linear", "log", "choice"):
            raise ValueError(
                f"scales[{name!r}]={scale!r} is unknown; "
                "use 'linear', 'log' or 'choice'."
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


def infer_axis(
    name: str,
    listed: list[Any],
    legal: Legal,
    scale: str | None = None,
    bounds: Bounds | None = None,
) -> Axis:
    """Read one parameter's list of values as an axis.

    Parameters
    ----------
    name : str
        The parameter.
    listed : list
        The user's values, at least one.
    legal : Legal
        What the estimator declares.
    scale : {"linear", "log", "choice"}, optional
        Override of the inferred scale.
    bounds : tuple of (low, high), optional
        Closed range for new values.
    """
    if _has_illegal_nan(listed, legal):
        if legal.declared:
            raise ValueError(
                f"The values of parameter {name!r} hold NaN: {listed!r}. "
                "NaN has no place on an axis; remove it from the list."
            )
        if scale is None and bounds is None:
            scale = "choice"  # beside NaN, a number such as -999 has a meaning, too
    if name.split("__")[-1] == "random_state":
        # A seed has no neighbours: a better one is luck, never a better model.
        return ChoiceAxis(name, listed)
    if _are_layers(name, listed, legal):
        return _layers_axis(name, listed, legal, scale, bounds)
    return _number_axis(name, listed, legal, scale, bounds)


def _has_illegal_nan(listed: list[Any], legal: Legal) -> bool:
    return any(
        isinstance(value, float | np.floating)
        and np.isnan(value)
        and not legal.accepts(value)
        for value in listed
    )


def _check_fit(
    subspaces: Sequence[Subspace],
    scales: Mapping[str, str],
    bounds: Mapping[str, Bounds],
) -> None:
    """Refuse a scale or a bound that fits the values of no subspace.

    One that fits those of some is without effect where there are no numbers.
    """
    for name, scale in scales.items():
        listed, numbers = _listed_in_any(name, subspaces)
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
        listed, numbers = _listed_in_any(name, subspaces)
        if not numbers:
            raise ValueError(
                f"bounds[{name!r}]={pair!r}, but {name!r} lists no numbers: "
                f"{listed!r}. Remove the bound."
            )
        if not any(number in _closed(pair) for number in numbers):
            raise ValueError(
                f"bounds[{name!r}]={pair!r} excludes every value listed for {name!r}: "
                f"{listed!r}. Widen the bound, or list values inside it."
            )


def _listed_in_any(
    name: str, subspaces: Sequence[Subspace]
) -> tuple[list[Any], list[float]]:
    """Return all values of a parameter, and the numbers or widths among them."""
    axes = [axis for s in subspaces for axis in s.axes if axis.name == name]
    listed = [value for axis in axes for value in axis.listed]
    numbers: list[float] = []
    for axis in axes:
        for value in axis.listed:
            if isinstance(axis, LayersAxis):
                numbers += layer_widths(value)
            elif is_number(value):
                numbers.append(value)
    return listed, numbers


def _closed(bounds: Bounds | None) -> Limits:
    low, high = bounds or (None, None)
    return Limits(
        -math.inf if low is None else float(low),
        math.inf if high is None else float(high),
        low is not None,
        high is not None,
    )


def _are_layers(name: str, listed: list[Any], legal: Legal) -> bool:
    """Whether the values are sequences of layer widths.

    A declared parameter must be called so and accept any array-like, for pairs of
    ints also stand for ranges (``ngram_range=(1, 2)``).
    """
    sequences = [v for v in listed if type(v) in (tuple, list)]
    if not sequences:
        return False
    for value in listed:
        widths = value if type(value) in (tuple, list) else [value]
        if not widths or not all(
            is_number(w) and isinstance(w, Integral) and int(w) >= 1 for w in widths
        ):
            return False
    leaf = name.split("__")[-1]
    called_layers = any(word in leaf for word in ("layer", "hidden", "units"))
    return not legal.declared or (legal.array_like and called_layers)


def _layers_axis(
    name: str,
    listed: list[Any],
    legal: Legal,
    scale: str | None,
    bounds: Bounds | None,
) -> Axis:
    if scale == "choice" or _n_unique(listed) == 1:
        return ChoiceAxis(name, listed)
    limits = Limits(1, math.inf, True, False).intersect(_closed(bounds))
    geometry: Scale = "linear" if scale == "linear" else "log"
    dims: dict[Key, Dimension] = {}
    for depth in {len(layer_widths(value)) for value in listed}:
        at_depth = [w for w in map(layer_widths, listed) if len(w) == depth]
        for layer in range(depth):
            widths = [widths[layer] for widths in at_depth]
            low, high = min(widths), max(widths)
            # A width listed once has no spacing of its own: an octave serves.
            dims[name, depth, layer] = Dimension(
                geometry, True, low, high if high > low else 2 * low, limits
            )
    return LayersAxis(name, listed, dims)


def _number_axis(
    name: str,
    listed: list[Any],
    legal: Legal,
    scale: str | None,
    bounds: Bounds | None,
) -> Axis:
    choice = ChoiceAxis(name, listed)
    numbers = [value for value in listed if is_number(value)]
    integer, kinds, numbers = _kind(numbers, legal)
    if scale is None:
        scale = _scale_of(numbers, integer=integer)
    if scale == "log":
        if min(numbers, default=0) < 0:
            raise ValueError(
                f"scales[{name!r}]='log' needs positive numbers, got {listed!r}; "
                "use 'linear' or 'choice', or list positive values."
            )
        numbers = [number for number in numbers if number > 0]  # zero is a choice
    limits = legal.range_of(numbers, integer=integer)
    if scale == "choice" or limits is None or len(set(numbers)) < 2:
        return choice
    limits = limits.intersect(_closed(bounds))
    if not limits.low < limits.high:
        return choice
    low, high = float(min(numbers)), float(max(numbers))
    geometry: Scale = "log" if scale == "log" else "linear"
    dim = Dimension(geometry, integer, low, high, limits)
    return choice if dim.is_flat else NumberAxis(name, listed, dim, kinds)


def _kind(numbers: list[Any], legal: Legal) -> tuple[bool, tuple[type, ...], list[Any]]:
    """Say whether the axis is integer, and which of the numbers lie on it."""
    ints = [value for value in numbers if isinstance(value, Integral)]
    floats = [value for value in numbers if not isinstance(value, Integral)]
    if legal.declared and ints and floats and (legal.integers and legal.fractions):
        # An int and a float mean different things here (max_features=1 and 1.0):
        # the more numerous kind is the axis, the other one a choice beside it.
        ints, floats = (ints, []) if len(ints) > len(floats) else ([], floats)
    if ints and not floats:
        only_real = legal.declared and not any(
            int(value) in limits for value in ints for limits in legal.integers
        )
        if only_real and legal.reals:
            return False, (Real,), ints
        return True, (Integral,), ints
    if ints:
        return False, (Real,), ints + floats
    return False, (np.floating, float), floats


def _scale_of(numbers: Sequence[float], *, integer: bool) -> Scale:
    """Return the scale that numbers are meant on.

    Real numbers that span two decades or more may have a zero beside them.
    """
    if not integer and numbers and min(numbers) == 0:
        numbers = [number for number in numbers if number > 0]
        if not numbers or max(numbers) < 100 * (1 - 1e-12) * min(numbers):
            return "linear"
    return "log" if len(set(numbers)) > 1 and is_log(numbers) else "linear"


def is_log(numbers: Iterable[float]) -> bool:
    """Whether a list of numbers is meant as a logarithmic axis.

    Never where a number is zero or negative, or where three or more are evenly
    spaced. Otherwise if they span two decades or more, have a constant ratio, at least
    double at each step over a decade or more, like 1-5-10-50 (but not at about even
    distances, as in 1-5-10), or are two that differ by a factor of ten or more.
    """
    values = np.unique([float(number) for number in numbers])
    if values[0] <= 0:
        return False
    ratios = np.diff(np.log10(values))
    decade = math.log10(DECADE) - 1e-12
    if len(values) == 2:
        return bool(ratios[0] >= decade)
    distances = np.diff(values / values[-1])
    if np.allclose(distances, distances.mean(), rtol=1e-3, atol=0):
        return False
    if ratios.sum() >= 2 - 1e-12:
        return True
    doubles = ratios.min() >= math.log10(2) - 1e-12
    uneven = distances.max() >= UNEVEN * distances.min()
    if ratios.sum() >= decade and doubles and uneven:
        return True
    return bool(np.all(np.abs(ratios / ratios.mean() - 1) <= RATIO_TOLERANCE))


def _n_unique(listed: list[Any]) -> int:
    return len({value_key(value) for value in listed})
