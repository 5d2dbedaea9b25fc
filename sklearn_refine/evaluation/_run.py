"""The fits of a round: the waves of a race, units of work, and what comes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

from sklearn.utils.parallel import delayed

from sklearn_refine._history import Candidate, History, Outcome
from sklearn_refine._sklearn_compat import calls_back, fit_task
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._crew import Call, Crew
from sklearn_refine.evaluation._failures import died
from sklearn_refine.evaluation._racing import Race, not_run
from sklearn_refine.evaluation._task import Job, Task
from sklearn_refine.evaluation._unit import Work, work
from sklearn_refine.evaluation._units import Shareable, Unit, look, make_units

TINY_SECONDS = 0.02  # that fits of next to no time are handed out for at once
LEAST_SECONDS = 0.002  # of a fit; shorter ones cost less than to hand them out,
LEAST_TOGETHER = 0.05  # so that more of them go together: for these seconds
WAIT_SECONDS = 0.05  # between looks at what other processes have finished

#: The index of a candidate in its round, and that of a split.
Pair = tuple[int, int]


class Store(Protocol):
    """Where finished fits are kept beyond the life of the process."""

    def known(self, candidate: Candidate, split: int) -> Outcome | None:
        """Return the outcome of a fit that was finished before."""
        ...

    def claim(self, fits: Sequence[tuple[Candidate, int]]) -> set[int]:
        """Say that fits are about to start; return which another process makes."""
        ...

    def save(self, fits: Sequence[tuple[Candidate, int, Outcome]]) -> None:
        """Keep what was finished."""
        ...


@dataclass(frozen=True)
class Means:
    """What the fits of all rounds have in common.

    Attributes
    ----------
    crew : Crew
        Who makes them.
    task : Task
        What they share.
    costs : CostModel
        Expects the times of fits, and learns from those taken.
    share : bool
        Whether candidates may share work; the outcomes are the same.
    store : Store or None
        Where outcomes come from and go to.
    deadline : float or None
        The value of ``time.perf_counter`` by which all fits should be done.
    check : callable
        Raises if the search was interrupted and a fit has hidden it.
    """

    crew: Crew
    task: Task
    costs: CostModel
    share: bool = True
    store: Store | None = None
    deadline: float | None = None
    check: Callable[[], None] = lambda: None


def to_fit(candidates: Sequence[Candidate], history: History) -> dict[Any, Candidate]:
    """Return the candidates that have no outcome yet, each once, by their key."""
    fresh: dict[Any, Candidate] = {}
    for candidate in candidates:
        key = candidate.key
        if history.outcomes_of(key) is None:
            fresh.setdefault(key, candidate)
    return fresh


class Evaluation:
    """The fits of one round, on every split or on those that a race gives.

    What is finished stays here when `run` is broken off by an exception.

    Parameters
    ----------
    means : Means
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
        means: Means,
        fresh: Mapping[Any, Candidate],
        context: Any,
        race: Race | None = None,
    ) -> None:
        self._means = means
        self._fresh = fresh
        self._candidates = list(fresh.values())
        self._context = context
        self._race = race
        self._found: dict[Pair, Outcome] = {}
        self._jobs: dict[Pair, Job] = {}
        self._spent = [0.0, 0.0]  # seconds, and what they were expected to be
        self.stop = False
        share = means.share
        self._shareable: list[Shareable | None] = [
            look(means.task, c.params) if share else None for c in self._candidates
        ]
        numbers: dict[Any, int] = {}  # instead of keys, which may be long
        self._prefixes = [
            0 if s is None else numbers.setdefault(s.prefix, len(numbers))
            for s in self._shareable
        ]

    @property
    def n_fits(self) -> int:
        return len(self._found)

    def run(self) -> bool:
        """Make the fits; say whether the time was enough for all of them."""
        n_candidates, n_splits = len(self._candidates), self._means.task.n_splits
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
        for i, (key, candidate) in enumerate(self._fresh.items()):
            splits = [self._found.get((i, k)) for k in range(self._means.task.n_splits)]
            run = [outcome for outcome in splits if outcome is not None]
            if len(run) == len(splits) or (self._race and run):
                outcomes[key] = [nothing if o is None else o for o in splits]
                seconds = [o["fit_time"] + o["score_time"] for o in run]
                self._means.costs.learn(candidate.params, sum(seconds) / len(seconds))
        return outcomes

    def _read_back(self, pair: Pair) -> bool:
        """Take an outcome from the store, if it is there."""
        store = self._means.store
        if store is None or pair in self._found:
            return pair in self._found
        outcome = store.known(self._candidates[pair[0]], pair[1])
        if outcome is None:
            return False
        self._found[pair] = outcome
        task = self._means.task
        if calls_back(self._context):
            context = self._job(pair).context
            with fit_task(context, task.caller, task.X, task.y, None) as stop:
                pass
            self.stop |= stop()
        return True

    def _job(self, pair: Pair) -> Job:
        """Return the job of a fit; it has one only, of which callbacks hear."""
        if pair not in self._jobs:
            i, split = pair
            context = None
            if calls_back(self._context):
                context = self._context.subcontext(
                    task_name="candidate-split-evaluation",
                    task_id=i * self._means.task.n_splits + split,
                )
            self._jobs[pair] = Job(
                self._candidates[i].params,
                split,
                self._prefixes[i],
                i,
                len(self._candidates),
                context,
            )
        return self._jobs[pair]

    def _make(self, pairs: list[Pair]) -> None:
        """Make fits, again where a worker is lost, until all are done or it is late."""
        # All contexts exist before the first fit: one that is added while the search
        # is being pickled for a worker would break the pickling.
        for pair in pairs:
            self._job(pair)
        queue = deque(self._units(pairs))
        late: list[Unit] = []
        taken: list[Unit] = []
        while queue or taken:
            if not queue:  # nothing is left but what other processes are working on
                if self._is_late(0.0):
                    return
                time.sleep(WAIT_SECONDS)
                self._means.check()
                queue.extend(taken)
                taken.clear()
            calls = self._calls(queue, late, taken)
            self._retry(self._pass(calls))

    def _units(self, pairs: list[Pair]) -> list[Unit]:
        means = self._means
        expected = [1.0] * len(self._candidates)
        if means.crew.n_workers > 1 or means.deadline is not None:
            params = [candidate.params for candidate in self._candidates]
            expected = means.costs.expect(params).tolist()
        return make_units(
            pairs,
            self._shareable,
            expected,
            means.crew.n_workers,
            means.task.X,
            in_turn=means.deadline is not None,
            join=means.deadline is None and means.store is None,
        )

    def _calls(
        self, queue: deque[Unit], late: list[Unit], taken: list[Unit]
    ) -> Iterator[Unit]:
        """Take units from the queue for as long as there is time for them."""
        while queue:
            unit = queue.popleft()
            while queue and not unit.share and not queue[0].share:
                if not self._is_tiny(unit, queue[0], len(queue)):
                    break
                unit = unit + queue.popleft()
            if self._is_late(unit.cost):
                late.append(unit)
                continue
            mine, others = self._claim(unit)
            if others:
                taken.append(others)
            if mine:
                yield mine

    def _claim(self, unit: Unit) -> tuple[Unit | None, Unit | None]:
        """Return what of a unit is to be done here, and what is done elsewhere."""
        store = self._means.store
        if store is None:
            return unit, None
        pairs = list(unit.pairs)
        others = store.claim([(self._candidates[i], split) for i, split in pairs])
        elsewhere = [pair for n, pair in enumerate(pairs) if n in others]
        mine = [p for p in pairs if p not in elsewhere and not self._read_back(p)]
        return unit.part(mine), unit.part(elsewhere)

    def _pass(self, units: Iterable[Unit], ahead: Any = None) -> list[Unit]:
        """Make the fits of units; return the units that were lost with a worker."""
        crew = self._means.crew
        running: dict[int, Unit] = {}

        def calls() -> Iterator[Call]:
            for unit in units:
                number = next(crew.numbers)
                running[number] = unit
                yield number, self._call(number, unit)

        kept: set[int] = set()

        def keep(result: Work) -> None:
            self._keep(running[result[0]], result[1])
            kept.add(result[0])

        with closing(crew.run(calls(), ahead=ahead, heard=keep)) as results:
            for number, outcomes, seconds in results:
                self._means.check()
                unit = running.pop(number)
                if number not in kept:
                    self._keep(unit, outcomes)
                self._book(unit, outcomes, seconds)
        return [running[number] for number in crew.lost]

    def _call(self, number: int, unit: Unit) -> Any:
        jobs = [self._job(pair) for pair in unit.pairs]
        task = self._means.task.part(jobs, calls_back(self._context))
        return delayed(work)(number, task, jobs, unit.share)

    def _retry(self, lost: list[Unit]) -> None:
        """Make lost fits one by one; what is lost even when it runs alone has failed.

        Which of the units in work ended its process cannot be known, so all of them
        are suspect. Their fits run again, no more at a time than there are workers;
        those that are in work when a process ends again run once more, by themselves.
        """
        queue = deque(single for unit in lost for single in unit.singles())
        while queue:
            suspects = self._pass(iter_popleft(queue), ahead="n_jobs")
            for unit in suspects:
                start = time.perf_counter()
                if self._pass(iter([unit])):
                    (pair,) = unit.pairs
                    task, params = self._means.task, self._candidates[pair[0]].params
                    seconds = time.perf_counter() - start
                    outcomes = [died(task, pair[1], params, seconds)]
                    self._keep(unit, outcomes)
                    self._book(unit, outcomes, seconds)

    def _keep(self, unit: Unit, outcomes: list[Outcome]) -> None:
        """Give what came of a unit to the store."""
        if self._means.store is not None:
            self._means.store.save(
                [
                    (self._candidates[i], split, outcome)
                    for (i, split), outcome in zip(unit.pairs, outcomes, strict=True)
                ]
            )

    def _book(self, unit: Unit, outcomes: list[Outcome], seconds: float) -> None:
        """Take what came of a unit."""
        for pair, outcome in zip(unit.pairs, outcomes, strict=True):
            self.stop |= outcome.pop("stop")
            self._found[pair] = outcome
        self._spent[0] += seconds
        self._spent[1] += unit.cost

    def _expected(self, cost: float) -> float:
        """Return the seconds that a unit may take; 0 before anything is known."""
        seconds, cost_so_far = self._spent
        return cost * seconds / cost_so_far if cost_so_far else 0.0

    def _is_late(self, cost: float) -> bool:
        deadline = self._means.deadline
        if deadline is None:
            return False
        return time.perf_counter() + self._expected(cost) > deadline

    def _is_tiny(self, unit: Unit, more: Unit, n_left: int) -> bool:
        """Whether fits take so little time that they are handed out together."""
        least = self._expected(more.cost / len(more.pairs)) < LEAST_SECONDS
        most = LEAST_TOGETHER if least else TINY_SECONDS
        is_short = 0.0 < self._expected(unit.cost + more.cost) < most
        return is_short and n_left > 8 * self._means.crew.n_workers


def iter_popleft(queue: deque[Unit]) -> Iterator[Unit]:
    """Take units from a queue until it is empty."""
    while queue:
        yield queue.popleft()
