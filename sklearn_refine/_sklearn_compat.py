"""The only module that uses scikit-learn's private names or checks its version.

All other modules import such names from here, so a new scikit-learn version can only
break this file.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import cache
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.metrics import accuracy_score
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.metrics._scorer import _PassthroughScorer, _Scorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score as fit_and_score,
)
from sklearn.model_selection._validation import (
    _insert_error_scores as insert_error_scores,
)
from sklearn.model_selection._validation import _score as score
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures,
)
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    RealNotInt,
    StrOptions,
    make_constraint,
)
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _num_samples as num_samples

try:
    from sklearn.callback import CallbackContext  # noqa: F401
except ImportError:  # until scikit-learn 1.8 is dropped
    SUPPORTS_CALLBACKS = False
else:
    SUPPORTS_CALLBACKS = True

__all__ = [
    "SUPPORTS_CALLBACKS",
    "BaseSearchCV",
    "CheckedData",
    "HasMethods",
    "Interval",
    "MultimetricScorer",
    "Options",
    "RealNotInt",
    "StrOptions",
    "calls_back",
    "check_method_params",
    "clones_itself",
    "early_stopping_scores",
    "fit_and_score",
    "fit_callbacks",
    "fit_context",
    "fit_task",
    "has_stopped_early",
    "init_callbacks",
    "insert_error_scores",
    "is_accuracy",
    "is_own_scorer",
    "is_plain_scorer",
    "kept_by_clone",
    "make_constraint",
    "num_samples",
    "predict_unchecked",
    "prepare_stochastic_fit",
    "run_fit_and_score",
    "safe_split",
    "score",
    "search_listeners",
    "start_optimizer",
    "warn_as_mlp",
    "warn_or_raise_about_fit_failures",
]


class _NoCallbacks:
    """A callback context without callbacks.

    It is used if no callback is set, and until scikit-learn 1.8 is dropped. A real
    context would be pickled for the workers together with the contexts of all other
    fits.
    """

    def subcontext(self, **_: Any) -> _NoCallbacks:
        return self

    def call_on_fit_task_begin(self, **_: Any) -> _NoCallbacks:
        return self

    def call_on_fit_task_end(self, **_: Any) -> bool:
        return False

    def propagate_callback_context(self, _: Any) -> nullcontext[None]:
        return nullcontext()


class _StopListener:
    """A callback context that remembers whether a callback asked to stop.

    ``_fit_and_score`` ignores the return value of ``call_on_fit_task_end``. Without
    this class, the request to stop would not leave the worker.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self.stop = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def call_on_fit_task_end(self, **kwargs: Any) -> bool:
        self.stop |= bool(self._context.call_on_fit_task_end(**kwargs))
        return self.stop


def init_callbacks(search: Any, max_subtasks: int) -> Any:
    """Return the root callback context of `search`, or one without callbacks."""
    if not SUPPORTS_CALLBACKS or not _has_callbacks(search):
        return _NoCallbacks()
    return search._init_callback_context(max_subtasks=max_subtasks)


def search_listeners(search: Any) -> list[Any]:
    """Return the callbacks of a search that listen to its progress."""
    callbacks = getattr(search, "_skl_callbacks", [])
    return [each for each in callbacks if hasattr(each, "on_search_progress")]


def fit_callbacks(context: Any, search: Any) -> Any:
    """Return a callback context for fits: none if no callback needs to see them."""
    own = getattr(search, "_skl_callbacks", [])
    if not own or any(getattr(each, "needs_fits", True) for each in own):
        return context
    if hasattr(search, "_parent_callback_ctx"):
        return context
    others = search.get_params(deep=False).values()
    return context if any(map(_has_callbacks, others)) else _NoCallbacks()


def calls_back(context: Any) -> bool:
    """Return whether `context` has callbacks."""
    return not isinstance(context, _NoCallbacks)


def _has_callbacks(search: Any) -> bool:
    """Return whether a callback is set on the search, its parent or its parameters."""
    if hasattr(search, "_parent_callback_ctx"):
        return True
    values = [search]
    seen: dict[int, Any] = {}  # holds the objects, so that no id is used again
    while values:
        value = values.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, list | tuple):
            values.extend(value)
        elif hasattr(value, "get_params") and not isinstance(value, type):
            if hasattr(value, "_skl_callbacks"):
                return True
            values.extend(value.get_params(deep=False).values())
    return False


def run_fit_and_score(
    *args: Any, caller: Any, callback_ctx: Any, **kwargs: Any
) -> dict[str, Any]:
    """Run ``_fit_and_score``; add whether a callback asked to stop, as "stop"."""
    if callback_ctx is None:
        return {**fit_and_score(*args, **kwargs), "stop": False}
    listener = _StopListener(callback_ctx)
    out = fit_and_score(*args, caller=caller, callback_ctx=listener, **kwargs)
    return {**out, "stop": listener.stop}


@contextmanager
def fit_task(
    context: Any, caller: Any, X: Any, y: Any, weight: Any
) -> Iterator[Callable[[], bool]]:
    """Call the callbacks at the begin and end of a fit, as ``_fit_and_score`` does.

    Yields a function that, once the fit has ended, returns whether a callback asked to
    stop.
    """
    requests: list[bool] = []
    if context is None:
        yield lambda: False
        return
    data = {
        "estimator": caller,
        "X": X,
        "y": y,
        "metadata": None if weight is None else {"sample_weight": weight},
    }
    context.call_on_fit_task_begin(**data)
    try:
        yield lambda: any(requests)
    finally:
        requests.append(bool(context.call_on_fit_task_end(**data)))


