"""Lists and distributions, read as axes from 0 to 1 in quantile space.

A change to the coordinates or to the order of random draws changes the candidates
of every random search.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from sklearn_refine.space._axes import is_number, layer_widths, to_python, value_key
from sklearn_refine.space._distributions import layer_sizes, log_randint
from sklearn_refine.space._support import (
    DISCRETE_MARGIN,
    describe,
    has_unreachable_quantiles,
    is_bounded,
    is_discrete,
    is_unbounded,
    support_points,
)

#: Quantiles are kept this far inside (0, 1), where unbounded distributions are finite.
MARGIN = 1e-9


class ListAxis:
    """A list. Only its values are candidates.

    Numbers are sorted, so that near numbers are close in quantile space. A list with
    any other value has no order. Ranges and arrays of numbers are not converted to
    lists, because they may be long.
    """

    n_dims = 1
    bounded = True

    def __init__(self, listed: Collection[Any]) -> None:
        numbers = _sorted_numbers(listed)
        self.ordered = numbers is not None or all(map(is_number, listed))
        self.values: Any = numbers
        self._index_by_key: dict[Any, int] = {}
        self._first_indices: Sequence[int] = range(len(listed))
        if numbers is None:
            self.values = sorted(listed) if self.ordered else list(listed)
            for place, value in enumerate(self.values):
                self._index_by_key.setdefault(value_key(value), place)
            self._first_indices = list(self._index_by_key.values())
        elif not isinstance(numbers, range) and (numbers[1:] == numbers[:-1]).any():
            self._first_indices = np.unique(numbers, return_index=True)[1].tolist()

    @property
    def identity(self) -> Any:
        """A hashable that is equal for lists of the same type with equal values."""
        if isinstance(self.values, np.ndarray):
            return (self.values.dtype.str, self.values.tobytes())
        if isinstance(self.values, range):
            return self.values
        return tuple(map(value_key, self.values))

    @property
    def n_distinct(self) -> int:
        """Number of distinct values."""
        return len(self._first_indices)

    def decode(self, units: np.ndarray) -> list[Any]:
        """Return the values at `units`, an (n, 1) array of points in [0, 1]."""
        last = len(self.values) - 1
        places = np.minimum(units[:, 0] * len(self.values), last).astype(int)
        return [self.values[place] for place in places.tolist()]

    def encode(self, value: Any) -> np.ndarray:
        """Return the middle of the interval of `value`."""
        return np.array([(self.index_of(value) + 0.5) / len(self.values)])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the points of several values, shape (n_values, 1)."""
        return np.array([self.encode(value) for value in values]).reshape(-1, 1)

    def distinct_value(self, index: int) -> Any:
        """Return the distinct value at `index`."""
        return self.values[self._first_indices[index]]

    def index_of(self, value: Any) -> int:
        """Return the index of the first value that equals `value`."""
        if isinstance(self.values, range):
            return self.values.index(int(value))
        if isinstance(self.values, np.ndarray):
            return int(np.searchsorted(self.values, value))
        return self._index_by_key[value_key(value)]


class QuantileAxis:
    """A distribution with ``ppf`` and ``cdf``. Its quantiles are the coordinates."""

    n_dims = 1
    ordered = True

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution
        self.bounded = is_bounded(distribution)
        self._margin = MARGIN
        self._kind: type[int] | type[float] = float
        # The step is the smallest distance of two discrete values. The cdf is
        # evaluated at a shifted value, so that rounding cannot move it past a value.
        self._step = self._shift = 0.0
        #: The values of a scipy distribution that was given them one by one.
        self._points: list[Any] = []
        if is_discrete(distribution):
            if is_unbounded(distribution):
                self._margin = DISCRETE_MARGIN
            points = support_points(distribution)
            if (points % 1 == 0).all():
                self._kind, self._step = int, 1.0
            else:
                self._step = float(np.diff(points).min(initial=1.0))
                self._shift = self._step / 2
            # Encoding and decoding removes values of probability zero.
            self._points = sorted(set(self.decode(self.encode_all(points.tolist()))))

    @property
    def n_distinct(self) -> float:
        """Number of distinct values; infinite if they are continuous."""
        if not self._step or self._points:
            return len(self._points) or math.inf
        first, last = self.distribution.ppf([self._margin, 1 - self._margin])
        finite = np.isfinite([first, last]).all()
        return int(last) - int(first) + 1 if finite else math.inf

    def distinct_value(self, index: int) -> Any:
        """Return the value at `index` of a discrete distribution."""
        if self._points:
            return self._points[index]
        # Encoding and decoding replaces an int of probability zero.
        value = int(self.distribution.ppf(self._margin)) + index
        return self.decode(self.encode_all([value]))[0]

    def decode(self, units: np.ndarray) -> list[Any]:
        """Return the values at `units`, an (n, 1) array of quantiles."""
        inside = np.clip(units[:, 0], self._margin, 1 - self._margin)
        values = self.distribution.ppf(inside)
        return [self._kind(value) for value in values]

    def encode(self, value: Any) -> np.ndarray:
        """Return the quantile of `value`, or the middle of its step in the cdf."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the quantiles of several values, shape (n_values, 1)."""
        numbers = np.asarray(values, dtype=np.float64)
        q = self.distribution.cdf(numbers + self._shift)
        if self._step:
            q = (q + self.distribution.cdf(numbers + self._shift - self._step)) / 2
        return np.asarray(np.clip(q, 0.0, 1.0)).reshape(-1, 1)


