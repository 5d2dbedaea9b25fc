"""Axes inferred from the lists of values in a parameter grid.

A change to a rule in this module changes the candidates of later rounds.
"""

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
from sklearn_refine.space._legal import Legal, legal_values
from sklearn_refine.space._limits import (
    DECLARED,
    Limits,
    are_indices,
    sentinels_of_list,
)
from sklearn_refine.space._overrides import (
    Bounds,
    are_layers,
    check_overrides,
    check_overrides_apply,
    closed_limits,
)

#: The smallest ratio of largest to smallest value at which two values, or more values
#: that at least double at each step, are a logarithmic axis.
DECADE = 10.0
#: Distances are about even if they differ by less than this factor.
UNEVEN_FACTOR = 2.0
#: Largest relative difference of a log ratio from the mean log ratio on a logarithmic
#: axis: 1-3-10 and 1-2-5-10 are logarithmic, 1-2-3-5 is not.
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
        Declares the legal range of each parameter. It is not changed.
    param_grid : sequence of mappings of str to sequence
        One mapping per subspace.
    scales : mapping of str to {"linear", "log", "layers", "choice"}, optional
        Overrides of the inferred scales.
    bounds : mapping of str to (low, high), optional
        Closed ranges for the values of later rounds; None means no bound.

    Returns
    -------
    list of Subspace
        One subspace per mapping, in the same order.

    Raises
    ------
    ValueError
        If `scales` or `bounds` names an unknown parameter or fits the values of no
        mapping, or if a listed value is NaN although the estimator declares its
        legal values and NaN is not among them.
    """
    scales, bounds = scales or {}, bounds or {}
    bounds = {
        name: pair.tolist() if isinstance(pair, np.ndarray) else pair
        for name, pair in bounds.items()
    }
    check_overrides(param_grid, scales, bounds)
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
    check_overrides_apply([s.axes for s in subspaces], scales, bounds)
    return subspaces


def infer_axis(
    name: str,
    listed: list[Any],
    legal: Legal,
    scale: str | None = None,
    bounds: Bounds | None = None,
) -> Axis:
    """Read the listed values of one parameter as an axis.

    Parameters
    ----------
    name : str
        The parameter.
    listed : list
        The user's values, at least one.
    legal : Legal
        The legal values that the estimator declares.
    scale : {"linear", "log", "layers", "choice"}, optional
        Override of the inferred scale.
    bounds : tuple of (low, high), optional
        Closed range for new values.

    Raises
    ------
    ValueError
        If the list holds an illegal NaN, or negative numbers on a log scale.
    """
    if _has_illegal_nan(listed, legal):
        if legal.declared:
            raise ValueError(
                f"The values of parameter {name!r} hold NaN: {listed!r}. "
                "NaN has no place on an axis; remove it from the list."
            )
        if scale is None and bounds is None:
            scale = "choice"  # NaN is a missing value, and -999 may be one too
    if name.split("__")[-1] == "random_state":
        # Neighbouring seeds are unrelated, so a seed is a choice.
        return ChoiceAxis(name, listed)
    if are_layers(listed) and (scale == "layers" or _holds_layers(name, legal)):
        return _layers_axis(name, listed, scale, bounds)
    if scale == "layers":  # of another dict that lists this parameter
        return ChoiceAxis(name, listed)
    return _number_axis(name, listed, legal, scale, bounds)


def _has_illegal_nan(listed: list[Any], legal: Legal) -> bool:
    return any(
        isinstance(value, float | np.floating)
        and np.isnan(value)
        and not legal.accepts(value)
        for value in listed
    )


def _holds_layers(name: str, legal: Legal) -> bool:
    """Whether a parameter is known to hold the sizes of layers.

    A pair of ints can also be a range, as in ``ngram_range=(1, 2)``, or columns, lags
    and orders. Therefore the name must say so, and a declaration must allow it.
    """
    leaf = name.split("__")[-1]
    called_layers = any(word in leaf for word in ("layer", "hidden", "units"))
    return called_layers and (not legal.declared or legal.array_like)


def _layers_axis(
    name: str, listed: list[Any], scale: str | None, bounds: Bounds | None
) -> Axis:
    if scale == "choice" or len(set(map(value_key, listed))) == 1:
        return ChoiceAxis(name, listed)
    at_least_one = Limits(1, math.inf, True, False).because(DECLARED)
    limits = at_least_one.intersect(closed_limits(bounds))
    geometry: Scale = "linear" if scale == "linear" else "log"
    dims: dict[Key, Dimension] = {}
    for depth in {len(layer_widths(value)) for value in listed}:
        at_depth = [w for w in map(layer_widths, listed) if len(w) == depth]
        for layer in range(depth):
            widths = [widths[layer] for widths in at_depth]
            low, high = min(widths), max(widths)
            # A single width has no spacing, so the spacing is a factor of two.
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
    """Return an axis for the numbers, or a choice axis if none can be refined."""
    choice = ChoiceAxis(name, listed)
    numbers = [value for value in listed if is_number(value)]
    sentinels = legal.sentinels
    if not legal.declared and scale is None and are_indices(numbers):
        return choice
    if legal.known or (not legal.declared and scale is None):
        read = sentinels_of_list(numbers)
        sentinels += tuple(value for value in read if not legal.holds(value))
    numbers = [number for number in numbers if number not in sentinels]
    integer, kinds, numbers = _select_numbers(numbers, legal)
    if scale is None:
        scale = _infer_scale(numbers, integer=integer)
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
    if legal.declared and not legal.known:
        limits = limits.intersect(closed_limits(bounds))
    else:
        limits = limits.override(closed_limits(bounds))
    if not limits.low < limits.high:
        return choice
    low, high = float(min(numbers)), float(max(numbers))
    geometry: Scale = "log" if scale == "log" else "linear"
    dim = Dimension(geometry, integer, low, high, limits)
    if dim.is_flat:
        return choice
    return NumberAxis(name, listed, dim, kinds, sentinels)


def _select_numbers(
    numbers: list[Any], legal: Legal
) -> tuple[bool, tuple[type, ...], list[Any]]:
    """Return whether the axis is integer, its number types and its numbers."""
    ints = [value for value in numbers if isinstance(value, Integral)]
    floats = [value for value in numbers if not isinstance(value, Integral)]
    if legal.declared and ints and floats and (legal.integers and legal.fractions):
        # An int and a float mean different things here (max_features=1 and 1.0).
        # The more numerous type is refined; values of the other type are choices.
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


def _infer_scale(numbers: Sequence[float], *, integer: bool) -> Scale:
    """Infer the scale of numbers. Beside real numbers, zero does not count."""
    if not integer:
        numbers = [number for number in numbers if number != 0]
    return "log" if len(set(numbers)) > 1 and is_log(numbers) else "linear"


def is_log(numbers: Iterable[float]) -> bool:
    """Whether a list of numbers is a logarithmic axis.

    Numbers are linear if one of them is zero or negative, or if three or more are
    evenly spaced. Two other numbers are logarithmic if their ratio is 10 or more.
    Three or more other numbers are logarithmic in any of these cases:

    - they span two decades or more;
    - their ratios are about constant;
    - they span a decade or more and at least double at each step, as in 1-5-10-50,
      unless their distances are about even, as in 1-5-10.
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
    uneven = distances.max() >= UNEVEN_FACTOR * distances.min()
    if ratios.sum() >= decade and doubles and uneven:
        return True
    return bool(np.all(np.abs(ratios / ratios.mean() - 1) <= RATIO_TOLERANCE))
