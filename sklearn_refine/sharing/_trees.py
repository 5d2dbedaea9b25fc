"""Trees and forests: fewer trees of a forest, and depth limits that limit nothing.

A limit on the depth has an effect only if a tree reaches it. A node at the limit is not
asked whether it can be split, which would draw random numbers; so a tree must be
strictly less deep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_refine.sharing._families import Served, is_limit, is_whole, limit, view


class Forest:
    """Random forests and extra trees over the number of trees and their depth."""

    axes: tuple[str, ...] = ("n_estimators", "max_depth")

    def accepts(self, model: Any) -> bool:
        is_plain = is_whole(model.n_estimators) and is_limit(model.max_depth)
        return is_plain and not model.oob_score

    def order(self, model: Any) -> Any:
        return -limit(model.max_depth), -model.n_estimators

    def serve(self, donor: Any, model: Any, rows: Sequence[Any]) -> Served | None:
        trees = donor.estimators_
        n = model.n_estimators
        if n > len(trees):
            return None
        if n < len(trees):
            trees = trees[:n]
        depth = limit(model.max_depth)
        if depth != limit(donor.max_depth) and not _all_end_before(depth, trees):
            return None
        is_equal = n == len(donor.estimators_)
        return Served(view(donor, model, estimators_=trees), is_equal)

    def size(self, model: Any) -> float:
        return float(model.n_estimators)


class Tree:
    """Single trees over their depth."""

    axes: tuple[str, ...] = ("max_depth",)

    def accepts(self, model: Any) -> bool:
        return is_limit(model.max_depth)

    def order(self, model: Any) -> Any:
        return -limit(model.max_depth)

    def serve(self, donor: Any, model: Any, rows: Sequence[Any]) -> Served | None:
        depth = limit(model.max_depth)
        if depth != limit(donor.max_depth) and not _all_end_before(depth, [donor]):
            return None
        return Served(view(donor, model), is_equal=True)

    def size(self, model: Any) -> float:
        return 1.0


def _all_end_before(depth: float, trees: Sequence[Any]) -> bool:
    return all(tree.tree_.max_depth < depth for tree in trees)
