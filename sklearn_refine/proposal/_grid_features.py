"""Feature matrix of the candidates of a grid search.

A surrogate is fitted to these features, so a change to them changes later rounds.
"""

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

#: Returns a number of a value, or None if the value has no such number.
ReadNumber = Callable[[Axis, Any], float | None]


class GridFeatures:
    """The features of candidates: numbers with a range of about 1, in groups.

    A number, a depth and each width is one feature on the parameter's scale. The
    smallest and the largest number tried become 0 and 1. Choices are one-hot encoded;
    the subspace too, if there are several. A parameter has the same features in all
    subspaces.

    Parameters
    ----------
    subspaces : sequence of Subspace
        The axes, one entry for each of the user's dicts.

    Attributes
    ----------
    groups : ndarray of shape (n_features,)
        Group of each feature. The one-hot features of a choice are one group.
    """

    def __init__(self, subspaces: Sequence[Subspace]) -> None:
        self._axes: list[dict[str, Axis]] = [
            {axis.name: axis for axis in subspace.axes} for subspace in subspaces
        ]
        #: For each parameter: the indices of its options, and its numbers.
        self._options: dict[str, dict[Any, int]] = {}
        self._numbers: dict[tuple[Any, ...], ReadNumber] = {}
        for axes in self._axes:
            for axis in axes.values():
                options = self._options.setdefault(axis.name, {})
                for value in axis.listed:
                    options.setdefault(_option(axis, value), len(options))
                self._numbers.update(_number_readers(axis))
        sizes = [len(subspaces)]
        sizes += [len(options) for options in self._options.values()]
        sizes = [size for size in sizes if size > 1] + [1] * len(self._numbers)
        self.groups = np.repeat(np.arange(len(sizes)), sizes)

    def __call__(
        self, candidates: Sequence[Candidate], tried: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the features, shape (n_candidates, n_features).

        The candidates `tried` determine the range of each number.
        """
        parts = [np.empty((len(candidates), 0))]
        if len(self._axes) > 1:
            parts.append(one_hot([c.subspace for c in candidates], len(self._axes)))
        for name, options in self._options.items():
            if len(options) > 1:
                parts.append(self._one_hot(name, options, candidates))
        for (name, *_), read in self._numbers.items():
            numbers = self._read(name, read, candidates)
            tried_numbers = self._read(name, read, tried)
            parts.append(_to_unit_range(numbers, tried_numbers).reshape(-1, 1))
        return np.hstack(parts)

    def _one_hot(
        self, name: str, options: dict[Any, int], candidates: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the one-hot features of a parameter's options."""
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
        self, name: str, read: ReadNumber, candidates: Sequence[Candidate]
    ) -> np.ndarray:
        """Return a number of each candidate, NaN if a candidate has none."""
        numbers = []
        for candidate in candidates:
            axis = self._axes[candidate.subspace].get(name)
            found = None if axis is None else read(axis, candidate.params[name])
            numbers.append(math.nan if found is None else found)
        return np.array(numbers, dtype=np.float64)


def _option(axis: Axis, value: Any) -> Any:
    """Return the option of a value. All layer sizes are one option.

    So the model can relate different depths, which have a number of their own.
    """
    return "layers" if isinstance(axis, LayersAxis) else axis.option(value)


def _number_readers(axis: Axis) -> dict[tuple[Any, ...], ReadNumber]:
    """Return a reader for each number of an axis, by name and kind of number."""
    if isinstance(axis, LayersAxis):
        depths = [len(layer_widths(value)) for value in axis.listed]
        found: dict[tuple[Any, ...], ReadNumber] = {
            (axis.name, layer): _width_reader(layer) for layer in range(max(depths))
        }
        if len(set(depths)) > 1:
            found[axis.name, "depth"] = lambda _, value: len(layer_widths(value))
        return found
    if isinstance(axis, NumberAxis):
        return {(axis.name, axis.dim.scale): _number_reader(axis.dim.scale)}
    return {}


def _width_reader(layer: int) -> ReadNumber:
    def read(axis: Axis, value: Any) -> float | None:
        if not isinstance(axis, LayersAxis):
            return None
        widths = layer_widths(value)
        return math.log(widths[layer]) if layer < len(widths) else None

    return read


def _number_reader(scale: str) -> ReadNumber:
    def read(axis: Axis, value: Any) -> float | None:
        if not isinstance(axis, NumberAxis) or axis.dim.scale != scale:
            return None
        if not axis.coordinates(value):
            return None
        return math.log(value) if scale == "log" else float(value)

    return read


def _to_unit_range(numbers: np.ndarray, tried: np.ndarray) -> np.ndarray:
    """Scale numbers so that the range of `tried` is [0, 1]; NaN becomes ABSENT."""
    known = tried[~np.isnan(tried)]
    if not known.size:
        return np.full(len(numbers), ABSENT)
    # Halving prevents an overflow in the difference of large numbers.
    low, high = known.min() / 2, known.max() / 2
    unit = (numbers / 2 - low) / (high - low if high > low else 1.0)
    return np.where(np.isnan(unit), ABSENT, unit)
