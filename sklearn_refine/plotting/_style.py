"""Define the colors, markers, legends and text labels that all displays share.

Nothing here imports matplotlib. Labels may hold any text, so dollar signs must be
escaped before matplotlib reads them as formulas.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Colormap of scores and rounds: darker is better or later, also in black and white.
COLORMAP = "viridis_r"
#: The lightest part of it, which is left out because it is hard to see on white.
LIGHTEST = 0.12
#: Line styles of the windows of the rounds, used cyclically.
LINE_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
#: Largest area of the marker of a candidate; stars are larger.
MAX_POINT_SIZE = 42.0
#: Number of candidates above which vector files store points as pixels.
RASTERIZE_ABOVE = 500


def point_size(n: int) -> float:
    """Return the marker area for a plot of `n` points; many points are smaller."""
    return float(np.clip(2400 / max(n, 1), 9.0, MAX_POINT_SIZE))


def add_legend_above(ax: Any, neutral: Sequence[str] = ()) -> None:
    """Add a legend above the axes, where it covers no points.

    Artists with equal labels have one entry. As many columns are used as fit.

    Parameters
    ----------
    ax : Axes
        Axes with the labeled artists.
    neutral : sequence of str, default=()
        Labels of markers that are colored by score. They are gray in the legend.
    """
    handles, labels = ax.get_legend_handles_labels()
    entries: dict[str, Any] = {}
    for handle, label in zip(handles, labels, strict=True):
        entries.setdefault(label, handle)
    options = {"loc": "lower left", "bbox_to_anchor": (0, 1.0), "columnspacing": 1.2}
    options |= {"handletextpad": 0.4, "frameon": False, "fontsize": 9}
    room = 1.05 * ax.get_window_extent().width
    for n_columns in range(max(len(entries), 1), 0, -1):
        legend = ax.legend(entries.values(), entries.keys(), ncols=n_columns, **options)
        if legend.get_window_extent().width <= room:
            break
    enlarge_markers(legend)
    for handle in legend.legend_handles:
        if handle.get_label() in neutral:
            handle.set_array(None)  # remove the colors by score
            handle.set_facecolor("0.85")
            handle.set_linewidth(0.7)


def dark_colormap() -> Any:
    """Return the colormap of scores and rounds, without its lightest part."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[COLORMAP](np.linspace(LIGHTEST, 1, 256)))


def next_color(ax: Any) -> Any:
    """Return the next color of the cycle of the axes."""
    (line,) = ax.plot([], [])
    line.remove()
    return line.get_color()


def enlarge_markers(legend: Any) -> None:
    """Make the markers of a legend large and opaque, so that they are visible."""
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            is_star = handle.get_sizes()[0] > MAX_POINT_SIZE
            handle.set_sizes([100.0 if is_star else 36.0])
            handle.set_alpha(None)


def escape_dollars(text: str) -> str:
    """Return text that matplotlib shows literally, dollar signs included."""
    return text.replace("$", r"\$")


def truncate(text: str, length: int) -> str:
    """Return text, shortened with an ellipsis if it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"


def parameter_label(name: str) -> str:
    """Return the label of a parameter, broken after step names if it is long."""
    if len(name) > 22:
        name = name.replace("__", "__\n")
        lines = [textwrap.fill(part, 28) for part in name.split("\n")]
        name = "\n".join(lines)
    return escape_dollars(name)


def score_label(name: str, length: int = 22) -> str:
    """Return the label of a score, wrapped to lines of about `length` characters."""
    words = name.replace("_", "_ ")
    lines = textwrap.wrap(words, length, break_long_words=False)
    return escape_dollars("\n".join(line.replace("_ ", "_") for line in lines))


def number_labels(values: Sequence[float]) -> list[str]:
    """Return labels with equally many decimals: as few as keep the numbers distinct.

    Numbers of very different size are written in scientific notation.
    """
    finite = [abs(value) for value in values if value]
    if finite and (max(finite) >= 1e6 or max(finite) < 1e-4):
        return distinct_number_labels(values)
    for decimals in range(2, 13):
        labels = [f"{value:.{decimals}f}" for value in values]
        if len(set(labels)) == len(set(values)):
            break
    return labels


def distinct_number_labels(values: Sequence[float]) -> list[str]:
    """Return labels of numbers with as few digits (3 to 12) as keep them distinct."""
    for digits in range(3, 13):
        labels = [f"{value:.{digits}g}" for value in values]
        if len(set(labels)) == len(set(values)):
            break
    return labels
