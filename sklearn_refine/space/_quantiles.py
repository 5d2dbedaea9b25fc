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

from sklearn_refine.space._axes import layer_widths
from sklearn_refine.space._continuous_axes import (
    DrawnAxis,
    Quantile,
    QuantileAxis,
    SampledAxis,
)
from sklearn_refine.space._discrete_axes import (
    MAX_TABLE,
    DiscreteAxis,
    TableAxis,
    tabulate_pmf,
)
from sklearn_refine.space._distributions import layer_sizes, log_randint
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._random_variables import RandomVariable, as_distribution
from sklearn_refine.space._support import (
    DISCRETE_MARGIN,
    MARGIN,
    describe,
    has_fast_quantiles,
    has_unreachable_quantiles,
    is_discrete,
    is_unbounded,
    overrides,
    support_points,
)

#: Margin of quantiles that are roots of the cdf, because tails are hard to find.
ROOT_MARGIN = 1e-3
#: Most values that are tabulated although quantiles are fast. A look into a table takes
#: less time than a call of scipy.
SMALL_TABLE = 4096


class LayersQuantileAxis:
    """A :class:`layer_sizes`: one coordinate for the depth, one for each width."""

    ordered = True
    bounded = True

    def __init__(self, distribution: layer_sizes) -> None:
        self.distribution = distribution
        low, high = distribution.depth
        self._depth = ListAxis(range(low, high + 1))
        self._width = DiscreteAxis(
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


UnitAxis: TypeAlias = (
    ListAxis | QuantileAxis | DiscreteAxis | TableAxis | LayersQuantileAxis
)


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
        self, units: np.ndarray, rng: np.random.RandomState, *, new: bool = False
    ) -> list[dict[str, Any]]:
        """Return the parameters at `units`, (n, n_dims) points of the unit cube.

        Values of axes without coordinates are drawn with `rng`. Continuous values are
        not computed yet.
        """
        columns = []
        start = 0
        for axis in self.axes.values():
            if isinstance(axis, SampledAxis):
                columns.append([axis.draw(rng, new=new) for _ in units])
            else:
                columns.append(axis.decode(units[:, start : start + axis.n_dims]))
            start += axis.n_dims
        return [
            {name: column[row] for name, column in zip(self.axes, columns, strict=True)}
            for row in range(len(units))
        ]

    def compute(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return `params` with the values of quantiles that are not computed yet."""
        computed = dict(params)
        for name, axis in self.axes.items():
            if isinstance(params[name], Quantile):
                assert isinstance(axis, QuantileAxis)
                computed[name] = axis.compute(params[name])
        return computed

    def params_at(self, index: int) -> dict[str, Any]:
        """Return the parameters at `index`, out of finitely many candidates."""
        params = {}
        for name, axis in reversed(list(self.axes.items())):
            assert not isinstance(axis, SampledAxis | QuantileAxis)
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


def shown_values(axis: UnitAxis, units: np.ndarray) -> list[Any]:
    """Return the values at `units` to show; slow quantiles are approximate."""
    if isinstance(axis, QuantileAxis):
        return axis.shown_values(units)
    return axis.decode(units)


def distribution_space(
    param_distributions: Sequence[Mapping[str, Any]], n_iter: int = 10
) -> list[DistributionSubspace]:
    """Read lists and distributions as axes in quantile space.

    Parameters
    ----------
    param_distributions : sequence of mappings of str to list or distribution
        One mapping per subspace.
    n_iter : int, default=10
        Number of candidates of the search. A slow distribution is evaluated about as
        often.

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
            {
                name: _unit_axis(name, as_distribution(given), n_iter)
                for name, given in sorted(part.items())
            }
        )
        for part in param_distributions
    ]


def _unit_axis(name: str, given: Any, n_iter: int) -> UnitAxis | SampledAxis:
    if isinstance(given, layer_sizes):
        return LayersQuantileAxis(given)
    if hasattr(given, "rvs") and not isinstance(given, type):
        if not (hasattr(given, "ppf") and hasattr(given, "cdf")):
            return SampledAxis(given, n_iter)
        return _distribution_axis(name, given, n_iter)
    # Sets are refused: their order, and so the draws, would not be reproducible.
    if isinstance(given, type):
        raise TypeError(
            f"Parameter {name!r} in param_distributions is the class "
            f"{given.__name__}. Pass an instance, such as {given.__name__}(...), or "
            "a list of values."
        )
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


