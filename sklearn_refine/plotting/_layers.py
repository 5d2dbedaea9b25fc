"""Split layer sizes into their depth and the width of each layer.

Dozens of different layer sizes have no order that an axis could show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.results._parameters import MISSING, Parameter, read_parameter
from sklearn_refine.space._axes import layer_widths

#: More layer sizes than this are split.
MAX_LAYER_SIZES = 8


@dataclass(frozen=True)
class LayerPart(Parameter):
    """The depth of layer sizes, or the width of one layer.

    Attributes
    ----------
    whole : Parameter
        The layer sizes.
    layer : int or None
        Number of the layer, from 0. None for the depth.
    """

    whole: Parameter
    layer: int | None

    def change(self, sizes: Any, number: float) -> tuple[int, ...]:
        """Return layer sizes with another depth or another width of this layer.

        Layers that are added are as wide as the last one.
        """
        widths = layer_widths(sizes)
        if self.layer is not None:
            widths[self.layer] = round(number)
            return tuple(widths)
        depth = round(number)
        return tuple((widths + depth * widths[-1:])[:depth])


def split_layers(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the parameters, with depth and widths in place of many layer sizes."""
    parts: list[Parameter] = []
    for parameter in parameters:
        if parameter.kind == "layers" and len(parameter.levels) > MAX_LAYER_SIZES:
            parts += _parts(parameter)
        else:
            parts.append(parameter)
    return parts


def _parts(parameter: Parameter) -> Sequence[Parameter]:
    """Return the depth and the width of each layer as parameters, if they vary."""
    widths = [
        [] if value is MISSING else layer_widths(value) for value in parameter.values
    ]
    columns: dict[str, list[Any]] = {"depth": [len(w) or MISSING for w in widths]}
    for layer in range(max(map(len, widths))):
        column = [w[layer] if layer < len(w) else MISSING for w in widths]
        columns[f"width {layer + 1}"] = column
    rounds = np.ones(len(widths), dtype=int)
    parts = []
    for index, (text, values) in enumerate(columns.items()):
        place = index - 1 if index else None
        scale = "log" if index else "linear"
        part = read_parameter(f"{parameter.name} [{text}]", values, rounds, scale=scale)
        parts.append(LayerPart(part.name, values, part.axis, parameter, place))
    return [part for part in parts if part.varies] or [parameter]
