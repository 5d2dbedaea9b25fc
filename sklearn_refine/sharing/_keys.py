"""Keys that are equal for candidates that can share work.

A change here may not make two keys equal unless sharing leaves every score unchanged.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_refine.mlp._fits import can_train
from sklearn_refine.sharing._pipelines import last_step_path
from sklearn_refine.space._axes import value_key

#: Parameters, besides the layer sizes, that MLPs of one stack have in common.
_STACK_PARAMS = (
    "activation",
    "solver",
    "batch_size",
    "shuffle",
    "early_stopping",
    "nesterovs_momentum",
)


def prefix_key(nested: list[Any], params: Mapping[str, Any]) -> Hashable:
    """Return a key equal for candidates that can share all but their last step.

    Parameters
    ----------
    nested : list of estimators
        The candidate's estimator as `unnest` lists it.
    params : mapping of str to object
        The candidate's parameters.
    """
    path = last_step_path(nested)
    if not path:
        return ()
    prefix_params = tuple(
        (name, value_key(value))
        for name, value in sorted(params.items())
        if name != path and not name.startswith(path + "__")
    )
    return (path, *prefix_params, _requested_metadata(nested[-1]))


def _requested_metadata(last_step: Any) -> str:
    """Return the last step's metadata request, which decides what a Pipeline passes."""
    if not get_config()["enable_metadata_routing"]:
        return ""
    return repr(get_routing_for_object(last_step))


def stack_key(last_step: Any, X: Any) -> Hashable | None:
    """Return a key equal for MLPs that can train together, None for other models."""
    is_mlp = type(last_step) in (MLPClassifier, MLPRegressor)
    if not is_mlp or not can_train(last_step, X):
        return None
    return (
        tuple(np.atleast_1d(np.asarray(last_step.hidden_layer_sizes)).tolist()),
        *(getattr(last_step, name) for name in _STACK_PARAMS),
    )
