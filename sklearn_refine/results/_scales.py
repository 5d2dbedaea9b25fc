"""The scale of numbers, linear or logarithmic, as the searches or a user meant it.

A distribution or list of the user decides first, then the values that were tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_refine.space._axes import Scale, is_number
from sklearn_refine.space._infer import is_log
from sklearn_refine.space._random_variables import as_distribution

#: The fewest different numbers that show the shape of a distribution.
MIN_SAMPLE = 8
#: Values of a list that are read, evenly spaced. More would not change the scale.
MAX_LISTED = 1000


def infer_scale(given: Sequence[Any], values: list[Any], rounds: np.ndarray) -> Scale:
    """Return the scale of a parameter; see `read_parameter`."""
    return scale_of_space(given) or _scale_of_values(values, rounds)


def scale_of_space(given: Sequence[Any]) -> Scale | None:
    """Return the scale of distributions or lists, or None if they do not show it."""
    for part in map(as_distribution, given):
        if hasattr(part, "ppf"):
            return _scale_of_distribution(part)
    lists = [part for part in given if isinstance(part, Sequence | np.ndarray)]
    parts = [part[:: len(part) // MAX_LISTED + 1] for part in lists]
    numbers = [value for part in parts for value in part if is_number(value)]
    if len(set(numbers)) < 2:
        return None
    return "log" if _is_log(numbers) else "linear"


def _scale_of_distribution(distribution: Any) -> Scale | None:
    """Return the scale on which the quartiles of a distribution are most even."""
    quartiles = np.asarray(distribution.ppf([0.25, 0.5, 0.75]), dtype=float)
    low, _, high = quartiles
    if not (np.isfinite(quartiles).all() and low < high):
        return None
    return "log" if low > 0 and _middle_is_log(*quartiles) else "linear"


def _scale_of_values(values: list[Any], rounds: np.ndarray) -> Scale:
    """Return the scale of the values that the first rounds tried.

    Numbers of a grid are read as a list. Other numbers are treated as drawn at random.
    Few random numbers do not show the scale, so rounds are added until there are
    MIN_SAMPLE different numbers.
    """
    numbers: list[Any] = []
    for number in np.unique(rounds):
        rows = np.flatnonzero(rounds == number)
        numbers += [values[row] for row in rows if is_number(values[row])]
        n_different = len(set(numbers))
        if n_different >= MIN_SAMPLE or (n_different > 1 and _is_grid(numbers)):
            break
    return "log" if _is_log(numbers) else "linear"


def _is_grid(numbers: list[Any]) -> bool:
    """Whether all numbers occur equally often, or are evenly spaced on one scale."""
    x, counts = np.unique(np.asarray(numbers, dtype=float), return_counts=True)
    if counts.min() == counts.max() > 1:
        return True
    steps = [np.diff(x), np.diff(np.log(x))] if x[0] > 0 else [np.diff(x)]
    return len(x) > 2 and any(np.allclose(z, z[0], rtol=1e-3, atol=0) for z in steps)


def _is_log(numbers: list[Any]) -> bool:
    """Whether numbers are meant or drawn on a logarithmic scale.

    A short list is read as the searches read it. For many numbers, perhaps drawn at
    random, the median decides: on the right scale it is near the middle of the range.
    """
    x = np.asarray(numbers, dtype=float)
    n_different = len(np.unique(x))
    if n_different < MIN_SAMPLE:
        return n_different > 1 and is_log(numbers)
    if x.min() <= 0 or x.max() < 10 * x.min():
        return False
    return _middle_is_log(x.min(), float(np.median(x)), x.max())


def _middle_is_log(low: float, middle: float, high: float) -> bool:
    """Whether the middle is closer to half-way between the ends on the log scale."""
    linear, log = (
        abs((z[1] - z[0]) / (z[2] - z[0]) - 0.5)
        for z in (np.array([low, middle, high]), np.log([low, middle, high]))
    )
    return bool(log < linear)
