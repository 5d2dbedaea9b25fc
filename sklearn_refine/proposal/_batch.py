"""The batch of a round of the random search, chosen by a Gaussian process.

A change to the order of random draws or to a tie-break changes which candidates later
rounds try.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_refine._history import Candidate, History
from sklearn_refine.proposal._acquisition import (
    climb,
    log_expected_improvement,
    select_by_improvement,
    uncorrelated_rows,
)
from sklearn_refine.proposal._features import Features
from sklearn_refine.proposal._gaussian_process import GaussianProcess
from sklearn_refine.proposal._surrogate import N_FUNCTIONS, Surrogate
from sklearn_refine.space._quantiles import DistributionSubspace

#: Candidates of the pool that the drawn functions compare: those with the largest
#: expected improvement.
N_KEPT = 200
#: Number of starts from which the expected improvement is maximized. They are at most
#: so much correlated with each other.
N_STARTS, START_CORRELATION = 10, 0.9
#: Number of best candidates on which a batch should improve.
N_BEST = 5
#: Number of best candidates among which other regions are found, the largest number of
#: such regions, and the correlation below which a candidate is in another region.
N_LEADING, MAX_REGIONS, REGION_CORRELATION = 60, 4, 0.5
#: A dict is not given up before it had so many candidates per dimension, and so large
#: a share of all candidates. At most this fraction of a round is for such dicts.
MIN_PER_DIMENSION, MIN_SHARE, OTHERS_FRACTION = 4, 0.1, 0.34


@dataclass(frozen=True)
class Batch:
    """Selects the batch of a round by expected improvement.

    Attributes
    ----------
    surrogate : Surrogate
        Model of the scores.
    process : GaussianProcess
        Its Gaussian process.
    features : Features
        The features that it was fitted to.
    history : History
        All candidates that were tried.
    spread : float
        Factor of the deviations from the expected score.
    """

    surrogate: Surrogate
    process: GaussianProcess
    features: Features
    history: History
    spread: float

    def select(
        self,
        best: Sequence[Candidate],
        pool: Sequence[Candidate],
        limit: int,
        rng: np.random.RandomState,
    ) -> list[Candidate]:
        """Return up to `limit` candidates that may improve on the best.

        The candidates of the pool with the largest expected improvement are kept. From
        some of them, a local search looks for points with an even larger one. The
        batch is then selected from both, one candidate at a time.
        """
        if not pool:
            return []
        X_best = self.surrogate.features(best)
        kept = self._climb(pool, float(self.process.predict(X_best).max()))
        X = self.surrogate.features(kept)
        drawn = self._draw(np.vstack([X_best, X]), rng)
        places = select_by_improvement(
            drawn[:, : len(best)],
            drawn[:, len(best) :],
            min(limit, len(kept)),
            self.surrogate.succeeds(X),
        )
        return [kept[place] for place in places]

    def _climb(self, pool: Sequence[Candidate], known: float) -> list[Candidate]:
        """Return the most promising candidates of a pool, and better ones near them."""
        X = self.surrogate.features(pool)
        gains = log_expected_improvement(self.process, X, known, self.spread)[0]
        gains = gains + np.log(self.surrogate.succeeds(X))
        order = np.argsort(-gains, kind="stable")[:N_KEPT]
        kept = [pool[place] for place in order.tolist()]
        X = X[order]
        rows = uncorrelated_rows(self.process, X, N_STARTS, START_CORRELATION)
        starts = [kept[row] for row in rows]
        is_free = self.features.is_free(starts)
        climbed = climb(self.process, X[rows], is_free, known, self.spread)
        found = {candidate.key: candidate for candidate in kept}
        for candidate in self.features.move(starts, climbed):
            if candidate not in self.history:
                found.setdefault(candidate.key, candidate)
        return list(found.values())

    def _draw(self, X: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
        """Return values of random functions, spread about the expected scores."""
        expected = self.surrogate.predict(X)
        drawn = self.surrogate.draw(X, N_FUNCTIONS, rng)
        return np.asarray(expected + self.spread * (drawn - expected))


def other_regions(process: GaussianProcess, X: np.ndarray, n_centers: int) -> list[int]:
    """Return candidates far from all better ones, except for the first `n_centers`.

    Parameters
    ----------
    process : GaussianProcess
        Model of the scores.
    X : ndarray of shape (n_candidates, n_features)
        Features of the candidates, best first.
    n_centers : int
        Number of first candidates that are centers already.
    """
    most = n_centers + MAX_REGIONS
    rows = uncorrelated_rows(process, X, most, REGION_CORRELATION)
    return [row for row in rows if row >= n_centers][:MAX_REGIONS]


def shares_of_others(
    history: History, subspaces: Sequence[DistributionSubspace], limit: int
) -> dict[int, int]:
    """Return how many candidates of a round each dict but the best one's should get.

    A dict gets candidates while it has few for its number of dimensions. Otherwise, the
    few candidates of the first round would decide between the dicts.
    """
    ranked = history.ranking() if len(subspaces) > 1 else []
    if not ranked:
        return {}
    leader = history.candidates[ranked[0]].subspace
    tried = Counter(candidate.subspace for candidate in history.candidates)
    missing: dict[int, float] = {}
    for index, subspace in enumerate(subspaces):
        if index != leader:
            wanted = max(
                MIN_PER_DIMENSION * (subspace.n_dims + 1), MIN_SHARE * len(history)
            )
            missing[index] = min(wanted, subspace.n_values) - tried[index]
    shares: Counter[int] = Counter()
    for _ in range(int(OTHERS_FRACTION * limit)):
        neediest = max(missing, key=lambda index: missing[index], default=leader)
        if missing.get(neediest, 0) <= 0:
            break
        shares[neediest] += 1
        missing[neediest] -= 1
    return dict(shares)
