"""Dispatch: candidates and splits become units of work, units become joblib tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sklearn_refine._history import Candidate, History, Outcome
from sklearn_refine._sklearn_compat import calls_back, num_samples
from sklearn_refine.evaluation import _sharing
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._plan import Cell, plan_units
from sklearn_refine.evaluation._unit import Job, Task, run_alone, run_unit

SPLIT_BYTES = 1 << 26  # of transformed data that a unit may hold beyond one split's


def to_fit(candidates: Sequence[Candidate], history: History) -> dict[Any, Candidate]:
    """Return the candidates that have no outcome yet, each once, by their key."""
    fresh: dict[Any, Candidate] = {}
    for candidate in candidates:
        key = candidate.key
        if history.outcomes_of(key) is None:
            fresh.setdefault(key, candidate)
    return fresh


@dataclass(frozen=True)
class _Shareable:
    """What the plan must know of a candidate that can share work."""

    prefix: Any
    stack: Any


def evaluate(
    parallel: Parallel,
    task: Task,
    fresh: Mapping[Any, Candidate],
    context: Any,
    *,
    share: bool,
    costs: CostModel,
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
    share : bool
        Whether candidates may share work; the outcomes are the same.
    costs : CostModel
        Expects the times of fits, and learns from those taken.

    Returns
    -------
    outcomes : dict of key to list of dict
        For each candidate, what ``_fit_and_score`` returned, one a split.
    stop : bool
        Whether a callback asked to stop.
    """
    candidates = list(fresh.values())
    n_splits = len(task.splits)
    pairs = [(i, split) for i in range(len(candidates)) for split in range(n_splits)]
    # All contexts exist before the first fit: one that is added while the search is
    # being pickled for a worker would break the pickling.
    contexts = [
        context.subcontext(task_name="candidate-split-evaluation", task_id=task_id)
        if calls_back(context)
        else None
        for task_id in range(len(pairs))
    ]
    shareable = [_look(task, c.params) if share else None for c in candidates]
    prefixes = [None if sharing is None else sharing.prefix for sharing in shareable]
    jobs = [
        Job(candidates[i].params, split, prefixes[i], i, len(candidates), job_context)
        for (i, split), job_context in zip(pairs, contexts, strict=True)
    ]
    units = _units(task, pairs, shareable, candidates, costs, parallel.n_jobs)
    results = parallel(
        delayed(run_alone)(task, jobs[unit[0]])
        if shareable[pairs[unit[0]][0]] is None
        else delayed(run_unit)(task, [jobs[i] for i in unit])
        for unit in units
    )
    found: list[Any] = [None] * len(pairs)
    for unit, result in zip(units, results, strict=True):
        for i, outcome in zip(
            unit, result if isinstance(result, list) else [result], strict=True
        ):
            found[i] = outcome
    stops = [outcome.pop("stop") for outcome in found]
    outcomes = {
        key: found[i * n_splits : (i + 1) * n_splits] for i, key in enumerate(fresh)
    }
    for key, candidate in fresh.items():
        seconds = [o["fit_time"] + o["score_time"] for o in outcomes[key]]
        costs.learn(candidate.params, sum(seconds) / n_splits)
    return outcomes, any(stops)


def _look(task: Task, params: Mapping[str, Any]) -> _Shareable | None:
    """Say what a candidate can share with others, None if nothing."""
    if task.options["verbose"] > 1:
        return None  # scikit-learn reports on each fit as it starts and ends
    try:
        chain = _sharing.links(_sharing.build(task.estimator, params))
    except Exception:
        return None  # its own fit will say what is wrong
    if chain is None:
        return None
    stack = _sharing.stack_key(chain[-1], task.X)
    if stack is None and not _sharing.has_prefix(chain):
        return None
    return _Shareable(_sharing.prefix_key(chain, params), stack)


def _units(
    task: Task,
    pairs: Sequence[tuple[int, int]],
    shareable: Sequence[_Shareable | None],
    candidates: Sequence[Candidate],
    costs: CostModel,
    n_jobs: int | None,
) -> list[list[int]]:
    """Return units of positions in `pairs`, in the order in which they should start."""
    n_workers = effective_n_jobs(n_jobs)
    order = n_workers > 1
    expected = [costs.expect(c.params) if order else 1.0 for c in candidates]
    alone = []
    cells = []
    position = {}
    for i, (candidate, split) in enumerate(pairs):
        sharing = shareable[candidate]
        position[candidate, split] = i
        if sharing is None:
            alone.append(i)
            continue
        cost = expected[candidate]
        cells.append(Cell(candidate, split, sharing.prefix, sharing.stack, cost))
    alone.sort(key=lambda i: expected[pairs[i][0]], reverse=True)
    at_once = 1 + SPLIT_BYTES // max(1, _n_bytes(task.X))
    planned = plan_units(cells, n_workers, at_once)
    return [
        *([position[c.candidate, c.split] for c in unit] for unit in planned),
        *([i] for i in alone),
    ]


def _n_bytes(X: Any) -> int:
    """Estimate the size of the data in bytes, as floating-point numbers."""
    shape = getattr(X, "shape", None) or (num_samples(X), 1)
    dense = 8
    for size in shape:
        dense *= int(size)
    n_stored = getattr(X, "nnz", None)  # of a sparse array
    return dense if n_stored is None else 12 * int(n_stored)
