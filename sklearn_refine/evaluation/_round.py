"""The fits of a round: the waves of a race, tasks, and what comes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Protocol

from sklearn.utils.parallel import delayed

from sklearn_refine._history import Candidate, History, Outcome, Proposal, Round
from sklearn_refine._sklearn_compat import calls_back, fit_task
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._failures import died
from sklearn_refine.evaluation._inputs import Fit, FitInputs
from sklearn_refine.evaluation._pool import Call, WorkerPool
from sklearn_refine.evaluation._racing import Race, not_run
from sklearn_refine.evaluation._signals import Interrupts
from sklearn_refine.evaluation._tasks import SharingKeys, Task, make_tasks, sharing_keys
from sklearn_refine.evaluation._worker import TaskResult, run_task

TINY_SECONDS = 0.02  # that fits of next to no time are handed out for at once
LEAST_SECONDS = 0.002  # of a fit; shorter ones cost less than to hand them out,
LEAST_TOGETHER = 0.05  # so that more of them go together: for these seconds
WAIT_SECONDS = 0.05  # between looks at what other processes have finished

#: The index of a candidate in its round, and that of a split.
Pair = tuple[int, int]


class Store(Protocol):
    """Where finished fits are kept beyond the life of the process."""

    round: int

    def known(self, candidate: Candidate, split: int) -> Outcome | None:
        """Return the outcome of a fit that was finished before."""
        ...

    def claim(self, fits: Sequence[tuple[Candidate, int]]) -> set[int]:
        """Say that fits are about to start; return which another process makes."""
        ...

    def save(self, fits: Sequence[tuple[Candidate, int, Outcome]]) -> None:
        """Keep what was finished."""
        ...

    def close(self) -> None:
        """Write nothing more."""
        ...


@dataclass(frozen=True)
class EvaluationContext:
    """What the fits of all rounds have in common.

    Attributes
    ----------
    pool : WorkerPool
        Who makes them.
    inputs : FitInputs
        What they share.
    costs : CostModel
        Expects the times of fits, and learns from those taken.
    share : bool
        Whether candidates may share work; the outcomes are the same.
    store : Store or None
        Where outcomes come from and go to.
    deadline : float or None
        The value of ``time.perf_counter`` by which all fits should be done.
    interrupts : Interrupts
        Knows whether the search was interrupted where a fit has hidden it.
    """

    pool: WorkerPool
    inputs: FitInputs
    costs: CostModel
    share: bool = True
    store: Store | None = None
    deadline: float | None = None
    interrupts: Interrupts = field(default_factory=Interrupts)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the workers ready; end them at once where the search is interrupted."""
        try:
            with self.pool:
                yield
        except KeyboardInterrupt:
            self.pool.dismiss()
            raise


