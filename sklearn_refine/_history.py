"""The record of a search: what was tried, with what outcome. Append-only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from sklearn_refine.space._axes import Key, candidate_key, to_python

#: What scikit-learn's ``_fit_and_score`` returns for one candidate on one split.
Outcome = dict[str, Any]

#: How the errors of fits begin that were ended from outside.
TIMED_OUT = "TimeoutError: fit_timeout="
DIED = "The worker process died"


def was_run(outcome: Outcome) -> bool:
    """Whether a fit was made, or a race left it out."""
    return not math.isnan(outcome["fit_time"])


@dataclass(frozen=True)
class Candidate:
    """One setting of the parameters.

    Attributes
    ----------
    params : mapping of str to object
        What is set on the estimator, with the very objects that the user listed.
    subspace : int
        Index of the user's dict that it belongs to.
    """

    params: Mapping[str, Any]
    subspace: int = 0

    @property
    def key(self) -> Any:
        """Equal for candidates that must give the same fit."""
        return candidate_key(self.params)

    @property
    def shown(self) -> dict[str, Any]:
        """The parameters as the user is shown them: no numpy scalars."""
        return {name: to_python(value) for name, value in self.params.items()}


@dataclass(frozen=True)
class Level:
    """What a window tries on one dimension.

    Attributes
    ----------
    points : tuple of float
        Coordinates, ascending.
    below, above : float or None
        The nearest coordinate tried before on either side; None at the edge of
        what was tried.
    """

    points: tuple[float, ...]
    below: float | None = None
    above: float | None = None


@dataclass(frozen=True)
class Window:
    """The part of a subspace that a round looks at, around one center.

    Attributes
    ----------
    subspace : int
        Index of the user's dict.
    levels : mapping of Key to Level
        What is tried on each dimension.
    shown : mapping of str to tuple
        For each parameter, the smallest and largest number, or the choices or layer
        sizes that the window holds.
    """

    subspace: int
    levels: Mapping[Key, Level]
    shown: Mapping[str, tuple[Any, ...]]

    def holds(self, coordinates: Mapping[Key, float]) -> bool:
        """Whether a point with these coordinates is one of the window's."""
        return all(
            key in self.levels and x in self.levels[key].points
            for key, x in coordinates.items()
        )


