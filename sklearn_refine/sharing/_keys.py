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
from sklearn_refine.sharing._pipelines import last_step_path, step_paths
from sklearn_refine.space._axes import value_key

#: Parameters, besides the layer sizes, that MLPs of one stack have in common.
_STACK_PARAMS = (
    "activation",
    "solver",
    "batch_size",
    "shuffle",
    "early_stopping",
)


def prefix_path(nested: list[Any], params: Mapping[str, Any]) -> tuple[Hashable, ...]:
    """Return a key for all that is around the steps, and one for each shared step.

    Candidates whose first keys are equal can share the steps to which these belong. If
    all keys are equal, the candidates can share all but their last step.

    Parameters
    ----------
    nested : list of estimators
        The candidate's estimator as `unnest` lists it.
    params : mapping of str to object
        The candidate's parameters that have an effect.
    """
    last = last_step_path(nested)
    if not last:
        return ()
    steps = step_paths(nested)
    keys: list[list[Any]] = [[] for _ in range(1 + len(steps))]
    for name, value in sorted(params.items()):
        if name != last and not name.startswith(last + "__"):
            place = 0
            for number, step in enumerate(steps, 1):
                if name == step or name.startswith(step + "__"):
                    place = number
            keys[place].append((name, value_key(value)))
    keys[0] += [last, _requested_metadata(nested)]
    return tuple(map(tuple, keys))


def _requested_metadata(nested: list[Any]) -> str:
    """Return the last step's metadata request, which decides what a Pipeline passes."""
    if not get_config()["enable_metadata_routing"]:
        return ""
    return repr(get_routing_for_object(nested[-1]))


def stack_key(last_step: Any, X: Any) -> Hashable | None:
    """Return a key equal for MLPs that can train together, None for other models."""
    is_mlp = type(last_step) in (MLPClassifier, MLPRegressor)
    if not is_mlp or not can_train(last_step, X):
        return None
    return (
        tuple(np.atleast_1d(np.asarray(last_step.hidden_layer_sizes)).tolist()),
        *(getattr(last_step, name) for name in _STACK_PARAMS),
        last_step.solver == "sgd" and last_step.nesterovs_momentum,
    )