def clones_itself(value: Any) -> bool:
    """Return whether the class of a value defines how `clone` copies it.

    A clone may then keep fitted attributes, as a clone of a `FrozenEstimator` does.
    """
    own = getattr(type(value), "__sklearn_clone__", None)
    return own is not None and own is not BaseEstimator.__sklearn_clone__


def kept_by_clone(value: Any) -> dict[str, Any]:
    """Return the settings that `clone` copies in addition to the parameters.

    They are made by ``set_output``, ``set_fit_request`` and similar methods, and are
    returned as plain values.
    """
    kept: dict[str, Any] = {}
    if output := getattr(value, "_sklearn_output_config", None):
        kept["_sklearn_output_config"] = output
    if (request := getattr(value, "_metadata_request", None)) is not None:
        kept["_metadata_request"] = request._serialize()
    return kept


def is_own_scorer(scorer: Any) -> bool:
    """Return whether a scorer is scikit-learn's own and so only needs predictions."""
    if type(scorer) is MultimetricScorer:
        return all(is_own_scorer(each) for each in scorer._scorers.values())
    return type(scorer) in (_Scorer, _PassthroughScorer)


def is_plain_scorer(scorer: Any) -> bool:
    """Return whether a scorer is scikit-learn's own for one metric."""
    return type(scorer) is _Scorer


def is_accuracy(scorer: Any) -> bool:
    """Return whether a scorer is a classifier's accuracy, without sample weights."""
    if type(scorer) is _PassthroughScorer:
        return True  # the classifier's own ``score``
    return (
        type(scorer) is _Scorer
        and scorer._score_func is accuracy_score
        and scorer._sign == 1
        and not scorer._kwargs
        and scorer._response_method == "predict"
    )


def predict_unchecked(model: MLPClassifier, X: Any) -> Any:
    """Return an MLP's predictions for an array that is known to be valid."""
    return model._predict(X, check_input=False)


#: The data as an MLP's ``fit`` prepares it for the epochs: X, y of shape
#: (n_samples, n_outputs) and the sample weights; and the attributes set from the data.
CheckedData = tuple[tuple[Any, Any, Any], dict[str, Any]]

_DATA_ATTRIBUTES = (
    "n_features_in_",
    "feature_names_in_",
    "classes_",
    "_label_binarizer",
)


def prepare_stochastic_fit(
    model: Any, X: Any, y: Any, weight: Any, known: CheckedData | None
) -> CheckedData:
    """Run an MLP's ``fit`` up to the first epoch, and return the prepared data.

    scikit-learn itself validates parameters and data, encodes the targets and draws
    the first weights. If `known` is the result for another model of the same class on
    the same data, the data are not validated again.
    """
    prepared: list[Any] = []
    model._fit_stochastic = lambda *args: prepared.extend(args)
    if known is not None:
        arrays, attributes = known
        model._validate_input = lambda *_, **__: arrays[:2]
        for name, value in attributes.items():
            setattr(model, name, copy(value))
    try:
        if weight is None:
            model.fit(X, y)
        else:
            model.fit(X, y, sample_weight=weight)
    finally:
        del model._fit_stochastic
        if known is not None:
            del model._validate_input
    if known is not None:
        return known
    attributes = {
        name: getattr(model, name) for name in _DATA_ATTRIBUTES if hasattr(model, name)
    }
    return (prepared[0], prepared[1], prepared[2]), attributes


def start_optimizer(model: Any) -> None:
    """Set the optimizer of an MLP as its ``fit`` does before the first epoch."""
    params = model.coefs_ + model.intercepts_
    if model.solver == "adam":
        model._optimizer = AdamOptimizer(
            params, model.learning_rate_init, model.beta_1, model.beta_2, model.epsilon
        )
    else:
        model._optimizer = SGDOptimizer(
            params,
            model.learning_rate_init,
            model.learning_rate,
            model.momentum,
            model.nesterovs_momentum,
            model.power_t,
        )


def early_stopping_scores(model: Any) -> bool:
    """Return whether an MLP can score the rows that early stopping holds out.

    Some scikit-learn versions cannot if the classes are not numbers.
    """
    if not isinstance(model, MLPClassifier) or model.classes_.dtype.kind in "biuf":
        return True
    return _can_score_strings()


@cache
def _can_score_strings() -> bool:
    try:
        MLPClassifier._score_with_function(
            _StringPredictor(), None, None, None, score_function=lambda *_, **__: 0.0
        )
    except TypeError:
        return False
    return True


class _StringPredictor:
    def _predict(self, _: Any, **__: Any) -> Any:
        return np.array(["a", "b"])


def warn_as_mlp(message: str, category: type[Warning]) -> None:
    """Warn as scikit-learn's MLP does, so that filters by module still apply."""
    module = sys.modules["sklearn.neural_network._multilayer_perceptron"]
    warnings.warn_explicit(
        message,
        category,
        filename=str(module.__file__),
        lineno=MLPClassifier._fit_stochastic.__code__.co_firstlineno,
        module=module.__name__,
        registry=module.__dict__.setdefault("__warningregistry__", {}),
    )


def has_stopped_early(model: Any) -> bool:
    """Whether histogram gradient boosting would stop after its last iteration."""
    if not getattr(model, "do_early_stopping_", False):
        return False
    held_out = model._use_validation_data
    scores = model.validation_score_ if held_out else model.train_score_
    return bool(model._should_stop(list(scores)))
