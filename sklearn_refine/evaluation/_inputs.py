"""The inputs that all fits of a search share, and the description of one fit.

Both are sent to workers, so a change here may not add anything that cannot be pickled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import Any

from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable

from sklearn_refine._sklearn_compat import check_method_params
from sklearn_refine.evaluation._paused import Pause


@dataclass(frozen=True)
class FitInputs:
    """The inputs that all fits of a search share.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit, never fitted itself.
    X, y : array-like
        The data.
    splits : mapping of int to (train, test)
        Drawn once for all rounds. A worker gets only the splits that it needs.
    n_splits : int
        The number of all splits.
    options : mapping
        Keyword arguments of scikit-learn's ``_fit_and_score``.
    caller : estimator or None
        The search, for its callbacks.
    metadata : dict or None
        Passed to callbacks in addition to the data.
    fit_timeout : float or None
        Seconds that a fit on one split may take, including its scores.
    race : str or None
        Identifies a race over iterations.
    parent_pid : int or None
        Number of the process that runs the search; None for a worker of a cluster.
    may_exit : bool
        Whether a worker may end itself when a fit does not react.
    summarizes : bool
        Whether ConvergenceWarnings are counted instead of shown.
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
    race: str | None = None
    parent_pid: int | None = field(default_factory=os.getpid)
    may_exit: bool = False
    summarizes: bool = False

    def for_tasks(self, *, has_callbacks: bool, race: str | None) -> FitInputs:
        """Return what the tasks of a wave need."""
        caller = self.caller if has_callbacks else None
        return replace(self, caller=caller, metadata=None, race=race)

    def for_keeping(self) -> FitInputs:
        """Return what is the same in all tasks of a search."""
        return replace(self, caller=None, metadata=None, race=None, parent_pid=None)

    def without_data(self) -> FitInputs:
        """Return what may differ between tasks, for a worker that keeps the rest."""
        options = {"error_score": self.options["error_score"]}
        return replace(
            self,
            estimator=None,
            X=None,
            y=None,
            splits={},
            options=options,
            parent_pid=None,
        )

    def with_data(self, kept: FitInputs) -> FitInputs:
        """Return the inputs of a task, from both of its parts."""
        return replace(
            kept,
            options={**kept.options, **self.options},
            caller=self.caller,
            race=self.race,
        )

    def for_splits(self, splits: Iterable[int]) -> FitInputs:
        """Return the inputs with only some of the splits."""
        return replace(self, splits={split: self.splits[split] for split in splits})


@dataclass(frozen=True)
class Fit:
    """One candidate on one split.

    Attributes
    ----------
    params : mapping of str to object
        The candidate's parameters.
    split : int
        The index of the split.
    prefix : tuple of int
        Numbers of what is around the steps and of each step that can be shared. Equal
        for candidates that share all but their last step.
    family : int or None
        Equal for candidates whose models can serve each other.
    candidate, n_candidates : int
        The candidate's index in the round and the number of candidates, for messages.
    callback_context : callback context or None
        The context of this fit.
    pause : Pause or None
        How the fit takes part in a race over iterations.
    """

    params: Mapping[str, Any]
    split: int
    prefix: tuple[int, ...]
    family: int | None
    candidate: int
    n_candidates: int
    callback_context: Any
    pause: Pause | None = None

    @property
    def pauses(self) -> bool:
        """Whether only a part of the iterations is run."""
        return self.pause is not None and self.pause.is_partial


def check_inputs(
    search: Any, X: Any, y: Any, params: dict[str, Any], *, draw_splits: bool = True
) -> FitInputs:
    """Check the arguments of ``fit`` and return them as the inputs of all fits.

    Parameters
    ----------
    search : estimator
        The search.
    X, y : array-like
        The data.
    params : dict of str to object
        Further arguments of ``fit``.
    draw_splits : bool, default=True
        If False, only the number of splits is determined, and no split is drawn.
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
            "No fits were performed. Was the CV iterator empty? "
            f"Were there no candidates? cv={search.cv!r} gives no splits."
        )
    splits = []
    if draw_splits:
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. "
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
    """Raise the error of `GridSearchCV` if the estimator is a class."""
    if isinstance(estimator, type):
        is_classifier(estimator)
        clone(estimator)  # is_classifier only warns until scikit-learn 1.7 is dropped


def _needs_y(estimator: Any) -> bool:
    """Whether an estimator certainly cannot be fitted without y."""
    try:
        y = signature(estimator.fit).parameters.get("y")
    except ValueError:  # compiled code may have no signature
        return False
    # The tag alone is not enough: every classifier has it.
    no_default = y is not None and y.default is Parameter.empty
    return no_default and bool(get_tags(estimator).target_tags.required)
