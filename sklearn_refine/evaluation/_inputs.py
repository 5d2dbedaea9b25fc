"""What a fit needs: the inputs that all fits share, checked, and one fit of a inputs.

Both are sent to workers, so they hold nothing that cannot be pickled.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable

from sklearn_refine._sklearn_compat import check_method_params


@dataclass(frozen=True)
class FitInputs:
    """What every fit of a search shares.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit, never fitted itself.
    X, y : array-like
        The data.
    splits : mapping of int to (train, test)
        Drawn once for all rounds; a worker gets those it needs.
    n_splits : int
        How many there are.
    options : mapping
        Keyword arguments of scikit-learn's ``_fit_and_score``.
    caller : estimator or None
        The search, for its callbacks.
    metadata : dict or None
        What callbacks are told beside the data.
    fit_timeout : float or None
        Seconds that a fit on one split may take, its scores included.
    parent : int
        Number of the process that the search runs in.
    may_exit : bool
        Whether a worker may end itself when a fit does not answer.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Mapping[int, tuple[Any, Any]]
    n_splits: int
    options: Mapping[str, Any]
    caller: Any
    metadata: dict[str, Any] | None = None
    fit_timeout: float | None = None
    parent: int = field(default_factory=os.getpid)
    may_exit: bool = False

    def part(self, fits: Sequence[Fit], called: bool) -> FitInputs:
        """Return what a worker needs of it for some fits."""
        splits = {fit.split: self.splits[fit.split] for fit in fits}
        caller = self.caller if called else None
        return replace(self, splits=splits, caller=caller, metadata=None)


@dataclass(frozen=True)
class Fit:
    """One fit of a task.

    Attributes
    ----------
    params : mapping of str to object
        The candidate's parameters.
    split : int
        The index of the split.
    prefix : hashable
        Equal for fits that share their prefix.
    number, of : int
        The candidate's place among those of the round, for messages.
    context : callback context or None
        Of this fit.
    """

    params: Mapping[str, Any]
    split: int
    prefix: Hashable
    number: int
    of: int
    context: Any


def check_inputs(
    search: Any, X: Any, y: Any, params: dict[str, Any], *, draw_splits: bool = True
) -> FitInputs:
    """Check what ``fit`` was given and return it as the inputs of all fits.

    Parameters
    ----------
    search : estimator
        The search.
    X, y : array-like
        The data.
    params : dict of str to object
        Further arguments of ``fit``.
    draw_splits : bool, default=True
        If False, only the number of splits is found out.
    """
    _check_is_instance(search.estimator)
    scorers, _ = search._get_scorers()
    X, y = indexable(X, y)
    if y is None and _needs_y(search.estimator):
        raise ValueError(
            f"The estimator of this {type(search).__name__} requires y to be passed, "
            f"but the target y is None: {search.estimator!r}."
        )
    params = check_method_params(X, params=params)
    routed = search._get_routed_params_for_fit(params)
    cv = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
    if not n_splits:
        raise ValueError(
            f"No fits were performed: cv={search.cv!r} gives no splits. "
            "Was the CV iterator empty?"
        )
    splits = []
    if draw_splits:
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits returned inconsistent results. "
                f"Expected {n_splits} splits, got {len(splits)}"
            )
    options = {
        "scorer": scorers,
        "fit_params": routed.estimator.fit,
        "score_params": routed.scorer.score,
        "return_train_score": search.return_train_score,
        "return_n_test_samples": True,
        "return_times": True,
        "return_parameters": False,
        "error_score": search.error_score,
        "verbose": search.verbose,
    }
    weight = params.get("sample_weight")
    return FitInputs(
        clone(search.estimator),
        X,
        y,
        dict(enumerate(splits)),
        n_splits,
        options,
        caller=search,
        metadata=None if weight is None else {"sample_weight": weight},
        fit_timeout=search.fit_timeout,
    )


def _check_is_instance(estimator: Any) -> None:
    """Raise for a class what `GridSearchCV` raises for it, in every version."""
    if isinstance(estimator, type):
        is_classifier(estimator)
        clone(estimator)  # where is_classifier only warns: until 1.7 is dropped


def _needs_y(estimator: Any) -> bool:
    """Whether an estimator's ``fit`` can be said to fail without y, before any fit."""
    try:
        y = signature(estimator.fit).parameters.get("y")
    except ValueError:  # compiled code may have no signature
        return False
    # The tag alone is no proof: every classifier has it.
    no_default = y is not None and y.default is Parameter.empty
    return no_default and bool(get_tags(estimator).target_tags.required)
