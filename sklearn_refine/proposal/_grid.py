"""Proposer of the grid search: the user's grid, then finer windows around centers.

A window halves the spacing around its center. At an edge of what was tried, it steps
outwards by the old spacing. The random draws must keep their order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_refine._history import (
    Candidate,
    Extent,
    History,
    Level,
    Proposal,
    Window,
)
from sklearn_refine.proposal._grid_features import GridFeatures
from sklearn_refine.proposal._grid_free import MAX_MEMBERS, Groups, fill_numbers
from sklearn_refine.proposal._grid_points import (
    Choice,
    IsAllowed,
    combine_numbers,
    interleave,
    spanned_candidates,
    window_candidates,
)
from sklearn_refine.proposal._grid_reach import Reach, describe_axis
from sklearn_refine.proposal._grid_steps import (
    explain_edge,
    explain_ends,
    refine_dimension,
)
from sklearn_refine.proposal._surrogate import (
    N_BEST,
    Surrogate,
    fit_surrogate,
    warn_surrogate_failed,
)
from sklearn_refine.proposal._tried_grid import TriedGrid
from sklearn_refine.space._axes import (
    Axis,
    Key,
    LayersAxis,
    candidate_key,
    to_python,
    value_key,
)
from sklearn_refine.space._infer import Subspace

#: Fewest candidates with a score for a surrogate. With fewer candidates, its
#: predictions would depend mostly on its priors.
MIN_SCORED = 8
#: Most candidates of a round that the surrogate selects.
MAX_SELECTED = 300
#: Size of the pool from which the surrogate selects: the ratio times the number of
#: candidates to select, between the minimum and the maximum.
MIN_POOL, POOL_RATIO, MAX_POOL = 1000, 4, 1200


class GridProposer:
    """Proposes the user's grid, then finer windows around its best points.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.
    grid : sequence of list of dict
        The user's own candidates, one list for each of the dicts.
    n_rounds : int
        Total number of rounds. The user's grid is the first round.
    n_centers : int
        Most centers of a round; each has a window.
    n_points : int
        Values on each dimension of a window, including the center. Must be odd.
    max_candidates : int or None
        Most candidates of a later round. If None, as many as in the first round. Of
        candidates that differ only in a free parameter, only one counts.
    surrogate : "gp", regressor or None, default=None
        Model that ranks the centers, and that selects candidates if a round cannot
        try all. If None, mean scores rank the centers and the order is fixed.
    model_key : callable, default=candidate_key
        Maps parameters to a key that is equal for those which give the same model.
    free : sequence of (str or None), default=()
        For each of the dicts, the parameter of which one fit serves all smaller values.
    """

    def __init__(
        self,
        subspaces: Sequence[Subspace],
        grid: Sequence[Sequence[Mapping[str, Any]]],
        *,
        n_rounds: int,
        n_centers: int,
        n_points: int,
        max_candidates: int | None,
        surrogate: Any = None,
        model_key: Callable[[Mapping[str, Any]], Any] = candidate_key,
        free: Sequence[str | None] = (),
    ) -> None:
        self.subspaces = subspaces
        self.grid = grid
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.n_points = n_points
        self.max_candidates = max_candidates
        self.surrogate = surrogate
        self.model_key = model_key
        self.free = free
        self.features = GridFeatures(subspaces)

    def plan(self) -> list[int]:
        """Return the largest number of candidates of each round."""
        first = sum(len(candidates) for candidates in self.grid)
        return [first, *(n for n, _ in self._plan_later())]

    def limits(self) -> list[int]:
        """Return the largest number of groups of each round.

        Candidates are one group if one fit serves all of them.
        """
        return [self._n_listed_groups(), *(n for _, n in self._plan_later())]

    def _n_listed_groups(self) -> int:
        groups = Groups(self.subspaces, self.free, self.model_key)
        return groups.count(self._listed())

    def _plan_later(self) -> list[tuple[int, int]]:
        """Return the largest numbers of candidates and groups of the later rounds."""
        cap = self.max_candidates or self._n_listed_groups()
        groups = Groups(self.subspaces, self.free)
        refinable = {
            index: subspace
            for index, subspace in enumerate(self.subspaces)
            if any(map(_is_refinable, subspace.axes))
        }
        if not refinable:
            return []
        largest = max(
            math.prod(
                _max_values(axis, self.n_points)
                for axis in subspace.axes
                if axis.name != groups.name(index)
            )
            for index, subspace in refinable.items()
        )
        n_groups = min(cap, self.n_centers * largest)
        has_free = any(groups.name(index) for index in refinable)
        n_members = MAX_MEMBERS if has_free else 1
        return [(n_groups * n_members, n_groups)] * (self.n_rounds - 1)

    def describe_axes(self) -> list[dict[str, Any]]:
        """Return how each list is read, and how far later rounds may go, as rows."""
        return [
            {"grid": index, "parameter": axis.name, **describe_axis(axis)}
            for index, subspace in enumerate(self.subspaces)
            for axis in subspace.axes
        ]

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return untried candidates for the next round.

        Parameters
        ----------
        history : History
            All rounds so far; empty before the first.
        limit : int
            Most groups of candidates to return, as `limits` counts them.
        rng : RandomState
            Source of randomness. Not used without a surrogate.
        """
        if not len(history):
            return self._propose_grid()
        if self.surrogate is not None and len(history.ranking()) >= MIN_SCORED:
            try:
                fitted = fit_surrogate(self.surrogate, self.features, history, rng)
                if fitted is not None:
                    return self._propose_windows(history, limit, fitted, rng)
            except Exception as error:  # a regressor may raise any exception
                warn_surrogate_failed(
                    error, "takes plain windows around the best scores"
                )
        return self._propose_windows(history, limit, None, rng)

    def _propose_windows(
        self,
        history: History,
        limit: int,
        fitted: Surrogate | None,
        rng: np.random.RandomState,
    ) -> Proposal:
        """Return a later round: windows, and up to `limit` of their groups."""
        ranking = history.ranking() if fitted is None else fitted.rank(history)
        groups = Groups(self.subspaces, self.free, self.model_key)
        tried = TriedGrid(self.subspaces, history, ranking, groups)
        reach = Reach(self.subspaces, history, groups)
        known = {self.model_key(c.params) for c in history.candidates}
        too_large: set[Any] = set()

        def is_allowed(candidate: Candidate, may_go_first: bool) -> bool:
            subspace, params = candidate.subspace, candidate.params
            if reach.is_beyond_failures(subspace, params):
                return False
            if not may_go_first and reach.is_unproven(subspace, params):
                return False
            if reach.is_too_large(subspace, params):
                too_large.add(candidate.key)
                return False
            return self.model_key(params) not in known

        def members(candidate: Candidate, may_go_first: bool) -> Iterator[Candidate]:
            """Yield what may be tried of a group; past an end, along one axis only."""
            along_axis = may_go_first and groups.key(candidate) in center_groups
            for member in groups.members(candidate):
                is_first = along_axis or (may_go_first and member is candidate)
                if is_allowed(member, is_first):
                    yield member

        def is_group_allowed(candidate: Candidate, may_go_first: bool) -> bool:
            return next(members(candidate, may_go_first), None) is not None

        windows = []
        near: list[list[Candidate]] = []
        far: list[list[Candidate]] = []
        choices_of: dict[int, list[list[list[Choice]]]] = {}  # of each subspace
        center_groups: set[Any] = set()
        may_go_first: set[Any] = set()
        n_later_rounds = len(history.rounds) - 1
        for center in self._select_centers(tried):
            window, choices = self._make_window(center, tried, reach, groups)
            subspace = history.candidates[center].subspace
            names = [axis.name for axis in self.subspaces[subspace].axes]
            center_groups.add(groups.key(history.candidates[center]))
            too_large.clear()
            neighbours, others = window_candidates(
                is_group_allowed,
                subspace,
                names,
                choices,
                limit,
                n_later_rounds,
                goes_first=subspace not in choices_of,
                with_center=groups.name(subspace) is not None,
            )
            if subspace not in choices_of:
                may_go_first.update(c.key for c in neighbours)
            windows.append(replace(window, n_too_large=len(too_large)))
            near.append(neighbours)
            far.append(others)
            choices_of.setdefault(subspace, []).append(choices)
        # The neighbours of all centers come before the other candidates.
        fresh: dict[Any, Candidate] = {}
        for candidate in (*(c for part in near for c in part), *interleave(far)):
            fresh.setdefault(groups.key(candidate), candidate)
        if fitted is not None and len(fresh) > limit:
            best = [history.candidates[place] for place in ranking[:N_BEST]]
            n = min(limit, MAX_SELECTED)
            pool = self._make_pool(
                history, is_group_allowed, fresh, choices_of, n, rng, groups
            )
            selected = fitted.select(pool, best, n, rng)
            # The group of a center costs one fit for all values on a free axis.
            first = [c for key, c in fresh.items() if key in center_groups]
            chosen = (*first, *selected, *fresh.values())
            fresh = {groups.key(c): c for c in chosen}
        new = (list(members(c, c.key in may_go_first)) for c in fresh.values())
        taken = reach.affordable(new, limit)
        n_left_out = min(len(fresh), limit) - len(taken)
        windows = [replace(window, n_over_budget=n_left_out) for window in windows]
        candidates = {self.model_key(c.params): c for group in taken for c in group}
        return Proposal(list(candidates.values()), windows)

    def _make_pool(
        self,
        history: History,
        is_allowed: IsAllowed,
        fresh: Mapping[Any, Candidate],
        choices_of: Mapping[int, list[list[list[Choice]]]],
        n: int,
        rng: np.random.RandomState,
        groups: Groups,
    ) -> list[Candidate]:
        """Return the pool from which the surrogate selects `n` candidates.

        The pool is the grid of all numbers tried so far and all values of the
        windows. It is a random sample if this grid is larger than the pool.
        """
        size = min(max(MIN_POOL, POOL_RATIO * n), MAX_POOL)
        pool = dict(list(fresh.items())[: size // 2])
        per_subspace = math.ceil((size - len(pool)) / len(choices_of))
        for subspace, windows in choices_of.items():
            axes = self.subspaces[subspace].axes
            for candidate in spanned_candidates(
                history,
                is_allowed,
                subspace,
                axes,
                windows,
                per_subspace,
                rng,
                only_windows=groups.name(subspace),
            ):
                pool.setdefault(groups.key(candidate), candidate)
        return list(pool.values())

    def _propose_grid(self) -> Proposal:
        """Return the first round: the user's grid, and a window per subspace."""
        windows = []
        for index, subspace in enumerate(self.subspaces):
            points: dict[Key, set[float]] = {}
            for axis in subspace.axes:
                for value in axis.listed:
                    for key, x in axis.coordinates(value).items():
                        points.setdefault(key, set()).add(x)
            levels = {key: Level(tuple(sorted(xs))) for key, xs in points.items()}
            shown = {axis.name: _summarize(axis, axis.listed) for axis in subspace.axes}
            windows.append(Window(index, levels, shown))
        return Proposal(self._listed(), windows)

    def _listed(self) -> list[Candidate]:
        return [
            Candidate(params, index)
            for index, part in enumerate(self.grid)
            for params in part
        ]

    def explain_edges(self, history: History, index: int) -> dict[str, str]:
        """Return the parameters of a candidate that lie on an end, and which end.

        An end is the smallest or largest number tried. The text names the limit, or
        says that the search has not gone past it.
        """
        groups = Groups(self.subspaces, self.free)
        tried = TriedGrid(self.subspaces, history, [index], groups)
        reach = Reach(self.subspaces, history, groups)
        candidate = history.candidates[index]
        found: dict[str, str] = {}
        for axis in self.subspaces[candidate.subspace].axes:
            for key, number in axis.numbers(candidate.params[axis.name]).items():
                below, above, _ = tried.neighbours(index, key)
                dim = reach.dimension(candidate.subspace, axis, key)
                if reach.is_as_large_as_allowed(candidate, axis, key):
                    dim = reach.end_at(dim, number)
                text = explain_edge(dim, number, below, above)
                if text:
                    found.setdefault(axis.name, text)
        return found

    def _select_centers(self, tried: TriedGrid) -> list[int]:
        """Return the indices of the best candidates that are apart from each other.

        A candidate between a better center and its neighbours is no center, because
        its window would repeat the better center's window.
        """
        centers: list[int] = []
        covered = np.zeros(len(tried.history), dtype=bool)
        for index in tried.ranking:
            if not covered[index]:
                centers.append(index)
                covered |= tried.mask_covered(index)
            if len(centers) == self.n_centers:
                break
        return centers

    def _make_window(
        self, center: int, tried: TriedGrid, reach: Reach, groups: Groups
    ) -> tuple[Window, list[list[Choice]]]:
        """Return the window around a center, and its choices on each axis."""
        candidate = tried.history.candidates[center]
        levels: dict[Key, Level] = {}
        choices = []
        shown = {}
        reasons = {}
        for axis in self.subspaces[candidate.subspace].axes:
            value = candidate.params[axis.name]
            numbers: dict[Key, list[float]] = {}
            ends = []
            axis_is_free = axis.name == groups.name(candidate.subspace)
            for key, number in axis.numbers(value).items():
                dim = reach.dimension(candidate.subspace, axis, key)
                below, above, is_refined = tried.neighbours(center, key)
                levels[key], numbers[key] = refine_dimension(
                    dim,
                    dim.encode(number),
                    below,
                    above,
                    self.n_points,
                    follows_step=is_refined,
                )
                if axis_is_free:
                    x = dim.encode(number)
                    numbers[key] = fill_numbers(dim, x, below, above, numbers[key])
                    points = {x, *map(dim.encode, numbers[key])}
                    levels[key] = Level(tuple(sorted(points)), below, above)
                ends.append(explain_ends(dim, number, below, above, numbers[key]))
            axis_choices = combine_numbers(axis, value, numbers)
            axis_choices += tried.competitive_choices(center, axis)
            shown[axis.name] = _summarize(axis, [c.value for c in axis_choices])
            if axis_is_free:
                groups.add_window(candidate, [c.value for c in axis_choices[1:]])
                axis_choices = axis_choices[:1]
            choices.append(axis_choices)
            reasons[axis.name] = "; ".join(dict.fromkeys(filter(None, ends)))
        window = Window(candidate.subspace, levels, shown, center, reasons)
        return window, choices


def _is_refinable(axis: Axis) -> bool:
    """Whether a listed value of the axis has a number to refine."""
    return any(axis.coordinates(value) for value in axis.listed)


def _max_values(axis: Axis, n_points: int) -> int:
    """Return the largest number of values of a window on an axis."""
    n_options = len({axis.option(value) for value in axis.listed})
    n_dims = max(len(axis.coordinates(value)) for value in axis.listed)
    return int(n_points**n_dims) + n_options - 1


def _summarize(axis: Axis, values: Sequence[Any]) -> Extent:
    """Return the smallest and largest number of a window, and its other values."""
    unique = list({value_key(value): to_python(value) for value in values}.values())
    if isinstance(axis, LayersAxis) or not any(map(axis.coordinates, unique)):
        return Extent(choices=tuple(unique))
    numbers = [value for value in unique if axis.coordinates(value)]
    others = [value for value in unique if not axis.coordinates(value)]
    return Extent(min(numbers), max(numbers), tuple(others))
