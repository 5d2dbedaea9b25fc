"""Axes: how the values of one parameter lie beside each other.

A number lives on a :class:`Dimension`, where the smallest and the largest value
that the user listed are 0 and 1; later rounds may go below and beyond. An axis
owns the dimensions of its parameter: none for a choice, one for a number, one a
layer for layer sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, TypeGuard

import numpy as np

from sklearn_refine._sklearn_compat import clones_itself, kept_by_clone
from sklearn_refine.space._limits import LARGEST_INT, UNLIMITED, Limits

Scale: TypeAlias = Literal["linear", "log"]
#: The parameter's name and, for layer sizes, the depth and the layer.
Key: TypeAlias = tuple[Any, ...]

#: A linear number this small, as a part of the distance to its neighbour, is a zero
#: that rounding has missed.
ZERO = 1e-6


@dataclass(frozen=True)
class Dimension:
    """One number's geometry.

    Parameters
    ----------
    scale : {"linear", "log"}
        Whether equal steps are equal differences or equal ratios.
    integer : bool
        Whether the values are Python ints.
    low, high : float
        The values at coordinates 0 and 1.
    limits : Limits
        The legal range; :meth:`decode` never leaves it.
    """

    scale: Scale
    integer: bool
    low: float
    high: float
    limits: Limits = UNLIMITED

    @cached_property
    def _ends(self) -> tuple[float, float]:
        return self._transform(self.low), self._transform(self.high)

    @cached_property
    def _unit(self) -> float:
        # Linear values are divided by the largest, so that no difference overflows.
        return max(abs(self.low), abs(self.high)) or 1.0

    def _transform(self, value: float) -> float:
        return math.log10(value) if self.scale == "log" else value / self._unit

    @property
    def is_flat(self) -> bool:
        """Whether floating point cannot tell the two ends apart."""
        return not self._ends[0] < self._ends[1]

    @property
    def decade(self) -> float:
        """The coordinate length of a factor of ten; infinite on a linear scale."""
        if self.scale == "linear":
            return math.inf
        return 1 / (self._ends[1] - self._ends[0])

    @cached_property
    def span(self) -> tuple[float, float]:
        """The coordinates of the legal range's ends."""
        low, high = self.limits.low, self.limits.high
        if self.scale == "log" and low <= 0:
            return -math.inf, self.encode(high)
        return self.encode(low), self.encode(high)

    def encode(self, value: float) -> float:
        """Return the coordinate of `value`."""
        start, end = self._ends
        if math.isinf(value):
            return value
        return (self._transform(value) - start) / (end - start)

    def decode(self, coordinate: float, gap: float = 0.0) -> float:
        """Return the legal number at `coordinate`.

        Parameters
        ----------
        coordinate : float
            Where; clipped to the legal range.
        gap : float, default=0.0
            Distance to the nearest neighbour, in coordinates. The number is
            written with the fewest digits that keep it within 1 % of that.
        """
        value = self._invert(coordinate)
        if not self.integer:
            resolution = abs(self._invert(coordinate + gap) - value) if gap else 0.0
            if self.scale == "linear" and abs(value) < ZERO * resolution:
                value = 0.0
            return self._clip(_shortest(value, resolution, self.limits))
        return self._clip_integer(value)

    def _invert(self, coordinate: float) -> float:
        start, end = self._ends
        transformed = start + coordinate * (end - start)
        if self.scale == "linear":
            return transformed * self._unit
        return 10.0**transformed if transformed < 308.25 else math.inf

    def _clip(self, value: float) -> float:
        largest = np.finfo(np.float64).max
        smallest = np.finfo(np.float64).tiny if self.scale == "log" else -largest
        value = float(min(max(value, smallest), largest))
        if value in self.limits:
            return value
        low, high = self.limits.low, self.limits.high
        if value <= low:
            return low if self.limits.low_closed else math.nextafter(low, math.inf)
        return high if self.limits.high_closed else math.nextafter(high, -math.inf)

    def _clip_integer(self, value: float) -> int:
        lowest = max(
            self.limits.low, -LARGEST_INT, 1 if self.scale == "log" else -math.inf
        )
        highest = min(self.limits.high, LARGEST_INT)
        first = math.ceil(lowest)
        last = math.floor(highest)
        if first == lowest and first not in self.limits:
            first += 1
        if last == highest and last not in self.limits:
            last -= 1
        return int(min(max(round(min(max(value, lowest), highest)), first), last))


def _shortest(value: float, resolution: float, limits: Limits) -> float:
    """Return `value` with the fewest digits that keep it within 1 % of `resolution`.

    And within its limits, for an end that is not legal may have fewer.
    """
    if not (math.isfinite(value) and resolution > 0):
        return value
    for digits in range(1, 17):
        rounded = float(f"{value:.{digits}g}")
        if abs(rounded - value) <= 0.01 * resolution and rounded in limits:
            return rounded
    return value


class ChoiceAxis:
    """Values without geometry: never invented, only kept or dropped.

    Parameters
    ----------
    name : str
        The parameter.
    listed : sequence
        The user's values.
    """

    def __init__(self, name: str, listed: Sequence[Any]) -> None:
        self.name = name
        self.listed = tuple(listed)

    def dimension(self, key: Key) -> Dimension:
        """Return the dimension called `key`."""
        raise KeyError(key)

    def coordinates(self, value: Any) -> dict[Key, float]:
        """Return where `value` lies on each dimension it has."""
        return {}

    def is_inside(self, value: Any) -> bool:
        """Whether the numbers of `value` are within their limits."""
        return True

    def replace(self, value: Any, numbers: Mapping[Key, float]) -> Any:
        """Return `value` with the numbers at these dimensions put in."""
        return value

    def option(self, value: Any) -> Any:
        """Return what makes `value` another choice, rather than another number."""
        return value_key(value)


