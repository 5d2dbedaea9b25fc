"""Axes: the coordinates of the values of one parameter.

A :class:`Dimension` maps the smallest and the largest listed number to 0 and 1.
Later rounds may propose coordinates outside [0, 1]. An axis has no dimension for a
choice, one dimension for a number, and one dimension per layer for layer sizes.
A change to `Dimension` or to :func:`value_key` changes candidates and journals.
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
#: The name of a parameter; for layer sizes also the depth and the layer.
Key: TypeAlias = tuple[Any, ...]

#: A linear number smaller than this fraction of the distance to its neighbour is
#: treated as zero, because rounding errors would hide an exact zero.
ZERO_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Dimension:
    """The mapping between the values of one number and their coordinates.

    Parameters
    ----------
    scale : {"linear", "log"}
        Equal steps are equal differences ("linear") or equal ratios ("log").
    integer : bool
        Whether :meth:`decode` returns Python ints.
    low, high : float
        The values at coordinates 0 and 1.
    limits : Limits
        The legal range. :meth:`decode` never leaves it.
    """

    scale: Scale
    integer: bool
    low: float
    high: float
    limits: Limits = UNLIMITED

    @cached_property
    def _transformed_ends(self) -> tuple[float, float]:
        return self._transform(self.low), self._transform(self.high)

    @cached_property
    def _divisor(self) -> float:
        # Linear values are divided by the largest, so differences cannot overflow.
        return max(abs(self.low), abs(self.high)) or 1.0

    def _transform(self, value: float) -> float:
        return math.log10(value) if self.scale == "log" else value / self._divisor

    @property
    def is_flat(self) -> bool:
        """Whether `low` and `high` are equal in floating point."""
        return not self._transformed_ends[0] < self._transformed_ends[1]

    @property
    def decade(self) -> float:
        """The length of a factor of ten in coordinates; inf on a linear scale."""
        if self.scale == "linear":
            return math.inf
        return 1 / (self._transformed_ends[1] - self._transformed_ends[0])

    @cached_property
    def span(self) -> tuple[float, float]:
        """The coordinates of the two ends of the legal range."""
        low, high = self.limits.low, self.limits.high
        if self.scale == "log" and low <= 0:
            return -math.inf, self.encode(high)
        return self.encode(low), self.encode(high)

    def encode(self, value: float) -> float:
        """Return the coordinate of `value`."""
        start, end = self._transformed_ends
        if math.isinf(value):
            return value
        return (self._transform(value) - start) / (end - start)

    def decode(self, coordinate: float, gap: float = 0.0) -> float:
        """Return the legal number at `coordinate`.

        Parameters
        ----------
        coordinate : float
            The coordinate; clipped to the legal range.
        gap : float, default=0.0
            Distance to the nearest neighbour, in coordinates. The number has the
            fewest digits that keep the rounding error within 1 % of this distance.
        """
        value = self._invert(coordinate)
        if not self.integer:
            resolution = abs(self._invert(coordinate + gap) - value) if gap else 0.0
            if self.scale == "linear" and abs(value) < ZERO_TOLERANCE * resolution:
                value = 0.0
            return self._clip(_round_to_few_digits(value, resolution, self.limits))
        return self._clip_integer(value)

    def _invert(self, coordinate: float) -> float:
        start, end = self._transformed_ends
        transformed = start + coordinate * (end - start)
        if self.scale == "linear":
            return transformed * self._divisor
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


def _round_to_few_digits(value: float, resolution: float, limits: Limits) -> float:
    """Round `value` to the fewest digits, with an error within 1 % of `resolution`.

    The rounded number also lies within `limits`. An open end of the limits can have
    fewer digits than the value, so the error alone does not ensure this.
    """
    if not (math.isfinite(value) and resolution > 0):
        return value
    for digits in range(1, 17):
        rounded = float(f"{value:.{digits}g}")
        if abs(rounded - value) <= 0.01 * resolution and rounded in limits:
            return rounded
    return value


class ChoiceAxis:
    """Values without coordinates. Later rounds keep or drop them, but add none.

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

    def numbers(self, value: Any) -> dict[Key, float]:
        """Return the number that `value` has on each of its dimensions."""
        return {}

    def coordinates(self, value: Any) -> dict[Key, float]:
        """Return the coordinate of `value` on each of its dimensions."""
        numbers = self.numbers(value)
        return {key: self.dimension(key).encode(n) for key, n in numbers.items()}

    def is_inside(self, value: Any) -> bool:
        """Whether all numbers in `value` are within their limits."""
        numbers = self.numbers(value)
        return all(n in self.dimension(key).limits for key, n in numbers.items())

    def replace(self, value: Any, numbers: Mapping[Key, float]) -> Any:
        """Return `value` with new numbers on the given dimensions."""
        return value

    def option(self, value: Any) -> Any:
        """Return a hashable that is equal for values that differ only in numbers."""
        return value_key(value)


