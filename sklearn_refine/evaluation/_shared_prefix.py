"""Fit the steps before the last one once for several candidates.

A change here may not break that each last step gets the arguments, and each scorer the
rows, that they would get if the candidate was fitted by itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sklearn.base import clone

from sklearn_refine._sklearn_compat import (
    check_method_params,
    is_own_scorer,
    num_samples,
    safe_split,
)
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.sharing._accuracy import Accuracy
from sklearn_refine.sharing._copies import may_share_memory
from sklearn_refine.sharing._pipelines import (
    build_estimator,
    has_prefix,
    insert_recorder,
    is_transformer,
    last_step_params,
    last_step_path,
    may_draw_later,
    set_memory,
    shared_steps,
    transform,
    unnest,
    unnest_fitted,
)
from sklearn_refine.sharing._tree import PrefixTree


class NotShareableError(Exception):
    """Shared data may be changed in place, or a transformer cannot be copied."""


class SharedPrefix:
    """The steps before the last one of some candidates, fitted on one split.

    Parameters
    ----------
    inputs : FitInputs
        The inputs that all fits share.
    fits : sequence of Fit
        Fits with the same split and the same prefix.
    tree : PrefixTree or None
        Has fitted steps of other prefixes on this split, and remembers those of this
        one.

    Attributes
    ----------
    nested : list of estimators
        The fitted nested estimators, from the outermost to the last step. The last step
        is not fitted.
    last_step : estimator
        The unfitted last step of the first fit.
    last_step_path : str
        Prefix of the last step's parameters.
    last_step_params : dict or None
        The parameters that the first fit sets on the last step.
    fit_arguments : tuple of (X, y, params)
        The arguments for the ``fit`` of each last step.
    callback_data : tuple of (X, y, sample_weight)
        The training data for callbacks.
    scored_data : list of (X, y, indices)
        The test rows and, if needed, the training rows.
    is_transformed : bool
        Whether `scored_data` passed through the transformers, which needs a scorer that
        does not look at the transformers, and transformers that give the same twice.
    accuracies : list of Accuracy or None
        For each of `scored_data`.
    is_shared : bool
        Whether others use the same data: several fits, or the fits of other prefixes.
    fit_seconds, score_seconds : float
        Each fit's share of the time.
    seconds : float
        The time for all fits.
    unconverged : list of str
        The ConvergenceWarnings of its steps.
    """

    def __init__(
        self, inputs: FitInputs, fits: Sequence[Fit], tree: PrefixTree | None = None
    ) -> None:
        start = time.perf_counter()
        first = fits[0]
        self.unconverged: list[str] = []
        train, test = inputs.splits[first.split]
        options = inputs.options
        estimator = build_estimator(inputs.estimator, first.params)
        X_train, y_train = safe_split(estimator, inputs.X, inputs.y, train)
        X_test, y_test = safe_split(estimator, inputs.X, inputs.y, test, train)
        fit_params = check_method_params(
            inputs.X, params=options["fit_params"], indices=train
        )
        nested = unnest(estimator)
        assert nested is not None
        self.last_step_path = last_step_path(nested)
        self.last_step = clone(nested[-1])
        self.last_step_params = last_step_params(self.last_step_path, first.params)
        self.nested = nested
        self.fit_arguments: tuple[Any, Any, Any] = (X_train, y_train, fit_params)
        self._tree = tree if has_prefix(nested) else None
        if len(nested) > 1:
            recorder = insert_recorder(nested)
            if self._tree is not None:
                steps = zip(first.prefix[1:], shared_steps(nested), strict=True)
                path = [n for n, step in steps if is_transformer(step)]
                self._tree.start(path, len(fits))
                set_memory(nested, self._tree)
            if y_train is None:
                estimator.fit(X_train, **fit_params)
            else:
                estimator.fit(X_train, y_train, **fit_params)
            self.fit_arguments = recorder.fit_arguments_
            self.nested = unnest_fitted(estimator)
            if self._tree is not None:
                set_memory(self.nested, None)
        self.n_test = num_samples(X_test)
        self.callback_data = (X_train, y_train, fit_params.get("sample_weight"))
        fitted = time.perf_counter()
        self.scored_data = [(X_test, y_test, test)]
        if options["return_train_score"]:
            self.scored_data.append((X_train, y_train, train))
        is_kept = first.pause is not None
        self.is_shared = len(fits) > 1 or self._tree is not None or is_kept
        self.is_transformed = (
            not options["score_params"]
            and is_own_scorer(options["scorer"])
            and not any(map(may_draw_later, shared_steps(self.nested)))
        )
        if self.is_transformed:
            self._transform_scored_data()
            if first.callback_context is None:
                self.callback_data = (None, None, None)  # frees the rows
        self.accuracies = [
            Accuracy.for_scorer(options["scorer"], self.nested, X, y)
            if self.is_transformed
            else None
            for X, y, _ in self.scored_data
        ]
        self.fit_seconds = (fitted - start) / len(fits)
        self.score_seconds = (time.perf_counter() - fitted) / len(fits)
        self.seconds = time.perf_counter() - start
        if self._tree is not None:
            self.fit_seconds += self._tree.share - self._tree.new_seconds / len(fits)
            self.seconds += self._tree.seconds - self._tree.new_seconds
        self._tree = None  # it holds the rows of this prefix

    @classmethod
    def try_fit(
        cls, inputs: FitInputs, fits: Sequence[Fit], tree: PrefixTree | None = None
    ) -> SharedPrefix | None:
        """Return a fitted prefix, or None if scikit-learn must raise the error."""
        try:
            return cls(inputs, fits, tree)
        except Exception:
            return None

    def _transform_scored_data(self) -> None:
        """Pass the rows to score through the transformers."""
        for X_train, _, _ in self.scored_data[1:]:
            # Transforming the training rows in place would change the fit arguments.
            if has_prefix(self.nested) and may_share_memory(
                self.fit_arguments[0], X_train
            ):
                raise NotShareableError
        if self._tree is not None:
            ((X, y, indices),) = self.scored_data
            self.scored_data = [(self._tree.transform(X), y, indices)]
            return
        self.scored_data = [
            (transform(self.nested, X), y, indices)
            for X, y, indices in self.scored_data
        ]
