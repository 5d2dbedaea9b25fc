"""Distributions and lists, read as axes from 0 to 1 in quantile space."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from sklearn_refine.space._axes import is_number, layer_widths, to_python, value_key
from sklearn_refine.space._distributions import layer_sizes, log_randint

#: Quantiles are kept this far inside (0, 1), where a distribution without bounds is
#: finite.
MARGIN = 1e-9
#: The same for discrete distributions without an end, since scipy looks for their
#: quantiles step by step.
DISCRETE_MARGIN = 1e-4
#: Where it would take more steps than this, and variance sets no limit to them, values
#: are drawn as they come.
MOST_STEPS = 100_000


class ListAxis:
    """A list: only its values are ever tried.

    Numbers lie in their order, so that near ones are close in quantile space; a
    list that holds anything else has no order. Ranges and arrays of numbers stay what
    they are, since they may be long.
    """

    n_dims = 1
    bounded = True

    def __init__(self, listed: Collection[Any]) -> None:
        numbers = _sorted_numbers(listed)
        self.ordered = numbers is not None or all(map(is_number, listed))
        self.values: Any = numbers
        self._places: dict[Any, int] = {}
        self._first: Sequence[int] = range(len(listed))
        if numbers is None:
            self.values = sorted(listed) if self.ordered else list(listed)
            for place, value in enumerate(self.values):
                self._places.setdefault(value_key(value), place)
            self._first = list(self._places.values())
        elif not isinstance(numbers, range) and (numbers[1:] == numbers[:-1]).any():
            self._first = np.unique(numbers, return_index=True)[1].tolist()

    @property
    def identity(self) -> Any:
        """What is equal for lists of equal values, if both are of one kind."""
        if isinstance(self.values, np.ndarray):
            return (self.values.dtype.str, self.values.tobytes())
        if isinstance(self.values, range):
            return self.values
        return tuple(map(value_key, self.values))

    @property
    def n_different(self) -> int:
        """How many of the values differ from each other."""
        return len(self._first)

    def decode(self, units: np.ndarray) -> list[Any]:
        """Return the values at points of the unit interval, an (n, 1) array."""
        last = len(self.values) - 1
        places = np.minimum(units[:, 0] * len(self.values), last).astype(int)
        return [self.values[place] for place in places.tolist()]

    def encode(self, value: Any) -> np.ndarray:
        """Return the middle of the interval that stands for `value`."""
        return np.array([(self.place(value) + 0.5) / len(self.values)])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the points of several values, (n_values, 1)."""
        return np.array([self.encode(value) for value in values]).reshape(-1, 1)

    def different(self, index: int) -> Any:
        """Return one of the values that differ from each other, by its index."""
        return self.values[self._first[index]]

    def place(self, value: Any) -> int:
        """Return the index of the first of the values that equals `value`."""
        if isinstance(self.values, range):
            return self.values.index(int(value))
        if isinstance(self.values, np.ndarray):
            return int(np.searchsorted(self.values, value))
        return self._places[value_key(value)]


class QuantileAxis:
    """A distribution with ``ppf`` and ``cdf``: its own quantiles are the axis."""

    n_dims = 1
    ordered = True

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution
        self.bounded = _is_bounded(distribution)
        self._margin = MARGIN
        self._kind: type[int] | type[float] = float
        # A discrete one has no other value nearer than a step; with the shift, rounding
        # does not decide on which side of a value its cdf is asked for.
        self._step = self._shift = 0.0
        #: Its values, where scipy was given them one by one.
        self._points: list[Any] = []
        if _is_discrete(distribution):
            if _is_endless(distribution):
                self._margin = DISCRETE_MARGIN
            points = _points(distribution)
            if (points % 1 == 0).all():
                self._kind, self._step = int, 1.0
            else:
                self._step = float(np.diff(points).min(initial=1.0))
                self._shift = self._step / 2
            # There and back, which leaves out those that have no share.
            self._points = sorted(set(self.decode(self.encode_all(points.tolist()))))

    @property
    def n_different(self) -> float:
        """How many values there are; infinite if they are continuous."""
        if not self._step or self._points:
            return len(self._points) or math.inf
        first, last = self.distribution.ppf([self._margin, 1 - self._margin])
        finite = np.isfinite([first, last]).all()
        return int(last) - int(first) + 1 if finite else math.inf

    def different(self, index: int) -> Any:
        """Return one of the values of a discrete distribution, by its index."""
        if self._points:
            return self._points[index]
        # There and back, since an int between two others need not have a share.
        value = int(self.distribution.ppf(self._margin)) + index
        return self.decode(self.encode_all([value]))[0]

    def decode(self, units: np.ndarray) -> list[Any]:
        """Return the values at quantiles, an (n, 1) array."""
        inside = np.clip(units[:, 0], self._margin, 1 - self._margin)
        values = self.distribution.ppf(inside)
        return [self._kind(value) for value in values]

    def encode(self, value: Any) -> np.ndarray:
        """Return the quantile of `value`; the middle of its step if discrete."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the quantiles of several values, (n_values, 1)."""
        numbers = np.asarray(values, dtype=np.float64)
        q = self.distribution.cdf(numbers + self._shift)
        if self._step:
            q = (q + self.distribution.cdf(numbers + self._shift - self._step)) / 2
        return np.asarray(np.clip(q, 0.0, 1.0)).reshape(-1, 1)


