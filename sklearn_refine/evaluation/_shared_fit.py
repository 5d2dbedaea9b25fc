"""Fit and score the last step of a candidate on a prefix that candidates share.

A change here may not break that the outcome is the one of scikit-learn's
``_fit_and_score``, and that a candidate cannot change the data of another candidate.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from traceback import format_exc
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_refine._history import Outcome
from sklearn_refine._sklearn_compat import (
    check_method_params,
    fit_task,
    num_samples,
    safe_split,
    score,
)
from sklearn_refine.evaluation._convergence import listen
from sklearn_refine.evaluation._failures import handle_timeout, make_failed_outcome
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.evaluation._shared_prefix import NotShareableError, SharedPrefix
from sklearn_refine.evaluation._signals import TimeUp, time_limit
from sklearn_refine.mlp._fits import MLPFit, can_train, warn_for
from sklearn_refine.sharing._copies import copy_data
from sklearn_refine.sharing._families import view
from sklearn_refine.sharing._pipelines import (
    assemble,
    assemble_without_transformers,
    build_estimator,
    build_last_step,
    has_prefix,
    last_step_params,
    unnest,
)


class SharedFit:
    """One candidate on one split, with a prefix that it shares with others.

    Parameters
    ----------
    inputs : FitInputs
        The inputs that all fits share.
    fit : Fit
        The candidate and the split.
    prefix : SharedPrefix
        The fitted steps before the last one.

    Attributes
    ----------
    step_fit : MLPFit
        The last step, which need not be an MLP, and its data.
    has_only_weights : bool
        Whether the last step's ``fit`` gets nothing but rows, targets and weights.
    is_stacked : bool
        Whether the last step is an MLP that can train together with others.
    is_served : bool
        Whether the last step was made from another fitted model.
    donor : estimator or None
        A fitted model with fewer iterations, from which the last step can go on.
    """

    def __init__(self, inputs: FitInputs, fit: Fit, prefix: SharedPrefix) -> None:
        self.inputs, self.fit, self.prefix = inputs, fit, prefix
        self._copies: dict[int, Any] = {}
        self._estimator: Any = None
        X, y, fit_params = prefix.fit_arguments
        params = last_step_params(prefix.last_step_path, fit.params)
        first = prefix.last_step_params
        if params is not None and first is not None and params.keys() == first.keys():
            last_step = build_last_step(prefix.last_step, params)
        else:
            last_step = self._unnest()[-1]
        self.step_fit = MLPFit(last_step, X, y, fit_params.get("sample_weight"))
        self.has_only_weights = fit_params.keys() <= {"sample_weight"}
        self.is_stacked = self.has_only_weights and can_train(last_step, X)
        self.is_served = False
        self.donor: Any = None
        self.step_fit.pauses = fit.pauses

    @classmethod
    def try_create(
        cls, inputs: FitInputs, fit: Fit, prefix: SharedPrefix
    ) -> SharedFit | None:
        """Return a shared fit, or None if scikit-learn must raise the error."""
        try:
            return cls(inputs, fit, prefix)
        except Exception:
            return None

    def go_on(self, fit: Fit) -> SharedFit:
        """Return the paused fit with another number of iterations."""
        if self.is_stacked:  # the stack knows the model
            self.fit, self.step_fit.pauses = fit, fit.pauses
            assert fit.pause is not None
            self.step_fit.model.max_iter = fit.pause.n_iter
            return self
        following = SharedFit(self.inputs, fit, self.prefix)
        following.donor = self.donor
        following.step_fit.seconds = self.step_fit.seconds
        return following

    @property
    def state(self) -> Any:
        """What trains on if the fit goes on, None if it cannot."""
        if not self.is_stacked:
            return self.donor
        step = self.step_fit
        is_over = getattr(step.model, "n_iter_", np.inf) < step.model.max_iter
        return step.model if is_over and not step.alone else step.stack

    def take(self, model: Any) -> None:
        """Take a fitted model as the last step, which needs no fit then."""
        self.step_fit.model = model
        self.is_served = True

    def take_training(self, twin: SharedFit) -> None:
        """Take what training gave an equal network, with its errors and warnings."""
        model = view(twin.step_fit.model, self.step_fit.model)
        self.step_fit = replace(twin.step_fit, model=model, stack=None)

    def run(self) -> Outcome | None:
        """Fit, unless the model was trained in a stack, and score.

        Returns None if scikit-learn must run the fit, for its error or because
        sharing is not possible.
        """
        inputs, limit = self.inputs, self.inputs.fit_timeout
        start = time.perf_counter()
        try:
            with time_limit(limit and limit - self.prefix.seconds, inputs.may_exit):
                with listen() as texts:
                    outcome = self._fit_and_score()
                if outcome is not None:
                    outcome["unconverged"] = [*self.prefix.unconverged, *texts]
                return outcome
        except TimeUp:
            seconds = self._fit_seconds() + time.perf_counter() - start
            return handle_timeout(inputs, self.fit.split, seconds)

    def _fit_and_score(self) -> Outcome | None:
        # The handlers of errors only set a flag. The traceback of an error that is
        # raised inside a handler would also show the handled error.
        diverged = False
        try:
            self._fit()
            if not self.prefix.is_transformed:
                self._estimator = self._assemble()
        except _DivergedError:
            diverged = True
        except Exception:
            return None
        if diverged:
            return self._handle_divergence()
        X, y, weight = self.prefix.callback_data
        context, caller = self.fit.callback_context, self.inputs.caller
        try:
            with fit_task(context, caller, X, y, weight) as stop:
                outcome = self._score_all()
        except NotShareableError:
            return None
        return {**outcome, "stop": stop()}

    def _fit(self) -> None:
        step = self.step_fit
        if self.is_stacked and not step.alone:
            if step.late:
                raise TimeUp
            if step.diverged:
                raise _DivergedError
            if step.error is not None:
                raise step.error
            if not self.fit.pauses:
                warn_for(step)
            return
        if self.is_served:
            return
        start = time.perf_counter()
        self.fit_model(step.model)
        step.seconds = time.perf_counter() - start

    def fit_model(self, model: Any) -> None:
        """Fit a model on the transformed training rows."""
        X, y, params = self.prefix.fit_arguments
        params = {
            name: self._copy(value) if _has_rows(value, X) else value
            for name, value in params.items()
        }
        X, y = self._copy(X), self._copy(y)
        if y is None:
            model.fit(X, **params)
        else:
            model.fit(X, y, **params)

    def _fit_seconds(self) -> float:
        return self.prefix.fit_seconds + self.step_fit.seconds

    def _score_all(self) -> Outcome:
        """Return the outcome of a fitted candidate, without the answer of callbacks."""
        start = time.perf_counter()
        scores = [self._score(0)]
        seconds = time.perf_counter() - start
        scores += [self._score(i) for i in range(1, len(self.prefix.scored_data))]
        outcome: Outcome = {
            "fit_error": None,
            "test_scores": scores[0],
            "n_test_samples": self.prefix.n_test,
            "fit_time": self._fit_seconds(),
            "score_time": self.prefix.score_seconds + seconds,
        }
        if self.inputs.options["return_train_score"]:
            outcome["train_scores"] = scores[1]
        return outcome

    def _score(self, i: int) -> Any:
        """Return the score on the test rows, 0, or on the training rows, 1."""
        prefix, inputs, options = self.prefix, self.inputs, self.inputs.options
        accuracy = prefix.accuracies[i]
        if accuracy is not None and (self.is_stacked or self.is_served):
            value = accuracy(self.step_fit.model)
            if value is not None:
                return value
        X, y, indices = prefix.scored_data[i]
        y = self._copy(y)  # a metric may change it in place
        if not (prefix.is_transformed and (self.is_stacked or self.is_served)):
            X = self._copy(X)
        estimator = self._estimator
        if prefix.is_transformed:
            scores = self._score_transformed(X, y)
            if scores is not None:
                return scores
            if self.is_served:  # made for these rows only
                raise NotShareableError
            estimator = build_estimator(inputs.estimator, self.fit.params)
            train, _ = inputs.splits[self.fit.split]
            X, y = safe_split(estimator, inputs.X, inputs.y, indices, train)
            try:
                estimator = self._assemble()
            except Exception as error:
                raise NotShareableError from error
        params = check_method_params(
            inputs.X, params=options["score_params"], indices=indices
        )
        scorer, error_score = options["scorer"], options["error_score"]
        return score(estimator, X, y, scorer, params, error_score)

    def _score_transformed(self, X: Any, y: Any) -> Any:
        """Return scores on transformed rows, or None if the scorer fails.

        After a failure, the whole estimator is scored. It raises the error again, as
        scikit-learn would.
        """
        nested, model = self.prefix.nested, self.step_fit.model
        scorer = self.inputs.options["scorer"]
        error_score = self.inputs.options["error_score"]
        with suppress(Exception):
            if has_prefix(nested):
                check_is_fitted(model)  # as a Pipeline does
            estimator = assemble_without_transformers(nested, model)
            values = scorer(estimator, X) if y is None else scorer(estimator, X, y)
            if not _has_error_text(values):
                # Checks the values as scikit-learn does.
                return score(None, X, y, lambda *_: values, {}, error_score)
        return None

    def _copy(self, data: Any) -> Any:
        """Return the candidate's copy of shared data, which it may change in place."""
        if not self.prefix.is_shared:
            return data
        if id(data) not in self._copies:
            self._copies[id(data)] = copy_data(data)
        return self._copies[id(data)]

    def _unnest(self) -> list[Any]:
        """Return the candidate's nested estimators, not fitted."""
        nested = unnest(build_estimator(self.inputs.estimator, self.fit.params))
        assert nested is not None
        return nested

    def _assemble(self) -> Any:
        """Return the candidate's whole estimator, fitted."""
        return assemble(self.prefix.nested, self._unnest(), self.step_fit.model)

    def _handle_divergence(self) -> Outcome:
        """Return the outcome of weights that are not finite, or raise the error."""
        step, context = self.step_fit, self.fit.callback_context
        assert step.error is not None
        if self.inputs.options["error_score"] == "raise":
            warn_for(step)
            raise step.error
        try:
            warn_for(step)
            raise step.error
        except Exception:
            message = format_exc()
        X, y, weight = self.prefix.callback_data
        with fit_task(context, self.inputs.caller, X, y, weight) as stop:
            outcome = make_failed_outcome(
                self.inputs, self.fit.split, message, self._fit_seconds()
            )
        return {**outcome, "stop": stop()}


class _DivergedError(Exception):
    """A model that trained together with others has weights that are not finite."""


def _has_rows(value: Any, X: Any) -> bool:
    """Whether a fit parameter has one entry per row."""
    try:
        return bool(num_samples(value) == num_samples(X))
    except TypeError:
        return False


def _has_error_text(scores: Any) -> bool:
    """Whether a scorer returned the text of an error instead of a number."""
    values = scores.values() if isinstance(scores, dict) else [scores]
    return any(isinstance(value, str) for value in values)