class RoundEvaluation:
    """The fits of one round, on every split or on those that a race gives.

    What is finished stays here when `run` is broken off by an exception.

    Parameters
    ----------
    setup : EvaluationContext
        What all rounds have in common.
    fresh : mapping of key to Candidate
        What to fit.
    context : callback context
        Its subtasks are the fits; not sequential.
    race : Race or None
        Says which fits are made, a wave at a time; None for all of them.

    Attributes
    ----------
    stop : bool
        Whether a callback asked to stop.
    n_fits : int
        Fits that are finished, with those that were known already.
    """

    def __init__(
        self,
        setup: EvaluationContext,
        fresh: Mapping[Any, Candidate],
        context: Any,
        race: Race | None = None,
    ) -> None:
        self._setup = setup
        self._fresh = fresh
        self._candidates = list(fresh.values())
        self._context = context
        self._race = race
        self._found: dict[Pair, Outcome] = {}
        self._fits: dict[Pair, Fit] = {}
        self._spent = [0.0, 0.0]  # seconds, and what they were expected to be
        self.stop = False
        self.is_done = False
        share = setup.share
        self._shareable: list[SharingKeys | None] = [
            sharing_keys(setup.inputs, c.params) if share else None
            for c in self._candidates
        ]
        numbers: dict[Any, int] = {}  # instead of keys, which may be long
        self._prefixes = [
            0 if s is None else numbers.setdefault(s.prefix, len(numbers))
            for s in self._shareable
        ]

    @property
    def n_fits(self) -> int:
        return len(self._found)

    def run(self) -> None:
        """Make the fits; `is_done` says whether the time was enough for all of them."""
        self.is_done = self._run_waves()

    def _run_waves(self) -> bool:
        n_candidates, n_splits = len(self._candidates), self._setup.inputs.n_splits
        if self._race is None:
            return self._run([*product(range(n_candidates), range(n_splits))])
        while wave := self._race.wave(self._found, n_candidates, n_splits):
            if not self._run(wave):
                return False
        return True

    def _run(self, pairs: Sequence[Pair]) -> bool:
        """Make fits that are not known; say whether the time was enough for them."""
        self._make([pair for pair in pairs if not self._read_back(pair)])
        return all(pair in self._found for pair in pairs)

    def outcomes(self) -> dict[Any, list[Outcome]]:
        """Return the outcomes of those that ran on all splits, in a race on any.

        Returns
        -------
        outcomes : dict of key to list of dict
            What ``_fit_and_score`` returned, one a split.
        """
        nothing = not_run(list(self._found.values())) if self._found else {}
        outcomes = {}
        n_splits = self._setup.inputs.n_splits
        for i, (key, candidate) in enumerate(self._fresh.items()):
            splits = [self._found.get((i, k)) for k in range(n_splits)]
            run = [outcome for outcome in splits if outcome is not None]
            if len(run) == len(splits) or (self._race and run):
                outcomes[key] = [nothing if o is None else o for o in splits]
                seconds = [o["fit_time"] + o["score_time"] for o in run]
                self._setup.costs.learn(candidate.params, sum(seconds) / len(seconds))
        return outcomes

    def _read_back(self, pair: Pair) -> bool:
        """Take an outcome from the store, if it is there."""
        store = self._setup.store
        if store is None or pair in self._found:
            return pair in self._found
        outcome = store.known(self._candidates[pair[0]], pair[1])
        if outcome is None:
            return False
        self._found[pair] = outcome
        inputs = self._setup.inputs
        if calls_back(self._context):
            context = self._fit_of(pair).context
            with fit_task(context, inputs.caller, inputs.X, inputs.y, None) as stop:
                pass
            self.stop |= stop()
        return True

    def _fit_of(self, pair: Pair) -> Fit:
        """Return the one description of a fit; callbacks are told of it once."""
        if pair not in self._fits:
            i, split = pair
            context = None
            if calls_back(self._context):
                context = self._context.subcontext(
                    task_name="candidate-split-evaluation",
                    task_id=i * self._setup.inputs.n_splits + split,
                )
            self._fits[pair] = Fit(
                self._candidates[i].params,
                split,
                self._prefixes[i],
                i,
                len(self._candidates),
                context,
            )
        return self._fits[pair]

    def _make(self, pairs: list[Pair]) -> None:
        """Make fits, again where a worker is lost, until all are done or it is late."""
        # All contexts exist before the first fit: one that is added while the search
        # is being pickled for a worker would break the pickling.
        for pair in pairs:
            self._fit_of(pair)
        queue = deque(self._tasks_for(pairs))
        late: list[Task] = []
        taken: list[Task] = []
        while queue or taken:
            if not queue:  # nothing is left but what other processes are working on
                if self._is_late(0.0):
                    return
                time.sleep(WAIT_SECONDS)
                self._setup.interrupts.check()
                queue.extend(taken)
                taken.clear()
            calls = self._calls(queue, late, taken)
            self._retry(self._pass(calls))

    def _tasks_for(self, pairs: list[Pair]) -> list[Task]:
        setup = self._setup
        expected = [1.0] * len(self._candidates)
        if setup.pool.n_workers > 1 or setup.deadline is not None:
            params = [candidate.params for candidate in self._candidates]
            expected = setup.costs.expect(params).tolist()
        return make_tasks(
            pairs,
            self._shareable,
            expected,
            setup.pool.n_workers,
            setup.inputs.X,
            in_turn=setup.deadline is not None,
            join=setup.deadline is None and setup.store is None,
        )

    def _calls(
        self, queue: deque[Task], late: list[Task], taken: list[Task]
    ) -> Iterator[Task]:
        """Take tasks from the queue for as long as there is time for them."""
        while queue:
            task = queue.popleft()
            while queue and not task.share and not queue[0].share:
                if not self._is_tiny(task, queue[0], len(queue)):
                    break
                task = task + queue.popleft()
            if self._is_late(task.cost):
                late.append(task)
                continue
            mine, others = self._claim(task)
            if others:
                taken.append(others)
            if mine:
                yield mine

    def _claim(self, task: Task) -> tuple[Task | None, Task | None]:
        """Return what of a task is to be done here, and what is done elsewhere."""
        store = self._setup.store
        if store is None:
            return task, None
        pairs = list(task.pairs)
        others = store.claim([(self._candidates[i], split) for i, split in pairs])
        elsewhere = [pair for n, pair in enumerate(pairs) if n in others]
        mine = [p for p in pairs if p not in elsewhere and not self._read_back(p)]
        return task.part(mine), task.part(elsewhere)

    def _pass(self, tasks: Iterable[Task], ahead: Any = None) -> list[Task]:
        """Make the fits of tasks; return the tasks that were lost with a worker."""
        pool = self._setup.pool
        running: dict[int, Task] = {}

        def calls() -> Iterator[Call]:
            for task in tasks:
                number = next(pool.numbers)
                running[number] = task
                yield number, self._call(number, task)

        kept: set[int] = set()

        def keep(result: TaskResult) -> None:
            self._keep(running[result[0]], result[1])
            kept.add(result[0])

        with closing(pool.run(calls(), ahead=ahead, heard=keep)) as results:
            for number, outcomes, seconds in results:
                self._setup.interrupts.check()
                task = running.pop(number)
                if number not in kept:
                    self._keep(task, outcomes)
                self._book(task, outcomes, seconds)
        return [running[number] for number in pool.lost]

    def _call(self, number: int, task: Task) -> Any:
        fits = [self._fit_of(pair) for pair in task.pairs]
        inputs = self._setup.inputs.part(fits, calls_back(self._context))
        return delayed(run_task)(number, inputs, fits, task.share)

    def _retry(self, lost: list[Task]) -> None:
        """Make lost fits one by one; what is lost even when it runs alone has failed.

        Which of the tasks in work ended its process cannot be known, so all of them
        are suspect. Their fits run again, no more at a time than there are workers;
        those that are in work when a process ends again run once more, by themselves.
        """
        queue = deque(single for task in lost for single in task.singles())
        while queue:
            suspects = self._pass(iter_popleft(queue), ahead="n_jobs")
            for task in suspects:
                start = time.perf_counter()
                if self._pass(iter([task])):
                    (pair,) = task.pairs
                    inputs, params = (
                        self._setup.inputs,
                        self._candidates[pair[0]].params,
                    )
                    seconds = time.perf_counter() - start
                    outcomes = [died(inputs, pair[1], params, seconds)]
                    self._keep(task, outcomes)
                    self._book(task, outcomes, seconds)

    def _keep(self, task: Task, outcomes: list[Outcome]) -> None:
        """Give what came of a task to the store."""
        if self._setup.store is not None:
            self._setup.store.save(
                [
                    (self._candidates[i], split, outcome)
                    for (i, split), outcome in zip(task.pairs, outcomes, strict=True)
                ]
            )

    def _book(self, task: Task, outcomes: list[Outcome], seconds: float) -> None:
        """Take what came of a task."""
        for pair, outcome in zip(task.pairs, outcomes, strict=True):
            self.stop |= outcome.pop("stop")
            self._found[pair] = outcome
        self._spent[0] += seconds
        self._spent[1] += task.cost

    def _expected(self, cost: float) -> float:
        """Return the seconds that a task may take; 0 before anything is known."""
        seconds, cost_so_far = self._spent
        return cost * seconds / cost_so_far if cost_so_far else 0.0

    def _is_late(self, cost: float) -> bool:
        deadline = self._setup.deadline
        if deadline is None:
            return False
        return time.perf_counter() + self._expected(cost) > deadline

    def _is_tiny(self, task: Task, more: Task, n_left: int) -> bool:
        """Whether fits take so little time that they are handed out together."""
        least = self._expected(more.cost / len(more.pairs)) < LEAST_SECONDS
        most = LEAST_TOGETHER if least else TINY_SECONDS
        is_short = 0.0 < self._expected(task.cost + more.cost) < most
        return is_short and n_left > 8 * self._setup.pool.n_workers


