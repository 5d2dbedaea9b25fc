"""Compute the surface of expected scores over two parameters.

The surrogate is the one of ``results/_smoothing.py``. The surface must stay NaN at
levels that no candidate combines with the other parameter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_refine.plotting._scores import round_scores
from sklearn_refine.plotting._windows import WindowRectangle
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._smoothing import smooth
from sklearn_refine.results._table import Results

#: Number of surface points along a numeric parameter.
N_GRID = 61
#: A surface through fewer candidates would mostly show the prior.
MIN_CANDIDATES = 5


@dataclass(frozen=True)
class Surface:
    """Expected scores on a grid over two parameters.

    Attributes
    ----------
    x, y : ndarray
        Positions along each parameter: numbers, or the indices of levels.
    scores : ndarray of shape (len(y), len(x))
        Expected scores. NaN at a level that no candidate combines with the other
        parameter.
    """

    x: np.ndarray
    y: np.ndarray
    scores: np.ndarray


def fit_surface(
    results: Results, across: Parameter, up: Parameter, windows: list[WindowRectangle]
) -> Surface | None:
    """Return the surface through the best candidate, or None if none can be fitted.

    All other parameters have the values of the best candidate that sets both
    parameters. The surface covers all values tried of both, and the windows.
    """
    rows = results.rivals
    both = rows[across.is_set[rows] & up.is_set[rows]]
    if len(rows) < MIN_CANDIDATES or not len(both):
        return None
    if np.ptp(round_scores(results.scores[rows])) == 0:
        return None
    try:
        smoothed = smooth(results, rows)
    except (ValueError, np.linalg.LinAlgError):
        return None
    best = int(both[results.scores[both].argmax()])
    together = across.is_set & up.is_set
    tried = [np.unique(p.positions[together]) for p in (across, up)]
    x = _surface_grid(across, tried[0], [end for window in windows for end in window.x])
    y = _surface_grid(up, tried[1], [end for window in windows for end in window.y])
    features, _ = results.features(np.array([best]))
    X = np.repeat(features, len(x) * len(y), axis=0)
    starts = _first_columns(results)
    for parameter, values, indices in (
        (across, x, np.tile(np.arange(len(x)), len(y))),
        (up, y, np.repeat(np.arange(len(y)), len(x))),
    ):
        if parameter.varies:
            levels = parameter.levels
            listed = [v if parameter.is_number else levels[int(v)] for v in values]
            encoded = parameter.encode(listed)
            start = starts[parameter.name]
            X[:, start : start + encoded.shape[1]] = encoded[indices]
    scores = smoothed.predict(X).reshape(len(y), len(x))
    if not across.is_number:
        scores[:, ~np.isin(x, tried[0])] = np.nan
    if not up.is_number:
        scores[~np.isin(y, tried[1])] = np.nan
    return Surface(x, y, scores)


def _first_columns(results: Results) -> dict[str, int]:
    """Return the first feature column of each varying parameter."""
    row = np.array([0])
    sizes = [p.encode([p.values[0]]).shape[1] for p in results.varying]
    start = results.features(row)[0].shape[1] - sum(sizes)
    starts = start + np.cumsum([0, *sizes])
    return {p.name: int(s) for p, s in zip(results.varying, starts, strict=False)}


def _surface_grid(
    parameter: Parameter, tried: np.ndarray, others: list[float]
) -> np.ndarray:
    """Return the grid positions of the surface, slightly beyond the values tried."""
    if not parameter.is_number:
        return np.arange(len(parameter.levels), dtype=float)
    low, high = min([tried[0], *others]), max([tried[-1], *others])
    if parameter.kind == "log":
        margin = (high / low) ** 0.04
        return np.geomspace(low / margin, high * margin, N_GRID)
    margin = 0.04 * (high - low)
    return np.linspace(low - margin, high + margin, N_GRID)
