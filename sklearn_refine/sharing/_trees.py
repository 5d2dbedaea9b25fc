"""Trees and forests: fewer trees of a forest, and depth limits that limit nothing.

A limit on the depth has an effect only if a tree reaches it. A node at the limit is not
asked whether it can be split, which would draw random numbers; so a tree must be
strictly less deep.
"""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sklearn_refine.sharing._families import (
    Data,
    Served,
    is_limit,
    is_whole,
    limit,
    view,
)

#: Share of the trees up to which growing them one by one is worth while.
MOST_REGROWN = 0.25


class Forest:
    """Random forests and extra trees over the number of trees and their depth.

    If few trees reach a limit on the depth, only these are grown again.
    """

    axes: tuple[str, ...] = ("n_estimators", "max_depth")

    def accepts(self, model: Any) -> bool:
        is_plain = is_whole(model.n_estimators) and is_limit(model.max_depth)
        return is_plain and not model.oob_score

    def order(self, model: Any) -> Any:
        return -limit(model.max_depth), -model.n_estimators

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        n, depth = model.n_estimators, limit(model.max_depth)
        if n > len(donor.estimators_):
            return None
        trees = donor.estimators_[:n]
        deep: list[int] = []
        if depth != limit(donor.max_depth):
            deep = [i for i, tree in enumerate(trees) if not _ends_before(depth, tree)]
        if deep:
            if len(deep) > n * MOST_REGROWN or isinstance(_class_weight(model), str):
                return None
            regrown = vars(donor).setdefault("_regrown", {})
            for i in deep:
                if (depth, i) not in regrown:
                    regrown[depth, i] = _grow(model, donor.estimators_[:i], data)
                trees[i] = regrown[depth, i]
        served = view(donor, model, estimators_=trees)
        return Served(served, same=(n, depth if deep else None))

    def size(self, model: Any) -> float:
        return float(model.n_estimators)


class Tree:
    """Single trees over their depth."""

    axes: tuple[str, ...] = ("max_depth",)

    def accepts(self, model: Any) -> bool:
        return is_limit(model.max_depth)

    def order(self, model: Any) -> Any:
        return -limit(model.max_depth)

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        depth = limit(model.max_depth)
        if depth != limit(donor.max_depth) and not _ends_before(depth, donor):
            return None
        return Served(view(donor, model), same="all")

    def size(self, model: Any) -> float:
        return 1.0


def _ends_before(depth: float, tree: Any) -> bool:
    return bool(tree.tree_.max_depth < depth)


def _class_weight(model: Any) -> Any:
    """Return the weights of classes; scikit-learn warns if they are computed again."""
    return getattr(model, "class_weight", None)


def _grow(model: Any, before: list[Any], data: Data) -> Any:
    """Return the tree of a forest that comes after some others."""
    forest = clone(model).set_params(warm_start=True, n_estimators=len(before) + 1)
    forest.estimators_ = list(before)
    data.fit(forest)
    return forest.estimators_[-1]
