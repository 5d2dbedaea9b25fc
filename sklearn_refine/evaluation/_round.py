"""Evaluate the candidates of a round: in waves if they race, else all at once.

A change here may not break that every finished fit reaches the store and the history,
also when an exception ends the round.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import product
from typing import Any

from sklearn_refine._history import (
    Candidate,
    History,
    Outcome,
    Proposal,
    Round,
    make_missing_outcome,
)
from sklearn_refine._interrupts import defer_interrupts
from sklearn_refine._sklearn_compat import calls_back, fit_task, is_own_scorer
from sklearn_refine.evaluation._context import EvaluationContext
from sklearn_refine.evaluation._failures import handle_dead_worker
from sklearn_refine.evaluation._inputs import Fit
from sklearn_refine.evaluation._paused import PAUSED
from sklearn_refine.evaluation._pool import Call
from sklearn_refine.evaluation._racing import Race
from sklearn_refine.evaluation._rows import Rows
from sklearn_refine.evaluation._tasks import (
    Pair,
    Task,
    make_tasks,
)
from sklearn_refine.evaluation._worker import TaskResult
from sklearn_refine.sharing._free import find_smaller

# Tasks that share no work are joined, because dispatching a task takes time.
SHORT_TASK_SECONDS = 0.02  # longest expected time of a joined task
SHORT_FIT_SECONDS = 0.002  # a shorter fit takes less time than dispatching it
SHORT_FITS_SECONDS = 0.05  # longest expected time of a joined task of such fits
POLL_SECONDS = 0.05  # between looks at the fits of other processes


def evaluate_round(
    context: EvaluationContext,
    history: History,
    proposal: Proposal,
    new_candidates: Mapping[Any, Candidate],
    callbacks: Any,
    race: Race | None,
) -> RoundEvaluation:
    """Fit the candidates of a round and append their outcomes to the history.

    Parameters
    ----------
    context : EvaluationContext
        What the evaluations of all rounds have in common.
    history : History
        Gets the finished candidates, also if an exception ends the round.
    proposal : Proposal
        The candidates and windows of the round.
    new_candidates : mapping of key to Candidate
        The candidates of the proposal that have no outcome yet.
    callbacks : callback context
        Its subtasks are the fits.
    race : Race or None
        Decides which fits are needed. If None, all of them are.
    """
    start = time.perf_counter()
    number = len(history.rounds) + 1
    context = context.for_round(number, invented=proposal.is_invented)
    evaluation = RoundEvaluation(context, new_candidates, callbacks, race)
    context.progress.begin_round(len(new_candidates) * context.inputs.n_splits)
    try:
        evaluation.run()
        context.progress.end_round()
    finally:
        PAUSED.keep_only(None)
        with defer_interrupts():
            _add_round(history, proposal, evaluation, time.perf_counter() - start)
    return evaluation


def _add_round(
    history: History, proposal: Proposal, evaluation: RoundEvaluation, seconds: float
) -> None:
    """Append the candidates of a proposal that are finished to the history."""
    outcomes = evaluation.collect_outcomes()
    rows = [
        (candidate, outcomes.get(candidate.key) or history.outcomes_of(candidate.key))
        for candidate in proposal.candidates
    ]
    finished = [(candidate, splits) for candidate, splits in rows if splits]
    if not finished and rows:
        history.n_fits_lost += evaluation.n_fits
        return
    history.add_round(
        [candidate for candidate, _ in finished],
        [splits for _, splits in finished],
        Round(proposal.windows, len(finished), evaluation.n_fits, seconds),
    )


class RoundEvaluation:
    """The fits of one round.

    Finished fits remain available if an exception ends `run`.

    Parameters
    ----------
    context : EvaluationContext
        What the evaluations of all rounds have in common.
    candidates : mapping of key to Candidate
        The candidates to evaluate.
    callbacks : callback context
        Its subtasks are the fits; not sequential.
    race : Race or None
        Decides which fits are needed, one wave at a time. If None, all of them are.

    Attributes
    ----------
    stop : bool
        Whether a callback asked to stop.
    is_done : bool
        Whether the time was enough for all fits.
    n_fits : int
        Number of finished fits, including fits read from the store.
    """

    def __init__(
        self,
        context: EvaluationContext,
        candidates: Mapping[Any, Candidate],
        callbacks: Any,
        race: Race | None = None,
    ) -> None:
        self._context = context
        self._keys = list(candidates)
        self._rows = Rows(
            context.inputs,
            [*candidates.values()],
            share=context.share,
            pause=race is not None and race.over_iterations,
        )
        self._candidates = self._rows.candidates
        self._n_candidates = self._rows.n_candidates
        self._callbacks = callbacks
        self._race = race
        self._outcomes: dict[Pair, Outcome] = {}
        self._fits: dict[Pair, Fit] = {}
        self._seconds_done = 0.0
        self._cost_done = 0.0
        self.stop = False
        self.is_done = False

    @property
    def n_fits(self) -> int:
        return sum(row < self._n_candidates for row, _ in self._outcomes)

    def run(self) -> None:
        """Run the fits."""
        self.is_done = all(self._run_wave(wave) for wave in self._waves())

    def _waves(self) -> Iterator[Sequence[Pair]]:
        """Yield the fits that a race needs next, or all fits."""
        n_candidates, n_splits = self._n_candidates, self._context.inputs.n_splits
        if self._race is None:
            yield [*product(range(n_candidates), range(n_splits))]
            return
        smaller = {}
        if is_own_scorer(self._context.inputs.options["scorer"]):
            params = [each.params for each in self._candidates[:n_candidates]]
            smaller = find_smaller(self._context.inputs.estimator, params)
        while wave := self._race.wave(
            self._outcomes, n_candidates, n_splits, self._rows.pausing
        ):
            # The fit of a larger model serves the smaller ones, which so keep its pace.
            served = [(j, split) for i, split in wave for j in smaller.get(i, ())]
            new = dict.fromkeys(pair for pair in served if pair not in self._outcomes)
            yield list(dict.fromkeys([*wave, *new]))

    def _run_wave(self, pairs: Sequence[Pair]) -> bool:
        """Run fits that are not in the store; return whether all were in time."""
        self._run_fits([pair for pair in pairs if not self._load(pair)])
        return all(pair in self._outcomes for pair in pairs)

    def collect_outcomes(self) -> dict[Any, list[Outcome]]:
        """Return the outcomes of finished candidates, and tell the cost model.

        A candidate is finished if it ran on all splits; in a race, on any split.

        Returns
        -------
        outcomes : dict of key to list of dict
            The values that ``_fit_and_score`` returned, one per split.
        """
        known = list(self._outcomes.values())
        missing = make_missing_outcome(known) if known else {}
        collected = {}
        n_splits = self._context.inputs.n_splits
        for i, (key, candidate) in enumerate(
            zip(self._keys, self._candidates, strict=False)
        ):
            splits = [self._outcomes.get((i, k)) for k in range(n_splits)]
            run = [outcome for outcome in splits if outcome is not None]
            paused = [
                self._rows.paused_scores(i, k, self._outcomes) for k in range(n_splits)
            ]
            if len(run) == n_splits or (self._race and (run or any(paused))):
                collected[key] = [
                    (missing if outcome is None else outcome) | more
                    for outcome, more in zip(splits, paused, strict=True)
                ]
            if run and key in collected:
                seconds = [o["fit_time"] + o["score_time"] for o in run]
                mean_seconds = sum(seconds) / len(seconds)
                self._context.costs.add_time(candidate.params, mean_seconds)
        return collected

    def _load(self, pair: Pair) -> bool:
        """Load an outcome from the store; return whether the fit is finished."""
        store = self._context.store
        if store is None or pair in self._outcomes:
            return pair in self._outcomes
        outcome = store.known(self._candidates[pair[0]], pair[1])
        if outcome is None:
            return False
        self._keep(pair, outcome)
        if calls_back(self._callbacks) and pair[0] < self._n_candidates:
            inputs = self._context.inputs
            context = self._describe_fit(pair).callback_context
            with fit_task(context, inputs.caller, inputs.X, inputs.y, None) as stop:
                pass
            self.stop |= stop()
        return True

    def _describe_fit(self, pair: Pair) -> Fit:
        """Return the description of a fit; its callback context is created once."""
        if pair not in self._fits:
            i, split = pair
            callback_context = None
            origin = self._rows.origin(i)
            if calls_back(self._callbacks) and i == origin:
                callback_context = self._callbacks.subcontext(
                    task_name="candidate-split-evaluation",
                    task_id=i * self._context.inputs.n_splits + split,
                )
            self._fits[pair] = Fit(
                self._candidates[i].params,
                split,
                self._rows.prefixes[i],
                self._rows.families[i],
                origin,
                self._n_candidates,
                callback_context,
                self._rows.pause(i, split),
            )
        return self._fits[pair]

    def _keep(self, pair: Pair, outcome: Outcome) -> None:
        """Keep an outcome; a candidate that fails before its pause has failed."""
        row, split = pair
        if row < self._n_candidates and pair not in self._outcomes:
            self._context.progress.add_fit(row, outcome)
        self._outcomes[pair] = outcome
        if outcome["fit_error"]:
            self._outcomes[self._rows.origin(row), split] = outcome

    def _run_fits(self, pairs: list[Pair]) -> None:
        """Run fits, repeat those lost with a worker, and end at the deadline."""
        if not pairs:
            return
        self._context.pool.start()
        if self._context.deadline is not None:
            self._context.deadline.start(self._context.pool)
        # All callback contexts are created before the first fit. One that is added
        # while the search is being pickled for a worker would break the pickling.
        for pair in pairs:
            self._describe_fit(pair)
        queue = deque(self._make_tasks(pairs))
        elsewhere: list[Task] = []
        while queue or elsewhere:
            if not queue:  # only fits of other processes are left
                if self._is_too_late(0.0):
                    return
                time.sleep(POLL_SECONDS)
                self._context.interrupts.check()
                queue.extend(elsewhere)
                elsewhere.clear()
            self._retry(self._run_tasks(self._next_tasks(queue, elsewhere)))

    def _make_tasks(self, pairs: list[Pair]) -> list[Task]:
        context = self._context
        costs = [1.0] * len(self._candidates)
        if context.pool.n_workers > 1 or context.deadline is not None:
            costs = self._rows.costs(context.costs)
        return make_tasks(
            pairs,
            self._rows.keys,
            costs,
            context.pool.n_workers,
            context.inputs.X,
            in_blocks=context.deadline is not None,
            join=context.deadline is None and context.store is None,
        )

    def _next_tasks(self, queue: deque[Task], elsewhere: list[Task]) -> Iterator[Task]:
        """Yield tasks from the queue while there is time for them.

        Fits that another process runs are added to `elsewhere`.
        """
        while queue:
            task = queue.popleft()
            while queue and not task.share and not queue[0].share:
                if not self._is_short(task, queue[0], len(queue)):
                    break
                task = task + queue.popleft()
            if self._is_too_late(task.cost):
                continue
            own_part, other_part = self._claim(task)
            if other_part:
                elsewhere.append(other_part)
            if own_part:
                yield own_part

    def _claim(self, task: Task) -> tuple[Task | None, Task | None]:
        """Return the part of a task to run here, and the part that runs elsewhere."""
        store = self._context.store
        if store is None:
            return task, None
        pairs = list(task.pairs)
        claimed = store.claim([(self._candidates[i], split) for i, split in pairs])
        others = [pair for n, pair in enumerate(pairs) if n in claimed]
        own = [pair for pair in pairs if pair not in others and not self._load(pair)]
        return task.subset(own), task.subset(others)

    def _run_tasks(self, tasks: Iterable[Task], pre_dispatch: Any = None) -> list[Task]:
        """Run tasks; return the tasks that were lost with a worker."""
        pool = self._context.pool
        running: dict[int, Task] = {}

        def make_calls() -> Iterator[Call]:
            for task in tasks:
                number = next(pool.call_numbers)
                running[number] = task
                yield self._make_call(number, task)

        saved: set[int] = set()

        def save(result: TaskResult) -> None:
            self._save(running[result[0]], result[1])
            saved.add(result[0])

        results = pool.run(make_calls(), pre_dispatch=pre_dispatch, on_result=save)
        with closing(results):
            for number, outcomes, seconds in results:
                self._context.interrupts.check()
                with defer_interrupts():
                    task = running.pop(number)
                    if number not in saved:
                        self._save(task, outcomes)
                    self._record(task, outcomes, seconds)
        return [running[number] for number in pool.lost]

    def _make_call(self, number: int, task: Task) -> Call:
        fits = [self._describe_fit(pair) for pair in task.pairs]
        inputs = self._context.inputs.for_tasks(
            has_callbacks=calls_back(self._callbacks), race=self._rows.race
        )
        return Call(number, inputs, fits, task.share)

    def _retry(self, lost: list[Task]) -> None:
        """Run lost fits again, and record a failure for fits that kill their worker.

        It is not known which of the running tasks ended its process. All their fits run
        again, one per worker at a time. If a process ends again, the fits that were
        running then run once more, each by itself. A fit that is lost even then has
        failed.
        """
        queue = deque(single for task in lost for single in task.single_fits())
        while queue:
            for task in self._run_tasks(_pop_all(queue), pre_dispatch="n_jobs"):
                start = time.perf_counter()
                if self._run_tasks(iter([task])):
                    seconds = time.perf_counter() - start
                    ((i, split),) = task.pairs
                    outcome = handle_dead_worker(
                        self._context.inputs, split, self._candidates[i].params, seconds
                    )
                    self._save(task, [outcome])
                    self._record(task, [outcome], seconds)

    def _save(self, task: Task, outcomes: list[Outcome]) -> None:
        """Give the outcomes of a task to the store."""
        if self._context.store is not None:
            self._context.store.save(
                [
                    (self._candidates[i], split, outcome)
                    for (i, split), outcome in zip(task.pairs, outcomes, strict=True)
                ]
            )

    def _record(self, task: Task, outcomes: list[Outcome], seconds: float) -> None:
        """Record the outcomes of a task and its time."""
        for pair, outcome in zip(task.pairs, outcomes, strict=True):
            self.stop |= outcome.pop("stop")
            texts = outcome.pop("unconverged", [])
            if pair[0] < self._n_candidates:
                params = self._candidates[pair[0]].params
                self._context.convergence.add(params, texts)
            self._keep(pair, outcome)
        self._seconds_done += seconds
        self._cost_done += task.cost

    def _expected_seconds(self, cost: float) -> float:
        """Return the expected time of a task, 0 before any task is finished."""
        return cost * self._seconds_done / self._cost_done if self._cost_done else 0.0

    def _is_too_late(self, cost: float) -> bool:
        """Whether a task of this cost would end after the deadline."""
        deadline = self._context.deadline
        return deadline is not None and not deadline.allows(
            self._expected_seconds(cost)
        )

    def _is_short(self, task: Task, following: Task, n_left: int) -> bool:
        """Whether two tasks take so little time that they should be joined."""
        seconds_per_fit = self._expected_seconds(following.cost / len(following.pairs))
        is_tiny = seconds_per_fit < SHORT_FIT_SECONDS
        limit = SHORT_FITS_SECONDS if is_tiny else SHORT_TASK_SECONDS
        is_short = 0.0 < self._expected_seconds(task.cost + following.cost) < limit
        return is_short and n_left > 8 * self._context.pool.n_workers


def _pop_all(queue: deque[Task]) -> Iterator[Task]:
    """Take tasks from a queue until it is empty."""
    while queue:
        yield queue.popleft()
