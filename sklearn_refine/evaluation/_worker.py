"""Run one task in a worker.

A change here may not break that fits that share work have the outcomes that
scikit-learn's ``_fit_and_score`` gives them one by one.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sklearn_refine._history import Outcome
from sklearn_refine._interrupts import fit_of_scikit_learn, raise_interrupt
from sklearn_refine._sklearn_compat import run_fit_and_score
from sklearn_refine.evaluation._convergence import listen, summarize
from sklearn_refine.evaluation._failures import handle_timeout
from sklearn_refine.evaluation._family_fits import (
    divide_training,
    hand_over,
    run_family,
    run_twins,
    training_key,
)
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.evaluation._paused import PAUSED, estimate_memory
from sklearn_refine.evaluation._shared_fit import SharedFit
from sklearn_refine.evaluation._shared_prefix import SharedPrefix
from sklearn_refine.evaluation._signals import TimeUp, time_limit, worker_process
from sklearn_refine.evaluation._trackers import autologging_paused
from sklearn_refine.mlp._training import train_together
from sklearn_refine.sharing._registry import find_family
from sklearn_refine.sharing._tree import PrefixTree

#: The number of a task, the outcomes of its fits, and the seconds that it took.
TaskResult = tuple[int, list[Outcome], float]


def run_task(
    number: int, inputs: FitInputs, fits: Sequence[Fit], share: bool
) -> TaskResult:
    """Run the fits of a task in a worker.

    Parameters
    ----------
    number : int
        The number of the task.
    inputs : FitInputs
        The inputs that the fits share.
    fits : sequence of Fit
        The fits of the task.
    share : bool
        Whether the fits share work.

    Returns
    -------
    number : int
        The number of the task.
    outcomes : list of dict
        The outcome of each fit.
    seconds : float
        The time that the task took.
    """
    start = time.perf_counter()
    PAUSED.keep_only(inputs.race)
    # The process of the search does it once, since its workers may be threads.
    is_worker = os.getpid() != inputs.parent_pid
    with (
        summarize() if inputs.summarizes and is_worker else nullcontext(),
        worker_process(inputs.parent_pid, inputs.may_exit),
        autologging_paused,
    ):
        if share:
            outcomes = run_shared(inputs, fits)
        else:
            outcomes = [run_unshared(inputs, fit) for fit in fits]
    return number, outcomes, time.perf_counter() - start


def run_unshared(inputs: FitInputs, fit: Fit) -> Outcome:
    """Fit and score as scikit-learn does."""
    train, test = inputs.splits[fit.split]
    start = time.perf_counter()
    try:
        with (
            time_limit(inputs.fit_timeout, inputs.may_exit),
            fit_of_scikit_learn(),
            _pause_is_no_end(fit),
            listen() as texts,
        ):
            outcome = run_fit_and_score(
                clone(inputs.estimator),
                inputs.X,
                inputs.y,
                train=train,
                test=test,
                parameters=fit.params,
                split_progress=(fit.split, inputs.n_splits),
                candidate_progress=(fit.candidate, fit.n_candidates),
                caller=inputs.caller if fit.callback_context is not None else None,
                callback_ctx=fit.callback_context,
                **inputs.options,
            )
            return {**outcome, "unconverged": texts}
    except TimeUp:
        return handle_timeout(inputs, fit.split, time.perf_counter() - start)
    except Exception as error:
        error.add_note(f"It was raised by a fit with {fit.params!r}.")
        raise


@contextmanager
def _pause_is_no_end(fit: Fit) -> Iterator[None]:
    """Ignore the warning of a model that only pauses at its number of iterations."""
    if not fit.pauses:
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def run_shared(inputs: FitInputs, fits: Sequence[Fit]) -> list[Outcome]:
    """Fit and score fits that share work; the outcomes are those of `run_unshared`.

    Times are shared, too. The time of a prefix is divided among the fits that use it.
    The time of an epoch is divided among the models that are still training.
    """
    outcomes: dict[int, Outcome | None] = {}
    stacked: dict[int, SharedFit] = {}
    groups: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for i, fit in enumerate(fits):
        groups.setdefault((fit.split, fit.prefix), []).append(i)
    paused = _take_paused(inputs, fits)
    trees = _make_trees(inputs, [f for i, f in enumerate(fits) if i not in paused])
    for (split, _), indices in sorted(groups.items()):
        start = time.perf_counter()
        try:
            with time_limit(inputs.fit_timeout, inputs.may_exit), listen() as texts:
                known = [paused[i].prefix for i in indices if i in paused]
                prefix = (
                    known[0]
                    if known
                    else SharedPrefix.try_fit(
                        inputs, [fits[i] for i in indices], trees.get(split)
                    )
                )
        except TimeUp:
            seconds = (time.perf_counter() - start) / len(indices)
            outcomes |= {i: handle_timeout(inputs, split, seconds) for i in indices}
            continue
        if prefix is None:
            continue
        prefix.unconverged += texts
        shared = {
            i: paused[i].go_on(fits[i])
            if i in paused
            else SharedFit.try_create(inputs, fits[i], prefix)
            for i in indices
        }
        members = {i: each for i, each in shared.items() if each is not None}
        stacked |= {i: each for i, each in members.items() if each.is_stacked}
        outcomes |= _run_members(
            {i: each for i, each in members.items() if not each.is_stacked}
        )
        # The next prefix is fitted when this one is gone.
        del prefix, shared, members
    outcomes |= _run_stacked(stacked, inputs.fit_timeout)
    return [outcomes.get(i) or run_unshared(inputs, fit) for i, fit in enumerate(fits)]


def _take_paused(inputs: FitInputs, fits: Sequence[Fit]) -> dict[int, SharedFit]:
    """Return the fits that have paused in this process and can go on."""
    return PAUSED.take(
        {
            i: (inputs.race, fit.pause.candidate, fit.split)
            for i, fit in enumerate(fits)
            if fit.pause is not None
        }
    )


def _keep_paused(
    members: Mapping[int, SharedFit], outcomes: Mapping[int, Outcome | None]
) -> None:
    """Keep the fits that pause, for as long as there is memory for them."""
    kept = []
    for i, member in members.items():
        outcome = outcomes[i]
        if member.fit.pauses and outcome is not None and not outcome["fit_error"]:
            member.step_fit.seconds = outcome["fit_time"] - member.prefix.fit_seconds
            kept += [] if member.state is None else [member]
    sizes = np.zeros(len(kept))
    for parts in (
        [member.prefix.fit_arguments for member in kept],
        [member.prefix.scored_data for member in kept],
        [member.state for member in kept],
    ):
        sizes += _shares_of_memory(parts)
    for member, n_bytes in zip(kept, sizes.tolist(), strict=True):
        fit = member.fit
        assert fit.pause is not None
        key = member.inputs.race, fit.pause.candidate, fit.split
        PAUSED.put(key, member, n_bytes)


def _shares_of_memory(parts: Sequence[Any]) -> list[float]:
    """Return the bytes of objects, divided among those who have the same one."""
    counts = Counter(map(id, parts))
    sizes = {id(part): estimate_memory(part) for part in parts}
    return [sizes[id(part)] / counts[id(part)] for part in parts]


def _make_trees(inputs: FitInputs, fits: Sequence[Fit]) -> dict[int, PrefixTree]:
    """Return a tree for each split on which several prefixes are fitted.

    Without trees, a step can change the training rows in place. scikit-learn would see
    the changed rows when it scores them, so there is no tree for training scores.
    """
    if inputs.options["return_train_score"]:
        return {}
    paths: dict[int, list[tuple[int, ...]]] = {}
    for fit in fits:
        paths.setdefault(fit.split, []).append(fit.prefix)
    return {
        split: PrefixTree(path[1:] for path in of_split)
        for split, of_split in paths.items()
        if len(set(of_split)) > 1
    }


def _run_stacked(
    members: dict[int, SharedFit], limit: float | None
) -> dict[int, Outcome | None]:
    """Train networks together and score them; one training serves equal ones.

    Networks that differ in the number of epochs are scored where training pauses.
    """
    trainings: dict[Any, dict[int, list[int]]] = {}
    for i, member in members.items():
        epochs = trainings.setdefault(training_key(member) or i, {})
        same = epochs.setdefault(member.step_fit.model.max_iter, [])
        same.insert(0 if member.step_fit.stack is not None else len(same), i)
    outcomes: dict[int, Outcome | None] = {}
    left = [[epochs[n] for n in sorted(epochs)] for epochs in trainings.values()]
    of_training: dict[int, list[list[Outcome | None]]] = {}
    while left:
        for stages in left:
            members[stages[0][0]].step_fit.pauses |= len(stages) > 1
        train_together([members[stages[0][0]].step_fit for stages in left], limit)
        for stages in left:
            # Removed, so that no fitted model is kept after its scores.
            own = {i: members.pop(i) for i in stages.pop(0)}
            outcomes |= zip(own, run_twins([*own.values()]), strict=True)
            _keep_paused(own, outcomes)
            first = next(iter(own))
            served = of_training.setdefault(id(stages), [])
            served.append([outcomes[i] for i in own])
            if not stages or not hand_over(
                own[first], members[stages[0][0]], outcomes[first]
            ):
                divide_training(served, own[first].prefix.fit_seconds)
                served.clear()
            raise_interrupt()  # what was shared may have caught it
        left = [stages for stages in left if stages]
    return outcomes


def _run_members(members: dict[int, SharedFit]) -> dict[int, Outcome | None]:
    """Run the fits of one prefix; models of one family serve each other."""
    families: dict[Any, list[int]] = {}
    for i, member in members.items():
        number = member.fit.family
        alone = number is None or member.fit.callback_context is not None
        families.setdefault(("alone", i) if alone else number, []).append(i)
    outcomes: dict[int, Outcome | None] = {}
    for indices in families.values():
        family = None
        first = members[indices[0]]
        is_shared = len(indices) > 1 or first.fit.pause is not None
        if is_shared and first.has_only_weights:
            family = find_family(first.step_fit.model)
        own = {i: members.pop(i) for i in indices}
        if family is None:
            results = [member.run() for member in own.values()]
        else:
            results = run_family(family, [*own.values()])
        outcomes |= zip(indices, results, strict=True)
        _keep_paused(own, outcomes)
        raise_interrupt()  # what was shared may have caught it
    return outcomes
