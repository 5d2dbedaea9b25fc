"""What candidates can share: the chain of steps around their last estimator.

A chain is a `Pipeline`, a `TransformedTargetRegressor`, or any of them inside the
other. Everything around the last estimator is fitted by scikit-learn itself, with a
stand-in at the end that notes what it is given; then the last estimator of each
candidate is fitted on that.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import copy, deepcopy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if

from sklearn_refine.mlp._training import can_train
from sklearn_refine.space._axes import value_key


class StandIn(BaseEstimator):
    """Stands at the end of a chain and notes what its ``fit`` is given.

    Parameters
    ----------
    leaf : estimator
        What it stands in for; never fitted here.
    """

    def __init__(self, leaf: Any) -> None:
        self.leaf = leaf

    def fit(self, X: Any, y: Any = None, **params: Any) -> StandIn:
        """Note what is given."""
        self.seen_ = (X, y, params)
        return self

    @available_if(lambda self: hasattr(self.leaf, "predict"))
    def predict(self, X: Any) -> Any:
        """Refuse: there is nothing to predict with."""
        raise NotFittedError(f"{self.leaf!r} is fitted later.")

    def get_metadata_routing(self) -> Any:
        """Ask for what the last estimator asks for."""
        return get_routing_for_object(self.leaf)

    def __sklearn_clone__(self) -> StandIn:
        return self  # so that what was seen is found where it was put in

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.leaf)


def build(estimator: Any, params: Mapping[str, Any]) -> Any:
    """Return a clone of an estimator with a candidate's parameters."""
    # Cloned, since a parameter may itself be an estimator.
    return clone(estimator).set_params(**clone(dict(params), safe=False))


def build_leaf(leaf: Any, params: Mapping[str, Any]) -> Any:
    """Do what `build` does for a last estimator that is not fitted, faster for MLPs.

    Their parameters are no estimators, and mostly plain values.
    """
    own = vars(leaf)
    if (
        type(leaf) not in (MLPClassifier, MLPRegressor)
        or not params.keys() <= own.keys()
    ):
        return build(leaf, params)
    fresh = copy(leaf)
    for name, value in {**own, **params}.items():
        if type(value) not in _PLAIN:
            value = clone(value, safe=False)
        setattr(fresh, name, value)
    return fresh


_PLAIN = (bool, int, float, str, type(None))


