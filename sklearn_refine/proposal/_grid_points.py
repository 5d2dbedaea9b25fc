"""Which points of a window a round tries, when it cannot try all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, NamedTuple, TypeVar

import numpy as np
from scipy.stats import qmc

from sklearn_refine._history import Candidate, History
from sklearn_refine.space._axes import Axis, value_key

#: The largest window, or mix of widths, that is looked at as a whole; of a larger one,
#: a Sobol sample of this size.
POOL = 4096

T = TypeVar("T")


#: Distance, in steps, between different choices on an axis.
OTHER = 2.0


class Choice(NamedTuple):
    """One value that a window tries on an axis."""

    value: Any
    n_changed: int  # dimensions on which it differs from the center
    position: tuple[float, ...]  # in steps, for distances within the window
    other: int = 0  # which other choice than the center's, counted from 1


def window_candidates(
    history: History,
    subspace: int,
    names: Sequence[str],
    choices: list[list[Choice]],
    limit: int,
    turn: int,
) -> tuple[list[Candidate], list[Candidate]]:
    """Return a window's candidates: the center's axis neighbours, then the others.

    Neighbours come axis by axis, each round starting with another axis; the others
    in an order in which any first few of them fill the window.

    Parameters
    ----------
    history : History
        What was tried; of the others, only what was not.
    subspace : int
        Index of the window's subspace.
    names : sequence of str
        Its parameters.
    choices : list of list of Choice
        What the window tries on each; the center's own value first.
    limit : int
        Most candidates of the round.
    turn : int
        Number of the round, from 0.
    """
    near: list[tuple[Choice, ...]] = []
    far: list[tuple[Choice, ...]] = []
    for combination in mixes(choices, lambda choice: choice.n_changed):
        n_changed = sum(choice.n_changed for choice in combination)
        if n_changed:
            (near if n_changed == 1 else far).append(combination)
    if near:
        start = turn * limit % len(near)
        near = near[start:] + near[:start]

    def build(combination: tuple[Choice, ...]) -> Candidate:
        params = {n: c.value for n, c in zip(names, combination, strict=True)}
        return Candidate(params, subspace)

    far = [c for c in far if build(c) not in history]
    if far and len(far) > limit - len(near):
        far = _space_filling(near, far, limit)
    return [build(c) for c in near], [build(c) for c in far]


def spanned_candidates(
    history: History,
    subspace: int,
    axes: Sequence[Axis],
    windows: Sequence[list[list[Choice]]],
    most: int,
    rng: np.random.RandomState,
) -> list[Candidate]:
    """Return untried points of the grid that windows and earlier rounds span.

    Each parameter has any of the windows' values, or any number or layer sizes tried
    before that differ from one of these in nothing but numbers, and are within their
    limits.

    Parameters
    ----------
    history : History
        What was tried.
    subspace : int
        Index of the windows' subspace.
    axes : sequence of Axis
        Its axes.
    windows : sequence of list of list of Choice
        What each window tries on each axis.
    most : int
        How many points to return at most; a random part of a larger grid.
    rng : RandomState
        Draws that part.
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
            is_number = axis.coordinates(value) and axis.is_inside(value)
            if is_number and axis.option(value) in options:
                values.setdefault(value_key(value), value)
        levels.append(list(values.values()))
    sizes = [len(values) for values in levels]
    total = math.prod(sizes)
    if total <= POOL:
        points = [tuple(row) for row in np.ndindex(*sizes)]
        points = [points[i] for i in rng.permutation(total).tolist()]
    else:
        drawn = [rng.randint(size, size=2 * most).tolist() for size in sizes]
        points = list(dict.fromkeys(zip(*drawn, strict=True)))
    found = []
    for point in points:
        params = {
            axis.name: values[i]
            for axis, values, i in zip(axes, levels, point, strict=True)
        }
        candidate = Candidate(params, subspace)
        if candidate not in history:
            found.append(candidate)
        if len(found) == most:
            break
    return found


def mixes(
    options: Sequence[Sequence[T]], n_changed: Callable[[T], int]
) -> list[tuple[T, ...]]:
    """Return all mixes of one option a place, the center's own before all others.

    Of more than `POOL`, those that differ from it in one number, and a Sobol sample.

    Parameters
    ----------
    options : sequence of sequence
        What may stand at each place; the center's own option first.
    n_changed : callable
        In how many numbers an option differs from the center's own.
    """
    sizes = [len(at_place) for at_place in options]
    if math.prod(sizes) <= POOL:
        return list(product(*options))
    center = tuple(at_place[0] for at_place in options)
    near = [
        (*center[:i], option, *center[i + 1 :])
        for i, at_place in enumerate(options)
        for option in at_place
        if n_changed(option) == 1
    ]
    sobol = qmc.Sobol(len(sizes), scramble=False).random_base2(int(math.log2(POOL)))
    picked = (sobol * sizes).astype(int)
    sample = {tuple(row): None for row in picked.tolist()}
    others = [
        tuple(at_place[i] for at_place, i in zip(options, row, strict=True))
        for row in sample
    ]
    return [center, *near, *(mix for mix in others if sum(map(n_changed, mix)) > 1)]


def _space_filling(
    near: list[tuple[Choice, ...]], far: list[tuple[Choice, ...]], limit: int
) -> list[tuple[Choice, ...]]:
    """Order points so that each next one is the farthest from all before it."""
    width = [
        max(len(c[axis].position) for c in (*near, *far)) for axis in range(len(far[0]))
    ]

    def place(combination: tuple[Choice, ...]) -> list[float]:
        return [
            x
            for choice, n in zip(combination, width, strict=True)
            for x in (*choice.position, *[0.0] * (n - len(choice.position)))
        ]

    def squares(numbers: Any, others: Any) -> np.ndarray:
        """Return the squared distance of each point from another one."""
        steps = ((places - numbers) ** 2).sum(axis=1)
        return np.asarray(steps + OTHER**2 * (kinds != others).sum(axis=1))

    places = np.array([place(c) for c in far])
    kinds = np.array([[choice.other for choice in c] for c in far])
    distance = squares(0.0, 0)
    for c in near:
        to_c = squares(place(c), [choice.other for choice in c])
        distance = np.minimum(distance, to_c)
    order = []
    for _ in range(min(limit, len(far))):
        index = int(np.argmax(distance))
        order.append(far[index])
        distance = np.minimum(distance, squares(places[index], kinds[index]))
        distance[index] = -1.0
    return order


def in_turn(parts: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """Return the first of each part, then the second of each, and so on."""
    longest = max((len(part) for part in parts), default=0)
    return [part[i] for i in range(longest) for part in parts if i < len(part)]
