"""One parameter of a finished search: how its values lie beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from sklearn_refine.space._axes import (
    Axis,
    ChoiceAxis,
    LayersAxis,
    NumberAxis,
    Scale,
    is_number,
    layer_widths,
    to_python,
    value_key,
)
from sklearn_refine.space._infer import infer_axis, is_log
from sklearn_refine.space._limits import legal_values

#: Where a candidate does not set a parameter.
MISSING: Any = type("Missing", (), {"__repr__": lambda self: "not set"})()
#: The most characters of a label.
LENGTH = 28
#: Fewer different numbers than this are no sample of a distribution.
FEW = 8
#: Of a list this long or longer, values at even distances tell the scale.
LONG = 1000
#: The feature of a number that a candidate does not have.
ABSENT = 0.5


@dataclass(frozen=True)
class Parameter:
    """The values that the candidates of a search have of one parameter.

    Attributes
    ----------
    name : str
        Its name.
    values : list
        A value a candidate; MISSING where it is not set.
    axis : Axis
        The geometry of the values.
    """

    name: str
    values: list[Any]
    axis: Axis

    @cached_property
    def kind(self) -> Literal["linear", "log", "layers", "choice"]:
        """How the values lie: as numbers on a scale, layer sizes, or choices.

        Numbers among other things are choices.
        """
        if isinstance(self.axis, LayersAxis):
            return "layers"
        if isinstance(self.axis, NumberAxis) and all(
            self.axis.coordinates(value) for value in self._listed
        ):
            return self.axis.dim.scale
        return "choice"

    @property
    def is_number(self) -> bool:
        """Whether all values lie on one scale."""
        return self.kind in ("linear", "log")

    @property
    def is_integer(self) -> bool:
        """Whether all values lie on one scale and are ints."""
        return self.is_number and all(isinstance(v, Integral) for v in self.levels)

    @cached_property
    def _listed(self) -> list[Any]:
        return [value for value in self.values if value is not MISSING]

    @property
    def is_set(self) -> np.ndarray:
        """Which candidates set the parameter."""
        return np.array([value is not MISSING for value in self.values], dtype=bool)

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return len(self.levels) > 1

    @cached_property
    def levels(self) -> list[Any]:
        """The different values: numbers and layer sizes ascending, others as found."""
        known: dict[Any, Any] = {}
        for value in self._listed:
            known.setdefault(value_key(value), to_python(value))
        found = list(known.values())
        if self.kind == "layers":
            return sorted(found, key=lambda v: (len(layer_widths(v)), layer_widths(v)))
        numbers = sorted(value for value in found if is_number(value))
        return numbers + [value for value in found if not is_number(value)]

    @cached_property
    def labels(self) -> list[str]:
        """What to call the levels: short, and different from each other."""
        labels = [short(value) for value in self.levels]
        twice = {label for label in labels if labels.count(label) > 1}
        for place, label in enumerate(labels):
            if label in twice:
                labels[place] = shorten(repr(self.levels[place]))
        seen: dict[str, int] = {}
        for place, label in enumerate(labels):
            seen[label] = seen.get(label, 0) + 1
            if seen[label] > 1:
                labels[place] = f"{label} #{seen[label]}"
        return labels

    @cached_property
    def _place(self) -> dict[Any, int]:
        return {value_key(value): place for place, value in enumerate(self.levels)}

    def place(self, value: Any) -> float:
        """Return where `value` is drawn: a number as itself, others by their level.

        NaN where it is not set.
        """
        if value is MISSING:
            return math.nan
        if self.is_number:
            return float(value)
        return float(self._place.get(value_key(value), math.nan))

    @property
    def positions(self) -> np.ndarray:
        """Where each candidate is drawn."""
        return np.array([self.place(value) for value in self.values], dtype=float)

    def encode(self, values: Sequence[Any]) -> np.ndarray:
        """Return values as rows of features, each of about unit range."""
        if isinstance(self.axis, LayersAxis):
            return self._encode_layers(values)
        if self.is_number and isinstance(self.axis, NumberAxis):
            dim = self.axis.dim
            numbers = [ABSENT if v is MISSING else dim.encode(float(v)) for v in values]
            return np.array(numbers, dtype=float).reshape(-1, 1)
        places = [self.place(value) for value in values]
        size = len(self.levels)
        rows = np.vstack([np.eye(size), np.zeros((1, size))]) / np.sqrt(2)
        return np.asarray(rows[[size if math.isnan(p) else int(p) for p in places]])

    def _encode_layers(self, values: Sequence[Any]) -> np.ndarray:
        """Return depths and logarithms of widths; ABSENT for layers that are not."""
        listed = [layer_widths(value) for value in self._listed]
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
    """Read how the values of a parameter lie.

    Parameters
    ----------
    name : str
        The parameter.
    values : list
        One a candidate; MISSING where it is not set.
    rounds : ndarray of int
        The round of each candidate. The first ones tell the scale; later ones crowd
        around the best.
    estimator : estimator, optional
        Asked for what it declares about the parameter.
    scale : {"linear", "log", "choice"}, optional
        Its scale, where the user has said it.
    given : sequence of list or distribution, default=()
        What the user gave to search over, where it is known: a distribution with
        ``ppf`` has a scale, and a list is read as the searches read it.
    """
    listed = [value for value in values if value is not MISSING]
    if any(isinstance(value, Real) and math.isnan(value) for value in listed):
        return Parameter(name, values, ChoiceAxis(name, listed))
    legal = legal_values(estimator, name, {name: listed})
    numbers = [value for value in listed if is_number(value)]
    if scale is None and numbers:
        told = _scale_given(given) or _scale_tried(values, rounds)
        scale = told if min(numbers) > 0 else "linear"
    elif scale in ("linear", "log") and not numbers:
        scale = None
    return Parameter(name, values, infer_axis(name, listed, legal, scale))


def _scale_given(given: Sequence[Any]) -> Scale | None:
    """Return the scale of distributions or lists; None if they do not tell it."""
    for part in given:
        if hasattr(part, "ppf"):
            return _scale_of(part)
    lists = [part for part in given if isinstance(part, Sequence | np.ndarray)]
    parts = [part[:: len(part) // LONG + 1] for part in lists]
    numbers = [value for part in parts for value in part if is_number(value)]
    if len(set(numbers)) < 2:
        return None
    return "log" if _is_log(numbers) else "linear"


def _scale_of(distribution: Any) -> Scale | None:
    """Return on which scale the quartiles of a distribution are most even."""
    quartiles = np.asarray(distribution.ppf([0.25, 0.5, 0.75]), dtype=float)
    low, _, high = quartiles
    if not (np.isfinite(quartiles).all() and low < high):
        return None
    return "log" if low > 0 and _middle_is_log(*quartiles) else "linear"


def _scale_tried(values: list[Any], rounds: np.ndarray) -> Scale:
    """Return the scale of what was tried, by its first rounds.

    Numbers of a grid are read as a list, others are taken to be drawn at random. Few
    of these tell little, so there are as many rounds of them as FEW takes.
    """
    numbers: list[Any] = []
    for number in np.unique(rounds):
        rows = np.flatnonzero(rounds == number)
        numbers += [values[row] for row in rows if is_number(values[row])]
        n_different = len(set(numbers))
        if n_different >= FEW or (n_different > 1 and _are_of_a_grid(numbers)):
            break
    return "log" if _is_log(numbers) else "linear"


def _are_of_a_grid(numbers: list[Any]) -> bool:
    """Whether all numbers occur equally often, or lie evenly on either scale."""
    x, counts = np.unique(np.asarray(numbers, dtype=float), return_counts=True)
    if counts.min() == counts.max() > 1:
        return True
    steps = [np.diff(x), np.diff(np.log(x))] if x[0] > 0 else [np.diff(x)]
    return len(x) > 2 and any(np.allclose(z, z[0], rtol=1e-3, atol=0) for z in steps)


def _is_log(numbers: list[Any]) -> bool:
    """Whether numbers are meant as logarithmic, or drawn so.

    A short list is read as the searches read it. Of many numbers, perhaps drawn at
    random, the median tells more than the ends: it lies near the middle of the range
    on the right scale.
    """
    x = np.asarray(numbers, dtype=float)
    n_different = len(np.unique(x))
    if n_different < FEW:
        return n_different > 1 and is_log(numbers)
    if x.min() <= 0 or x.max() < 10 * x.min():
        return False
    return _middle_is_log(x.min(), float(np.median(x)), x.max())


def _middle_is_log(low: float, middle: float, high: float) -> bool:
    """Whether the middle is nearer half-way between the ends in the logarithm."""
    linear, log = (
        abs((z[1] - z[0]) / (z[2] - z[0]) - 0.5)
        for z in (np.array([low, middle, high]), np.log([low, middle, high]))
    )
    return bool(log < linear)


def short(value: Any) -> str:
    """Return a value as a label."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    if callable(value) and hasattr(value, "__name__"):
        return shorten(value.__name__)
    if hasattr(value, "get_params"):
        return shorten(type(value).__name__)
    return shorten(repr(value))


def shorten(text: str) -> str:
    """Return text on one line, its end cut off if it is long."""
    text = " ".join(text.split())
    return text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"
