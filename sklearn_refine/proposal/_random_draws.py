"""Random draws of the random search, in windows around centers or anywhere.

The draws must keep their order, or every random search would change.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import Candidate, History
from sklearn_refine.space._continuous_axes import SampledAxis
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._quantiles import UnitAxis

#: Probability that a parameter moves within its window; at least one parameter moves.
#: A moving parameter without an order takes a random value with the second probability.
MOVE_PROBABILITY, JUMP_PROBABILITY = 0.8, 0.5
#: Most parameters that move if the window is infinite.
MAX_FAR_MOVES = 5
#: Largest overshoot of far moves past an end, in quantiles, before clipping.
OVERSHOOT = 0.1


def draw_near(
    axes: Mapping[str, UnitAxis | SampledAxis],
    centers: list[Candidate],
    n: int,
    half_width: float,
    rng: np.random.RandomState,
) -> list[Candidate]:
    """Return random candidates in windows around centers of one subspace.

    Each parameter draws its own center and a value near the center's value. If
    the half width is infinite, only a few parameters move.
    """
    subspace = centers[0].subspace
    far = half_width == math.inf
    moved = rng.uniform(size=(n, len(axes))) < MOVE_PROBABILITY
    if far:
        few = rng.randint(1, 1 + MAX_FAR_MOVES, size=(n, 1))
        moved = rng.uniform(size=moved.shape).argsort(axis=1).argsort(axis=1) < few
    elif axes:
        moved[np.arange(n), rng.randint(len(axes), size=n)] = True
    size = (len(axes), n)
    parents = rng.choice(len(centers), size=size, p=center_weights(len(centers)))
    columns: dict[str, list[Any]] = {}
    for i, (name, axis) in enumerate(axes.items()):
        column = [centers[parent].params[name] for parent in parents[i].tolist()]
        rows = np.flatnonzero(moved[:, i])
        if isinstance(axis, SampledAxis):
            values = [axis.draw(rng) for _ in rows]
        else:
            if not (far or axis.ordered):
                rows = rows[rng.uniform(size=len(rows)) < JUMP_PROBABILITY]
            near = [column[row] for row in rows.tolist()]
            values = axis.decode(draw_units(axis, near, half_width, rng))
        for row, value in zip(rows.tolist(), values, strict=True):
            column[row] = value
        columns[name] = column
    return [
        Candidate({name: columns[name][row] for name in axes}, subspace)
        for row in range(n)
    ]


def take_new(
    draws: Iterable[Candidate], history: History, limit: int, max_failures: int
) -> list[Candidate]:
    """Return up to `limit` distinct draws that were not tried before.

    Stop after `max_failures` draws in a row that are not new.
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
        if len(found) == limit or failures == max_failures:
            break
    return list(found.values())


def draw_integers(end: int, rng: np.random.RandomState) -> Iterator[int]:
    """Yield random integers from 0 to ``end - 1``; `end` may exceed 64 bits."""
    while True:
        drawn = int.from_bytes(rng.bytes(end.bit_length() // 8 + 1), "little")
        drawn &= (1 << end.bit_length()) - 1
        if drawn < end:
            yield drawn


def center_weights(n: int) -> np.ndarray:
    """Return the probability of each of `n` centers, best center first."""
    weights = np.log(n + 0.5) - np.log(np.arange(1, n + 1))
    return np.asarray(weights / weights.sum())


def draw_units(
    axis: UnitAxis,
    values: Sequence[Any],
    half_width: float,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return a random point of the unit cube near each value, or anywhere.

    On a bounded axis, a step past an end is clipped to the end, because optima are
    often at an end. On an unbounded axis, no step goes past an end.
    """
    if not axis.ordered:
        return rng.uniform(size=(len(values), axis.n_dims))
    units = axis.encode_all(values).reshape(len(values), axis.n_dims)
    # In a short list, a step must be long enough to reach the next value.
    reach = half_width
    if isinstance(axis, ListAxis):
        reach = max(reach, 1.5 / len(axis.values))
    low, high = units - reach, units + reach
    if half_width == math.inf:
        low = np.full_like(units, -OVERSHOOT)
        high = np.full_like(units, 1 + OVERSHOOT)
    if not axis.bounded:
        low, high = np.maximum(low, 0.0), np.minimum(high, 1.0)
    return np.asarray(np.clip(rng.uniform(low, high), 0.0, 1.0))
