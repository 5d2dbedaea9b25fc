"""Lists of values, read as axes from 0 to 1.

A change to the coordinates changes the candidates of every random search.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from sklearn_refine.space._axes import is_number, value_key


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
