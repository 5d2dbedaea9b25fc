"""Proposer of the random search: a Sobol design, then windows in quantile space.

The random draws must keep their order, or every search would change.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

import numpy as np
from scipy.stats import qmc

from sklearn_refine._history import Candidate, History, Proposal
from sklearn_refine.proposal._batch import (
    N_BEST,
    N_LEADING,
    Batch,
    other_regions,
    shares_of_others,
)
from sklearn_refine.proposal._features import Features
from sklearn_refine.proposal._random_draws import (
    center_weights,
    draw_integers,
    draw_near,
    take_new,
)
from sklearn_refine.proposal._random_windows import (
    explain_ends,
    whole_range,
    window_around,
)
from sklearn_refine.proposal._surrogate import (
    fit_process,
    fit_surrogate,
    warn_surrogate_failed,
)
from sklearn_refine.space._quantiles import DistributionSubspace

#: Smallest fraction of all candidates in the first round.
FIRST_FRACTION = 0.2
#: Fraction of the plain draws of later rounds that is drawn from the whole space.
GLOBAL_FRACTION = 0.1
#: Half the width of the windows, in quantiles, in the second and in the last round.
FIRST_HALF_WIDTH, LAST_HALF_WIDTH = 0.4, 0.1
#: Size of the pool from which a surrogate selects: the ratio times the number of
#: candidates to select, between the minimum and the maximum.
MIN_POOL, POOL_RATIO, MAX_POOL = 600, 4, 2000
#: Fraction of the pool in which few parameters move, but anywhere. Small steps of all
#: parameters could not cross the space.
FAR_FRACTION = 0.6
#: Window widths for the rest of the pool, relative to the round's window. Wide windows
#: let the surrogate find better regions. It stays near the best candidates by itself.
POOL_WIDTHS = (3.0, 1.5, 0.6)
#: Number of candidates in the pool around the best one of each other region.
REGION_POOL = 40
#: Fraction of the rounds after which only the best candidate's dict gets candidates
#: for certain.
LAST_SHARE = 0.75
#: Spread of the functions that a surrogate draws in the second and in the last round.
#: Exploration is worth less if fewer rounds are left to use its results.
FIRST_SPREAD, LAST_SPREAD = 1.5, 1.0
#: Failed draws in a row after which the space counts as exhausted.
MAX_FAILED_DRAWS = 200
#: Finite spaces with at most this many candidates are enumerated, larger ones sampled.
MAX_ENUMERATED = 100_000


class RandomProposer:
    """Proposes a space-filling design, then random points around the best.

    Parameters
    ----------
    subspaces : sequence of DistributionSubspace
        The axes, one entry for each of the user's dicts.
    n_iter : int
        Total number of candidates.
    n_rounds : int
        Number of rounds. The first round has at least a fifth of the candidates. The
        other rounds share the rest evenly.
    n_centers : int
        Most centers of a round; each has a window.
    surrogate : "gp", regressor or None, default=None
        Model that selects the candidates of later rounds from a pool of draws. If
        None, candidates are drawn without a model.
    """

    def __init__(
        self,
        subspaces: Sequence[DistributionSubspace],
        *,
        n_iter: int,
        n_rounds: int,
        n_centers: int,
        surrogate: Any = None,
    ) -> None:
        self.subspaces = subspaces
        sizes = [subspace.n_values for subspace in subspaces]
        self.n_values = math.inf if math.inf in sizes else sum(sizes)
        self.n_iter = int(min(n_iter, self.n_values))
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.surrogate = surrogate
        self.features = Features(subspaces)

    def plan(self) -> list[int]:
        """Return the number of candidates of each round."""
        n_rounds = min(self.n_rounds, self.n_iter)
        first = max(-(-self.n_iter // n_rounds), round(FIRST_FRACTION * self.n_iter))
        first = min(first, self.n_iter - n_rounds + 1)
        later, larger = divmod(self.n_iter - first, max(n_rounds - 1, 1))
        sizes = [later + 1] * larger + [later] * (n_rounds - 1 - larger)
        return [first, *sizes]

    def limits(self) -> list[int]:
        """Return the number of candidates of each round: no fit is free."""
        return self.plan()

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return untried candidates for the next round.

        Parameters
        ----------
        history : History
            All rounds so far; empty before the first.
        limit : int
            Number of candidates; fewer are returned only if the space is exhausted.
        rng : RandomState
            Source of all randomness.
        """
        half_width = self._half_width(len(history.rounds))
        centers: list[int] = []
        draws: Iterator[Candidate]
        if not len(history):
            draws = self._sobol_design(limit, rng)
        else:
            centers, draws = self._draw_later_round(history, half_width, limit, rng)
        draws = map(self._compute, draws)
        found = take_new(draws, history, limit, MAX_FAILED_DRAWS)
        if len(found) < limit and self.n_values > MAX_ENUMERATED:
            draws = chain(found, map(self._compute, self._draw_uniform(limit, rng)))
            found = take_new(draws, history, limit, MAX_FAILED_DRAWS)
        if len(found) < limit:
            draws = chain(found, self._enumerate(rng))
            found = take_new(draws, history, limit, MAX_ENUMERATED)
        windows = [
            window_around(
                self.subspaces[history.candidates[center].subspace],
                *(history.candidates[center], half_width, center),
            )
            for center in centers
        ]
        if not len(history):
            windows = [
                whole_range(subspace, index)
                for index, subspace in enumerate(self.subspaces)
            ]
        return Proposal(found, windows)

    def _compute(self, candidate: Candidate) -> Candidate:
        """Return a candidate with all its values computed."""
        subspace = self.subspaces[candidate.subspace]
        return Candidate(subspace.compute(candidate.params), candidate.subspace)

    def _draw_later_round(
        self,
        history: History,
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
    ) -> tuple[list[int], Iterator[Candidate]]:
        """Return the centers and the draws of a later round.

        The candidates selected by the surrogate come before the plain draws.
        """
        ranked: list[int] | None = None
        selected: list[Candidate] = []
        if self.surrogate is not None:
            try:
                selected = self._select_others(history, half_width, limit, rng)
                n = limit - len(selected)
                ranked, more = self._select(history, half_width, n, rng)
                selected += more
            except Exception as error:  # a regressor may raise any exception
                warn_surrogate_failed(
                    error, "is drawn from plain windows, as with surrogate=None"
                )
                ranked, selected = None, []
        if ranked is None:
            ranked = history.ranking()
        centers = ranked[: self.n_centers]
        plain = self._draw_plain(history, centers, half_width, limit, rng)
        return centers, chain(selected, plain)

    def _select(
        self,
        history: History,
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
    ) -> tuple[list[int], list[Candidate]]:
        """Return the tried candidates, best first, and up to `limit` untried ones."""
        spread = self._spread(len(history.rounds))
        if self.surrogate != "gp":
            fitted = fit_surrogate(self.surrogate, self.features, history, rng)
        else:
            fitted = fit_process(self.features, history)
        if fitted is None:
            return history.ranking(), []
        ranked = fitted.rank(history)
        best = [history.candidates[place] for place in ranked[:N_BEST]]
        if fitted.process is None:
            pool = self._make_pool(history, ranked, half_width, limit, rng)
            return ranked, fitted.select(pool, best, limit, rng, spread)
        X = fitted.features([history.candidates[i] for i in ranked[:N_LEADING]])
        regions = other_regions(fitted.process, X, self.n_centers)
        regions = [ranked[row] for row in regions]
        pool = self._make_pool(history, ranked, half_width, limit, rng, regions)
        batch = Batch(fitted, fitted.process, self.features, history, spread)
        return ranked, batch.select(best, pool, limit, rng)

    def _select_others(
        self,
        history: History,
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
    ) -> list[Candidate]:
        """Return candidates of dicts that are not given up yet."""
        done = len(history.rounds) / len(self.plan())
        shares = shares_of_others(history, self.subspaces, limit)
        if not shares or done >= LAST_SHARE or self.surrogate != "gp":
            return []
        selected: list[Candidate] = []
        fitted = fit_process(self.features, history, within_dicts=True)
        if fitted is None or fitted.process is None:
            return []
        spread = self._spread(len(history.rounds))
        batch = Batch(fitted, fitted.process, self.features, history, spread)
        everywhere = fitted.rank(history)
        for index, n in shares.items():
            ranked = [i for i in everywhere if history.candidates[i].subspace == index]
            pool = self._make_pool(history, ranked, half_width, n, rng)
            pool = [candidate for candidate in pool if candidate.subspace == index]
            best = [history.candidates[place] for place in ranked[:N_BEST]]
            if not best:
                selected += pool[:n]
                continue
            selected += batch.select(best, pool, n, rng)
        return selected

    def _make_pool(
        self,
        history: History,
        ranked: list[int],
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
        regions: Sequence[int] = (),
    ) -> list[Candidate]:
        """Return distinct untried candidates from which a surrogate selects."""
        size = min(max(MIN_POOL, POOL_RATIO * limit), MAX_POOL)
        centers = ranked[: self.n_centers]
        n_near = math.ceil((1 - FAR_FRACTION) * size / len(POOL_WIDTHS))
        parts = [(centers, half_width * width, n_near) for width in POOL_WIDTHS]
        parts.append((centers, math.inf, math.ceil(FAR_FRACTION * size)))
        parts += [([region], half_width, REGION_POOL) for region in regions]
        draws = chain.from_iterable(
            islice(self._draw_plain(history, around, reach, n, rng), n)
            for around, reach, n in parts
        )
        pool = {candidate.key: candidate for candidate in draws}
        return [c for key, c in pool.items() if history.outcomes_of(key) is None]

    def _half_width(self, round_: int) -> float:
        """Return half the width of the windows of a round, counted from 0."""
        ratio = LAST_HALF_WIDTH / FIRST_HALF_WIDTH
        return float(FIRST_HALF_WIDTH * ratio ** self._progress(round_))

    def _spread(self, round_: int) -> float:
        """Return the spread of the surrogate's functions in a round."""
        last = round_ + 1 >= len(self.plan())
        done = 1.0 if last else self._progress(round_)
        return FIRST_SPREAD + (LAST_SPREAD - FIRST_SPREAD) * done

    def _progress(self, round_: int) -> float:
        """Return 0 for the second round and 1 for the last; 0.5 if they are equal."""
        later = len(self.plan()) - 1
        return min(max((round_ - 1) / (later - 1), 0.0), 1.0) if later > 1 else 0.5

    def _sobol_design(self, n: int, rng: np.random.RandomState) -> Iterator[Candidate]:
        """Yield the candidates of a scrambled Sobol design over all subspaces."""
        several = len(self.subspaces) > 1
        n_dims = max(subspace.n_dims for subspace in self.subspaces) + several
        sobol = qmc.Sobol(
            max(n_dims, 1), scramble=True, seed=int(rng.randint(2**31 - 1))
        )
        # Sobol points are balanced in batches of a power of two. More batches are
        # needed if several points decode to the same values of a list.
        batch = 2 ** max(math.ceil(math.log2(n)), 0)
        for _ in range(1 + MAX_FAILED_DRAWS // batch):
            points = sobol.random(batch)
            indices = (points[:, -1] * len(self.subspaces)).astype(int)
            yield from self._decode(indices if several else indices * 0, points, rng)

    def _decode(
        self,
        subspaces: np.ndarray,
        units: np.ndarray,
        rng: np.random.RandomState,
        *,
        new: bool = False,
    ) -> list[Candidate]:
        """Return the candidate at each point of the unit cube, in its subspace."""
        found: dict[int, Candidate] = {}
        for index in np.unique(subspaces).tolist():
            rows = np.flatnonzero(subspaces == index)
            subspace = self.subspaces[index]
            decoded = subspace.decode(units[rows, : subspace.n_dims], rng, new=new)
            for row, params in zip(rows.tolist(), decoded, strict=True):
                found[row] = Candidate(params, index)
        return [found[row] for row in range(len(units))]

    def _draw_plain(
        self,
        history: History,
        centers: list[int],
        half_width: float,
        batch: int,
        rng: np.random.RandomState,
    ) -> Iterator[Candidate]:
        """Yield random candidates without a model, most of them around centers."""
        everywhere = -1
        n_dims = max(subspace.n_dims for subspace in self.subspaces)
        best = [history.candidates[center] for center in centers]
        weights = center_weights(len(best))
        while True:
            origins = np.full(batch, everywhere)
            if best:
                near = rng.uniform(size=batch) >= GLOBAL_FRACTION
                origins[near] = rng.choice(len(best), size=near.sum(), p=weights)
            # Only the subspace of the drawn center is kept, since each parameter draws
            # its own center of this subspace.
            subspaces = np.array([everywhere, *(center.subspace for center in best)])
            wanted = subspaces[origins + 1]
            parts: dict[int, Iterator[Candidate]] = {}
            for index, n in zip(*np.unique(wanted, return_counts=True), strict=True):
                if index == everywhere:
                    indices = rng.randint(len(self.subspaces), size=n)
                    units = rng.uniform(size=(n, n_dims))
                    parts[index] = iter(self._decode(indices, units, rng))
                else:
                    axes = self.subspaces[index].axes
                    parents = [c for c in best if c.subspace == index]
                    parts[index] = iter(draw_near(axes, parents, n, half_width, rng))
            for index in wanted.tolist():
                yield next(parts[index])

    def _draw_uniform(
        self, batch: int, rng: np.random.RandomState
    ) -> Iterator[Candidate]:
        """Yield random candidates, in proportion to the sizes of the subspaces.

        If some subspaces are infinite, only these are drawn from, equally often.
        Objects with only ``rvs`` draw new values.
        """
        sizes = [subspace.n_values for subspace in self.subspaces]
        if self.n_values == math.inf:
            sizes = [size == math.inf for size in sizes]
        weights = [size / sum(sizes) for size in sizes]
        n_dims = max(subspace.n_dims for subspace in self.subspaces)
        while True:
            indices = rng.choice(len(sizes), size=batch, p=weights)
            units = rng.uniform(size=(batch, n_dims))
            yield from self._decode(indices, units, rng, new=True)

    def _enumerate(self, rng: np.random.RandomState) -> Iterator[Candidate]:
        """Yield the candidates of the finite subspaces in random order.

        More than `MAX_ENUMERATED` candidates are sampled with replacement, because
        then repetitions are rare and a permutation would be too long.
        """
        sizes = [
            0 if subspace.n_values == math.inf else int(subspace.n_values)
            for subspace in self.subspaces
        ]
        ends = list(accumulate(sizes))
        if ends[-1] <= MAX_ENUMERATED:
            order = iter(rng.permutation(ends[-1]).tolist())
        else:
            order = draw_integers(ends[-1], rng)
        for place in order:
            index = bisect_right(ends, place)
            start = ends[index] - sizes[index]
            yield Candidate(self.subspaces[index].params_at(place - start), index)

    def explain_edges(self, history: History, index: int) -> dict[str, str]:
        """Return the parameters of a candidate that lie on an end, and which end."""
        candidate = history.candidates[index]
        return explain_ends(self.subspaces[candidate.subspace], candidate)
