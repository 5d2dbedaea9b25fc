"""Candidates of a window, in the order in which a limited round tries them.

A change to the order changes the candidates of every round with a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from scipy.stats import qmc

from sklearn_refine._history import Candidate, History
from sklearn_refine.space._axes import Axis, Key, value_key

#: Most combinations that are enumerated. More combinations are sampled, with a Sobol
#: sequence of this length. Must be a power of two.
MAX_COMBINATIONS = 4096
#: Distance between different choices on an axis, in steps.
CHOICE_DISTANCE = 2.0

T = TypeVar("T")


class Choice(NamedTuple):
    """One value that a window tries on an axis."""

    value: Any
    n_changed: int  # number of dimensions with another number than the center's
    position: tuple[float, ...]  # steps from the center on each dimension
    option: int = 0  # 0 for the center's own option, from 1 for other options


#: Whether a candidate may be tried. The second argument tells whether it may be the
#: first one past an end that nothing declares.
IsAllowed: TypeAlias = Callable[[Candidate, bool], bool]


def window_candidates(
    is_allowed: IsAllowed,
    subspace: int,
    names: Sequence[str],
    choices: list[list[Choice]],
    limit: int,
    n_later_rounds: int,
    *,
    goes_first: bool,
    with_center: bool = False,
) -> tuple[list[Candidate], list[Candidate]]:
    """Return the center's axis neighbours and the other candidates of a window.

    Neighbours are in the order of the axes, and each round starts at another
    neighbour. If not all other candidates fit, they are in a space-filling order.

    Parameters
    ----------
    is_allowed : callable
        Says of a candidate whether it may be tried.
    subspace : int
        Index of the window's subspace.
    names : sequence of str
        Parameters of the subspace.
    choices : list of list of Choice
        Choices of each parameter; the center's own value first.
    limit : int
        Most candidates of the round.
    n_later_rounds : int
        Number of finished rounds after the first.
    goes_first : bool
        Whether neighbours may be the first ones past an undeclared end.
    with_center : bool, default=False
        Whether the center comes first among the neighbours.
    """
    center = tuple(at_place[0] for at_place in choices)
    near: list[tuple[Choice, ...]] = []
    far: list[tuple[Choice, ...]] = []
    for combination in combinations(choices, lambda choice: choice.n_changed):
        n_changed = sum(choice.n_changed for choice in combination)
        if n_changed:
            (near if n_changed == 1 else far).append(combination)
    if near:
        start = n_later_rounds * limit % len(near)
        near = near[start:] + near[:start]
    if with_center:
        near.insert(0, center)

    def build(combination: tuple[Choice, ...]) -> Candidate:
        params = {n: c.value for n, c in zip(names, combination, strict=True)}
        return Candidate(params, subspace, invented=True)

    near = [c for c in near if is_allowed(build(c), goes_first)]
    far = [c for c in far if is_allowed(build(c), False)]
    if far and len(far) > limit - len(near):
        far = _order_space_filling(near, far, limit)
    return [build(c) for c in near], [build(c) for c in far]


def spanned_candidates(
    history: History,
    is_allowed: IsAllowed,
    subspace: int,
    axes: Sequence[Axis],
    windows: Sequence[list[list[Choice]]],
    n: int,
    rng: np.random.RandomState,
    *,
    only_windows: str | None = None,
) -> list[Candidate]:
    """Return untried candidates of the grid spanned by windows and earlier rounds.

    The values of a parameter are all values of the windows. Numbers and layer sizes
    tried before are added if they are within their limits and have the same option
    as a value of a window.

    Parameters
    ----------
    history : History
        All rounds so far.
    is_allowed : callable
        Says of a candidate whether it may be tried.
    subspace : int
        Index of the windows' subspace.
    axes : sequence of Axis
        Axes of the subspace.
    windows : sequence of list of list of Choice
        The choices of each window on each axis.
    n : int
        Most candidates to return. They are a random sample of a larger grid.
    rng : RandomState
        Source of the random sample.
    only_windows : str or None, default=None
        A parameter to which no value tried before is added.
    """
    tried = [c.params for c in history.candidates if c.subspace == subspace]
    levels = []
    for place, axis in enumerate(axes):
        values = {
            value_key(choice.value): choice.value
            for choices in windows
            for choice in choices[place]
        }
        options = {axis.option(value) for value in values.values()}
        for params in tried:
            value = params[axis.name]
            is_number = bool(axis.coordinates(value)) and axis.is_inside(value)
            is_number &= axis.name != only_windows
            if is_number and axis.option(value) in options:
                values.setdefault(value_key(value), value)
        levels.append(list(values.values()))
    sizes = [len(values) for values in levels]
    total = math.prod(sizes)
    if total <= MAX_COMBINATIONS:
        points = [tuple(row) for row in np.ndindex(*sizes)]
        points = [points[i] for i in rng.permutation(total).tolist()]
    else:
        drawn = [rng.randint(size, size=2 * n).tolist() for size in sizes]
        points = list(dict.fromkeys(zip(*drawn, strict=True)))
    found = []
    for point in points:
        params = {
            axis.name: values[i]
            for axis, values, i in zip(axes, levels, point, strict=True)
        }
        candidate = Candidate(params, subspace, invented=True)
        if is_allowed(candidate, False):
            found.append(candidate)
        if len(found) == n:
            break
    return found


def combinations(
    options: Sequence[Sequence[T]], n_changed: Callable[[T], int]
) -> list[tuple[T, ...]]:
    """Return combinations of one option per position, the center first.

    If there are more than `MAX_COMBINATIONS`, return the center, all combinations
    that differ from it in one number, and a Sobol sample of the others.

    Parameters
    ----------
    options : sequence of sequence
        The options at each position; the center's own option first.
    n_changed : callable
        Returns how many numbers of an option differ from the center's own option.
    """
    sizes = [len(at_place) for at_place in options]
    if math.prod(sizes) <= MAX_COMBINATIONS:
        return list(product(*options))
    center = tuple(at_place[0] for at_place in options)
    near = [
        (*center[:i], option, *center[i + 1 :])
        for i, at_place in enumerate(options)
        for option in at_place
        if n_changed(option) == 1
    ]
    log2_size = int(math.log2(MAX_COMBINATIONS))
    sobol = qmc.Sobol(len(sizes), scramble=False).random_base2(log2_size)
    picked = (sobol * sizes).astype(int)
    sample = {tuple(row): None for row in picked.tolist()}
    others = [
        tuple(at_place[i] for at_place, i in zip(options, row, strict=True))
        for row in sample
    ]
    return [center, *near, *(c for c in others if sum(map(n_changed, c)) > 1)]


def _order_space_filling(
    near: list[tuple[Choice, ...]], far: list[tuple[Choice, ...]], limit: int
) -> list[tuple[Choice, ...]]:
    """Return up to `limit` points, each the farthest from the points before it."""
    n_dims = [
        max(len(c[axis].position) for c in (*near, *far)) for axis in range(len(far[0]))
    ]

    def flat_position(combination: tuple[Choice, ...]) -> list[float]:
        return [
            x
            for choice, n in zip(combination, n_dims, strict=True)
            for x in (*choice.position, *[0.0] * (n - len(choice.position)))
        ]

    def squared_distances(position: Any, point_options: Any) -> np.ndarray:
        """Return the squared distance of each far point from another point."""
        steps = ((positions - position) ** 2).sum(axis=1)
        n_different = (options != point_options).sum(axis=1)
        return np.asarray(steps + CHOICE_DISTANCE**2 * n_different)

    positions = np.array([flat_position(c) for c in far])
    options = np.array([[choice.option for choice in c] for c in far])
    distance = squared_distances(0.0, 0)
    for c in near:
        to_c = squared_distances(flat_position(c), [choice.option for choice in c])
        distance = np.minimum(distance, to_c)
    order = []
    for _ in range(min(limit, len(far))):
        index = int(np.argmax(distance))
        order.append(far[index])
        to_point = squared_distances(positions[index], options[index])
        distance = np.minimum(distance, to_point)
        distance[index] = -1.0
    return order


def interleave(parts: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Return the first candidate of each part, then the second of each, and so on."""
    longest = max((len(part) for part in parts), default=0)
    return [part[i] for i in range(longest) for part in parts if i < len(part)]


def combine_numbers(
    axis: Axis, center: Any, numbers: Mapping[Key, list[float]]
) -> list[Choice]:
    """Return the center's value and all combinations of new numbers on an axis."""
    keys = list(numbers)
    #: For each dimension: new numbers with their steps from the center, None first.
    options: list[list[tuple[float | None, float]]] = []
    for key in keys:
        dim = axis.dimension(key)
        x = axis.coordinates(center)[key]
        ordered = sorted(numbers[key])
        n_below = sum(dim.encode(number) < x for number in ordered)
        steps = [
            i - n_below if i < n_below else i - n_below + 1 for i in range(len(ordered))
        ]
        options.append([(None, 0.0), *zip(ordered, map(float, steps), strict=True)])
    choices = []
    for combination in combinations(options, lambda option: int(option[0] is not None)):
        changed = {
            key: number
            for key, (number, _) in zip(keys, combination, strict=True)
            if number is not None
        }
        value = axis.replace(center, changed) if changed else center
        position = tuple(step for _, step in combination)
        choices.append(Choice(value, len(changed), position))
    return choices
