"""Random rounds that narrow: a Sobol design, then windows in quantile space."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from typing import Any

import numpy as np
from scipy.stats import qmc

from sklearn_refine._history import Candidate, History, Proposal, Window
from sklearn_refine.proposal._features import Features
from sklearn_refine.proposal._gaussian_process import ROUGH
from sklearn_refine.proposal._surrogate import learn, warn_of_failure
from sklearn_refine.space._quantiles import (
    DistributionSubspace,
    ListAxis,
    SampledAxis,
    UnitAxis,
)

#: Least share of the candidates that the first round has.
FIRST_SHARE = 0.2
#: Share of the later rounds' candidates that is drawn from the whole space.
GLOBAL_SHARE = 0.1
#: Half the width of the windows, in quantiles, of the second and the last round.
FIRST_HALF_WIDTH, LAST_HALF_WIDTH = 0.4, 0.1
#: A parameter moves within its window with this probability (one always does); one
#: without an order then takes any value with the second probability.
MOVE_PROBABILITY, JUMP_PROBABILITY = 0.8, 0.5
#: Candidates in the pool that a surrogate chooses from: at least the first number,
#: a multiple of what it shall choose, at most the last number.
POOL, POOL_RATIO, LARGEST_POOL = 600, 4, 2000
#: Share of the pool in which few parameters move, anywhere; and the most that do. A
#: window that moves all of them a little cannot cross the space in some.
FAR_SHARE, MOST_FAR = 0.6, 5
#: Widths of the windows that the rest is drawn from, in widths of the round's window.
#: Wide ones are there for the surrogate to find a better region; it needs no window to
#: stay near the best.
POOL_WIDTHS = (3.0, 1.5, 0.6)
#: How many of the best candidates a batch shall improve on.
N_BEST = 5
#: Spread of the functions that a surrogate draws in the second and in the last round.
#: The fewer rounds are left to use what is found out, the less that is worth.
FIRST_SPREAD, LAST_SPREAD = 1.5, 0.6
#: How far steps that lead anywhere go past an end, where they stop, in quantiles.
PAST_AN_END = 0.1
#: Draws of a new candidate before the space is taken to be exhausted.
ATTEMPTS = 200
#: A finite space of more settings than this is not gone through, but drawn from.
GONE_THROUGH = 100_000


class RandomProposer:
    """Proposes a space-filling design, then random points around the best.

    Parameters
    ----------
    subspaces : sequence of DistributionSubspace
        The axes, one entry for each of the user's dicts.
    n_iter : int
        Candidates over all rounds.
    n_rounds : int
        Rounds; the first has a fifth of the candidates or more, the others share the
        rest evenly.
    n_centers : int
        How many of the best points the windows lie around.
    surrogate : "gp", regressor or None, default=None
        What chooses from the draws of the later rounds; None takes them as they come.
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
        first = max(-(-self.n_iter // n_rounds), round(FIRST_SHARE * self.n_iter))
        first = min(first, self.n_iter - n_rounds + 1)
        later, larger = divmod(self.n_iter - first, max(n_rounds - 1, 1))
        sizes = [later + 1] * larger + [later] * (n_rounds - 1 - larger)
        return [first, *sizes]

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return the next round's candidates, none of which was tried before.

        Parameters
        ----------
        history : History
            All rounds so far; empty before the first.
        limit : int
            Most candidates to return; fewer only where the space holds no more.
        rng : RandomState
            Source of all randomness.
        """
        half_width = self._half_width(len(history.rounds))
        centers: list[int] = []
        draws: Iterator[Candidate]
        if not len(history):
            draws = self._design(limit, rng)
        else:
            centers, draws = self._screened(history, half_width, limit, rng)
        found = _new(draws, history, limit, ATTEMPTS)
        if len(found) < limit and self.n_values > GONE_THROUGH:
            draws = chain(found, self._anywhere(limit, rng))
            found = _new(draws, history, limit, ATTEMPTS)
        if len(found) < limit:
            draws = chain(found, self._settings(rng))
            found = _new(draws, history, limit, GONE_THROUGH)
        windows = [
            self._window(history.candidates[center], half_width) for center in centers
        ]
        if not len(history):
            windows = [
                Window(index, {}, self._everything(subspace))
                for index, subspace in enumerate(self.subspaces)
            ]
        return Proposal(found, windows)

    def _screened(
        self,
        history: History,
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
    ) -> tuple[list[int], Iterator[Candidate]]:
        """Return the centers and the draws of a later round, the best ones first."""
        ranked = history.ranking()
        chosen: list[Candidate] = []
        if self.surrogate is not None:
            try:
                learned = learn(self.surrogate, self.features, history, rng, ROUGH)
                if learned is not None:
                    ranked = learned.rank(history)
                    pool = self._pool(history, ranked, half_width, limit, rng)
                    best = [history.candidates[place] for place in ranked[:N_BEST]]
                    spread = self._spread(len(history.rounds))
                    chosen = learned.choose(pool, best, limit, rng, spread)
            except Exception as error:  # any regressor may be given, and raise anything
                warn_of_failure(
                    error, "is drawn from plain windows, as with surrogate=None"
                )
                ranked, chosen = history.ranking(), []
        centers = ranked[: self.n_centers]
        plain = self._draw(history, centers, half_width, limit, rng)
        return centers, chain(chosen, plain)

    def _pool(
        self,
        history: History,
        ranked: list[int],
        half_width: float,
        limit: int,
        rng: np.random.RandomState,
    ) -> list[Candidate]:
        """Return different candidates that were not tried, for a surrogate."""
        size = min(max(POOL, POOL_RATIO * limit), LARGEST_POOL)
        centers = ranked[: self.n_centers]
        near = math.ceil((1 - FAR_SHARE) * size / len(POOL_WIDTHS))
        parts = [(half_width * width, near) for width in POOL_WIDTHS]
        parts.append((math.inf, math.ceil(FAR_SHARE * size)))
        draws = chain.from_iterable(
            islice(self._draw(history, centers, reach, n, rng), n) for reach, n in parts
        )
        pool = {candidate.key: candidate for candidate in draws}
        return [c for key, c in pool.items() if history.outcomes_of(key) is None]

    def _half_width(self, round_: int) -> float:
        ratio = LAST_HALF_WIDTH / FIRST_HALF_WIDTH
        return float(FIRST_HALF_WIDTH * ratio ** self._done(round_))

    def _spread(self, round_: int) -> float:
        last = round_ + 1 >= len(self.plan())
        done = 1.0 if last else self._done(round_)
        return FIRST_SPREAD + (LAST_SPREAD - FIRST_SPREAD) * done

    def _done(self, round_: int) -> float:
        """Return 0 in the second round, 1 in the last one, 0.5 if they are the same."""
        later = len(self.plan()) - 1
        return min(max((round_ - 1) / (later - 1), 0.0), 1.0) if later > 1 else 0.5

    def _design(self, n: int, rng: np.random.RandomState) -> Iterator[Candidate]:
        """Yield the candidates of a scrambled Sobol design over all subspaces."""
        several = len(self.subspaces) > 1
        n_dims = max(subspace.n_dims for subspace in self.subspaces) + several
        sobol = qmc.Sobol(
            max(n_dims, 1), scramble=True, seed=int(rng.randint(2**31 - 1))
        )
        # Batches of a power of two are balanced; more of them follow where lists
        # make points coincide.
        batch = 2 ** max(math.ceil(math.log2(n)), 0)
        for _ in range(1 + ATTEMPTS // batch):
            points = sobol.random(batch)
            places = (points[:, -1] * len(self.subspaces)).astype(int)
            yield from self._candidates(places if several else places * 0, points, rng)

    def _candidates(
        self, subspaces: np.ndarray, units: np.ndarray, rng: np.random.RandomState
    ) -> list[Candidate]:
        """Return the candidates at points of the unit cube, each in its subspace."""
        found: dict[int, Candidate] = {}
        for index in np.unique(subspaces).tolist():
            rows = np.flatnonzero(subspaces == index)
            subspace = self.subspaces[index]
            decoded = subspace.decode(units[rows, : subspace.n_dims], rng)
            for row, params in zip(rows.tolist(), decoded, strict=True):
                found[row] = Candidate(params, index)
        return [found[row] for row in range(len(units))]

    def _draw(
        self,
        history: History,
        centers: list[int],
        half_width: float,
        batch: int,
        rng: np.random.RandomState,
    ) -> Iterator[Candidate]:
        """Yield random candidates, most of them around the centers."""
        everywhere = -1
        n_dims = max(subspace.n_dims for subspace in self.subspaces)
        best = [history.candidates[center] for center in centers]
        shares = _shares(len(best))
        while True:
            origins = np.full(batch, everywhere)
            if best:
                near = rng.uniform(size=batch) >= GLOBAL_SHARE
                origins[near] = rng.choice(len(best), size=near.sum(), p=shares)
            # The subspace of each draw; which of its centers it came from is open.
            homes = np.array([everywhere, *(center.subspace for center in best)])
            wanted = homes[origins + 1]
            parts: dict[int, Iterator[Candidate]] = {}
            for home, n in zip(*np.unique(wanted, return_counts=True), strict=True):
                if home == everywhere:
                    places = rng.randint(len(self.subspaces), size=n)
                    units = rng.uniform(size=(n, n_dims))
                    parts[home] = iter(self._candidates(places, units, rng))
                else:
                    parents = [c for c in best if c.subspace == home]
                    parts[home] = iter(self._offspring(parents, n, half_width, rng))
            for home in wanted.tolist():
                yield next(parts[home])

    def _offspring(
        self,
        centers: list[Candidate],
        n: int,
        half_width: float,
        rng: np.random.RandomState,
    ) -> list[Candidate]:
        """Return random points in windows around centers of one subspace.

        Each parameter lies near that of a center, which need not be the same one for
        all of them. Where the windows have no ends, only a few parameters move.
        """
        subspace = centers[0].subspace
        axes = self.subspaces[subspace].axes
        far = half_width == math.inf
        moved = rng.uniform(size=(n, len(axes))) < MOVE_PROBABILITY
        if far:
            few = rng.randint(1, 1 + MOST_FAR, size=(n, 1))
            moved = rng.uniform(size=moved.shape).argsort(axis=1).argsort(axis=1) < few
        elif axes:
            moved[np.arange(n), rng.randint(len(axes), size=n)] = True
        size = (len(axes), n)
        parents = rng.choice(len(centers), size=size, p=_shares(len(centers)))
        columns: dict[str, list[Any]] = {}
        for (name, axis), moves, of in zip(axes.items(), moved.T, parents, strict=True):
            column = [centers[parent].params[name] for parent in of.tolist()]
            places = np.flatnonzero(moves)
            if isinstance(axis, SampledAxis):
                values = [axis.draw(rng) for _ in places]
            else:
                if not (far or axis.ordered):
                    places = places[rng.uniform(size=len(places)) < JUMP_PROBABILITY]
                near = [column[place] for place in places.tolist()]
                values = axis.decode(_steps(axis, near, half_width, rng))
            for place, value in zip(places.tolist(), values, strict=True):
                column[place] = value
            columns[name] = column
        return [
            Candidate({name: columns[name][row] for name in axes}, subspace)
            for row in range(n)
        ]

    def _anywhere(self, batch: int, rng: np.random.RandomState) -> Iterator[Candidate]:
        """Yield random candidates, from each subspace the more the larger it is."""
        sizes = [subspace.n_values for subspace in self.subspaces]
        if self.n_values == math.inf:
            sizes = [size == math.inf for size in sizes]
        shares = [size / sum(sizes) for size in sizes]
        n_dims = max(subspace.n_dims for subspace in self.subspaces)
        while True:
            places = rng.choice(len(sizes), size=batch, p=shares)
            yield from self._candidates(places, rng.uniform(size=(batch, n_dims)), rng)

    def _settings(self, rng: np.random.RandomState) -> Iterator[Candidate]:
        """Yield the settings of the finite subspaces in random order.

        If there are many, they are drawn: then few of them are repeated, and no list
        of all of them is needed.
        """
        sizes = [
            0 if subspace.n_values == math.inf else int(subspace.n_values)
            for subspace in self.subspaces
        ]
        ends = list(accumulate(sizes))
        if ends[-1] <= GONE_THROUGH:
            order = iter(rng.permutation(ends[-1]).tolist())
        else:
            order = _large_integers(ends[-1], rng)
        for place in order:
            index = bisect_right(ends, place)
            start = ends[index] - sizes[index]
            yield Candidate(self.subspaces[index].params_at(place - start), index)

    def _window(self, center: Candidate, half_width: float) -> Window:
        axes = self.subspaces[center.subspace].axes
        shown: dict[str, tuple[Any, ...]] = {}
        for name, axis in axes.items():
            value = center.params[name]
            if isinstance(axis, SampledAxis):
                shown[name] = (value,)
            elif isinstance(axis, ListAxis) and not axis.ordered:
                shown[name] = tuple(axis.values)
            else:
                ends = axis.encode(value) + half_width * np.array([[-1], [1]])
                shown[name] = tuple(axis.decode(np.clip(ends, 0, 1)))
        return Window(center.subspace, {}, shown)

    @staticmethod
    def _everything(subspace: DistributionSubspace) -> dict[str, tuple[Any, ...]]:
        shown: dict[str, tuple[Any, ...]] = {}
        for name, axis in subspace.axes.items():
            if isinstance(axis, SampledAxis):
                shown[name] = ()
            elif isinstance(axis, ListAxis) and not axis.ordered:
                shown[name] = tuple(axis.values)
            else:
                ends = np.repeat([[0.0], [1.0]], axis.n_dims, axis=1)
                shown[name] = tuple(axis.decode(ends))
        return shown


def _new(
    draws: Iterable[Candidate], history: History, limit: int, attempts: int
) -> list[Candidate]:
    """Return different draws that were not tried before, until there are `limit`.

    After so many `attempts` in a row that gave nothing new, no more are made.
    """
    found: dict[Any, Candidate] = {}
    failures = 0
    for candidate in draws:
        key = candidate.key
        if key in found or history.outcomes_of(key) is not None:
            failures += 1
        else:
            failures = 0
            found[key] = candidate
        if len(found) == limit or failures == attempts:
            break
    return list(found.values())


def _large_integers(end: int, rng: np.random.RandomState) -> Iterator[int]:
    """Yield random integers from 0 to below `end`, which may be of any size."""
    while True:
        drawn = int.from_bytes(rng.bytes(end.bit_length() // 8 + 1), "little")
        drawn &= (1 << end.bit_length()) - 1
        if drawn < end:
            yield drawn


def _shares(n: int) -> np.ndarray:
    """Return the shares of the draws around each of `n` centers, the best first."""
    weights = np.log(n + 0.5) - np.log(np.arange(1, n + 1))
    return np.asarray(weights / weights.sum())


def _steps(
    axis: UnitAxis,
    values: Sequence[Any],
    half_width: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return a random point of the unit cube near that of each value, or anywhere.

    A step past the smallest or largest value stops there, for many an optimum lies at
    an end. Where there is no such value, steps stay inside.
    """
    if not axis.ordered:
        return rng.uniform(size=(len(values), axis.n_dims))
    units = axis.encode_all(values).reshape(len(values), axis.n_dims)
    # In a short list, a step must be able to reach the next value.
    reach = half_width
    if isinstance(axis, ListAxis):
        reach = max(reach, 1.5 / len(axis.values))
    low, high = units - reach, units + reach
    if half_width == math.inf:
        low = np.full_like(units, -PAST_AN_END)
        high = np.full_like(units, 1 + PAST_AN_END)
    if not axis.bounded:
        low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    return np.asarray(np.clip(rng.uniform(low, high), 0.0, 1.0))
