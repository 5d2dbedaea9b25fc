"""What the landscape shows beside the candidates: a surface, and windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._style import rounded
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._smoothing import smooth
from sklearn_refine.results._table import Results
from sklearn_refine.space._axes import is_number, layer_widths, value_key

#: Points of a surface along a number.
N_GRID = 61
#: A surface through fewer candidates than this would show little but the guess.
FEWEST = 5
#: With more windows than this, only those around each round's best center are drawn.
MOST_WINDOWS = 12


@dataclass(frozen=True)
class Surface:
    """Expected scores over two parameters.

    Attributes
    ----------
    x, y : ndarray
        Where, along each parameter: numbers, or the indices of levels.
    scores : ndarray of shape (len(y), len(x))
        What the surrogate expects there; NaN at a level that no candidate has which
        sets the other parameter too.
    """

    x: np.ndarray
    y: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Rectangle:
    """A part of a window of a round, in the coordinates of the plot.

    Attributes
    ----------
    round, center : int
        Which round, from 1 on, and around which of its centers, from 0 on.
    x, y : tuple of (low, high)
        What it covers.
    """

    round: int
    center: int
    x: tuple[float, float]
    y: tuple[float, float]


def surface(
    results: Results, across: Parameter, up: Parameter, windows: list[Rectangle]
) -> Surface | None:
    """Return the surface through the best candidate; None if there is none.

    All other parameters have the values of the best candidate that sets both. It
    covers what was tried of both, and the windows.
    """
    rows = results.rivals
    both = rows[across.is_set[rows] & up.is_set[rows]]
    if len(rows) < FEWEST or not len(both):
        return None
    if np.ptp(rounded(results.scores[rows])) == 0:
        return None
    try:
        smoothed = smooth(results, rows)
    except (ValueError, np.linalg.LinAlgError):
        return None
    best = int(both[results.scores[both].argmax()])
    together = across.is_set & up.is_set
    tried = [np.unique(p.positions[together]) for p in (across, up)]
    x = _grid(across, tried[0], [end for window in windows for end in window.x])
    y = _grid(up, tried[1], [end for window in windows for end in window.y])
    features, _ = results.features(np.array([best]))
    X = np.repeat(features, len(x) * len(y), axis=0)
    starts = _starts(results)
    for parameter, values, places in (
        (across, x, np.tile(np.arange(len(x)), len(y))),
        (up, y, np.repeat(np.arange(len(y)), len(x))),
    ):
        if parameter.varies:
            levels = parameter.levels
            listed = [v if parameter.is_number else levels[int(v)] for v in values]
            encoded = parameter.encode(listed)
            start = starts[parameter.name]
            X[:, start : start + encoded.shape[1]] = encoded[places]
    scores = smoothed.predict(X).reshape(len(y), len(x))
    if not across.is_number:
        scores[:, ~np.isin(x, tried[0])] = np.nan
    if not up.is_number:
        scores[~np.isin(y, tried[1])] = np.nan
    return Surface(x, y, scores)


def _starts(results: Results) -> dict[str, int]:
    """Return the first column of each varying parameter among the features."""
    row = np.array([0])
    sizes = [p.encode([p.values[0]]).shape[1] for p in results.varying]
    start = results.features(row)[0].shape[1] - sum(sizes)
    starts = start + np.cumsum([0, *sizes])
    return {p.name: int(s) for p, s in zip(results.varying, starts, strict=False)}


def _grid(parameter: Parameter, tried: np.ndarray, others: list[float]) -> np.ndarray:
    """Return where the surface is computed, a little beyond what was tried."""
    if not parameter.is_number:
        return np.arange(len(parameter.levels), dtype=float)
    low, high = min([tried[0], *others]), max([tried[-1], *others])
    if parameter.kind == "log":
        margin = (high / low) ** 0.04
        return np.geomspace(low / margin, high * margin, N_GRID)
    margin = 0.04 * (high - low)
    return np.linspace(low - margin, high + margin, N_GRID)


def windows(search: Any, across: Parameter, up: Parameter) -> list[Rectangle]:
    """Return the windows of a search in rounds, round by round.

    There are none where candidates do not all set both parameters, for ``rounds_``
    does not say which windows belong together there.
    """
    rounds = getattr(search, "rounds_", None)
    if not isinstance(rounds, pd.DataFrame) or not (
        across.is_set.all() and up.is_set.all()
    ):
        return []
    names = [f"window_{across.name}", f"window_{up.name}"]
    if not set(names) <= set(rounds.columns):
        return []
    # A random search shows the ends of a range, a grid search what it lists.
    corners = hasattr(search, "param_distributions")
    found = []
    for number, (first, second) in zip(
        rounds.index, rounds[names].itertuples(index=False), strict=True
    ):
        for center, (x, y) in enumerate(zip(first, second, strict=True)):
            found += [
                Rectangle(int(number), center, a, b)
                for a in _stretches(across, x, corners=corners)
                for b in _stretches(up, y, corners=corners)
            ]
    if len(found) > MOST_WINDOWS:
        found = [rectangle for rectangle in found if rectangle.center == 0]
    return found


def _stretches(
    parameter: Parameter, shown: tuple[Any, ...], *, corners: bool
) -> list[tuple[float, float]]:
    """Return the ranges that a window covers on an axis; levels are a step wide."""
    if not shown:
        return []
    if parameter.is_number:
        return [(float(min(shown)), float(max(shown)))]
    if parameter.kind == "layers":
        widths = [layer_widths(value) for value in shown]
        inside = _between(*widths) if corners and len(widths) == 2 else _boxed(widths)
        places = [
            place
            for place, level in enumerate(parameter.levels)
            if inside(layer_widths(level))
        ]
    else:
        numbers = [value for value in shown if is_number(value)]
        keys = {value_key(value) for value in shown}
        places = [
            place
            for place, level in enumerate(parameter.levels)
            if value_key(level) in keys
            or (numbers and is_number(level) and min(numbers) <= level <= max(numbers))
        ]
    breaks = np.flatnonzero(np.diff(places) > 1) + 1
    return [
        (float(part[0]) - 0.45, float(part[-1]) + 0.45)
        for part in np.split(np.array(places, dtype=int), breaks)
        if len(part)
    ]


def _boxed(shown: list[list[int]]) -> Callable[[list[int]], bool]:
    """Return whether widths lie between those of a window at the same depth."""
    depths: dict[int, list[list[int]]] = {}
    for widths in shown:
        depths.setdefault(len(widths), []).append(widths)
    boxes = {n: (np.min(w, axis=0), np.max(w, axis=0)) for n, w in depths.items()}

    def inside(widths: list[int]) -> bool:
        if len(widths) not in boxes:
            return False
        low, high = boxes[len(widths)]
        return bool(np.all((low <= widths) & (widths <= high)))

    return inside


def _between(low: list[int], high: list[int]) -> Callable[[list[int]], bool]:
    """Return whether layer sizes lie between two corners, which say what they can.

    The lower corner may have fewer layers; then nothing is known of the others.
    """

    def inside(widths: list[int]) -> bool:
        deep = len(low) <= len(widths) <= len(high)
        above = all(a <= b for a, b in zip(low, widths, strict=False))
        return (
            deep and above and all(a <= b for a, b in zip(widths, high, strict=False))
        )

    return inside