class LayersQuantileAxis:
    """A :class:`layer_sizes`: one coordinate for the depth, one for each width."""

    ordered = True
    bounded = True

    def __init__(self, distribution: layer_sizes) -> None:
        self.distribution = distribution
        low, high = distribution.depth
        self._depth = ListAxis(range(low, high + 1))
        self._width = QuantileAxis(
            log_randint(distribution.width[0], distribution.width[1] + 1)
        )
        self.n_dims = 1 + high
        self.n_distinct = sum(
            self._width.n_distinct**depth for depth in range(low, high + 1)
        )

    def distinct_value(self, index: int) -> tuple[int, ...]:
        """Return the layer sizes at `index`, out of all layer sizes."""
        n, (depth, _) = int(self._width.n_distinct), self.distribution.depth
        while index >= n**depth:
            index -= n**depth
            depth += 1
        return tuple(
            self._width.distinct_value(index // n**layer % n) for layer in range(depth)
        )

    def decode(self, units: np.ndarray) -> list[tuple[int, ...]]:
        """Return the layer sizes at `units`, (n, n_dims) points of the unit cube."""
        depths = self._depth.decode(units[:, :1])
        widths = [self._width.decode(column[:, np.newaxis]) for column in units.T[1:]]
        return [
            layers[:depth]
            for layers, depth in zip(zip(*widths, strict=True), depths, strict=True)
        ]

    def encode(self, value: Sequence[int]) -> np.ndarray:
        """Return the point of layer sizes, with 0.5 for absent layers."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the points of several layer sizes, shape (n_values, n_dims)."""
        layers = [layer_widths(value) for value in values]
        units = np.full((len(layers), self.n_dims), 0.5)
        units[:, :1] = self._depth.encode_all([len(widths) for widths in layers])
        for layer in range(1, self.n_dims):
            rows = [row for row, widths in enumerate(layers) if len(widths) >= layer]
            widths = [layers[row][layer - 1] for row in rows]
            units[rows, layer] = self._width.encode_all(widths)[:, 0]
        return units


class SampledAxis:
    """An object with ``rvs`` only. Its values are sampled and have no coordinate."""

    n_dims = 0
    n_distinct = math.inf

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution

    def draw(self, rng: np.random.RandomState) -> Any:
        """Draw a value."""
        return to_python(self.distribution.rvs(random_state=rng))


UnitAxis: TypeAlias = ListAxis | QuantileAxis | LayersQuantileAxis


@dataclass(frozen=True)
class DistributionSubspace:
    """The axes of one dict of `param_distributions`, sorted by parameter name."""

    axes: Mapping[str, UnitAxis | SampledAxis]

    @property
    def n_dims(self) -> int:
        """Total number of coordinates of all axes."""
        return sum(axis.n_dims for axis in self.axes.values())

    @property
    def n_values(self) -> float:
        """Number of distinct candidates; infinite if an axis has infinite values."""
        numbers = [axis.n_distinct for axis in self.axes.values()]
        return math.inf if math.inf in numbers else math.prod(numbers)

    def decode(
        self, units: np.ndarray, rng: np.random.RandomState
    ) -> list[dict[str, Any]]:
        """Return the parameters at `units`, (n, n_dims) points of the unit cube.

        Values of axes without coordinates are drawn with `rng`.
        """
        columns = []
        start = 0
        for axis in self.axes.values():
            if isinstance(axis, SampledAxis):
                columns.append([axis.draw(rng) for _ in units])
            else:
                columns.append(axis.decode(units[:, start : start + axis.n_dims]))
            start += axis.n_dims
        return [
            {name: column[row] for name, column in zip(self.axes, columns, strict=True)}
            for row in range(len(units))
        ]

    def params_at(self, index: int) -> dict[str, Any]:
        """Return the parameters at `index`, out of finitely many candidates."""
        params = {}
        for name, axis in reversed(list(self.axes.items())):
            assert not isinstance(axis, SampledAxis)
            index, place = divmod(index, int(axis.n_distinct))
            params[name] = axis.distinct_value(place)
        return {name: params[name] for name in self.axes}

    def encode(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return the point of `params` in the unit cube."""
        parts = [
            axis.encode(params[name])
            for name, axis in self.axes.items()
            if not isinstance(axis, SampledAxis)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


def distribution_space(
    param_distributions: Sequence[Mapping[str, Any]],
) -> list[DistributionSubspace]:
    """Read lists and distributions as axes in quantile space.

    Parameters
    ----------
    param_distributions : sequence of mappings of str to list or distribution
        One mapping per subspace.

    Returns
    -------
    list of DistributionSubspace
        One subspace per mapping, in the same order.

    Raises
    ------
    TypeError
        If a value is neither a list nor has ``rvs``.
    ValueError
        If a list is empty, or if the arguments of a distribution are missing or
        invalid.
    """
    return [
        DistributionSubspace(
            {name: _unit_axis(name, given) for name, given in sorted(part.items())}
        )
        for part in param_distributions
    ]


def _unit_axis(name: str, given: Any) -> UnitAxis | SampledAxis:
    if isinstance(given, layer_sizes):
        return LayersQuantileAxis(given)
    if hasattr(given, "rvs"):
        if not (hasattr(given, "ppf") and hasattr(given, "cdf")):
            return SampledAxis(given)
        return _quantile_axis(name, given)
    # Sets are refused: their order, and so the draws, would not be reproducible.
    no_list = isinstance(given, str | Mapping) or not hasattr(given, "__getitem__")
    if no_list or not isinstance(given, Collection | np.ndarray):
        raise TypeError(
            f"Parameter {name!r} in param_distributions is neither a list nor a "
            f"distribution with an rvs method, got: {given!r} of type "
            f"{type(given).__name__}. Put the values, or a single one, into a list."
        )
    if len(given) == 0:
        raise ValueError(
            f"Parameter {name!r} in param_distributions is an empty list; list at "
            "least one value, or remove the parameter."
        )
    return ListAxis(given)


def _sorted_numbers(listed: Any) -> range | np.ndarray | None:
    """Return a range or an array of numbers in ascending order, otherwise None."""
    numbers: range | np.ndarray
    if isinstance(listed, range):
        numbers = listed if listed.step > 0 else listed[::-1]
    elif (
        type(listed) is np.ndarray
        and listed.ndim == 1
        and listed.dtype.kind in "iuf"
        and listed.itemsize <= 8  # value_key distinguishes longer floats by type
    ):
        numbers = np.sort(listed, kind="stable")
    else:
        return None
    # Sorting moves NaN and infinity to the ends.
    return numbers if is_number(numbers[0]) and is_number(numbers[-1]) else None


def _quantile_axis(name: str, distribution: Any) -> QuantileAxis | SampledAxis:
    """Return a quantile axis if the quantiles are usable, otherwise a sampled axis.

    Raise if the arguments of the distribution are missing or invalid.
    """
    if getattr(distribution, "numargs", 0):
        raise ValueError(
            f"Parameter {name!r} in param_distributions is {distribution.name} of "
            f"scipy without its arguments; pass {distribution.name}"
            f"({distribution.shapes}) with numbers for them."
        )
    try:
        if has_unreachable_quantiles(distribution):
            return SampledAxis(distribution)
        # scipy accepts invalid arguments and then returns NaN.
        if not np.isnan(distribution.ppf(np.array([0.25, 0.5]))).any():
            axis = QuantileAxis(distribution)
            axis.encode_all(axis.decode(np.array([[0.0], [0.5], [1.0]])))
            return axis
    except Exception:  # rvs may still work
        return SampledAxis(distribution)
    try:
        distribution.rvs(random_state=0)
    except ValueError as error:
        raise ValueError(
            f"Parameter {name!r} in param_distributions cannot be drawn from: the "
            f"arguments of {describe(distribution)} are invalid. Correct them; most "
            "distributions need a scale that is not negative or a low below high, "
            "loguniform a low above 0."
        ) from error
    return SampledAxis(distribution)  # scale=0: one value, quantiles are NaN
