"""The layers of a landscape: surface, candidates, windows and color bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_refine.plotting._display import Labels
from sklearn_refine.plotting._options import merge_point_options
from sklearn_refine.plotting._parameter_axis import jitter
from sklearn_refine.plotting._scores import color_positions
from sklearn_refine.plotting._style import (
    LINE_STYLES,
    RASTERIZE_ABOVE,
    escape_dollars,
    number_labels,
    point_size,
)
from sklearn_refine.results._parameters import Parameter

#: Brighter is better, so that markers and windows near the best score are visible.
COLORMAP = "viridis"
#: Horizontal and vertical jitter of points at choices: the inverse plastic number and
#: its square, steps that fill a square evenly.
JITTER_STEPS = (0.7548776662, 0.5698402910)
#: Uncertainty of the surface above which it is hatched.
DOUBTFUL = 0.75


def draw_surface(ax: Any, display: Any, levels: np.ndarray) -> None:
    """Draw the surface: contours over two numbers, stripes otherwise."""
    if display.surface is None:
        return
    x, y = display.surface.x, display.surface.y
    scores = color_positions(display.surface.scores, levels)
    style = {"cmap": COLORMAP, "norm": _norm(levels), "alpha": 0.85, "zorder": 0}
    if not all(parameter.is_number for parameter in display.parameters):
        edges = [
            _cell_edges(at, parameter)
            for at, parameter in zip((x, y), display.parameters, strict=True)
        ]
        ax.pcolormesh(*edges, scores, rasterized=True, **style)
        return
    at = np.arange(len(levels))
    ax.contourf(x, y, scores, at, **style)
    if len(at) > 2:
        line = {"colors": "white", "linewidths": 0.5, "zorder": 1}
        ax.contour(x, y, scores, at[1:-1], **line)
    doubt = display.surface.doubt
    if is_hatched(display):
        hatch = {"hatches": ["//"], "colors": "none", "zorder": 1}
        drawn = ax.contourf(x, y, doubt, [DOUBTFUL, 1.01], **hatch)
        drawn.set_edgecolor((1, 1, 1, 0.6))
        drawn.set_linewidth(0)


def is_hatched(display: Any) -> bool:
    """Whether the surface has contours, and little is known of a part of it."""
    numbers = all(parameter.is_number for parameter in display.parameters)
    return numbers and bool((display.surface.doubt > DOUBTFUL).any())


def draw_candidates(
    ax: Any, display: Any, rows: np.ndarray, levels: np.ndarray, options: dict[str, Any]
) -> Any:
    """Draw candidates and return the points that are colored by score."""
    results = display.results
    x, y = (
        jitter(parameter.positions[rows], parameter, step=step)
        for parameter, step in zip(display.parameters, JITTER_STEPS, strict=True)
    )
    status = results.status[rows]
    scores = color_positions(results.scores[rows], levels)
    size = point_size(len(rows))
    style: dict[str, Any] = {"cmap": COLORMAP, "norm": _norm(levels), "s": size}
    style |= {"edgecolor": "black", "linewidth": 0.7 if len(rows) < 200 else 0.2}
    style |= {"zorder": 3, "rasterized": len(rows) > RASTERIZE_ABOVE}
    complete = status == "complete"
    drawn = None
    if complete.any():
        style |= {"c": scores[complete], "label": "candidate"}
        style = merge_point_options(style, options)
        drawn = ax.scatter(x[complete], y[complete], **style)
    other = {"s": size, "color": "black", "zorder": 2, "linewidth": 0.8}
    for name, marker in (("dropped", "."), ("paused", "1"), ("failed", "x")):
        of_status = status == name
        if of_status.any():
            ax.scatter(x[of_status], y[of_status], marker=marker, label=name, **other)
    if display.best is not None:
        row = int(np.flatnonzero(rows == display.best)[0])
        star = {"marker": "*", "s": 200, "color": "white", "edgecolor": "black"}
        ax.scatter(x[row], y[row], zorder=5, label="best", **star)
    return drawn


def draw_windows(ax: Any, windows: list[Any]) -> None:
    """Draw the outline of each window, one line style per round."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.6, foreground="white")]
    rounds = sorted({window.round for window in windows}, reverse=True)
    for window in windows:
        (x0, x1), (y0, y1) = window.x, window.y
        place = rounds.index(window.round)
        style = {"fill": False, "linestyle": LINE_STYLES[place % len(LINE_STYLES)]}
        style |= {"linewidth": 1.3, "zorder": 4, "path_effects": halo}
        style["label"] = f"window of round {window.round}"
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))


def draw_color_bar(
    ax: Any, levels: np.ndarray, labels: Labels, cmap: Any, *, n_scores: int
) -> None:
    """Draw the color bar of the scores."""
    from matplotlib.cm import ScalarMappable

    colors = ScalarMappable(_norm(levels), cmap or COLORMAP)
    bar = ax.figure.colorbar(colors, ax=ax, spacing="uniform")
    texts = number_labels((labels.sign * levels).tolist())
    if levels[0] < levels[-1]:
        bar.set_ticks(range(len(levels)), labels=texts)
        tenths = " (tenths of the candidates)" if n_scores >= 2 * len(levels) else ""
        bar.set_label(escape_dollars(f"{labels.score}{tenths}"))
    else:
        bar.set_ticks([0.5], labels=texts[:1] if n_scores else [""])
        bar.set_label(escape_dollars(labels.score))


def _norm(levels: np.ndarray) -> Any:
    """Return the norm that maps positions among the levels to colors."""
    from matplotlib.colors import BoundaryNorm

    return BoundaryNorm(range(len(levels)), 256, clip=True)


def _cell_edges(positions: np.ndarray, parameter: Parameter) -> np.ndarray:
    """Return the edges of the cells around positions; levels are one unit wide."""
    if not parameter.is_number:
        return np.arange(len(positions) + 1) - 0.5
    x = np.log10(positions) if parameter.kind == "log" else positions
    step = (x[1] - x[0]) / 2
    edges = np.r_[x - step, x[-1] + step]
    return np.asarray(10**edges if parameter.kind == "log" else edges)