def iter_popleft(queue: deque[Task]) -> Iterator[Task]:
    """Take tasks from a queue until it is empty."""
    while queue:
        yield queue.popleft()


def evaluate_round(
    context: EvaluationContext,
    history: History,
    proposal: Proposal,
    fresh: Mapping[Any, Candidate],
    callbacks: Any,
    race: Race | None,
) -> RoundEvaluation:
    """Fit the candidates of a round and append what came of them to the history.

    Parameters
    ----------
    context : EvaluationContext
        What all rounds have in common.
    history : History
        The record; it gets the round also where an exception ends it.
    proposal : Proposal
        What the round tries.
    fresh : mapping of key to Candidate
        The candidates of the proposal that have no outcome yet.
    callbacks : callback context
        Its subtasks are the fits.
    race : Race or None
        Says which fits are made; None for all of them.
    """
    start = time.perf_counter()
    if context.store is not None:
        context.store.round = len(history.rounds) + 1
    evaluation = RoundEvaluation(context, fresh, callbacks, race)
    try:
        evaluation.run()
    finally:
        _add_round(history, proposal, evaluation, time.perf_counter() - start)
    return evaluation


def _add_round(
    history: History, proposal: Proposal, evaluation: RoundEvaluation, seconds: float
) -> None:
    """Append the candidates of a proposal that have all that they were to have."""
    outcomes = evaluation.outcomes()
    rows = [
        (candidate, outcomes.get(candidate.key) or history.outcomes_of(candidate.key))
        for candidate in proposal.candidates
    ]
    complete = [(candidate, splits) for candidate, splits in rows if splits]
    if not complete and rows:
        history.n_fits_lost += evaluation.n_fits
        return
    history.add_round(
        [candidate for candidate, _ in complete],
        [splits for _, splits in complete],
        Round(proposal.windows, len(complete), evaluation.n_fits, seconds),
    )
