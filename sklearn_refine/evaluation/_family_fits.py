"""Fit the models of one family on one split: a few fits serve all of them.

A change here may not break that a model which cannot be served is fitted by itself.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from sklearn_refine._history import Outcome
from sklearn_refine.evaluation._shared_fit import SharedFit
from sklearn_refine.evaluation._signals import TimeUp, time_limit
from sklearn_refine.sharing._copies import copy_data
from sklearn_refine.sharing._families import Data, Family, Served
from sklearn_refine.sharing._pauses import go_on
from sklearn_refine.sharing._registry import may_be_random
from sklearn_refine.sharing._tree import global_random_state

_METHODS = ("predict", "predict_proba", "decision_function")

#: For classes met in this process: whether a served model predicted the same bytes as a
#: model that was fitted by itself.
_IS_EXACT: dict[type, bool] = {}


def run_family(family: Family, members: Sequence[SharedFit]) -> list[Outcome | None]:
    """Fit and score candidates whose models are in one family, on the same rows.

    Parameters
    ----------
    family : Family
        The family of all models.
    members : sequence of SharedFit
        The fits, which have one prefix.

    Returns
    -------
    outcomes : list of (dict or None)
        None if scikit-learn must run the fit. The time of a fit that serves others is
        divided among them, in proportion to the sizes of their models.
    """
    run = _FamilyRun(family, members)
    order = [family.order(member.step_fit.model) for member in members]
    for i in sorted(range(len(members)), key=order.__getitem__):
        run.add(i)
    return run.divide_times()


def training_key(member: SharedFit) -> Hashable | None:
    """Return a key that is equal for networks which one training serves.

    They differ in nothing but the number of epochs. None if a network shares with no
    other one, or if another fit would draw other random numbers. In a race over
    iterations, only networks that pause at the same epoch share.
    """
    model, fit = member.step_fit.model, member.fit
    if fit.family is None or fit.callback_context is not None:
        return None
    if not isinstance(model.random_state, Integral | np.random.RandomState):
        return None
    return fit.split, fit.prefix, fit.family, fit.pause and model.max_iter


def hand_over(first: SharedFit, following: SharedFit, outcome: Outcome | None) -> bool:
    """Continue the training of one network for another one with more epochs.

    Returns whether that is possible. If not, the other network is trained by itself.
    """
    step = first.step_fit
    if outcome is None or outcome["fit_error"] or step.alone:
        return False
    step.model.max_iter = following.step_fit.model.max_iter
    step.pauses = following.step_fit.pauses
    following.step_fit = step
    return True


def divide_training(
    stages: Sequence[Sequence[Outcome | None]], prefix_seconds: float
) -> None:
    """Divide the time of one training among all numbers of epochs that it served.

    By then, each has the time up to its last epoch, which is about what its own
    training would have taken.
    """
    known = [[o for o in stage if o is not None] for stage in stages]
    spent = [sum(o["fit_time"] - prefix_seconds for o in stage) for stage in known]
    share = spent[-1] / sum(spent) if sum(spent) > 0 else 1.0
    for outcome in (o for stage in known for o in stage):
        own_seconds = outcome["fit_time"] - prefix_seconds
        outcome["fit_time"] = prefix_seconds + share * own_seconds


def run_twins(twins: Sequence[SharedFit]) -> list[Outcome | None]:
    """Score equal networks; only the first was trained, in a stack.

    The time is divided among them evenly.
    """
    first, others = twins[0], twins[1:]
    if first.step_fit.alone:
        for twin in others:
            twin.step_fit.alone = True
        return [twin.run() for twin in twins]
    first.step_fit.seconds /= len(twins)
    outcome = first.run()
    if outcome is None:
        return [None] * len(twins)
    if outcome["fit_error"] is None and _is_finite(outcome["test_scores"]):
        outcome["score_time"] /= len(twins)
        return [dict(outcome) for _ in twins]
    for twin in others:
        twin.take_training(first)
    return [outcome, *(twin.run() for twin in others)]


class _FamilyRun:
    """The fits of one family, and the fitted models that can serve others."""

    def __init__(self, family: Family, members: Sequence[SharedFit]) -> None:
        self._family = family
        self._members = members
        prefix = members[0].prefix
        # Otherwise, the models will be asked for other rows than these.
        is_transformed = prefix.is_transformed
        rows = [X for X, _, _ in prefix.scored_data] if is_transformed else []
        self._data = Data(rows, members[0].fit_model)
        self._sizes = [family.size(member.step_fit.model) for member in members]
        self._outcomes: dict[int, Outcome | None] = {}
        #: Fitted models, by the member that each belongs to.
        self._donors: dict[int, Any] = {}
        self._served_by: dict[int, list[int]] = {}
        self._serve_seconds: defaultdict[int, float] = defaultdict(float)
        #: Members whose models predict the same.
        self._same: dict[Hashable, list[int]] = {}

    def add(self, i: int) -> None:
        """Fit and score a member, or let another one serve it."""
        for donor in self._donors:
            served = self._serve(donor, i)
            if served is not None:
                self._score(donor, i, served)
                self._members[i].donor = self._donors[donor]
                return
        member = self._members[i]
        state = global_random_state()
        fitted = self._go_on(member)
        outcome = self._outcomes[i] = member.run()
        has_drawn = global_random_state() != state
        if outcome is None or outcome["fit_error"] is not None:
            return
        member.donor = fitted if member.is_served else member.step_fit.model
        if not (has_drawn and may_be_random(member.step_fit.model)):
            self._donors[i] = member.donor
            self._served_by[i] = [i]
            own = self._serve(i, i)
            if own is not None:
                self._same[i, own.same] = [i]

    def _go_on(self, member: SharedFit) -> Any:
        """Continue the fit of a member from its donor, and return the fitted model."""
        donor, pause, inputs = member.donor, member.fit.pause, member.inputs
        if donor is None or pause is None:
            return None
        limit = inputs.fit_timeout
        start = time.perf_counter()
        try:
            with time_limit(limit and limit - member.step_fit.seconds, inputs.may_exit):
                go_on(donor, pause.name, pause.n_iter, member.fit_model)
                served = self._family.serve(donor, member.step_fit.model, self._data)
        except (Exception, TimeUp):
            for other in self._members:  # it may be fitted by halves
                other.donor = None if other.donor is donor else other.donor
            return None
        member.step_fit.seconds += time.perf_counter() - start
        if served is None:
            return None
        member.take(served.model)
        return donor

    def _serve(self, donor: int, i: int) -> Served | None:
        fitted, inputs = self._donors[donor], self._members[i].inputs
        start = time.perf_counter()
        try:
            with time_limit(inputs.fit_timeout, inputs.may_exit):
                model = self._members[i].step_fit.model
                served = self._family.serve(fitted, model, self._data)
                is_exact = served is None or i == donor or self._is_exact(fitted)
                return served if is_exact else None
        except (Exception, TimeUp):
            return None
        finally:
            self._serve_seconds[donor] += time.perf_counter() - start

    def _score(self, donor: int, i: int, served: Served) -> None:
        self._served_by[donor].append(i)
        same = self._same.setdefault((donor, served.same or ("only", i)), [])
        outcome = self._outcomes[same[0]] if same else None
        if outcome is not None and _is_finite(outcome["test_scores"]):
            self._outcomes[i] = dict(outcome)
        else:
            self._members[i].take(served.model)
            self._outcomes[i] = self._members[i].run()
        same.append(i)

    def _is_exact(self, donor: Any) -> bool:
        """Whether a served model has the bytes of one that is fitted by itself.

        This is tried once in a process for each class, with the smallest model that
        the donor can serve.
        """
        kind = type(donor)
        if kind not in _IS_EXACT:
            left = [i for i in range(len(self._members)) if i not in self._outcomes]
            for i in sorted(left, key=self._sizes.__getitem__):
                member = self._members[i]
                served = self._family.serve(donor, member.step_fit.model, self._data)
                if served is not None:
                    _IS_EXACT[kind] = False  # also if the next line raises
                    _IS_EXACT[kind] = self._predicts_the_same(member, served.model)
                    break
        return _IS_EXACT[kind]

    def _predicts_the_same(self, member: SharedFit, served: Any) -> bool:
        own = clone(member.step_fit.model)
        member.fit_model(own)
        rows = self._data.rows or [copy_data(member.prefix.fit_arguments[0])]
        return all(
            _predict(own, name, X) == _predict(served, name, X)
            for X in rows
            for name in _METHODS
            if hasattr(own, name)
        )

    def divide_times(self) -> list[Outcome | None]:
        """Return the outcomes, with shared times divided."""
        for donor, served in self._served_by.items():
            outcome = self._outcomes[donor]
            assert outcome is not None
            prefix_seconds = self._members[donor].prefix.fit_seconds
            seconds = outcome["fit_time"] - prefix_seconds + self._serve_seconds[donor]
            total = sum(self._sizes[i] for i in served)
            for i in served:
                of_member = self._outcomes[i]
                if of_member is not None:
                    share = self._sizes[i] / total
                    of_member["fit_time"] = prefix_seconds + share * seconds
        for same in self._same.values():
            for i in same:
                of_member = self._outcomes[i]
                if of_member is not None:
                    of_member["score_time"] /= len(same)
        return [self._outcomes[i] for i in range(len(self._members))]


def _is_finite(scores: Any) -> bool:
    values = list(scores.values()) if isinstance(scores, dict) else [scores]
    return bool(np.isfinite(values).all())


def _predict(model: Any, method: str, X: Any) -> Any:
    return _to_bytes(getattr(model, method)(X))


def _to_bytes(values: Any) -> Any:
    if isinstance(values, list):
        return [_to_bytes(value) for value in values]
    array = np.asarray(values)
    return array.tolist() if array.dtype == object else (array.dtype, array.tobytes())
