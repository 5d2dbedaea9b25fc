"""Discrete distributions, read as axes from 0 to 1 in quantile space.

A change to the coordinates changes the candidates of every random search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_refine.space._support import (
    DISCRETE_MARGIN,
    MARGIN,
    is_bounded,
    is_unbounded,
    support_points,
)

#: Most values whose probabilities are tabulated.
MAX_TABLE = 2**16


class DiscreteAxis:
    """A discrete distribution with ``cdf`` and a fast ``ppf``.

    Its quantiles are the coordinates.
    """

    n_dims = 1
    ordered = True

    def __init__(self, distribution: Any) -> None:
        self.distribution = distribution
        self.bounded = is_bounded(distribution)
        self._margin = DISCRETE_MARGIN if is_unbounded(distribution) else MARGIN
        self._kind: type[int] | type[float] = float
        # The step is the smallest distance of two values. The cdf is evaluated at a
        # shifted value, so that rounding cannot move it past a value.
        points = support_points(distribution)
        if (points % 1 == 0).all():
            self._kind, self._step, self._shift = int, 1.0, 0.0
        else:
            self._step = float(np.diff(points).min(initial=1.0))
            self._shift = self._step / 2
        #: The values of a scipy distribution that was given them one by one.
        #: Encoding and decoding removes values of probability zero.
        self._points = sorted(set(self.decode(self.encode_all(points.tolist()))))

    @property
    def n_distinct(self) -> float:
        """Number of distinct values."""
        if self._points:
            return len(self._points)
        first, last = self.distribution.ppf([self._margin, 1 - self._margin])
        finite = np.isfinite([first, last]).all()
        return int(last) - int(first) + 1 if finite else math.inf

    def distinct_value(self, index: int) -> Any:
        """Return the value at `index`."""
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
        """Return the middle of the step of `value` in the cdf."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the middles of several values, shape (n_values, 1)."""
        numbers = np.asarray(values, dtype=np.float64)
        q = self.distribution.cdf(numbers + self._shift)
        q = (q + self.distribution.cdf(numbers + self._shift - self._step)) / 2
        return np.asarray(np.clip(q, 0.0, 1.0)).reshape(-1, 1)


class TableAxis:
    """A discrete distribution over ints, with a table of its cdf.

    Parameters
    ----------
    distribution : object
        A distribution.
    values : ndarray of int
        Values in ascending order, without gaps in the support.
    below : ndarray of float
        The cdf at the values.
    """

    n_dims = 1
    ordered = True

    def __init__(
        self, distribution: Any, values: np.ndarray, below: np.ndarray
    ) -> None:
        self.distribution = distribution
        self.bounded = is_bounded(distribution)
        self._margin = DISCRETE_MARGIN if is_unbounded(distribution) else MARGIN
        # Only values between the quantiles at the margins are candidates.
        ends = np.searchsorted(below, [self._margin, 1 - self._margin])
        inside = slice(ends[0], ends[1] + 1)
        possible = np.diff(below, prepend=0.0)[inside] > 0
        self._values, self._below = values[inside][possible], below[inside][possible]
        self._middles = (self._below + np.append(0.0, self._below[:-1])) / 2

    @property
    def n_distinct(self) -> int:
        """Number of values."""
        return len(self._values)

    def distinct_value(self, index: int) -> int:
        """Return the value at `index`."""
        return int(self._values[index])

    def decode(self, units: np.ndarray) -> list[int]:
        """Return the values at `units`, an (n, 1) array of quantiles."""
        inside = np.clip(units[:, 0], self._margin, 1 - self._margin)
        places = np.searchsorted(self._below, inside)
        return [int(v) for v in self._values[np.minimum(places, self.n_distinct - 1)]]

    def encode(self, value: Any) -> np.ndarray:
        """Return the middle of the step of `value` in the cdf."""
        return np.asarray(self.encode_all([value])[0])

    def encode_all(self, values: Sequence[Any]) -> np.ndarray:
        """Return the middles of several values, shape (n_values, 1)."""
        places = np.searchsorted(self._values, np.asarray(values, dtype=np.int64))
        return np.asarray(self._middles[places]).reshape(-1, 1)


def tabulate_pmf(distribution: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a distribution with ``pmf``, and the cdf at these values.

    The values of an unbounded distribution end where the rest is improbable.

    Raises
    ------
    ValueError
        If there are more than MAX_TABLE values.
    """
    low, high = distribution.support()
    reach = 1 - (DISCRETE_MARGIN if is_unbounded(distribution) else MARGIN)
    values = probabilities = np.empty(0)
    size = 1024
    while len(values) < min(high - low + 1, MAX_TABLE):
        first = low + len(values)
        block = np.arange(first, min(first + size - 1, high) + 1)
        values = np.append(values, block)
        probabilities = np.append(probabilities, distribution.pmf(block))
        if probabilities.sum() >= reach:
            break
        size = len(values)
    below = np.cumsum(probabilities)
    if not below[-1] >= reach - MARGIN:
        raise ValueError(f"{distribution!r} has too many values for a table")
    return values.astype(np.int64), below
