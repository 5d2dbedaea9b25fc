"""Take nested estimators apart, so that candidates can share all but their last step.

The outer estimators are `Pipeline` and `TransformedTargetRegressor`, in any nesting;
the innermost last step is the model. `unnest` lists them from the outermost to the
last step. scikit-learn itself fits everything before the last step, with a
`FitRecorder` in the place of the last step. Each candidate's last step is then fitted
with the recorded arguments. A change here may not break that the assembled estimators
are equal to what scikit-learn would have fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.metaestimators import available_if

from sklearn_refine._sklearn_compat import clones_itself
from sklearn_refine.sharing._copies import PLAIN_TYPES


class FitRecorder(BaseEstimator):
    """Takes the place of the last step and records the arguments of its ``fit``.

    Parameters
    ----------
    last_step : estimator
        The estimator that is replaced. It is never fitted here.

    Attributes
    ----------
    fit_arguments_ : tuple of (X, y, params)
        The recorded arguments.
    """

    def __init__(self, last_step: Any) -> None:
        self.last_step = last_step

    def fit(self, X: Any, y: Any = None, **params: Any) -> FitRecorder:
        """Record the arguments."""
        self.fit_arguments_ = (X, y, params)
        return self

    @available_if(lambda self: hasattr(self.last_step, "predict"))
    def predict(self, X: Any) -> Any:
        """Raise an error, because the last step is not fitted yet."""
        raise NotFittedError(f"{self.last_step!r} is fitted later.")

    def get_metadata_routing(self) -> Any:
        """Request the metadata that the last step requests."""
        return get_routing_for_object(self.last_step)

    def __sklearn_clone__(self) -> FitRecorder:
        # A TransformedTargetRegressor fits a clone. The arguments must be recorded in
        # this object, where `insert_recorder` put it.
        return self

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.last_step)


def build_estimator(estimator: Any, params: Mapping[str, Any]) -> Any:
    """Return a clone of an estimator with a candidate's parameters."""
    # Cloned, since a parameter may itself be an estimator.
    return clone(estimator).set_params(**clone(dict(params), safe=False))


def build_last_step(last_step: Any, params: Mapping[str, Any]) -> Any:
    """Return what `build_estimator` returns for an unfitted last step, but faster.

    An unfitted estimator of scikit-learn has no attributes but its parameters and what
    `clone` keeps. The parameters are mostly plain values.
    """
    current = vars(last_step)
    is_known = type(last_step).__module__.startswith("sklearn.")
    if not is_known or clones_itself(last_step) or not params.keys() <= current.keys():
        return build_estimator(last_step, params)
    built = copy(last_step)
    for name, value in {**current, **params}.items():
        if type(value) not in PLAIN_TYPES:
            value = clone(value, safe=False)
        setattr(built, name, value)
    return built


