"""Candidates of a grid as the rows of a matrix that a regressor takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sklearn_refine._history import Candidate
from sklearn_refine.proposal._features import ABSENT, one_hot
from sklearn_refine.space._axes import (
    Axis,
    LayersAxis,
    NumberAxis,
    layer_widths,
)
from sklearn_refine.space._infer import Subspace

#: Reads a value as a number; None where it has none.
Read = Callable[[Axis, Any], float | None]


class GridFeatures:
    """The features of candidates: numbers of about unit range, in groups.

    A number, a depth and each width is one feature, on the parameter's scale and from
    the smallest to the largest that was tried; choices are one-hot, and so is the
    subspace where there are several. A parameter of several subspaces has the same
    features in each.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.

    Attributes
    ----------
    groups : ndarray of shape (n_features,)
        Which features belong together: those of one choice.
    """

    def __init__(self, subspaces: Sequence[Subspace]) -> None:
        self._axes: list[dict[str, Axis]] = [
            {axis.name: axis for axis in subspace.axes} for subspace in subspaces
        ]
        #: For each parameter, its different options and its numbers.
        self._options: dict[str, dict[Any, int]] = {}
        self._numbers: dict[tuple[Any, ...], Read] = {}
        for axes in self._axes:
            for axis in axes.values():
                options = self._options.setdefault(axis.name, {})
                for value in axis.listed:
                    options.setdefault(_option(axis, value), len(options))
                self._numbers.update(_numbers(axis))
        sizes = [len(subspaces)]
        sizes += [len(options) for options in self._options.values()]
        sizes = [size for size in sizes if size > 1] + [1] * len(self._numbers)
        self.groups = np.repeat(np.arange(len(sizes)), sizes)

    def __call__(
        self, candidates: Sequence[Candidate], tried: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the features, (n_candidates, n_features), given those tried."""
        parts = [np.empty((len(candidates), 0))]
        if len(self._axes) > 1:
            parts.append(one_hot([c.subspace for c in candidates], len(self._axes)))
        for name, options in self._options.items():
            if len(options) > 1:
                parts.append(self._one_hot(name, options, candidates))
        for (name, *_), read in self._numbers.items():
            raw = self._read(name, read, candidates)
            seen = self._read(name, read, tried)
            parts.append(_to_unit_range(raw, seen).reshape(-1, 1))
        return np.hstack(parts)

    def _one_hot(
        self, name: str, options: dict[Any, int], candidates: Sequence[Candidate]
    ) -> np.ndarray:
        part = np.full((len(candidates), len(options)), ABSENT)
        axes = [self._axes[c.subspace].get(name) for c in candidates]
        found = {
            row: options[_option(axis, candidates[row].params[name])]
            for row, axis in enumerate(axes)
            if axis is not None
        }
        part[list(found)] = one_hot([*found.values()], len(options))
        return part

    def _read(
        self, name: str, read: Read, candidates: Sequence[Candidate]
    ) -> np.ndarray:
        """Return a number of each candidate, NaN where it has none."""
        numbers = []
        for candidate in candidates:
            axis = self._axes[candidate.subspace].get(name)
            found = None if axis is None else read(axis, candidate.params[name])
            numbers.append(math.nan if found is None else found)
        return np.array(numbers, dtype=np.float64)


def _option(axis: Axis, value: Any) -> Any:
    """Return which choice a value is; all layer sizes are one, for depths are near."""
    return "layers" if isinstance(axis, LayersAxis) else axis.option(value)


def _numbers(axis: Axis) -> dict[tuple[Any, ...], Read]:
    """Return how the numbers of an axis are read, by what they are."""
    if isinstance(axis, LayersAxis):
        depths = [len(layer_widths(value)) for value in axis.listed]
        found: dict[tuple[Any, ...], Read] = {
            (axis.name, layer): _width_reader(layer) for layer in range(max(depths))
        }
        if len(set(depths)) > 1:
            found[axis.name, "depth"] = lambda _, value: len(layer_widths(value))
        return found
    if isinstance(axis, NumberAxis):
        return {(axis.name, axis.dim.scale): _number_reader(axis.dim.scale)}
    return {}


def _width_reader(layer: int) -> Read:
    def read(axis: Axis, value: Any) -> float | None:
        if not isinstance(axis, LayersAxis):
            return None
        widths = layer_widths(value)
        return math.log(widths[layer]) if layer < len(widths) else None

    return read


def _number_reader(scale: str) -> Read:
    def read(axis: Axis, value: Any) -> float | None:
        if not isinstance(axis, NumberAxis) or axis.dim.scale != scale:
            return None
        if not axis.coordinates(value):
            return None
        return math.log(value) if scale == "log" else float(value)

    return read


def _to_unit_range(numbers: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return numbers where 0 and 1 are the ends of those seen, ABSENT for NaN."""
    known = seen[~np.isnan(seen)]
    if not known.size:
        return np.full(len(numbers), ABSENT)
    # Halves, so that no difference of large numbers overflows.
    low, high = known.min() / 2, known.max() / 2
    unit = (numbers / 2 - low) / (high - low if high > low else 1.0)
    return np.where(np.isnan(unit), ABSENT, unit)
