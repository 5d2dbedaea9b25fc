"""Run one task in a worker.

A change here may not break that fits that share work have the outcomes that
scikit-learn's ``_fit_and_score`` gives them one by one.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence

from sklearn.base import clone

from sklearn_refine._history import Outcome
from sklearn_refine._interrupts import fit_of_scikit_learn, raise_interrupt
from sklearn_refine._sklearn_compat import run_fit_and_score
from sklearn_refine.evaluation._failures import handle_timeout
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.evaluation._shared_fit import SharedFit
from sklearn_refine.evaluation._shared_prefix import SharedPrefix
from sklearn_refine.evaluation._signals import TimeUp, time_limit, worker_process
from sklearn_refine.evaluation._trackers import autologging_paused
from sklearn_refine.mlp._training import train_together

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
    with worker_process(inputs.parent_pid, inputs.may_exit), autologging_paused:
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
        with time_limit(inputs.fit_timeout, inputs.may_exit), fit_of_scikit_learn():
            return run_fit_and_score(
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
    except TimeUp:
        return handle_timeout(inputs, fit.split, time.perf_counter() - start)
    except Exception as error:
        error.add_note(f"It was raised by a fit with {fit.params!r}.")
        raise


def run_shared(inputs: FitInputs, fits: Sequence[Fit]) -> list[Outcome]:
    """Fit and score fits that share work; the outcomes are those of `run_unshared`.

    Times are shared, too. The time of a prefix is divided among the fits that use it.
    The time of an epoch is divided among the models that are still training.
    """
    shared_fits: list[SharedFit | None] = [None] * len(fits)
    timed_out: dict[int, float] = {}
    groups: dict[Hashable, list[int]] = {}
    for i, fit in enumerate(fits):
        groups.setdefault((fit.split, fit.prefix), []).append(i)
    for indices in groups.values():
        start = time.perf_counter()
        try:
            with time_limit(inputs.fit_timeout, inputs.may_exit):
                prefix = SharedPrefix.try_fit(inputs, [fits[i] for i in indices])
        except TimeUp:
            seconds = (time.perf_counter() - start) / len(indices)
            timed_out.update(dict.fromkeys(indices, seconds))
            continue
        if prefix is not None:
            for i in indices:
                shared_fits[i] = SharedFit.try_create(inputs, fits[i], prefix)
    train_together(
        [shared.step_fit for shared in shared_fits if shared and shared.is_stacked],
        inputs.fit_timeout,
    )
    outcomes = []
    for i, fit in enumerate(fits):
        if i in timed_out:
            outcomes.append(handle_timeout(inputs, fit.split, timed_out[i]))
            continue
        # Removed from the list, so that no fitted model is kept after its scores.
        shared, shared_fits[i] = shared_fits[i], None
        outcome = None if shared is None else shared.run()
        del shared
        raise_interrupt()  # what was shared may have caught it
        outcomes.append(run_unshared(inputs, fit) if outcome is None else outcome)
    return outcomes