class NumberAxis(ChoiceAxis):
    """Numbers on one dimension; whatever else is listed is a choice beside them.

    So is a zero beside numbers on a logarithmic scale.

    Parameters
    ----------
    name : str
        The parameter.
    listed : sequence
        The user's values.
    dim : Dimension
        The geometry of the numbers.
    kinds : tuple of type
        The abstract number types that lie on the dimension.
    """

    def __init__(
        self, name: str, listed: Sequence[Any], dim: Dimension, kinds: tuple[type, ...]
    ) -> None:
        super().__init__(name, listed)
        self.dim = dim
        self.kinds = kinds

    def dimension(self, key: Key) -> Dimension:
        return self.dim

    def coordinates(self, value: Any) -> dict[Key, float]:
        if not (is_number(value) and isinstance(value, self.kinds)):
            return {}
        if self.dim.scale == "log" and value <= 0:
            return {}
        return {(self.name,): self.dim.encode(float(value))}

    def is_inside(self, value: Any) -> bool:
        return not self.coordinates(value) or float(value) in self.dim.limits

    def replace(self, value: Any, numbers: Mapping[Key, float]) -> Any:
        return numbers.get((self.name,), value)

    def option(self, value: Any) -> Any:
        return "number" if self.coordinates(value) else super().option(value)


class LayersAxis(ChoiceAxis):
    """Layer sizes: the depth is a choice, each width an integer.

    Parameters
    ----------
    name : str
        The parameter.
    listed : sequence of int, tuple of int or list of int
        The user's values.
    dims : mapping of Key to Dimension
        The geometry of each layer's width, at each listed depth.
    """

    def __init__(
        self, name: str, listed: Sequence[Any], dims: Mapping[Key, Dimension]
    ) -> None:
        super().__init__(name, listed)
        self.dims = dims

    def dimension(self, key: Key) -> Dimension:
        return self.dims[key]

    def coordinates(self, value: Any) -> dict[Key, float]:
        widths = layer_widths(value)
        keys = [(self.name, len(widths), layer) for layer in range(len(widths))]
        return {
            key: self.dims[key].encode(w) for key, w in zip(keys, widths, strict=True)
        }

    def is_inside(self, value: Any) -> bool:
        widths = layer_widths(value)
        keys = self.coordinates(value)
        return all(
            w in self.dims[key].limits for key, w in zip(keys, widths, strict=True)
        )

    def replace(self, value: Any, numbers: Mapping[Key, float]) -> Any:
        widths = layer_widths(value)
        depth = len(widths)
        new = [
            int(numbers.get((self.name, depth, layer), width))
            for layer, width in enumerate(widths)
        ]
        return new[0] if is_number(value) else type(value)(new)

    def option(self, value: Any) -> Any:
        return len(layer_widths(value))


Axis: TypeAlias = ChoiceAxis | NumberAxis | LayersAxis


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a finite int or float, and no bool or time."""
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return False
    if not isinstance(value, Real):
        return False
    if isinstance(value, Integral):
        return abs(int(value)) <= LARGEST_INT
    return math.isfinite(value)


def layer_widths(value: Any) -> list[int]:
    """Return the widths that a tuple, a list or a single int stands for."""
    return [int(value)] if is_number(value) else [int(width) for width in value]


def to_python(value: Any) -> Any:
    """Return `value` with numpy scalars, also inside tuples and lists, as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (tuple, list):
        return type(value)(to_python(item) for item in value)
    return value


def value_key(value: Any) -> Any:
    """Return a hashable that is equal for values which must give the same fit."""
    kind = type(value)
    if kind is float or kind is int or kind is str:  # most values, without a look-up
        return (kind.__name__, value if value == value else "nan")
    if isinstance(value, np.generic):
        plain = value.item()
        if not isinstance(plain, bool | str | bytes | int | float):
            return (type(value).__name__, repr(value))  # datetime64, longdouble, ...
        value = plain
    if value is None or isinstance(value, bool | str | bytes):
        return (type(value).__name__, value)
    if isinstance(value, Real):
        return (type(value).__name__, "nan" if math.isnan(value) else value)
    if type(value) in (tuple, list):
        return (type(value).__name__, tuple(value_key(item) for item in value))
    if isinstance(value, dict):
        return (
            "dict",
            frozenset((value_key(k), value_key(v)) for k, v in value.items()),
        )
    if isinstance(value, np.ndarray) and value.dtype != object:
        return ("ndarray", value.dtype.str, value.shape, value.tobytes())
    is_estimator = hasattr(value, "get_params") and not isinstance(value, type)
    if is_estimator and not clones_itself(value):
        held = {**value.get_params(deep=False), **kept_by_clone(value)}
        return (type(value), value_key(held))
    return _Identity(value)


class _Identity:
    """Equal for one object only, which it keeps, so that its id stays its own."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def candidate_key(params: Mapping[str, Any]) -> Any:
    """Return a hashable that is equal for candidates which must give the same fit."""
    return frozenset((name, value_key(value)) for name, value in params.items())
