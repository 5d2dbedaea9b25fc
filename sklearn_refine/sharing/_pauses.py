"""Where the training of a model can pause, so that a race can compare what it learned.

A model that is paused after some of its iterations is the model that scikit-learn fits
with that number as its limit. A change here may not break that, nor that a model which
goes on ends as the one that is fitted in one go.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from numbers import Integral
from typing import Any

from sklearn_refine._sklearn_compat import has_stopped_early
from sklearn_refine.mlp._fits import can_train
from sklearn_refine.sharing._pipelines import build_estimator, last_step_path, unnest
from sklearn_refine.sharing._registry import find_family

#: The parameter with the number of iterations of models that ``warm_start`` continues.
_ITERATIONS = {
    **dict.fromkeys(
        (
            *("RandomForestClassifier", "RandomForestRegressor"),
            *("ExtraTreesClassifier", "ExtraTreesRegressor"),
            *("BaggingClassifier", "BaggingRegressor"),
            *("GradientBoostingClassifier", "GradientBoostingRegressor"),
        ),
        "n_estimators",
    ),
    "HistGradientBoostingClassifier": "max_iter",
    "HistGradientBoostingRegressor": "max_iter",
}

#: Shares of the iterations after which models pause. One split says more of a network
#: than a few epochs on all splits; of trees, a few on all splits say more.
NETWORK_SHARES = (1 / 4, 1 / 2)
TREE_SHARES = (1 / 8, 1 / 4, 1 / 2)


@dataclass(frozen=True)
class Pauses:
    """Where the training of a candidate pauses.

    Attributes
    ----------
    name : str
        The parameter with the number of iterations.
    n_iter : int
        The number of iterations.
    shares : tuple of float
        Shares of the iterations after which it pauses, ascending.
    on_all_splits : bool
        Whether it pauses on all splits; if not, only on the first.
    """

    name: str
    n_iter: int
    shares: tuple[float, ...]
    on_all_splits: bool

    def limits(self) -> list[int]:
        """Return the number of iterations at each pause."""
        return [ceil(share * self.n_iter) for share in self.shares]


def find_pauses(estimator: Any, params: Mapping[str, Any], X: Any) -> Pauses | None:
    """Return where the training of a candidate can pause, None if it cannot."""
    try:
        nested = unnest(build_estimator(estimator, params))
        if nested is None:
            return None
        model = nested[-1]
        if can_train(model, X):
            name, is_network = "max_iter", True
        elif _continues(model):
            name, is_network = _ITERATIONS[type(model).__name__], False
        else:
            return None
        start = last_step_path(nested)
    except Exception:
        return None  # the fit will raise the error
    return Pauses(
        f"{start}__{name}" if start else name,
        int(getattr(model, name)),
        NETWORK_SHARES if is_network else TREE_SHARES,
        on_all_splits=not is_network,
    )


def _continues(model: Any) -> bool:
    """Whether ``warm_start`` continues a model as if it was fitted in one go.

    In gradient boosting, early stopping starts anew, and a generator has moved on since
    the first fit.
    """
    if type(model).__name__ not in _ITERATIONS or find_family(model) is None:
        return False
    if getattr(model, "n_iter_no_change", None) is not None:
        return type(model).__name__.startswith("Hist")
    return model.random_state is None or isinstance(model.random_state, Integral)


def go_on(model: Any, name: str, n_iter: int, fit: Callable[[Any], Any]) -> None:
    """Continue a fitted model, in place, up to a number of iterations.

    If early stopping ended it just where it paused, only the number is set.

    Parameters
    ----------
    model : estimator
        The fitted model.
    name : str
        Its parameter with the number of iterations.
    n_iter : int
        The number of iterations.
    fit : callable
        Fits a model on the training rows.
    """
    model.set_params(**{name: n_iter})
    if has_stopped_early(model):
        return
    model.warm_start = True
    with warnings.catch_warnings():
        # The rows are the same, so that balanced weights are, too.
        warnings.filterwarnings("ignore", "class_weight presets", UserWarning)
        fit(model)
    model.warm_start = False
