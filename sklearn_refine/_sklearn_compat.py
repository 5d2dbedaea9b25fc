"""The only door to scikit-learn's private names and version differences."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sklearn.base import _fit_context as fit_context
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score as fit_and_score,
)
from sklearn.model_selection._validation import (
    _insert_error_scores as insert_error_scores,
)
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_or_raise_about_fit_failures,
)
from sklearn.utils._param_validation import (
    Interval,
    Options,
    RealNotInt,
    make_constraint,
)
from sklearn.utils.validation import _check_method_params as check_method_params

try:
    from sklearn.callback import CallbackContext  # noqa: F401
except ImportError:  # until scikit-learn 1.8 is dropped
    SUPPORTS_CALLBACKS = False
else:
    SUPPORTS_CALLBACKS = True

__all__ = [
    "SUPPORTS_CALLBACKS",
    "BaseSearchCV",
    "Interval",
    "MultimetricScorer",
    "Options",
    "RealNotInt",
    "calls_back",
    "check_method_params",
    "fit_and_score",
    "fit_context",
    "init_callbacks",
    "insert_error_scores",
    "make_constraint",
    "run_fit_and_score",
    "warn_or_raise_about_fit_failures",
]


class _NoCallbacks:
    """A callback context that calls nobody.

    It stands in where no callback is set, and for scikit-learn before 1.9. A real
    one would be pickled for the workers with the contexts of all other fits.
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
    """A callback context that also remembers whether a callback asked to stop.

    ``_fit_and_score`` drops what ``call_on_fit_task_end`` returns, and the answer
    of a worker would be lost with it.
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
    """Return the root callback context of `search`, or one that calls nobody."""
    if not SUPPORTS_CALLBACKS or not _has_callbacks(search):
        return _NoCallbacks()
    return search._init_callback_context(max_subtasks=max_subtasks)


def calls_back(context: Any) -> bool:
    """Whether there is anybody whom `context` calls."""
    return not isinstance(context, _NoCallbacks)


def _has_callbacks(search: Any) -> bool:
    """Whether a callback is set on the search, around it, or on anything in it."""
    if hasattr(search, "_parent_callback_ctx"):
        return True
    found = [search]
    while found:
        value = found.pop()
        if isinstance(value, dict):
            found.extend(value.values())
        elif isinstance(value, list | tuple):
            found.extend(value)
        elif hasattr(value, "get_params") and not isinstance(value, type):
            if hasattr(value, "_skl_callbacks"):
                return True
            found.extend(value.get_params(deep=False).values())
    return False


def run_fit_and_score(
    *args: Any, caller: Any, callback_ctx: Any, **kwargs: Any
) -> dict[str, Any]:
    """Run ``_fit_and_score``; the result's "stop" says what the callbacks asked."""
    if callback_ctx is None:
        return {**fit_and_score(*args, **kwargs), "stop": False}
    listener = _StopListener(callback_ctx)
    out = fit_and_score(*args, caller=caller, callback_ctx=listener, **kwargs)
    return {**out, "stop": listener.stop}
