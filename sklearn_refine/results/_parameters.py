"""One parameter of a finished search: the geometry, levels and labels of its values.

Plots, the importances and `smoothed_best` rely on the order and the labels of levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from sklearn_refine.results._scales import infer_scale
from sklearn_refine.space._axes import (
    Axis,
    ChoiceAxis,
    LayersAxis,
    NumberAxis,
    is_number,
    layer_widths,
    to_python,
    value_key,
)
from sklearn_refine.space._infer import infer_axis
from sklearn_refine.space._legal import legal_values

#: The value of a parameter that a candidate does not set.
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "not set"})()
MAX_LABEL_LENGTH = 28
#: The feature of a number that a candidate does not have.
ABSENT = 0.5


@dataclass(frozen=True)
class Parameter:
    """One parameter, with its value in each candidate of a search.

    Attributes
    ----------
    name : str
        Its name.
    values : list
        One value per candidate; MISSING if the candidate does not set it.
    axis : Axis
        The geometry of the values.
    """

    name: str
    values: list[Any]
    axis: Axis

    @cached_property
    def kind(self) -> Literal["linear", "log", "layers", "choice"]:
        """The kind of values: numbers on a scale, layer sizes, or choices.

        Numbers mixed with other values are choices.
        """
        if isinstance(self.axis, LayersAxis):
            return "layers"
        if isinstance(self.axis, NumberAxis) and all(
            self.axis.coordinates(value) for value in self._set_values
        ):
            return self.axis.dim.scale
        return "choice"

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers on one scale."""
        return self.kind in ("linear", "log")

    @property
    def is_integer(self) -> bool:
        """Whether all values are integers on one scale."""
        return self.is_number and all(isinstance(v, Integral) for v in self.levels)

    @cached_property
    def _set_values(self) -> list[Any]:
        return [value for value in self.values if value is not MISSING]

    @property
    def is_set(self) -> np.ndarray:
        """Which candidates set the parameter."""
        return np.array([value is not MISSING for value in self.values], dtype=bool)

    @property
    def varies(self) -> bool:
        """Whether there are at least two different values."""
        return len(self.levels) > 1

    @cached_property
    def levels(self) -> list[Any]:
        """The different values: numbers and layer sizes ascending, others as found."""
        known: dict[Any, Any] = {}
        for value in self._set_values:
            known.setdefault(value_key(value), to_python(value))
        found = list(known.values())
        if self.kind == "layers":
            return sorted(found, key=lambda v: (len(layer_widths(v)), layer_widths(v)))
        numbers = sorted(value for value in found if is_number(value))
        return numbers + [value for value in found if not is_number(value)]

    @cached_property
    def labels(self) -> list[str]:
        """Short labels of the levels, different from each other."""
        labels = [short(value) for value in self.levels]
        repeated = {label for label in labels if labels.count(label) > 1}
        for index, label in enumerate(labels):
            if label in repeated:
                labels[index] = _shorten(repr(self.levels[index]))
        counts: dict[str, int] = {}
        for index, label in enumerate(labels):
            counts[label] = counts.get(label, 0) + 1
            if counts[label] > 1:
                labels[index] = f"{label} #{counts[label]}"
        return labels

    @cached_property
    def _level_index(self) -> dict[Any, int]:
        return {value_key(value): index for index, value in enumerate(self.levels)}

    def _position(self, value: Any) -> float:
        """Return a number as it is, the index of another level, or NaN if not set."""
        if value is MISSING:
            return math.nan
        if self.is_number:
            return float(value)
        return float(self._level_index.get(value_key(value), math.nan))

    @property
    def positions(self) -> np.ndarray:
        """The position of each candidate on the axis of a plot; NaN if not set."""
        return np.array([self._position(value) for value in self.values], dtype=float)

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Return values as rows of features, each in about [0, 1]."""
        if isinstance(self.axis, LayersAxis):
            return self._encode_layers(values)
        if self.is_number and isinstance(self.axis, NumberAxis):
            dim = self.axis.dim
            numbers = [ABSENT if v is MISSING else dim.encode(float(v)) for v in values]
            return np.array(numbers, dtype=float).reshape(-1, 1)
        positions = np.array([self._position(value) for value in values], dtype=float)
        set_rows = np.flatnonzero(~np.isnan(positions))
        rows = np.zeros((len(positions), len(self.levels)))
        rows[set_rows, positions[set_rows].astype(int)] = 1 / np.sqrt(2)
        return rows

    def _encode_layers(self, values: Sequence[Any]) -> np.ndarray:
        """Return depths and log widths; ABSENT for layers that do not exist."""
        listed = [layer_widths(value) for value in self._set_values]
        depths = [len(widths) for widths in listed]
        low = math.log(min(min(widths) for widths in listed))
        span = math.log(max(max(widths) for widths in listed)) - low or 1.0
        rows = np.full((len(values), 1 + max(depths)), ABSENT)
        for row, value in zip(rows, values, strict=True):
            if value is MISSING:
                continue
            widths = layer_widths(value)
            row[0] = (len(widths) - min(depths)) / (max(depths) - min(depths) or 1)
            row[1 : 1 + len(widths)] = (np.log(widths) - low) / span
        return rows


def read_parameter(
    name: str,
    values: list[Any],
    rounds: np.ndarray,
    estimator: Any = None,
    scale: str | None = None,
    given: Sequence[Any] = (),
) -> Parameter:
    """Infer the geometry of the values of a parameter.

    Parameters
    ----------
    name : str
        The parameter.
    values : list
        One value per candidate; MISSING if the candidate does not set it.
    rounds : ndarray of int
        The round of each candidate. The first rounds show the scale; later rounds are
        concentrated around the best candidates.
    estimator : estimator, optional
        The estimator, which may declare the legal values of the parameter.
    scale : {"linear", "log", "choice"}, optional
        The scale, if the user has set it.
    given : sequence of list or distribution, default=()
        The lists and distributions that the user searches over, if they are known. A
        distribution with ``ppf`` has a scale. A list is read as the searches read it.
    """
    listed = [value for value in values if value is not MISSING]
    if any(isinstance(value, Real) and math.isnan(value) for value in listed):
        return Parameter(name, values, ChoiceAxis(name, listed))
    legal = legal_values(estimator, name, {name: listed})
    numbers = [value for value in listed if is_number(value)]
    if scale is None and numbers:
        inferred = infer_scale(given, values, rounds)
        scale = inferred if min(numbers) > 0 else "linear"
    elif scale in ("linear", "log") and not numbers:
        scale = None
    return Parameter(name, values, infer_axis(name, listed, legal, scale))


def short(value: Any) -> str:
    """Return a value as a label."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return _shorten(value)
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if callable(value) and hasattr(value, "__name__"):
        return _shorten(value.__name__)
    if hasattr(value, "get_params"):
        return _shorten(type(value).__name__)
    return _shorten(repr(value))


def _shorten(text: str) -> str:
    """Return text on one line, cut off at the end if it is long."""
    text = " ".join(text.split())
    if len(text) <= MAX_LABEL_LENGTH:
        return text
    return text[: MAX_LABEL_LENGTH - 1] + "…"
