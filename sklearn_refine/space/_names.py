"""Checks of the parameter names in a search space.

The checks run before the first fit, and they must not change the user's estimator.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_refine.space._axes import is_number
from sklearn_refine.space._random_variables import as_distribution
from sklearn_refine.space._support import describe

#: Most names that a message suggests.
MAX_SIMILAR = 3


def as_list(space: Any) -> list[Any]:
    """Return a search space as a list of dicts; a single dict becomes a list."""
    return [space] if isinstance(space, Mapping) else list(space)


def check_parameter_names(
    what: str, estimator: Any, subspaces: list[dict[str, Any]]
) -> None:
    """Raise if the estimator lacks a parameter named in a subspace."""
    known = estimator.get_params(deep=True)
    for subspace in subspaces:
        # If the search replaces a step, every replacement must have the parameter.
        steps = {
            name: [value for value in values if hasattr(value, "get_params")]
            for name, values in subspace.items()
            if isinstance(values, list | tuple)
            or (isinstance(values, np.ndarray) and values.dtype == object)
        }
        for name, values in subspace.items():
            owners = {
                step: estimators
                for step, estimators in steps.items()
                if estimators and name.startswith(step + "__")
            }
            if name in known and not owners:
                continue
            for combination in product(*owners.values()):
                replaced = dict(zip(owners, combination, strict=True))
                _check_parameter_name(what, estimator, replaced, name, values)


def _check_parameter_name(
    what: str, estimator: Any, replaced: dict[str, Any], name: str, values: Any
) -> None:
    value = values[0] if isinstance(values, list | tuple | np.ndarray) else None
    candidate = clone(estimator)
    try:
        candidate.set_params(**clone(replaced, safe=False), **{name: value})
    except (ValueError, AttributeError) as error:
        similar = _similar_names(name, candidate.get_params(deep=True))
        remedy = f". Did you mean {' or '.join(map(repr, similar))}?"
        raise ValueError(
            f"{what} names the parameter {name!r}, which the estimator does not "
            f"have{remedy if similar else f': {error}'}"
        ) from error


def _similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that `name` may stand for.

    These are names that lack only the prefix of a step, or else names in which the last
    part or the whole name is spelled in a similar way.
    """
    known = list(known)
    last = name.rpartition("__")[2]
    ends = {other: other.rpartition("__")[2] for other in known}
    unprefixed = [other for other in known if ends[other] == last]
    if unprefixed:
        return get_close_matches(name, unprefixed, MAX_SIMILAR, 0.0)
    close = get_close_matches(last, set(ends.values()), MAX_SIMILAR, 0.75)
    similar = [other for other in known if ends[other] in close]
    similar += get_close_matches(name, known, MAX_SIMILAR, 0.8)
    return list(dict.fromkeys(similar))[:MAX_SIMILAR]


def check_grid_lists(grids: Iterable[Any]) -> None:
    """Raise if a grid has a distribution where it needs a list of values."""
    for grid in grids:
        for name, value in grid.items() if isinstance(grid, Mapping) else ():
            if hasattr(as_distribution(value), "rvs"):
                raise TypeError(
                    f"param_grid[{name!r}] is a distribution, {describe(value)}, and a "
                    "grid needs a list of values. Give a list, or use "
                    "SuccessiveRandomSearchCV, which searches distributions."
                )


def warn_about_pairs(distributions: Iterable[Mapping[str, Any]]) -> None:
    """Warn if a pair of numbers looks like the two ends of a range."""
    for part in distributions:
        for name, pair in part.items():
            if not (isinstance(pair, tuple) and len(pair) == 2):
                continue
            if not all(map(is_number, pair)) or not pair[0] < pair[1]:
                continue
            if all(isinstance(value, Integral) for value in pair):
                continue
            low, high = pair
            uniform = f"scipy.stats.uniform({low}, {high - low:.12g})"
            log = f"scipy.stats.loguniform({low}, {high}) or " if low > 0 else ""
            warnings.warn(
                f"param_distributions[{name!r}]={pair} is two values, as in "
                f"RandomizedSearchCV. For a range, give {log}{uniform}; for two "
                f"values, give a list: [{low}, {high}].",
                UserWarning,
                stacklevel=2,
            )
