"""The rows of a round: its candidates and, after these, what they are at each pause.

A candidate at a pause is a candidate with fewer iterations, so that it can be fitted,
stored and shared as every other one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sklearn_refine._history import Candidate, Outcome
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._halving import PausingRows
from sklearn_refine.evaluation._inputs import FitInputs
from sklearn_refine.evaluation._paused import Pause
from sklearn_refine.evaluation._tasks import (
    Pair,
    drop_lone_families,
    find_sharing_keys,
    number_keys,
)
from sklearn_refine.sharing._pauses import find_pauses
from sklearn_refine.space._inactive import ModelKey


class Rows:
    """The rows of a round, and what they can share.

    Parameters
    ----------
    inputs : FitInputs
        The inputs that all fits share.
    candidates : sequence of Candidate
        The candidates of the round.
    share : bool
        Whether candidates may share work.
    pause : bool
        Whether candidates that learn in iterations pause.

    Attributes
    ----------
    candidates : list of Candidate
        The candidate of each row.
    n_candidates : int
        The number of rows that are candidates of the round.
    origins : dict of int to int
        For each row that is no candidate of the round, the row of the one that pauses.
    pausing : dict of int to PausingRows
        The rows of each candidate that pauses.
    keys : list of SharingKeys or None
        What each row can share.
    prefixes, families : list
        The same as numbers.
    race : str or None
        Identifies the paused fits of the round.
    """

    def __init__(
        self,
        inputs: FitInputs,
        candidates: Sequence[Candidate],
        *,
        share: bool,
        pause: bool,
    ) -> None:
        self._inputs = inputs
        self.candidates = list(candidates)
        self.n_candidates = len(self.candidates)
        self.origins: dict[int, int] = {}
        self.pausing: dict[int, PausingRows] = {}
        self.race = uuid4().hex if pause else None
        model_key = ModelKey(inputs.estimator)
        self.keys = [
            find_sharing_keys(inputs, each.params, model_key) if share else None
            for each in candidates
        ]
        if pause:
            for i in range(self.n_candidates):
                self._add_pauses(i)
        self.keys = drop_lone_families(self.keys)
        self.prefixes, self.families = number_keys(self.keys)

    def _add_pauses(self, i: int) -> None:
        """Add a row for each number of iterations at which a candidate pauses."""
        inputs, params, key = self._inputs, self.candidates[i].params, self.keys[i]
        if key is None:
            return
        pauses = find_pauses(inputs.estimator, params, inputs.X)
        if pauses is None:
            return
        row_of = {pauses.n_iter: i}
        for limit in pauses.limits():
            if limit not in row_of:
                row_of[limit] = len(self.candidates)
                self.origins[row_of[limit]] = i
                paused = {**params, pauses.name: limit}
                self.candidates.append(replace(self.candidates[i], params=paused))
                self.keys.append(key)
        self.pausing[i] = PausingRows(
            pauses.name,
            pauses.n_iter,
            tuple(pauses.limits()),
            tuple(row_of[limit] for limit in pauses.limits()),
            tuple(range(inputs.n_splits if pauses.on_all_splits else 1)),
        )

    def origin(self, row: int) -> int:
        """Return the candidate of the round that a row trains."""
        return self.origins.get(row, row)

    def pause(self, row: int, split: int) -> Pause | None:
        """Return how the fit of a row takes part in a race over iterations."""
        origin = self.origin(row)
        if origin not in self.pausing or split not in self.pausing[origin].splits:
            return None
        pausing = self.pausing[origin]
        n_iter = self.candidates[row].params.get(pausing.name, pausing.n_iter)
        name = pausing.name.rpartition("__")[2]
        return Pause(origin, name, n_iter, is_partial=row != origin)

    def costs(self, model: CostModel) -> list[float]:
        """Return the expected cost of a fit of each row."""
        listed = self.candidates[: self.n_candidates]
        costs: list[float] = model.predict([c.params for c in listed]).tolist()
        for row, i in self.origins.items():
            pausing = self.pausing[i]
            n_iter = self.candidates[row].params[pausing.name]
            costs.append(costs[i] * n_iter / pausing.n_iter)
        return costs

    def paused_scores(
        self, i: int, split: int, found: Mapping[Pair, Outcome]
    ) -> dict[str, Any]:
        """Return the scores of a candidate at its pauses, as a part of its outcome."""
        pausing = self.pausing.get(i)
        if pausing is None or split not in pausing.splits:
            return {}
        scores = [
            (limit, found[row, split]["test_scores"])
            for limit, row in zip(pausing.limits, pausing.rows, strict=True)
            if (row, split) in found
        ]
        return {"paused_scores": scores, "n_iter": pausing.n_iter} if scores else {}
