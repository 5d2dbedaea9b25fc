"""Parameters of which one fit serves all smaller values.

A search may try many values of such a parameter. It is looked up in the families of
models, so nothing is fitted. A change here may not make the answer depend on whether
work is shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sklearn_refine.sharing._pipelines import build_estimator, last_step_path, unnest
from sklearn_refine.sharing._registry import FAMILIES, find_family
from sklearn_refine.space._axes import candidate_key

#: The names of parameters that may be free.
FREE_NAMES = frozenset(name for family in FAMILIES.values() for name in family.free)


def free_parameter(estimator: Any, params: Mapping[str, Any]) -> str | None:
    """Return the free parameter of a candidate, None if it has none."""
    try:
        nested = unnest(build_estimator(estimator, params))
    except Exception:
        return None  # the fit will raise the error
    family = None if nested is None else find_family(nested[-1])
    if nested is None or family is None or _draws_anew(nested[-1]):
        return None
    path = last_step_path(nested)
    start = path + "__" if path else ""
    return next((start + n for n in family.free if start + n in params), None)


def common_free_parameter(
    estimator: Any, candidates: Iterable[Mapping[str, Any]]
) -> str | None:
    """Return the parameter that is free in all candidates, None if there is none."""
    found: str | None = None
    for number, params in enumerate(candidates):
        name = free_parameter(estimator, params)
        if name is None or (number and name != found):
            return None
        found = name
    return found


def find_smaller(
    estimator: Any, candidates: Sequence[Mapping[str, Any]]
) -> dict[int, list[int]]:
    """Return the places of the candidates that the fit of a candidate serves.

    These differ from it only in a smaller value of its free parameter.
    """
    groups: dict[Any, dict[int, Any]] = {}
    for place, params in enumerate(candidates):
        name = free_parameter(estimator, params)
        if name is not None:
            others = {n: value for n, value in params.items() if n != name}
            group = groups.setdefault((name, candidate_key(others)), {})
            group[place] = params[name]
    return {
        place: [other for other, size in group.items() if size < value]
        for group in groups.values()
        for place, value in group.items()
    }


def _draws_anew(model: Any) -> bool:
    """Whether each fit of a model is another one, since it has no seed."""
    is_own = type(model).__module__.startswith("sklearn.")
    return is_own and getattr(model, "random_state", 0) is None
