"""Trees and forests: fewer trees of a forest, and depth limits that limit nothing.

A limit on the depth has an effect only if a tree reaches it. A node at the limit is not
asked whether it can be split, which would draw random numbers; so a tree must be
strictly less deep. How deep a pruned tree was is not known.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
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

#: What a leaf has in the place of a split.
_OF_LEAF = {"left_child": -1, "right_child": -1, "feature": -2, "threshold": -2.0}


class Forest:
    """Random forests and extra trees over the number of trees and their depth.

    If few trees reach a limit on the depth, only these are grown again.
    """

    axes: tuple[str, ...] = ("n_estimators", "max_depth")
    free: tuple[str, ...] = ("n_estimators",)

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
    """Single trees over depth, leaves and pruning.

    With a limit on its leaves, a tree grows at the best leaf first. Nodes are stored in
    the order in which they were made, so a smaller tree is the beginning of a larger
    one. Pruning starts from the whole tree.
    """

    axes: tuple[str, ...] = ("max_depth", "max_leaf_nodes", "ccp_alpha")
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        alpha = model.ccp_alpha
        is_plain = is_limit(model.max_depth) and is_limit(model.max_leaf_nodes)
        is_pruned = isinstance(alpha, Real) and not isinstance(alpha, bool)
        return is_plain and model.max_leaf_nodes != 1 and is_pruned and alpha >= 0

    def order(self, model: Any) -> Any:
        depth, n_leaves = limit(model.max_depth), limit(model.max_leaf_nodes)
        return -depth, -n_leaves, model.ccp_alpha

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        if (donor.max_leaf_nodes is None) != (model.max_leaf_nodes is None):
            return None
        if limit(model.max_leaf_nodes) > limit(donor.max_leaf_nodes):
            return None
        if model is donor:
            n_nodes = donor.tree_.node_count
            return Served(donor, same=None if donor.ccp_alpha else (n_nodes, n_nodes))
        whole = _unpruned(donor, model, data)
        tree = _with_leaves(whole, limit(model.max_leaf_nodes))
        depth = limit(model.max_depth)
        if depth != limit(donor.max_depth) and not tree.max_depth < depth:
            return None
        served = view(donor, model, tree_=tree)
        served._prune_tree()
        return Served(served, same=(tree.node_count, served.tree_.node_count))

    def size(self, model: Any) -> float:
        return 1.0


def _ends_before(depth: float, tree: Any) -> bool:
    return bool(tree.ccp_alpha == 0 and tree.tree_.max_depth < depth)


def _unpruned(donor: Any, model: Any, data: Data) -> Any:
    """Return a donor's tree before it was pruned, which may need a fit."""
    if donor.ccp_alpha == 0:
        return donor.tree_
    if "_unpruned" not in vars(donor):
        limits = {
            name: getattr(donor, name) for name in ("max_depth", "max_leaf_nodes")
        }
        whole = clone(model).set_params(ccp_alpha=0.0, **limits)
        data.fit(whole)
        donor._unpruned = whole.tree_
    return donor._unpruned


def _with_leaves(tree: Any, n_leaves: float) -> Any:
    """Return the first nodes of a tree that grew at its best leaf first."""
    if tree.n_leaves <= n_leaves:
        return tree
    n = 2 * int(n_leaves) - 1
    make, args, state = tree.__reduce__()
    nodes = state["nodes"][:n].copy()
    is_cut = nodes["left_child"] >= n
    for name, value in _OF_LEAF.items():
        nodes[name][is_cut] = value
    depth = np.zeros(n, np.intp)
    for i in range(n):
        if nodes["left_child"][i] > 0:
            depth[[nodes["left_child"][i], nodes["right_child"][i]]] = depth[i] + 1
    first = make(*args)
    first.__setstate__(
        {
            **state,
            "node_count": n,
            "nodes": nodes,
            "values": state["values"][:n].copy(),
            "max_depth": int(depth.max()),
        }
    )
    return first


def _class_weight(model: Any) -> Any:
    """Return the weights of classes; scikit-learn warns if they are computed again."""
    return getattr(model, "class_weight", None)


def _grow(model: Any, before: list[Any], data: Data) -> Any:
    """Return the tree of a forest that comes after some others."""
    forest = clone(model).set_params(warm_start=True, n_estimators=len(before) + 1)
    forest.estimators_ = list(before)
    data.fit(forest)
    return forest.estimators_[-1]
