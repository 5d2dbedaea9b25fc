"""Continuous distributions, and objects with ``rvs`` only, read as axes.

A search may evaluate a distribution about as often as RandomizedSearchCV draws from it,
which is `n_iter` times, unless it is known to be fast. The limit is a number of calls
and not a time, so that a search tries the same candidates on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.space._axes import to_python
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._support import (
    MARGIN,
    has_fast_quantiles,
    is_bounded,
    is_scipy_class,
)

#: Number of values that scipy draws at once, where drawing is fast.
N_DRAWN = 1000


@dataclass(frozen=True)
class Quantile:
    """A value that is not computed yet, at one quantile of a distribution."""

    unit: float


class QuantileAxis:
    """A distribution whose quantiles are the coordinates.

    `decode` returns `Quantile` objects, which a proposer can encode like values. Only
    `compute` evaluates the distribution, for the candidates that are run. The axis
    remembers the quantiles of computed values, so that encoding them costs nothing.

    Parameters
    ----------
    distribution : object
        A distribution with ``ppf`` and ``cdf``.
    margin : float
        Quantiles are kept this far inside (0, 1).
    kind : int or float
        Type of the values.
    """

    n_dims = 1
    ordered = True
    n_distinct = math.inf

    def __init__(
        self, distribution: Any, margin: float, kind: type[int] | type[float] = float
    ) -> None:
        self.distribution = distribution
        # With a wide margin, the first and last quantile are not the ends.
        self.bounded = margin <= MARGIN and is_bounded(distribution)
        self._margin = margin
        self._kind = kind
        self._value_by_unit: dict[float, Any] = {}
        self._unit_by_value: dict[Any, float] = {}
        units = np.array([margin, 0.5, 1 - margin])
        values = np.asarray(distribution.ppf(units), dtype=np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"{distribution!r} has no finite quantiles")
        for unit, value in zip(units.tolist(), values.tolist(), strict=True):
            self._store(unit, kind(value))

    def decode(self, units: np.ndarray) -> list[Any]:
        """Return the values at `units`, an (n, 1) array, without computing new ones."""
        inside = np.clip(units[:, 0], self._margin, 1 - self._margin).tolist()
        return [self._value_by_unit.get(unit, Quantile(unit)) for unit in inside]

    def compute(self, quantile: Quantile) -> Any:
        """Return the value at a quantile."""
        value = self._kind(self.distribution.ppf(np.array([quantile.unit]))[0])
        self._store(quantile.unit, value)
        return value

    def _store(self, unit: float, value: Any) -> None:
        self._value_by_unit[unit] = value
        self._unit_by_value.setdefault(value, unit)

    def shown_values(self, units: np.ndarray) -> list[Any]:
        """Return the values at `units`, an (n, 1) array, to show them.

        If quantiles may be slow, they are interpolated between the computed values.
        """
        if has_fast_quantiles(self.distribution):
            inside = np.clip(units[:, 0], self._margin, 1 - self._margin)
            return list(self.distribution.ppf(inside).tolist())
        x, y = np.array(sorted(self._value_by_unit.items()), dtype=np.float64).T
        values = np.interp(units[:, 0], x, y)
        return [self._kind(value) for value in values.tolist()]

    def encode(self, value: Any) -> np.ndarray:
        """Return the quantile of `value`."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the quantiles of several values, shape (n_values, 1)."""
        return np.array([self._unit_of(value) for value in values]).reshape(-1, 1)

    def _unit_of(self, value: Any) -> float:
        if isinstance(value, Quantile):
            return value.unit
        if value not in self._unit_by_value:
            self._unit_by_value[value] = float(self.distribution.cdf(value))
        return self._unit_by_value[value]


class SampledAxis:
    """An object with ``rvs`` only. Its values are sampled and have no coordinate.

    Parameters
    ----------
    distribution : object
        An object with ``rvs``.
    n_iter : int
        Number of candidates of the search. After twice as many draws, `draw` returns
        earlier values again, unless a new one is asked for.
    """

    n_dims = 0
    n_distinct = math.inf

    def __init__(self, distribution: Any, n_iter: int) -> None:
        self.distribution = distribution
        self._n_new = 2 * n_iter
        self._drawn: list[Any] = []

    def draw(self, rng: np.random.RandomState, *, new: bool = False) -> Any:
        """Draw a value."""
        if len(self._drawn) >= self._n_new and not new:
            return self._drawn[rng.randint(len(self._drawn))]
        self._drawn.append(to_python(self.distribution.rvs(random_state=rng)))
        return self._drawn[-1]


class DrawnAxis(ListAxis):
    """A distribution that is drawn from once. Only the drawn values are candidates.

    The seed is fixed, so that equal distributions have equal values.

    Parameters
    ----------
    distribution : object
        A distribution of numbers with ``rvs``.
    n_iter : int
        Number of candidates of the search.
    """

    bounded = False

    def __init__(self, distribution: Any, n_iter: int) -> None:
        rng = np.random.RandomState(0)
        if is_scipy_class(distribution):
            drawn = distribution.rvs(size=N_DRAWN, random_state=rng)
        else:
            drawn = [distribution.rvs(random_state=rng) for _ in range(2 * n_iter)]
        if not np.isfinite(drawn).all():
            raise ValueError(f"{distribution!r} draws values that are not finite")
        super().__init__(np.asarray(drawn).tolist())
