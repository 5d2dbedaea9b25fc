"""Read the windows of a search, as rectangles over two parameters.

A window is the part of the space that a round searches around one center. The
rectangles are in plot coordinates and must match the axis positions of the levels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.results._parameters import Parameter
from sklearn_refine.space._axes import is_number, layer_widths, value_key

#: Maximum number of windows, before only each round's best center is kept.
MAX_WINDOWS = 12


@dataclass(frozen=True)
class WindowRectangle:
    """A rectangle that a window of a round covers, in plot coordinates.

    Attributes
    ----------
    round, center : int
        The round, counted from 1, and the index of the center, counted from 0.
    x, y : tuple of (low, high)
        The covered ranges.
    """

    round: int
    center: int
    x: tuple[float, float]
    y: tuple[float, float]


def read_windows(
    search: Any, across: Parameter, up: Parameter
) -> list[WindowRectangle]:
    """Return the windows of a search, in the order of the rounds.

    The list is empty if some candidate does not set both parameters: the windows then
    belong to different parts of the space.
    """
    windows = getattr(search, "windows_", None)
    if not isinstance(windows, pd.DataFrame) or not (
        across.is_set.all() and up.is_set.all()
    ):
        return []
    found = []
    for number, of_round in windows.groupby("round", sort=False):
        both = of_round[of_round["parameter"].isin([across.name, up.name])]
        pairs = [rows for _, rows in both.groupby("center", sort=False)]
        pairs = [rows.set_index("parameter") for rows in pairs if len(rows) == 2]
        for center, rows in enumerate(pairs):
            found += [
                WindowRectangle(int(number), center, a, b)
                for a in _covered_ranges(across, rows.loc[across.name])
                for b in _covered_ranges(up, rows.loc[up.name])
            ]
    if len(found) > MAX_WINDOWS:
        found = [rectangle for rectangle in found if rectangle.center == 0]
    return found


def _covered_ranges(parameter: Parameter, window: Any) -> list[tuple[float, float]]:
    """Return the plot ranges that a window covers; a level is 0.9 wide."""
    low, high, choices = window["low"], window["high"], window["choices"]
    has_range = low is not None
    if parameter.is_number:
        numbers = [low, high] if has_range else choices
        return [(float(min(numbers)), float(max(numbers)))] if numbers else []
    if parameter.kind == "layers":
        if has_range:
            inside = _corner_test(layer_widths(low), layer_widths(high))
        else:
            inside = _box_test([layer_widths(value) for value in choices])
        indices = [
            index
            for index, level in enumerate(parameter.levels)
            if inside(layer_widths(level))
        ]
    else:
        keys = {value_key(value) for value in choices}
        indices = [
            index
            for index, level in enumerate(parameter.levels)
            if value_key(level) in keys
            or (has_range and is_number(level) and low <= level <= high)
        ]
    breaks = np.flatnonzero(np.diff(indices) > 1) + 1
    return [
        (float(part[0]) - 0.45, float(part[-1]) + 0.45)
        for part in np.split(np.array(indices, dtype=int), breaks)
        if len(part)
    ]


def _box_test(shown: list[list[int]]) -> Callable[[list[int]], bool]:
    """Return a test whether widths are between the listed ones of the same depth."""
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


def _corner_test(low: list[int], high: list[int]) -> Callable[[list[int]], bool]:
    """Return a test whether layer sizes are between two corners.

    The lower corner may have fewer layers. The other layers then have no lower limit.
    """

    def inside(widths: list[int]) -> bool:
        deep = len(low) <= len(widths) <= len(high)
        above = all(a <= b for a, b in zip(low, widths, strict=False))
        return (
            deep and above and all(a <= b for a, b in zip(widths, high, strict=False))
        )

    return inside