class NumberAxis(ChoiceAxis):
    """Numbers on one dimension. Any other listed value is a choice.

    On a logarithmic scale, zero is a choice too. So are numbers with a meaning of
    their own, such as -1 for "no limit".

    Parameters
    ----------
    name : str
        The parameter.
    listed : sequence
        The user's values.
    dim : Dimension
        The dimension of the numbers.
    kinds : tuple of type
        The number types that have a coordinate on the dimension.
    sentinels : tuple of int or float, default=()
        The numbers that are choices.
    """

    def __init__(
        self,
        name: str,
        listed: Sequence[Any],
        dim: Dimension,
        kinds: tuple[type, ...],
        sentinels: tuple[int | float, ...] = (),
    ) -> None:
        super().__init__(name, listed)
        self.dim = dim
        self.kinds = kinds
        self.sentinels = sentinels

    def dimension(self, key: Key) -> Dimension:
        return self.dim

    def numbers(self, value: Any) -> dict[Key, float]:
        if not (is_number(value) and isinstance(value, self.kinds)):
            return {}
        if value in self.sentinels or (self.dim.scale == "log" and value <= 0):
            return {}
        return {(self.name,): float(value)}

    def replace(self, value: Any, numbers: Mapping[Key, float]) -> Any:
        return numbers.get((self.name,), value)

    def option(self, value: Any) -> Any:
        return "number" if self.numbers(value) else super().option(value)


class LayersAxis(ChoiceAxis):
    """Layer sizes: the depth is a choice, and each width is an integer.

    Parameters
    ----------
    name : str
        The parameter.
    listed : sequence of int, tuple of int or list of int
        The user's values.
    dims : mapping of Key to Dimension
        The dimension of the width of each layer, at each listed depth.
    """

    def __init__(
        self, name: str, listed: Sequence[Any], dims: Mapping[Key, Dimension]
    ) -> None:
        super().__init__(name, listed)
        self.dims = dims

    def dimension(self, key: Key) -> Dimension:
        return self.dims[key]

    def numbers(self, value: Any) -> dict[Key, float]:
        widths = layer_widths(value)
        return {(self.name, len(widths), layer): w for layer, w in enumerate(widths)}

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
    """Whether `value` is a finite int or float, but not a bool or a timedelta."""
    if isinstance(value, bool | np.bool_ | np.timedelta64):
        return False
    if not isinstance(value, Real):
        return False
    if isinstance(value, Integral):
        return abs(int(value)) <= LARGEST_INT
    return math.isfinite(value)


def layer_widths(value: Any) -> list[int]:
    """Return the list of widths in a tuple, a list or a single int."""
    return [int(value)] if is_number(value) else [int(width) for width in value]


def to_python(value: Any) -> Any:
    """Return a value with all numpy scalars replaced by Python's, also in containers.

    A tuple, list or dict without any is returned as it is.
    """
    if isinstance(value, np.generic):
        plain = value.item()
        # Some kinds, such as longdouble, are their own item.
        if isinstance(plain, np.complexfloating):
            return complex(plain)
        return float(plain) if isinstance(plain, np.floating) else plain
    if type(value) in (tuple, list):
        items = [to_python(item) for item in value]
        same = all(a is b for a, b in zip(items, value, strict=True))
        return value if same else type(value)(items)
    if type(value) is dict:
        pairs = [(to_python(k), to_python(v)) for k, v in value.items()]
        same = all(
            k is a and v is b
            for (k, v), (a, b) in zip(pairs, value.items(), strict=True)
        )
        return value if same else dict(pairs)
    return value


def value_key(value: Any) -> Any:
    """Return a hashable that is equal for values that must give the same fit."""
    kind = type(value)
    if kind is float or kind is int or kind is str:  # fast path for most values
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
    if type(value) is dict:
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
    return _IdentityKey(value)


class _IdentityKey:
    """A key that equals only keys of the same object.

    The key holds a reference to the object, so that Python cannot reuse its id.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _IdentityKey) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def candidate_key(params: Mapping[str, Any]) -> Any:
    """Return a hashable that is equal for candidates which must give the same fit."""
    return frozenset((name, value_key(value)) for name, value in params.items())