def _distribution_axis(
    name: str, distribution: Any, n_iter: int
) -> UnitAxis | SampledAxis:
    """Return an axis with coordinates if possible, otherwise a sampled axis.

    Raise if the arguments of the distribution are missing or invalid.
    """
    if getattr(distribution, "numargs", 0):
        raise ValueError(
            f"Parameter {name!r} in param_distributions is {distribution.name} of "
            f"scipy without its arguments; pass {distribution.name}"
            f"({distribution.shapes}) with numbers for them."
        )
    if isinstance(distribution, RandomVariable):
        _check_variable(name, distribution)
    sampled = SampledAxis(distribution, n_iter)
    try:
        if has_unreachable_quantiles(distribution):
            return sampled
        # scipy accepts invalid arguments and then returns NaN.
        if not _is_invalid(distribution):
            return _coordinate_axis(distribution, n_iter)
    except Exception:  # rvs may still work
        return sampled
    try:
        distribution.rvs(random_state=np.random.RandomState(0))
    except ValueError as error:
        raise _invalid_arguments(name, distribution) from error
    return sampled  # scale=0: one value, quantiles are NaN


def _is_invalid(distribution: Any) -> bool:
    if has_fast_quantiles(distribution):
        return bool(np.isnan(distribution.ppf(np.array([0.25, 0.5]))).any())
    support = getattr(distribution, "support", None)
    return callable(support) and bool(np.isnan(support()).any())


def _coordinate_axis(distribution: Any, n_iter: int) -> UnitAxis:
    """Return the axis of a distribution, which decides how often it is evaluated.

    The decision reads which methods a class has. A measured time would make the
    candidates depend on the machine.
    """
    if is_discrete(distribution):
        return _discrete_axis(distribution, n_iter)
    if isinstance(distribution, RandomVariable):
        own_quantiles = distribution.has_formula
        own_draws = True
    else:
        own_quantiles = overrides(distribution, "_ppf")
        own_draws = overrides(distribution, "_rvs")
    if own_draws and not own_quantiles:
        return DrawnAxis(distribution, n_iter)
    return QuantileAxis(distribution, MARGIN if own_quantiles else ROOT_MARGIN)


def _discrete_axis(distribution: Any, n_iter: int) -> UnitAxis:
    if len(support_points(distribution)):
        return DiscreteAxis(distribution)
    if has_fast_quantiles(distribution):
        margin = DISCRETE_MARGIN if is_unbounded(distribution) else MARGIN
        low, high = distribution.ppf([margin, 1 - margin])
        if high - low >= SMALL_TABLE:
            return DiscreteAxis(distribution)
        values = np.arange(int(low), int(high) + 1)
        return TableAxis(distribution, values, distribution.cdf(values))
    if hasattr(distribution, "pmf") and hasattr(distribution, "support"):
        if is_unbounded(distribution) or np.ptp(distribution.support()) < MAX_TABLE:
            return TableAxis(distribution, *tabulate_pmf(distribution))
        if overrides(distribution, "_rvs") and not overrides(distribution, "_ppf"):
            return DrawnAxis(distribution, n_iter)
        return QuantileAxis(distribution, ROOT_MARGIN, int)
    axis = QuantileAxis(distribution, MARGIN, int)
    low, high = axis.shown_values(np.array([[0.0], [1.0]]))
    if high - low >= 2 * n_iter:
        return axis
    values = np.arange(low, high + 1)
    return TableAxis(distribution, values, np.asarray(distribution.cdf(values)))


def _check_variable(name: str, distribution: RandomVariable) -> None:
    """Raise if a random variable is an array of them, or has invalid parameters."""
    ends = distribution.support()
    if np.ndim(ends) > 1:
        raise ValueError(
            f"Parameter {name!r} in param_distributions is {distribution!r}, which is "
            "an array of distributions; give it numbers as parameters, not arrays."
        )
    if np.isnan(ends).any():
        raise _invalid_arguments(name, distribution)


def _invalid_arguments(name: str, distribution: Any) -> ValueError:
    return ValueError(
        f"Parameter {name!r} in param_distributions cannot be drawn from: the "
        f"arguments of {describe(distribution)} are invalid. Correct them; most "
        "distributions need a scale that is not negative or a low below high, "
        "loguniform a low above 0."
    )