def last_step_params(path: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters that a candidate sets on the last step, without prefix.

    None if the candidate replaces the last step by another estimator.
    """
    if not path:
        return dict(params)
    if path in params:
        return None
    start = path + "__"
    return {k.removeprefix(start): v for k, v in params.items() if k.startswith(start)}


def last_step_path(nested: list[Any]) -> str:
    """Return the prefix of the last step's parameters, without the final "__"."""
    return "__".join(step[0] for outer in nested if (step := _inner_step(outer)))


def step_paths(nested: list[Any]) -> list[str]:
    """Return the prefixes of the parameters of all steps before the last one."""
    paths, start = [], ""
    for outer in nested:
        if type(outer) is Pipeline:
            paths += [start + name for name, _ in outer.steps[:-1]]
        if (step := _inner_step(outer)) is not None:
            start += step[0] + "__"
    return paths


def shared_steps(nested: list[Any]) -> list[Any]:
    """Return the steps before the last one, in the order of `step_paths`."""
    outers = [outer for outer in nested if type(outer) is Pipeline]
    return [step for outer in outers for _, step in outer.steps[:-1]]


def is_transformer(step: Any) -> bool:
    """Whether a step before the last one is fitted, and not passed over."""
    return not (step is None or (isinstance(step, str) and step == "passthrough"))


def may_draw_later(step: Any) -> bool:
    """Whether a fitted step keeps random numbers to draw, so ``transform`` may differ.

    An `IterativeImputer` with ``sample_posterior=True`` does.
    """
    if isinstance(step, list | tuple):
        return any(map(may_draw_later, step))
    if not hasattr(step, "get_params") or isinstance(step, type):
        return isinstance(step, np.random.RandomState | np.random.Generator)
    params = step.get_params(deep=False)
    fitted = {name: value for name, value in vars(step).items() if name not in params}
    parts = [value for value in params.values() if isinstance(value, list)]
    return any(map(may_draw_later, (*fitted.values(), *parts)))


def set_memory(nested: list[Any], memory: Any) -> None:
    """Set what the Pipelines around the last step ask before they fit a step."""
    for outer in nested[:-1]:
        if type(outer) is Pipeline:
            outer.memory = memory


def _inner_step(estimator: Any) -> tuple[str, Any] | None:
    """Return the name and the estimator of the last step, None if it is the model."""
    if type(estimator) is Pipeline:
        name, last = estimator.steps[-1]
        return str(name), last
    if type(estimator) is TransformedTargetRegressor:
        return "regressor", estimator.regressor
    return None


def unnest(estimator: Any) -> list[Any] | None:
    """Return the nested estimators from the outermost to the last step.

    None if sharing might be noticed: if a Pipeline has `memory`, `verbose` or
    `transform_input`, if its last step is no estimator, or if a callback is set on
    any of the estimators.
    """
    nested = []
    current: Any = estimator
    while True:
        if not hasattr(current, "fit") or hasattr(current, "_skl_callbacks"):
            return None
        nested.append(current)
        if type(current) is Pipeline:
            if current.memory is not None or current.verbose or not current.steps:
                return None
            if getattr(current, "transform_input", None) is not None:
                return None
            if any(hasattr(step, "_skl_callbacks") for _, step in current.steps):
                return None
        step = _inner_step(current)
        if step is None:
            return nested
        current = step[1]


def unnest_fitted(estimator: Any) -> list[Any]:
    """Return the fitted nested estimators from the outermost to the last step."""
    nested = [estimator]
    while (step := _inner_step(nested[-1])) is not None:
        # A TransformedTargetRegressor fits a clone of its regressor.
        nested.append(getattr(nested[-1], "regressor_", step[1]))
    return nested


def has_prefix(nested: list[Any]) -> bool:
    """Whether there is a transformer before the last step that could be shared."""
    return any(type(outer) is Pipeline and len(outer.steps) > 1 for outer in nested)


def insert_recorder(nested: list[Any]) -> FitRecorder:
    """Replace the last step by a recorder and return the recorder."""
    recorder = FitRecorder(nested[-1])
    holder = nested[-2]
    if type(holder) is Pipeline:
        holder.steps = [*holder.steps[:-1], (holder.steps[-1][0], recorder)]
    else:
        holder.regressor = recorder
    return recorder


def transform(nested: list[Any], X: Any) -> Any:
    """Pass X through all fitted transformers before the last step."""
    for outer in nested[:-1]:
        if type(outer) is Pipeline:
            for _, step in outer.steps[:-1]:
                if is_transformer(step):
                    X = step.transform(X)
    return X


def assemble_without_transformers(nested: list[Any], last_step: Any) -> Any:
    """Return an estimator that does on transformed data what the whole one does."""
    estimator = last_step
    for outer in reversed(nested[:-1]):
        if type(outer) is TransformedTargetRegressor:
            outer = copy(outer)
            outer.regressor_ = estimator
            estimator = outer
    return estimator


def assemble(fitted: list[Any], unfitted: list[Any], last_step: Any) -> Any:
    """Return the estimator that fitting a candidate by itself would have given.

    Parameters
    ----------
    fitted : list of estimators
        The fitted nested estimators, with a recorder as the last step.
    unfitted : list of estimators
        The candidate's own nested estimators, not fitted.
    last_step : estimator
        The candidate's last step, fitted.
    """
    estimator = last_step
    outers = zip(reversed(fitted[:-1]), reversed(unfitted[:-1]), strict=True)
    for outer, own_outer in outers:
        # Deep copies, because a candidate's scorer may change the transformers.
        assembled = copy(outer)
        if type(outer) is Pipeline:
            steps = deepcopy(outer.steps[:-1])
            assembled.steps = [*steps, (outer.steps[-1][0], estimator)]
        else:
            assembled.transformer_ = deepcopy(outer.transformer_)
            assembled.regressor = clone(own_outer.regressor)
            assembled.regressor_ = estimator
            if hasattr(estimator, "feature_names_in_"):
                assembled.feature_names_in_ = estimator.feature_names_in_
        estimator = assembled
    return estimator