class LayersQuantileAxis:
    """:class:`layer_sizes`: one coordinate for the depth, one for each width."""

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
        self.n_different = sum(
            self._width.n_different**depth for depth in range(low, high + 1)
        )

    def different(self, index: int) -> tuple[int, ...]:
        """Return one of all layer sizes, by its index."""
        n, (depth, _) = int(self._width.n_different), self.distribution.depth
        while index >= n**depth:
            index -= n**depth
            depth += 1
        return tuple(
            self._width.different(index // n**layer % n) for layer in range(depth)
        )

    def decode(self, units: np.ndarray) -> list[tuple[int, ...]]:
        """Return the layer sizes at points of the unit cube, an (n, n_dims) array."""
        depths = self._depth.decode(units[:, :1])
        widths = [self._width.decode(column[:, np.newaxis]) for column in units.T[1:]]
        return [
            layers[:depth]
            for layers, depth in zip(zip(*widths, strict=True), depths, strict=True)
        ]

    def encode(self, value: Sequence[int]) -> np.ndarray:
        """Return the point of the unit cube for layer sizes; 0.5 for absent layers."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Sequence[int]]) -> np.ndarray:
        """Return the points of several layer sizes, (n_values, n_dims)."""
        layers = [layer_widths(value) for value in values]
        units = np.full((len(layers), self.n_dims), 0.5)
        units[:, :1] = self._depth.encode_all([len(widths) for widths in layers])
        for layer in range(1, self.n_dims):
            rows = [row for row, widths in enumerate(layers) if len(widths) >= layer]
            at = [layers[row][layer - 1] for row in rows]
            units[rows, layer] = self._width.encode_all(at)[:, 0]
        return units


class SampledAxis:
    """An object with ``rvs`` only: its values are drawn, and have no geometry."""

    n_dims = 0
    n_different = math.inf

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution

    def draw(self, rng: np.random.RandomState) -> Any:
        """Draw a value."""
        return to_python(self.distribution.rvs(random_state=rng))


UnitAxis: TypeAlias = ListAxis | QuantileAxis | LayersQuantileAxis


@dataclass(frozen=True)
class DistributionSubspace:
    """The axes of one of the user's dicts, sorted by parameter name."""

    axes: Mapping[str, UnitAxis | SampledAxis]

    @property
    def n_dims(self) -> int:
        """Number of unit coordinates of all axes together."""
        return sum(axis.n_dims for axis in self.axes.values())

    @property
    def n_values(self) -> float:
        """Number of settings, infinite if that of the values of any axis is."""
        numbers = [axis.n_different for axis in self.axes.values()]
        return math.inf if math.inf in numbers else math.prod(numbers)

    def decode(
        self, units: np.ndarray, rng: np.random.RandomState
    ) -> list[dict[str, Any]]:
        """Return the parameters at points of the unit cube, an (n, n_dims) array.

        What has no coordinates is drawn with `rng`.
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

    def setting(self, index: int) -> dict[str, Any]:
        """Return one of the settings, where their number is finite, by its index."""
        found = {}
        for name, axis in reversed(list(self.axes.items())):
            assert not isinstance(axis, SampledAxis)
            index, place = divmod(index, int(axis.n_different))
            found[name] = axis.different(place)
        return {name: found[name] for name in self.axes}

    def encode(self, params: Mapping[str, Any]) -> np.ndarray:
        """Return the point of the unit cube that stands for `params`."""
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
        One mapping a subspace.

    Returns
    -------
    list of DistributionSubspace
        One a mapping, in order.

    Raises
    ------
    TypeError
        If a value is neither a list nor has ``rvs``.
    ValueError
        If a list is empty, or if a distribution lacks arguments or has invalid ones.
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
    # What has no order, such as a set, would not give the same draws again.
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
    """Return a range or an array of numbers, ascending; None for anything else."""
    numbers: range | np.ndarray
    if isinstance(listed, range):
        numbers = listed if listed.step > 0 else listed[::-1]
    elif (
        type(listed) is np.ndarray
        and listed.ndim == 1
        and listed.dtype.kind in "iuf"
        and listed.itemsize <= 8  # value_key tells longer ones apart by their type
    ):
        numbers = np.sort(listed, kind="stable")
    else:
        return None
    # NaN and infinity are sorted to the ends.
    return numbers if is_number(numbers[0]) and is_number(numbers[-1]) else None


def _quantile_axis(name: str, distribution: Any) -> QuantileAxis | SampledAxis:
    """Return the axis of a distribution that has quantiles, if they can be used.

    Raise for one that has no arguments, or invalid ones.
    """
    if getattr(distribution, "numargs", 0):
        raise ValueError(
            f"Parameter {name!r} in param_distributions is {distribution.name} of "
            f"scipy without its arguments; pass {distribution.name}"
            f"({distribution.shapes}) with numbers for them."
        )
    try:
        if _is_out_of_reach(distribution):
            return SampledAxis(distribution)
        # scipy takes any arguments, and returns NaN where they are invalid.
        if not np.isnan(distribution.ppf(np.array([0.25, 0.5]))).any():
            axis = QuantileAxis(distribution)
            axis.encode_all(axis.decode(np.array([[0.0], [0.5], [1.0]])))
            return axis
    except Exception:  # whatever it raises, it can still be drawn from
        return SampledAxis(distribution)
    try:
        distribution.rvs(random_state=0)
    except ValueError as error:
        raise ValueError(
            f"Parameter {name!r} in param_distributions cannot be drawn from: the "
            f"arguments of {_described(distribution)} are invalid. Correct them; most "
            "distributions need a scale that is not negative or a low below high, "
            "loguniform a low above 0."
        ) from error
    return SampledAxis(distribution)  # of a scale of 0: one value, without quantiles


def _is_out_of_reach(distribution: Any) -> bool:
    """Return whether scipy would look for quantiles in vain, or very far out."""
    if not (_is_endless(distribution) and _is_discrete(distribution)):
        return False
    if distribution.support()[0] == -math.inf:
        return True  # to scipy 1.17 at least, some of skellam's are an error
    is_far = bool(distribution.cdf(MOST_STEPS) < 1 - DISCRETE_MARGIN)
    return is_far and not math.isfinite(distribution.var())


def _described(distribution: Any) -> str:
    frozen = getattr(distribution, "dist", None)
    if frozen is None:
        return repr(distribution)
    given = [repr(value) for value in distribution.args]
    given += [f"{key}={value!r}" for key, value in distribution.kwds.items()]
    return f"{frozen.name}({', '.join(given)})"


def _is_discrete(distribution: Any) -> bool:
    if isinstance(distribution, log_randint):
        return True
    # scipy's frozen distributions carry the unfrozen one, a discrete one has a pmf.
    if hasattr(distribution, "dist") or hasattr(distribution, "pmf"):
        return hasattr(getattr(distribution, "dist", distribution), "pmf")
    return _gives_ints(distribution)


def _gives_ints(distribution: Any) -> bool:
    """Return whether a class of the user's is one of ints."""
    if np.asarray(distribution.ppf(np.array([0.25, 0.5]))).dtype.kind in "iu":
        return True
    try:
        drawn = distribution.rvs(random_state=np.random.RandomState(0))
    except Exception:  # its quantiles are all that is needed
        return False
    return isinstance(drawn, Integral) and not isinstance(drawn, bool)


def _points(distribution: Any) -> np.ndarray:
    """Return the values that scipy was given one by one, sorted; else none."""
    of_scipy = getattr(distribution, "dist", distribution)
    given = getattr(of_scipy, "xk", None)
    if given is None:
        return np.empty(0)
    points = np.unique(np.asarray(given, dtype=np.float64))
    return np.asarray(points - points[0] + distribution.support()[0])


def _is_bounded(distribution: Any) -> bool:
    """Return whether there is a smallest and a largest value."""
    support = getattr(distribution, "support", None)
    return callable(support) and bool(np.isfinite(support()).all())


def _is_endless(distribution: Any) -> bool:
    """Return whether a distribution says that it has no smallest or largest value."""
    support = getattr(distribution, "support", None)
    return callable(support) and bool(np.isinf(support()).any())
