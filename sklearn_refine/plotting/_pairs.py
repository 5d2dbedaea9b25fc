"""Choose the two parameters of a landscape.

Both parameters must vary among the candidates that set both. Otherwise there is
nothing to draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._table import Results
from sklearn_refine.results._variance import rank_parameters
from sklearn_refine.space._axes import value_key


def choose_pair(
    results: Results, params: Sequence[str] | None, random_state: Any = 0
) -> list[Parameter]:
    """Return the two named parameters, or the two most important ones.

    Raises
    ------
    ValueError
        If the names are not two different parameters, or if no two parameters vary
        among the candidates that set both.
    """
    if params is not None:
        chosen = results.chosen(params)
        if len(chosen) != 2 or chosen[0].name == chosen[1].name:
            raise ValueError(
                f"params={params!r} are not two different parameters; pass two, or "
                "None for the two most important."
            )
        return chosen
    varying = results.varying
    if len(varying) < 2:
        raise ValueError(
            f"the search varies {[p.name for p in varying]}, and a landscape needs two "
            "parameters; use SearchSliceDisplay for one."
        )
    ranked = rank_parameters(results, random_state) if len(varying) > 2 else varying
    pair = first_varying_pair(ranked)
    if pair is None:
        raise ValueError(
            f"no two of {[p.name for p in varying]} both vary among the candidates "
            "that set both, and a landscape needs two such parameters; use "
            "SearchSliceDisplay, or pass params."
        )
    return pair


def first_varying_pair(ranked: Sequence[Parameter]) -> list[Parameter] | None:
    """Return the first pair that varies among the candidates that set both, or None."""
    for pair in combinations(ranked, 2):
        both = np.flatnonzero(pair[0].is_set & pair[1].is_set)
        if all(len({value_key(p.values[row]) for row in both}) > 1 for p in pair):
            return list(pair)
    return None
