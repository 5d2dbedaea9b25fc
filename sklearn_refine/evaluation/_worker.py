"""One task in a worker: shared steps once, then each candidate, then scores."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from contextlib import suppress
from traceback import format_exc
from typing import Any

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

import sklearn_refine.sharing._pipelines as sharing
from sklearn_refine._history import Outcome
from sklearn_refine._sklearn_compat import (
    check_method_params,
    fit_task,
    is_own_scorer,
    num_samples,
    run_fit_and_score,
    safe_split,
    score,
)
from sklearn_refine.evaluation._failures import failure, timed_out
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.evaluation._signals import TimeUp, as_worker, time_limit
from sklearn_refine.mlp._training import MLPFit, can_train, train_together, warn_for
from sklearn_refine.sharing._accuracy import Accuracy

#: The number of a task, its outcomes, and the seconds that it took.
TaskResult = tuple[int, list[Outcome], float]


def run_task(
    number: int, inputs: FitInputs, fits: Sequence[Fit], share: bool
) -> TaskResult:
    """Do the fits of a task in a worker.

    Returns
    -------
    number : int
        As given, of the task.
    outcomes : list of dict
        What came of each fit.
    seconds : float
        What it took.
    """
    start = time.perf_counter()
    with as_worker(inputs.parent, inputs.may_exit):
        if share:
            outcomes = run_shared(inputs, fits)
        else:
            outcomes = [run_unshared(inputs, fit) for fit in fits]
    return number, outcomes, time.perf_counter() - start


def run_unshared(inputs: FitInputs, fit: Fit) -> Outcome:
    """MLPFit and score as scikit-learn does."""
    train, test = inputs.splits[fit.split]
    start = time.perf_counter()
    try:
        with time_limit(inputs.fit_timeout, inputs.may_exit):
            return run_fit_and_score(
                clone(inputs.estimator),
                inputs.X,
                inputs.y,
                train=train,
                test=test,
                parameters=fit.params,
                split_progress=(fit.split, inputs.n_splits),
                candidate_progress=(fit.number, fit.of),
                caller=inputs.caller if fit.context is not None else None,
                callback_ctx=fit.context,
                **inputs.options,
            )
    except TimeUp:
        return timed_out(inputs, fit.split, time.perf_counter() - start)
    except Exception as error:
        error.add_note(
            f"This came of a fit with {fit.params!r}. Later rounds of "
            "RefiningGridSearchCV may try values that are not listed; `bounds` says "
            "which it may."
        )
        raise


def run_shared(inputs: FitInputs, fits: Sequence[Fit]) -> list[Outcome]:
    """MLPFit and score fits that share work; the outcomes are those of `run_unshared`.

    Times are shared too: a prefix's among those who used it, and those of models
    that train together among the models that are still training in each epoch.
    """
    members: list[_Member | None] = [None] * len(fits)
    late: dict[int, float] = {}
    prefixes: dict[Hashable, list[int]] = {}
    for i, fit in enumerate(fits):
        prefixes.setdefault((fit.split, fit.prefix), []).append(i)
    for indices in prefixes.values():
        start = time.perf_counter()
        try:
            with time_limit(inputs.fit_timeout, inputs.may_exit):
                prefix = _Prefix.fitted(inputs, [fits[i] for i in indices])
        except TimeUp:
            seconds = (time.perf_counter() - start) / len(indices)
            late.update(dict.fromkeys(indices, seconds))
            continue
        if prefix is not None:
            for i in indices:
                members[i] = _Member.of(inputs, fits[i], prefix)
    train_together(
        [m.step for m in members if m is not None and m.together], inputs.fit_timeout
    )
    outcomes = []
    for i, fit in enumerate(fits):
        # Taken out of the list, so that no fitted model outlives its scores.
        member, members[i] = members[i], None
        if i in late:
            outcomes.append(timed_out(inputs, fit.split, late[i]))
        else:
            outcomes.append(
                run_unshared(inputs, fit) if member is None else member.outcome()
            )
        del member
    return outcomes


class _Prefix:
    """All but the last step of some candidates, fitted on one split."""

    def __init__(self, inputs: FitInputs, fits: Sequence[Fit]) -> None:
        start = time.perf_counter()
        first = fits[0]
        train, test = inputs.splits[first.split]
        options = inputs.options
        estimator = sharing.build(inputs.estimator, first.params)
        X_train, y_train = safe_split(estimator, inputs.X, inputs.y, train)
        X_test, self.y_test = safe_split(estimator, inputs.X, inputs.y, test, train)
        fit_params = check_method_params(
            inputs.X, params=options["fit_params"], indices=train
        )
        links = sharing.links(estimator)
        assert links is not None
        self.chain = links
        self.path = sharing.path_of(links)
        self.leaf = clone(links[-1])
        self.leaf_params = sharing.leaf_params(self.path, first.params)
        if len(self.chain) == 1:
            self.seen: tuple[Any, Any, Any] = (X_train, y_train, fit_params)
        else:
            stand_in = sharing.with_stand_in(self.chain)
            if y_train is None:
                estimator.fit(X_train, **fit_params)
            else:
                estimator.fit(X_train, y_train, **fit_params)
            self.seen = stand_in.seen_
            self.chain = sharing.fitted_links(estimator)
        self.n_test = num_samples(X_test)
        self.callback_data = (X_train, y_train, fit_params.get("sample_weight"))
        fitted = time.perf_counter()
        self.parts = [(X_test, self.y_test, test)]
        if options["return_train_score"]:
            self.parts.append((X_train, y_train, train))
        self.shared = len(fits) > 1
        self.light = not options["score_params"] and is_own_scorer(options["scorer"])
        if self.light:
            chain = self.chain
            if (
                options["return_train_score"]
                and sharing.has_prefix(chain)
                and sharing.may_share_memory(self.seen[0], X_train)
            ):  # what fits see would change as rows to be scored on are transformed
                raise _NotSharedError
            self.parts = [
                (sharing.transform(chain, X), y, rows) for X, y, rows in self.parts
            ]
            if first.context is None:
                self.callback_data = (None, None, None)  # free the rows
        self.accuracies = [
            Accuracy.of(options["scorer"], self.chain, X, y) if self.light else None
            for X, y, _ in self.parts
        ]
        self.fit_seconds = (fitted - start) / len(fits)
        self.score_seconds = (time.perf_counter() - fitted) / len(fits)
        self.seconds = time.perf_counter() - start

    @classmethod
    def fitted(cls, inputs: FitInputs, fits: Sequence[Fit]) -> _Prefix | None:
        """Return a fitted prefix, or None where scikit-learn must say what is wrong."""
        try:
            return cls(inputs, fits)
        except Exception:
            return None


class _Member:
    """A candidate's last step on a prefix."""

    def __init__(self, inputs: FitInputs, fit: Fit, prefix: _Prefix) -> None:
        self.inputs, self.fit, self.prefix = inputs, fit, prefix
        self.copies: dict[int, Any] = {}
        X, y, params = prefix.seen
        own = sharing.leaf_params(prefix.path, fit.params)
        first = prefix.leaf_params
        if own is not None and first is not None and own.keys() == first.keys():
            leaf = sharing.build_leaf(prefix.leaf, own)
        else:
            leaf = self._chain()[-1]
        self.step = MLPFit(leaf, X, y, params.get("sample_weight"))
        self.together = params.keys() <= {"sample_weight"} and can_train(leaf, X)

    def _chain(self) -> list[Any]:
        """Return the candidate's whole chain, not fitted."""
        links = sharing.links(sharing.build(self.inputs.estimator, self.fit.params))
        assert links is not None
        return links

    @classmethod
    def of(cls, inputs: FitInputs, fit: Fit, prefix: _Prefix) -> _Member | None:
        """Return a member, or None where scikit-learn must say what is wrong."""
        try:
            return cls(inputs, fit, prefix)
        except Exception:
            return None

    def outcome(self) -> Outcome:
        """MLPFit, if it is not fitted, and score."""
        inputs, limit = self.inputs, self.inputs.fit_timeout
        spent = self.prefix.seconds
        start = time.perf_counter()
        try:
            with time_limit(limit and limit - spent, inputs.may_exit):
                outcome = self._outcome()
        except TimeUp:
            spent = self.prefix.fit_seconds + self.step.seconds
            seconds = spent + time.perf_counter() - start
            return timed_out(inputs, self.fit.split, seconds)
        return run_unshared(inputs, self.fit) if outcome is None else outcome

    def _outcome(self) -> Outcome | None:
        """Return the outcome, or None where scikit-learn must say what is wrong."""
        # What follows an error is done outside its handler, or its own traceback would
        # show this one, too.
        diverged = False
        try:
            self._fit()
            if not self.prefix.light:
                self.whole = self._whole()
        except _DivergedError:
            diverged = True
        except Exception:
            return None
        if diverged:
            return self._failed()
        X, y, weight = self.prefix.callback_data
        try:
            with fit_task(self.fit.context, self.inputs.caller, X, y, weight) as stop:
                out = self._scored()
        except _NotSharedError:
            return None
        return {**out, "stop": stop()}

    def _fit(self) -> None:
        step = self.step
        if self.together and not step.alone:
            if step.late:
                raise TimeUp
            if step.diverged:
                raise _DivergedError
            if step.error is not None:
                raise step.error
            warn_for(step)
            return
        start = time.perf_counter()
        X, y, params = self.prefix.seen
        params = {
            name: self._own(value) if _has_rows(value, X) else value
            for name, value in params.items()
        }
        X, y = self._own(X), self._own(y)
        if y is None:
            step.model.fit(X, **params)
        else:
            step.model.fit(X, y, **params)
        step.seconds = time.perf_counter() - start

    def _scored(self) -> Outcome:
        options = self.inputs.options
        start = time.perf_counter()
        scores = [self._score(0)]
        seconds = time.perf_counter() - start
        scores += [self._score(i) for i in range(1, len(self.prefix.parts))]
        out: Outcome = {
            "fit_error": None,
            "test_scores": scores[0],
            "n_test_samples": self.prefix.n_test,
            "fit_time": self.prefix.fit_seconds + self.step.seconds,
            "score_time": self.prefix.score_seconds + seconds,
        }
        if options["return_train_score"]:
            out["train_scores"] = scores[1]
        return out

    def _score(self, i: int) -> Any:
        """Score on the test rows, 0, or on the training rows, 1."""
        accuracy = self.prefix.accuracies[i]
        if accuracy is not None:
            known = accuracy(self.step.model)
            if known is not None:
                return known
        X, y, rows = self.prefix.parts[i]
        inputs, options = self.inputs, self.inputs.options
        scorer, error_score = options["scorer"], options["error_score"]
        y = self._own(y)  # a metric is given it
        if not (self.prefix.light and self.together):
            X = self._own(X)
        if self.prefix.light:
            with suppress(Exception):  # the whole estimator will say it
                if sharing.has_prefix(self.prefix.chain):
                    check_is_fitted(self.step.model)  # as a Pipeline does
                estimator = sharing.short(self.prefix.chain, self.step.model)
                known = scorer(estimator, X) if y is None else scorer(estimator, X, y)
                if not _has_message(known):
                    return score(None, X, y, lambda *_: known, {}, error_score)
            estimator = sharing.build(inputs.estimator, self.fit.params)
            X, y = safe_split(
                estimator, inputs.X, inputs.y, rows, inputs.splits[self.fit.split][0]
            )
            try:
                estimator = self._whole()
            except Exception as error:
                raise _NotSharedError from error
        else:
            estimator = self.whole
        params = check_method_params(
            inputs.X, params=options["score_params"], indices=rows
        )
        return score(estimator, X, y, scorer, params, error_score)

    def _own(self, data: Any) -> Any:
        """Return the candidate's copy of what others read too, for it may change it."""
        if not self.prefix.shared:
            return data
        if id(data) not in self.copies:
            self.copies[id(data)] = sharing.own(data)
        return self.copies[id(data)]

    def _whole(self) -> Any:
        return sharing.whole(self.prefix.chain, self._chain(), self.step.model)

    def _failed(self) -> Outcome:
        """Return what scikit-learn makes of weights that are not finite."""
        assert self.step.error is not None
        if self.inputs.options["error_score"] == "raise":
            warn_for(self.step)
            raise self.step.error
        try:
            warn_for(self.step)
            raise self.step.error
        except Exception:
            message = format_exc()
        X, y, weight = self.prefix.callback_data
        with fit_task(self.fit.context, self.inputs.caller, X, y, weight) as stop:
            seconds = self.prefix.fit_seconds + self.step.seconds
            out = failure(self.inputs, self.fit.split, message, seconds)
        return {**out, "stop": stop()}


class _NotSharedError(Exception):
    """Something that candidates would share may be changed, or cannot be copied."""


class _DivergedError(Exception):
    """A model that trained together with others has weights that are not finite."""


def _has_rows(value: Any, X: Any) -> bool:
    """Whether something that is passed to a fit has a part for each row."""
    try:
        return bool(num_samples(value) == num_samples(X))
    except TypeError:
        return False


def _has_message(scores: Any) -> bool:
    """Whether a scorer returned the text of an error."""
    values = scores.values() if isinstance(scores, dict) else [scores]
    return any(isinstance(value, str) for value in values)
