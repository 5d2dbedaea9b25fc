"""The names in the user's search space, checked against the estimator's."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from sklearn.base import clone


def as_list(space: Any) -> list[Any]:
    """Return the dicts of a search space, which may be a single one."""
    return [space] if isinstance(space, Mapping) else list(space)


def check_parameter_names(
    what: str, estimator: Any, parts: list[dict[str, Any]]
) -> None:
    """Raise for a parameter that the estimator does not have, before any fit."""
    known = estimator.get_params(deep=True)
    for part in parts:
        # Where the search replaces a step, the new one must have the parameter.
        steps = {
            name: [value for value in values if hasattr(value, "get_params")]
            for name, values in part.items()
            if isinstance(values, list | tuple)
            or (isinstance(values, np.ndarray) and values.dtype == object)
        }
        for name, values in part.items():
            owners = {
                step: found
                for step, found in steps.items()
                if found and name.startswith(step + "__")
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
