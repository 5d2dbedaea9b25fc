"""Windows of the random search as users see them, and the ends of its ranges."""

from __future__ import annotations

import numpy as np

from sklearn_refine._history import Candidate, Extent, Window
from sklearn_refine.space._axes import to_python
from sklearn_refine.space._continuous_axes import SampledAxis
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._quantiles import DistributionSubspace, shown_values


def window_around(
    subspace: DistributionSubspace, center: Candidate, half_width: float, place: int
) -> Window:
    """Return the window around a center, which has a place in the history."""
    shown: dict[str, Extent] = {}
    for name, axis in subspace.axes.items():
        value = center.params[name]
        if isinstance(axis, SampledAxis):
            shown[name] = Extent(choices=(value,))
        elif isinstance(axis, ListAxis) and not axis.ordered:
            shown[name] = Extent(choices=tuple(axis.values))
        else:
            ends = axis.encode(value) + half_width * np.array([[-1], [1]])
            shown[name] = Extent(*shown_values(axis, np.clip(ends, 0, 1)))
    return Window(center.subspace, {}, shown, center=place)


def whole_range(subspace: DistributionSubspace, index: int) -> Window:
    """Return the ends or the choices of each parameter, for the first round."""
    shown: dict[str, Extent] = {}
    for name, axis in subspace.axes.items():
        if isinstance(axis, SampledAxis):
            shown[name] = Extent()
        elif isinstance(axis, ListAxis) and not axis.ordered:
            shown[name] = Extent(choices=tuple(axis.values))
        else:
            ends = np.repeat([[0.0], [1.0]], axis.n_dims, axis=1)
            shown[name] = Extent(*shown_values(axis, ends))
    return Window(index, {}, shown)


def explain_ends(
    subspace: DistributionSubspace, candidate: Candidate
) -> dict[str, str]:
    """Return the parameters of a candidate that lie on an end, and which end."""
    found = {}
    for name, axis in subspace.axes.items():
        if isinstance(axis, SampledAxis) or not (axis.ordered and axis.bounded):
            continue
        value = candidate.params[name]
        low, high = axis.decode(np.repeat([[0.0], [1.0]], axis.n_dims, axis=1))
        for end, text in ((low, "smallest"), (high, "largest")):
            if low != high and to_python(value) == to_python(end):
                shown = to_python(value)
                # An end may be a quantile that is not quite the end.
                shown = f"{shown:g}" if isinstance(shown, float) else repr(shown)
                found[name] = f"{shown} is the {text} value in the space"
    return found
