"""Split layer sizes into their depth and the width of each layer.

Dozens of different layer sizes have no order that an axis could show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_refine.results._parameters import MISSING, Parameter, read_parameter
from sklearn_refine.space._axes import layer_widths

#: More layer sizes than this are split.
MAX_LAYER_SIZES = 8


def split_layers(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the parameters, with depth and widths in place of many layer sizes."""
    parts = []
    for parameter in parameters:
        if parameter.kind == "layers" and len(parameter.levels) > MAX_LAYER_SIZES:
            parts += _parts(parameter)
        else:
            parts.append(parameter)
    return parts


def _parts(parameter: Parameter) -> list[Parameter]:
    """Return the depth and the width of each layer as parameters, if they vary."""
    widths = [
        [] if value is MISSING else layer_widths(value) for value in parameter.values
    ]
    columns: dict[str, list[Any]] = {"depth": [len(w) or MISSING for w in widths]}
    for layer in range(max(map(len, widths))):
        column = [w[layer] if layer < len(w) else MISSING for w in widths]
        columns[f"width {layer + 1}"] = column
    rounds = np.ones(len(widths), dtype=int)
    parts = [
        read_parameter(
            f"{parameter.name} [{part}]",
            values,
            rounds,
            scale="linear" if part == "depth" else "log",
        )
        for part, values in columns.items()
    ]
    return [part for part in parts if part.varies] or [parameter]
