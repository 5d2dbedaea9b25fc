"""Scale, tick and label the axis of a parameter.

Tick labels must not overlap, and ticks of integer parameters must be integers.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from sklearn_refine.plotting._style import escape_dollars, truncate
from sklearn_refine.results._parameters import Parameter


def set_parameter_axis(
    ax: Any,
    which: str,
    parameter: Parameter,
    label: str,
    most: int = 10,
    length: int = 28,
) -> None:
    """Scale, tick and label one axis of a plot for a parameter.

    Parameters
    ----------
    ax : Axes
        Axes to change.
    which : {"x", "y"}
        Axis to change.
    parameter : Parameter
        Parameter that the axis shows.
    label : str
        Label of the axis.
    most : int, default=10
        Maximum number of choices with a tick label.
    length : int, default=28
        Maximum number of characters of a tick label.
    """
    getattr(ax, f"set_{which}label")(label)
    if parameter.kind == "log":
        _set_log_ticks(ax, which, parameter)
        return
    if parameter.is_number:
        ticks = _even_locator("auto", integer=parameter.is_integer)
        getattr(ax, f"{which}axis").set_major_locator(ticks)
        return
    indices = choose_evenly(len(parameter.labels), most)
    labels = [
        escape_dollars(truncate(parameter.labels[index], length)) for index in indices
    ]
    axis = getattr(ax, f"{which}axis")
    axis.set_ticks(indices, labels)
    getattr(ax, f"set_{which}lim")(-0.5, len(parameter.labels) - 0.5)
    if which == "x" and (sum(map(len, labels)) > 22 or len(labels) > 5):
        ax.tick_params("x", rotation=30)
        for text in axis.get_ticklabels():
            text.set_horizontalalignment("right")
            text.set_rotation_mode("anchor")


def _set_log_ticks(ax: Any, which: str, parameter: Parameter) -> None:
    """Set a log scale, with plain tick labels on an axis shorter than a decade.

    On short axes, matplotlib would write labels such as 2 x 10^-1 that overlap.
    """
    low, high = parameter.levels[0], parameter.levels[-1]
    getattr(ax, f"set_{which}scale")("log")
    if math.floor(math.log10(high)) - math.ceil(math.log10(low)) >= 1:
        return
    from matplotlib.ticker import LogLocator, NullLocator

    axis = getattr(ax, f"{which}axis")
    few = _even_locator(4, integer=parameter.is_integer)
    axis.set_major_locator(few if high < 5 * low else LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter("{x:.4g}")
    axis.set_minor_locator(NullLocator())


def thin_linear_ticks(ax: Any, parameter: Parameter) -> None:
    """Tick a linear horizontal axis as densely as its labels fit.

    Call this after the points are drawn, because the ticks depend on the axis limits.
    A character is about 0.09 inches wide, and labels need one character between them.
    """
    if parameter.kind != "linear":
        return
    from matplotlib.ticker import ScalarFormatter

    numbers = ScalarFormatter()
    numbers.set_powerlimits((-4, 6))
    ax.xaxis.set_major_formatter(numbers)
    room = ax.get_window_extent().width / ax.figure.dpi / 0.09
    for steps in range(5, 0, -1):
        ticks = _even_locator(steps, integer=parameter.is_integer)
        ax.xaxis.set_major_locator(ticks)
        low, high = ax.get_xlim()
        shown = [tick for tick in ticks() if low <= tick <= high]
        labels = numbers.format_ticks(shown)
        if sum(len(label) + 1 for label in labels) <= room:
            return


def _even_locator(steps: int | Literal["auto"], *, integer: bool) -> Any:
    """Return a locator of evenly spaced, round ticks."""
    from matplotlib.ticker import MaxNLocator

    sizes = [1, 2, 2.5, 5, 10]
    return MaxNLocator(steps, steps=sizes, integer=integer, min_n_ticks=1)


def choose_evenly(n: int, most: int) -> list[int]:
    """Return the indices of all `n` levels, or of `most` evenly spaced ones."""
    if n <= most:
        return list(range(n))
    indices = np.linspace(0, n - 1, most).round()
    return [int(index) for index in np.unique(indices)]


def jitter(
    positions: np.ndarray,
    parameter: Parameter,
    width: float = 0.5,
    step: float = 0.6180339887,
) -> np.ndarray:
    """Move points at the same choice apart, by the same steps each time.

    Numbers and parameters with more than 30 choices are not moved. The default step is
    the inverse golden ratio, which fills an interval evenly.
    """
    if parameter.is_number or len(parameter.labels) > 30:
        return positions
    shares = (np.arange(len(positions)) * step) % 1
    return np.asarray(positions + width * (shares - 0.5))
