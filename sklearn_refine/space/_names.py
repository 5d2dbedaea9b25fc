"""Checks of the parameter names in a search space.

The checks run before the first fit, and they must not change the user's estimator.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import clone


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
        raise ValueError(
            f"{what} names the parameter {name!r}, which the estimator does not "
            f"have: {error}"
        ) from error
