"""The history of a search: all candidates with their outcomes, round by round.

The history is append-only. Proposers, racing and the results read it, so the order of
candidates and outcomes may not change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from sklearn_refine.space._axes import Key, candidate_key, to_python

#: The result of scikit-learn's ``_fit_and_score`` for one candidate on one split.
Outcome = dict[str, Any]

#: The first words of the error of a fit that was ended by a timeout or a dead worker.
TIMED_OUT = "TimeoutError: fit_timeout="
DIED = "The worker process died"
#: The first word of the reason of a window that steps past an edge of the values tried.
STEPS = "steps"


def was_run(outcome: Outcome) -> bool:
    """Whether a fit was run; racing leaves out some fits."""
    return not math.isnan(outcome["fit_time"])


def is_failed(outcomes: Sequence[Outcome]) -> bool:
    """Whether all fits of a candidate that were run have failed; at least one was."""
    run = [outcome for outcome in outcomes if was_run(outcome)]
    return bool(run) and all(outcome["fit_error"] for outcome in run)


def paused_scores(outcome: Outcome) -> list[tuple[int, Any]]:
    """Return the number of iterations and the score at each pause of a fit."""
    scores: list[tuple[int, Any]] = outcome.get("paused_scores", [])
    return scores


@dataclass(frozen=True)
class Candidate:
    """One setting of the parameters.

    Attributes
    ----------
    params : mapping of str to object
        Values to set on the estimator. They are the objects that the user listed, not
        copies.
    subspace : int
        Index of the dict of the search space that the candidate belongs to.
    invented : bool
        Whether it holds values that the search made up, which the user did not list.
    """

    params: Mapping[str, Any]
    subspace: int = 0
    invented: bool = field(default=False, compare=False)

    @property
    def key(self) -> Any:
        """A hashable key, equal for candidates that must give the same fit."""
        return candidate_key(self.params)

    @property
    def shown(self) -> dict[str, Any]:
        """The parameters as users see them, without numpy scalars."""
        return {name: to_python(value) for name, value in self.params.items()}


@dataclass(frozen=True)
class Level:
    """The values of a window on one dimension.

    Attributes
    ----------
    points : tuple of float
        Coordinates, ascending.
    below, above : float or None
        The nearest coordinate that earlier rounds tried on either side. None if there
        is none.
    """

    points: tuple[float, ...]
    below: float | None = None
    above: float | None = None


class Extent(NamedTuple):
    """The values of a parameter in a window: a range, other values, or both.

    Attributes
    ----------
    low, high : number, layer sizes or None
        The smallest and largest value of a range. None if there is no range.
    choices : tuple
        The values that are not in a range, such as strings.
    """

    low: Any = None
    high: Any = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Window:
    """The part of a subspace that a round searches, around one center.

    Attributes
    ----------
    subspace : int
        Index of the dict of the search space.
    levels : mapping of Key to Level
        The values of each dimension.
    shown : mapping of str to Extent
        The range or the choices of each parameter.
    center : int or None
        Index of the candidate in its center; None for the whole space.
    reasons : mapping of str to str
        For each parameter, why the window steps past an edge of the values tried, or
        stops there.
    n_too_large : int
        Number of its combinations that were left out for their size.
    n_over_budget : int
        Number of candidates that the round left out, since all together cost too much.
    """

    subspace: int
    levels: Mapping[Key, Level]
    shown: Mapping[str, Extent]
    center: int | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    n_too_large: int = 0
    n_over_budget: int = 0

    def holds(self, coordinates: Mapping[Key, float]) -> bool:
        """Whether a point with these coordinates is in the window."""
        return all(
            key in self.levels and x in self.levels[key].points
            for key, x in coordinates.items()
        )


@dataclass(frozen=True)
class Proposal:
    """The candidates of a round, and the windows that they come from."""

    candidates: list[Candidate]
    windows: list[Window] = field(default_factory=list)

    @property
    def is_invented(self) -> bool:
        """Whether the search made up the candidates, which the user did not list."""
        return any(candidate.invented for candidate in self.candidates)


@dataclass(frozen=True)
class Round:
    """One finished round.

    Attributes
    ----------
    windows : list of Window
        The windows that were searched.
    n_candidates : int
        Number of candidates, which are rows of ``cv_results_``.
    n_fits : int
        Number of fits. Candidates of earlier rounds are not fitted again.
    seconds : float
        Time from the proposal to the last score.
    """

    windows: list[Window]
    n_candidates: int
    n_fits: int
    seconds: float


class History:
    """All candidates of a search with their outcomes, in the order tried.

    Parameters
    ----------
    n_splits : int
        Number of cross-validation splits.
    metric : str, default="score"
        The metric that ranks candidates, for a search with several metrics.
    """

    def __init__(self, n_splits: int, metric: str = "score") -> None:
        self.n_splits = n_splits
        self.metric = metric
        self.candidates: list[Candidate] = []
        self.outcomes: list[list[Outcome]] = []
        self.rounds: list[Round] = []
        self.round_of: list[int] = []
        #: Index of the candidate that a callable ``refit`` selects, if there is one.
        self.preferred: int | None = None
        #: Fits of a round that ended before any candidate was complete.
        self.n_fits_lost = 0
        self._index: dict[Any, int] = {}
        #: For each candidate, the index of the first one with its key.
        self._first: list[int] = []

    def __len__(self) -> int:
        return len(self.candidates)

    def __contains__(self, candidate: Candidate) -> bool:
        return candidate.key in self._index

    def outcomes_of(self, key: Any) -> list[Outcome] | None:
        """Return the outcomes of the candidate with this key, one per split."""
        index = self._index.get(key)
        return None if index is None else self.outcomes[index]

    def add_round(
        self,
        candidates: Sequence[Candidate],
        outcomes: Sequence[list[Outcome]],
        finished: Round,
    ) -> None:
        """Append a finished round with its candidates and their outcomes."""
        for candidate, outcome in zip(candidates, outcomes, strict=True):
            first = self._index.setdefault(candidate.key, len(self.candidates))
            self._first.append(first)
            self.candidates.append(candidate)
            self.outcomes.append(outcome)
            self.round_of.append(len(self.rounds))
        self.rounds.append(finished)

    def without_outcome(self, candidates: Sequence[Candidate]) -> dict[Any, Candidate]:
        """Return the candidates without outcomes by their key, each once."""
        fresh: dict[Any, Candidate] = {}
        for candidate in candidates:
            key = candidate.key
            if key not in self._index:
                fresh.setdefault(key, candidate)
        return fresh

    def n_fits(self) -> int:
        """Return the number of fits that were run."""
        return self.n_fits_lost + sum(round_.n_fits for round_ in self.rounds)

    def n_complete(self) -> int:
        """Return the number of candidates that were run on every split."""
        return sum(all(map(was_run, splits)) for splits in self.outcomes)

    def flat_outcomes(self) -> list[Outcome]:
        """Return all outcomes, candidate by candidate, split by split."""
        return [outcome for splits in self.outcomes for outcome in splits]

    def split_scores(self) -> np.ndarray:
        """Return test scores of the ranking metric, (n_candidates, n_splits)."""
        scores = [
            test[self.metric] if isinstance(test, dict) else test
            for test in (outcome["test_scores"] for outcome in self.flat_outcomes())
        ]
        return np.array(scores, dtype=np.float64).reshape(len(self), self.n_splits)

    def scores_at_pauses(self, row: int) -> np.ndarray:
        """Return the scores of a candidate at its pauses, (n_pauses, n_splits).

        The splits are those on which it paused, the metric is the ranking metric.
        """
        columns = [
            [
                score[self.metric] if isinstance(score, dict) else score
                for _, score in paused_scores(outcome)
            ]
            for outcome in self.outcomes[row]
            if paused_scores(outcome)
        ]
        n_pauses = min(map(len, columns), default=0)
        return np.array([column[:n_pauses] for column in columns], dtype=float).T

    def times(self, name: str) -> np.ndarray:
        """Return "fit_time" or "score_time" in seconds, (n_candidates, n_splits)."""
        times = [outcome[name] for outcome in self.flat_outcomes()]
        return np.array(times, dtype=np.float64).reshape(len(self), self.n_splits)

    def mean_scores(self) -> np.ndarray:
        """Return the mean test score of each candidate, NaN if a split has no score."""
        return np.asarray(self.split_scores().mean(axis=1))

    def standard_errors(self) -> np.ndarray:
        """Return the standard error of each mean over the splits, 0 for one split."""
        if self.n_splits == 1:
            return np.zeros(len(self))
        with np.errstate(invalid="ignore"):  # of infinite scores
            spread = self.split_scores().std(axis=1, ddof=1)
        return np.asarray(spread / np.sqrt(self.n_splits))

    def ranking(self) -> list[int]:
        """Return the indices of candidates with a score, best first, each once.

        Ties keep the order tried. A candidate that a callable ``refit`` selects comes
        first.
        """
        means = self.mean_scores()
        order = np.argsort(-means, kind="stable")
        first = [] if self.preferred is None else [self.preferred]
        seen: set[int] = set()
        ranked = []
        for index in (*first, *order.tolist()):
            original = self._first[index]
            if original not in seen and not np.isnan(means[index]):
                seen.add(original)
                ranked.append(original)
        return ranked

    def best_score(self) -> float:
        """Return the best score so far, or minus infinity if there is none."""
        means = self.mean_scores()
        return float(means[~np.isnan(means)].max(initial=-np.inf))


class Proposer(Protocol):
    """The interface of a policy. All methods are pure, except that `rng` advances."""

    def plan(self) -> list[int]:
        """Return the largest number of candidates of each round."""
        ...

    def limits(self) -> list[int]:
        """Return the limit of each round, which `propose` gets.

        It is the number of candidates that need a fit of their own.
        """
        ...

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return the candidates of the next round, within its limit."""
        ...

    def explain_edges(self, history: History, index: int) -> dict[str, str]:
        """Return the parameters of a candidate that lie on an end, and which end."""
        ...


def make_missing_outcome(known: Sequence[Outcome]) -> Outcome:
    """Return the outcome of a split on which a candidate did not run."""
    template = next((o for o in known if not o["fit_error"]), known[0])
    missing: Outcome = {**template, "fit_time": math.nan, "score_time": math.nan}
    missing["fit_error"] = None
    for name in ("test_scores", "train_scores"):
        if name in template:
            scores = template[name]
            several = isinstance(scores, dict)
            missing[name] = dict.fromkeys(scores, math.nan) if several else math.nan
    return missing
