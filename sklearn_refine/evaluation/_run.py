"""Dispatch: candidates and splits become units of work, units become joblib tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

import sklearn_refine.evaluation._sharing as sharing
from sklearn_refine._history import Candidate, History, Outcome
from sklearn_refine._sklearn_compat import calls_back, num_samples
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._plan import Cell, plan_units
from sklearn_refine.evaluation._racing import plausible, waves
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
    race: Race | None = None,
) -> tuple[dict[Any, list[Outcome]], bool]:
    """Fit and score candidates on every split, or on those that a race gives them.

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
    race : Race or None
        Drops candidates after each wave of splits.

    Returns
    -------
    outcomes : dict of key to list of dict
        For each candidate, what ``_fit_and_score`` returned, one a split.
    stop : bool
        Whether a callback asked to stop.
    """
    candidates = list(fresh.values())
    n_splits = task.n_splits
    shareable = [_look(task, c.params) if share else None for c in candidates]
    found: dict[tuple[int, int], Outcome] = {}
    alive = list(range(len(candidates)))
    stops = []
    for wave in race.waves(n_splits) if race and candidates else [range(n_splits)]:
        pairs = [(i, split) for i in alive for split in wave]
        results = _run_wave(
            parallel, task, candidates, shareable, pairs, costs, context
        )
        stops += [outcome.pop("stop") for outcome in results]
        found.update(zip(pairs, results, strict=True))
        if race is not None and candidates:
            alive = race.survivors(found, len(candidates), n_splits, alive)
    for i, candidate in enumerate(candidates):
        run = [found[i, split] for split in range(n_splits) if (i, split) in found]
        seconds = [outcome["fit_time"] + outcome["score_time"] for outcome in run]
        costs.learn(candidate.params, sum(seconds) / len(seconds))
    dropped = _not_run(list(found.values())) if found else {}
    outcomes = {
        key: [found.get((i, split), dropped) for split in range(n_splits)]
        for i, key in enumerate(fresh)
    }
    return outcomes, any(stops)


@dataclass(frozen=True)
class Race:
    """The splits of a round in waves, with fewer candidates in each.

    Attributes
    ----------
    score : callable
        From an outcome to the number that is raced on, greater is better.
    complete : ndarray of shape (n_incumbents, n_splits)
        The scores of candidates of earlier rounds.
    """

    score: Callable[[Outcome], float]
    complete: np.ndarray

    def waves(self, n_splits: int) -> list[range]:
        """Return the splits of each wave."""
        return waves(n_splits)

    def survivors(
        self,
        found: Mapping[tuple[int, int], Outcome],
        n_candidates: int,
        n_splits: int,
        alive: Sequence[int],
    ) -> list[int]:
        """Return which of the candidates still alive go on."""
        scores = np.full((n_candidates, n_splits), np.nan)
        for position, outcome in found.items():
            scores[position] = self.score(outcome)
        kept = plausible(scores, complete=self.complete)
        return [i for i in alive if kept[i]]


def _not_run(known: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a split that a race did not give to a candidate."""
    like = next((o for o in known if not o["fit_error"]), known[0])
    nothing: Outcome = {**like, "fit_time": np.nan, "score_time": np.nan}
    nothing["fit_error"] = None
    for name in ("test_scores", "train_scores"):
        if name in like:
            scores = like[name]
            several = isinstance(scores, dict)
            nothing[name] = dict.fromkeys(scores, np.nan) if several else np.nan
    return nothing


def _run_wave(
    parallel: Parallel,
    task: Task,
    candidates: Sequence[Candidate],
    shareable: Sequence[_Shareable | None],
    pairs: Sequence[tuple[int, int]],
    costs: CostModel,
    context: Any,
) -> list[Outcome]:
    """Fit and score pairs of a candidate and a split; return outcomes in order."""
    # All contexts exist before the first fit: one that is added while the search is
    # being pickled for a worker would break the pickling.
    contexts = [
        context.subcontext(
            task_name="candidate-split-evaluation",
            task_id=i * task.n_splits + split,
        )
        if calls_back(context)
        else None
        for i, split in pairs
    ]
    numbers: dict[Any, int] = {}  # instead of keys, which may be long
    prefixes = [
        0 if s is None else numbers.setdefault(s.prefix, len(numbers))
        for s in shareable
    ]
    jobs = [
        Job(candidates[i].params, split, prefixes[i], i, len(candidates), job_context)
        for (i, split), job_context in zip(pairs, contexts, strict=True)
    ]
    units = _units(task, pairs, shareable, candidates, costs, parallel.n_jobs)
    results = parallel(
        delayed(_run)(
            task.part([jobs[i] for i in unit], calls_back(context)),
            [jobs[i] for i in unit],
            shareable[pairs[unit[0]][0]] is not None,
        )
        for unit in units
    )
    outcomes: list[Any] = [None] * len(pairs)
    for unit, of_unit in zip(units, results, strict=True):
        for i, outcome in zip(unit, of_unit, strict=True):
            outcomes[i] = outcome
    return outcomes


def _run(task: Task, jobs: Sequence[Job], share: bool) -> list[Outcome]:
    """Do the fits of a unit in a worker."""
    return run_unit(task, jobs) if share else [run_alone(task, jobs[0])]


def _look(task: Task, params: Mapping[str, Any]) -> _Shareable | None:
    """Say what a candidate can share with others, None if nothing."""
    if task.options["verbose"] > 1:
        return None  # scikit-learn reports on each fit as it starts and ends
    try:
        chain = sharing.links(sharing.build(task.estimator, params))
    except Exception:
        return None  # its own fit will say what is wrong
    if chain is None:
        return None
    stack = sharing.stack_key(chain[-1], task.X)
    if stack is None and not sharing.has_prefix(chain):
        return None
    return _Shareable(sharing.prefix_key(chain, params), stack)


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
    expected = np.ones(len(candidates))
    if order:
        expected = costs.expect([candidate.params for candidate in candidates])
    alone = []
    cells = []
    position = {}
    for i, (candidate, split) in enumerate(pairs):
        shared = shareable[candidate]
        position[candidate, split] = i
        if shared is None:
            alone.append(i)
            continue
        cost = float(expected[candidate])
        cells.append(Cell(candidate, split, shared.prefix, shared.stack, cost))
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
