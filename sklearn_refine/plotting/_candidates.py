"""Draw candidates as points, one kind of marker per status.

Scores outside the limits are drawn at the edge, in coordinates of the axes, so that
they stay there when the limits change.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_refine.plotting._options import merge_point_options
from sklearn_refine.plotting._scores import ScoreScale
from sklearn_refine.plotting._style import RASTERIZE_ABOVE, point_size
from sklearn_refine.results._table import Results

HOLLOW = {"facecolor": "none", "edgecolor": "0.45", "linewidth": 0.8}


def draw_statuses(
    ax: Any,
    results: Results,
    positions: np.ndarray,
    scale: ScoreScale,
    options: dict[str, Any] | None,
    **style: Any,
) -> None:
    """Draw all candidates, with a marker for each status.

    `style` is the style of complete candidates: their `color`, or their `c`, one number
    each, with `cmap` and `norm`.
    """
    scores, status = results.scores, results.status
    below = (status != "failed") & (scores < scale.low)
    shown = ~below & np.isfinite(scores)
    failed = (status == "failed") | np.isnan(scores)
    many = len(scores) > RASTERIZE_ABOVE
    alpha = 0.4 if many else 0.8
    filled: dict[str, Any] = {
        "alpha": alpha,
        "linewidth": 0,
        "marker": "o",
        "label": "candidate",
    }
    edge = {"clip_on": False, "zorder": 3}
    worse = {"color": style.get("color", "0.4"), "alpha": 0.75, "linewidth": 0, **edge}
    worse |= {"marker": scale.worse_marker, "label": scale.worse_label}
    cross = {"color": "black", "linewidth": 0.9, "marker": "x", "label": "failed"}
    looks: list[tuple[np.ndarray, bool, dict[str, Any]]] = [
        ((status == "complete") & shown, False, filled | style),
        ((status == "dropped") & shown, False, HOLLOW | {"label": "dropped"}),
        (
            (status == "paused") & shown,
            False,
            HOLLOW | {"marker": "D", "label": "paused"},
        ),
        (below, True, worse),
        (failed, True, cross | edge),
    ]
    for rows, at_edge, look in looks:
        rows = rows & np.isfinite(positions)
        if not rows.any():
            continue
        common = {"s": point_size(len(scores)), "rasterized": many}
        if "c" in look:
            look = look | {"c": look["c"][rows]}
        y = scale.sign * scores[rows]
        if at_edge:
            y = np.full(rows.sum(), scale.edge)
            common["transform"] = ax.get_xaxis_transform()
            # matplotlib does not make room for points with this transform.
            places = np.column_stack([positions[rows], y])
            ax.update_datalim(places, updatey=False)
            ax.autoscale_view(scaley=False)
        look = merge_point_options(common | look, options)
        ax.scatter(positions[rows], y, **look)


def draw_best(
    ax: Any,
    results: Results,
    positions: np.ndarray,
    scale: ScoreScale,
    *,
    color: Any = "white",
    label: str = "best",
) -> None:
    """Draw a star at the best candidate."""
    if results.best is None or not np.isfinite(positions[results.best]):
        return
    star = {"marker": "*", "s": 150, "color": color, "edgecolor": "black"}
    star |= {"linewidth": 0.8, "zorder": 5, "clip_on": False, "label": label}
    score = scale.sign * results.scores[results.best]
    ax.scatter(positions[results.best], score, **star)
