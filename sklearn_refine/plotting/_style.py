"""Define the colors, markers, legends and text labels that all displays share.

Nothing here imports matplotlib. Labels may hold any text, so dollar signs must be
escaped before matplotlib reads them as formulas.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

#: Colormap of scores: darker is better, also in black and white.
COLORMAP = "viridis_r"
#: Markers of the rounds, used cyclically.
MARKERS = "osD^vPXp"
#: Line styles of the windows of the rounds, used cyclically.
LINE_STYLES: tuple[Any, ...] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
#: Number of candidates above which vector files store points as pixels.
RASTERIZE_ABOVE = 500


def round_marker(number: int) -> str:
    """Return the marker of a round; rounds count from 1."""
    return MARKERS[(number - 1) % len(MARKERS)]


def point_size(n: int) -> float:
    """Return the marker area for a plot of `n` points; many points are smaller."""
    return float(np.clip(2400 / max(n, 1), 5.0, 42.0))


def add_legend_above(ax: Any, neutral: Sequence[str] = ()) -> None:
    """Add a legend above the axes, where it covers no points.

    Parameters
    ----------
    ax : Axes
        Axes with the labeled artists.
    neutral : sequence of str, default=()
        Labels of markers that are colored by score. They are gray in the legend.
    """
    legend = ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=5,
        columnspacing=1.2,
        handletextpad=0.4,
        frameon=False,
        fontsize=9,
    )
    enlarge_markers(legend)
    for handle in legend.legend_handles:
        if handle.get_label() in neutral:
            handle.set_array(None)  # remove the colors by score
            handle.set_facecolor("0.85")
            handle.set_linewidth(0.7)


def enlarge_markers(legend: Any) -> None:
    """Make the markers of a legend large and opaque, so that they are visible."""
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            star = handle.get_label() == "best"
            handle.set_sizes([100.0 if star else 36.0])
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


def distinct_number_labels(values: Sequence[float]) -> list[str]:
    """Return labels of numbers with as few digits (3 to 12) as keep them distinct."""
    for digits in range(3, 13):
        labels = [f"{value:.{digits}g}" for value in values]
        if len(set(labels)) == len(set(values)):
            break
    return labels