@dataclass(frozen=True)
class Proposal:
    """What a round shall evaluate, and the windows it comes from."""

    candidates: list[Candidate]
    windows: list[Window] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """One finished round.

    Attributes
    ----------
    windows : list of Window
        What it looked at.
    n_candidates : int
        Rows it added.
    n_fits : int
        Fits it took; a candidate known already takes none.
    seconds : float
        From proposal to the last score.
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
        The metric that ranks candidates where a candidate has several.
    """

    def __init__(self, n_splits: int, metric: str = "score") -> None:
        self.n_splits = n_splits
        self.metric = metric
        self.candidates: list[Candidate] = []
        self.outcomes: list[list[Outcome]] = []
        self.rounds: list[Round] = []
        self.round_of: list[int] = []
        #: Index of the candidate that a callable ``refit`` prefers, if there is one.
        self.preferred: int | None = None
        #: Fits of a round that was broken off before any candidate was complete.
        self.n_fits_lost = 0
        self._index: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self.candidates)

    def __contains__(self, candidate: Candidate) -> bool:
        return candidate.key in self._index

    def outcomes_of(self, key: Any) -> list[Outcome] | None:
        """Return the outcomes of the candidate with this key, one a split."""
        index = self._index.get(key)
        return None if index is None else self.outcomes[index]

    def add_round(
        self,
        candidates: Sequence[Candidate],
        outcomes: Sequence[list[Outcome]],
        finished: Round,
    ) -> None:
        """Append a round's candidates, their outcomes and what it took."""
        for candidate, outcome in zip(candidates, outcomes, strict=True):
            self._index.setdefault(candidate.key, len(self.candidates))
            self.candidates.append(candidate)
            self.outcomes.append(outcome)
            self.round_of.append(len(self.rounds))
        self.rounds.append(finished)

    def without_outcome(self, candidates: Sequence[Candidate]) -> dict[Any, Candidate]:
        """Return the candidates that have no outcome yet, each once, by their key."""
        fresh: dict[Any, Candidate] = {}
        for candidate in candidates:
            key = candidate.key
            if key not in self._index:
                fresh.setdefault(key, candidate)
        return fresh

    def n_fits(self) -> int:
        """Return how many fits were made."""
        return self.n_fits_lost + sum(round_.n_fits for round_ in self.rounds)

    def n_complete(self) -> int:
        """Return how many candidates were run on every split."""
        return sum(all(map(was_run, splits)) for splits in self.outcomes)

    def flat_outcomes(self) -> list[Outcome]:
        """Return all outcomes, candidate by candidate, split by split."""
        return [outcome for splits in self.outcomes for outcome in splits]

    def split_scores(self) -> np.ndarray:
        """Return the ranking metric's test scores, (n_candidates, n_splits)."""
        scores = [
            test[self.metric] if isinstance(test, dict) else test
            for test in (outcome["test_scores"] for outcome in self.flat_outcomes())
        ]
        return np.array(scores, dtype=np.float64).reshape(len(self), self.n_splits)

    def times(self, name: str) -> np.ndarray:
        """Return "fit_time" or "score_time" in seconds, (n_candidates, n_splits)."""
        times = [outcome[name] for outcome in self.flat_outcomes()]
        return np.array(times, dtype=np.float64).reshape(len(self), self.n_splits)

    def mean_scores(self) -> np.ndarray:
        """Return each candidate's mean test score, NaN where a split has none."""
        return np.asarray(self.split_scores().mean(axis=1))

    def standard_errors(self) -> np.ndarray:
        """Return the standard error of each mean over the splits, 0 for one split."""
        if self.n_splits == 1:
            return np.zeros(len(self))
        spread = self.split_scores().std(axis=1, ddof=1)
        return np.asarray(spread / np.sqrt(self.n_splits))

    def ranking(self) -> list[int]:
        """Return the indices of candidates with a score, best first, each once.

        Ties keep the order tried. A candidate that a callable ``refit`` prefers
        comes first.
        """
        means = self.mean_scores()
        order = np.argsort(-means, kind="stable")
        first = [] if self.preferred is None else [self.preferred]
        seen: set[int] = set()
        ranked = []
        for index in (*first, *order.tolist()):
            original = self._index[self.candidates[index].key]
            if original not in seen and not np.isnan(means[index]):
                seen.add(original)
                ranked.append(original)
        return ranked

    def best_score(self) -> float:
        """Return the best score so far, minus infinity before there is one."""
        means = self.mean_scores()
        return float(means[~np.isnan(means)].max(initial=-np.inf))

    def rounds_frame(self) -> pd.DataFrame:
        """Return what each round looked at, took and found."""
        means = np.where(np.isnan(self.mean_scores()), -np.inf, self.mean_scores())
        number = np.asarray(self.round_of)
        names = sorted({name for c in self.candidates for name in c.params})
        rows = []
        best = -np.inf
        for index, finished in enumerate(self.rounds):
            score = means[number == index].max(initial=-np.inf)
            best = max(best, score)
            row: dict[str, Any] = {
                "n_candidates": finished.n_candidates,
                "n_fits": finished.n_fits,
                "best_score": score if score > -np.inf else np.nan,
                "best_so_far": best if best > -np.inf else np.nan,
                "seconds": finished.seconds,
            }
            for name in names:
                row[f"window_{name}"] = [
                    window.shown[name]
                    for window in finished.windows
                    if name in window.shown
                ]
            rows.append(row)
        frame = pd.DataFrame(rows)
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="round")
        return frame


class Proposer(Protocol):
    """What the loop asks of a policy; both methods are pure but for the `rng`."""

    def plan(self) -> list[int]:
        """Return the most candidates of each round."""
        ...

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return what the next round shall evaluate."""
        ...