def leaf_params(path: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a candidate sets on the last estimator, by its own names.

    None if it puts another estimator in its place.
    """
    if not path:
        return dict(params)
    if path in params:
        return None
    start = path + "__"
    return {k.removeprefix(start): v for k, v in params.items() if k.startswith(start)}


def path_of(chain: list[Any]) -> str:
    """Return the prefix of the last estimator's parameters, without the "__"."""
    return "__".join(step[0] for link in chain if (step := inner(link)))


def inner(estimator: Any) -> tuple[str, Any] | None:
    """Return the name and the estimator that a chain's outermost link ends with."""
    if type(estimator) is Pipeline:
        name, last = estimator.steps[-1]
        return str(name), last
    if type(estimator) is TransformedTargetRegressor:
        return "regressor", estimator.regressor
    return None


def links(estimator: Any) -> list[Any] | None:
    """Return a chain from the outside to its last estimator, or None.

    None where sharing might be seen: with `memory` or `verbose`, where a Pipeline ends
    with no estimator, or where a callback is set on any of the estimators.
    """
    found = []
    link: Any = estimator
    while True:
        if not hasattr(link, "fit") or hasattr(link, "_skl_callbacks"):
            return None
        found.append(link)
        if type(link) is Pipeline:
            if link.memory is not None or link.verbose or not link.steps:
                return None
            if getattr(link, "transform_input", None) is not None:
                return None
            if any(hasattr(step, "_skl_callbacks") for _, step in link.steps):
                return None
        step = inner(link)
        if step is None:
            return found
        link = step[1]


def fitted_links(estimator: Any) -> list[Any]:
    """Return a fitted chain; a `TransformedTargetRegressor` fits a clone."""
    found = [estimator]
    while (step := inner(found[-1])) is not None:
        found.append(getattr(found[-1], "regressor_", step[1]))
    return found


def has_prefix(chain: list[Any]) -> bool:
    """Whether there is a transformer in a chain that candidates could share."""
    return any(type(link) is Pipeline and len(link.steps) > 1 for link in chain)


def prefix_key(chain: list[Any], params: Mapping[str, Any]) -> Hashable:
    """Return a key equal for candidates that can share all but their last estimator."""
    path = path_of(chain)
    if not path:
        return ()
    before = tuple(
        (name, value_key(value))
        for name, value in sorted(params.items())
        if name != path and not name.startswith(path + "__")
    )
    return (path, *before, _routing(chain[-1]))


def _routing(leaf: Any) -> str:
    """Return what a last estimator asks for, which decides what a chain passes on."""
    if not get_config()["enable_metadata_routing"]:
        return ""
    return repr(get_routing_for_object(leaf))


def stack_key(leaf: Any, X: Any) -> Hashable | None:
    """Return a key equal for MLPs that can train together, None for other models."""
    if type(leaf) not in (MLPClassifier, MLPRegressor) or not can_train(leaf, X):
        return None
    return (
        tuple(np.atleast_1d(np.asarray(leaf.hidden_layer_sizes)).tolist()),
        *(getattr(leaf, name) for name in _STACKED),
    )


_STACKED = (
    "activation",
    "solver",
    "batch_size",
    "shuffle",
    "early_stopping",
    "nesterovs_momentum",
)


def with_stand_in(chain: list[Any]) -> StandIn:
    """Put a stand-in at the end of a chain; return it."""
    stand_in = StandIn(chain[-1])
    holder = chain[-2]
    if type(holder) is Pipeline:
        holder.steps = [*holder.steps[:-1], (holder.steps[-1][0], stand_in)]
    else:
        holder.regressor = stand_in
    return stand_in


def transform(chain: list[Any], X: Any) -> Any:
    """Take X through all fitted transformers of a chain."""
    for link in chain[:-1]:
        if type(link) is Pipeline:
            for _, step in link.steps[:-1]:
                if step not in (None, "passthrough"):
                    X = step.transform(X)
    return X


def may_share_memory(a: Any, b: Any) -> bool:
    """Whether a change of one of two sets of rows may change the other."""
    if a is b or not (hasattr(a, "shape") and hasattr(b, "shape")):
        return a is b
    a, b = (rows.data if sparse.issparse(rows) else rows for rows in (a, b))
    return np.may_share_memory(np.asarray(a), np.asarray(b))


def own(data: Any) -> Any:
    """Return a copy of what several candidates read, for one that may change it."""
    if isinstance(data, np.ndarray) and data.dtype != object:
        return _copied(data)
    if isinstance(data, list | np.ndarray):
        plain = all(type(value) in _PLAIN for value in data)
        return data.copy() if plain else deepcopy(data)
    for name in ("copy", "clone"):  # of pandas and scipy; of polars
        if hasattr(data, name):
            return getattr(data, name)()
    return deepcopy(data)


def _copied(array: np.ndarray) -> np.ndarray:
    """Return a copy that lies in memory alike: sums of its numbers round alike."""
    if array.flags.forc:
        copied = array.copy(order="K")
    else:
        sizes = zip(array.shape, array.strides, strict=True)
        ends = [(n - 1) * step for n, step in sizes]
        first = -sum(min(end, 0) for end in ends)
        n_bytes = first + sum(max(end, 0) for end in ends) + array.itemsize
        buffer = np.empty(n_bytes if array.size else 0, np.uint8)
        copied = np.ndarray(array.shape, array.dtype, buffer, first, array.strides)
        copied[...] = array
    copied.flags.writeable = array.flags.writeable
    return copied


def short(chain: list[Any], leaf: Any) -> Any:
    """Return an estimator that does on transformed data what the whole chain does."""
    estimator = leaf
    for link in reversed(chain[:-1]):
        if type(link) is TransformedTargetRegressor:
            link = copy(link)
            link.regressor_ = estimator
            estimator = link
    return estimator


def whole(chain: list[Any], own: list[Any], leaf: Any) -> Any:
    """Return what fitting a candidate's own chain would have made of it.

    Parameters
    ----------
    chain : list of estimators
        A fitted chain, with a stand-in at its end.
    own : list of estimators
        The candidate's own, not fitted.
    leaf : estimator
        The candidate's last estimator, fitted.
    """
    estimator = leaf
    for link, mine in zip(reversed(chain[:-1]), reversed(own[:-1]), strict=True):
        fitted = copy(link)
        # What a candidate's scorer does to them is not for the others to see.
        if type(link) is Pipeline:
            steps = deepcopy(link.steps[:-1])
            fitted.steps = [*steps, (link.steps[-1][0], estimator)]
        else:
            fitted.transformer_ = deepcopy(link.transformer_)
            fitted.regressor = clone(mine.regressor)
            fitted.regressor_ = estimator
            if hasattr(estimator, "feature_names_in_"):
                fitted.feature_names_in_ = estimator.feature_names_in_
        estimator = fitted
    return estimator
