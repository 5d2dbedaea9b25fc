"""Dispatch: one joblib task for each candidate and split, each fitted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklearn_refine._history import Candidate, History, Outcome
from sklearn_refine._sklearn_compat import calls_back, run_fit_and_score


@dataclass(frozen=True)
class Task:
    """What every fit of a search shares.

    Attributes
    ----------
    estimator : estimator
        Cloned for each fit, never fitted itself.
    X, y : array-like
        The data.
    splits : list of (train, test)
        Drawn once for all rounds.
    options : mapping
        Keyword arguments of scikit-learn's ``_fit_and_score``.
    caller : estimator
        The search, for its callbacks.
    """

    estimator: Any
    X: Any
    y: Any
    splits: Sequence[tuple[Any, Any]]
    options: Mapping[str, Any]
    caller: Any


def to_fit(candidates: Sequence[Candidate], history: History) -> dict[Any, Candidate]:
    """Return the candidates that have no outcome yet, each once, by their key."""
    fresh: dict[Any, Candidate] = {}
    for candidate in candidates:
        key = candidate.key
        if history.outcomes_of(key) is None:
            fresh.setdefault(key, candidate)
    return fresh


def evaluate(
    parallel: Parallel, task: Task, fresh: Mapping[Any, Candidate], context: Any
) -> tuple[dict[Any, list[Outcome]], bool]:
    """Fit and score candidates on every split.

    Parameters
    ----------
    parallel : Parallel
        Where the fits run.
    task : Task
        What they share.
    fresh : mapping of key to Candidate
        What to fit.
    context : callback context
        Its subtasks are the fits; not sequential.

    Returns
    -------
    outcomes : dict of key to list of dict
        For each candidate, what ``_fit_and_score`` returned, one a split.
    stop : bool
        Whether a callback asked to stop.
    """
    n_splits = len(task.splits)
    pairs = list(product(enumerate(fresh.values()), enumerate(task.splits)))
    # All contexts exist before the first fit: one that is added while the search is
    # being pickled for a worker would break the pickling.
    contexts = [
        context.subcontext(task_name="candidate-split-evaluation", task_id=task_id)
        if calls_back(context)
        else None
        for task_id in range(len(pairs))
    ]
    results = parallel(
        delayed(run_fit_and_score)(
            clone(task.estimator),
            task.X,
            task.y,
            train=train,
            test=test,
            parameters=candidate.params,
            split_progress=(split, n_splits),
            candidate_progress=(index, len(fresh)),
            caller=task.caller if fit_context is not None else None,
            callback_ctx=fit_context,
            **task.options,
        )
        for ((index, candidate), (split, (train, test))), fit_context in zip(
            pairs, contexts, strict=True
        )
    )
    stop = any(result.pop("stop") for result in results)
    outcomes = {
        key: results[i * n_splits : (i + 1) * n_splits] for i, key in enumerate(fresh)
    }
    return outcomes, stop
