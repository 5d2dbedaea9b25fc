"""Compute expected scores: curves over one parameter, surfaces over two.

The model of ``results/_smoothing.py`` predicts the scores. The surface must stay NaN
at levels that no candidate combines with the other parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sklearn_refine.plotting._layers import LayerPart
from sklearn_refine.plotting._windows import WindowRectangle
from sklearn_refine.results._parameters import Parameter
from sklearn_refine.results._score_range import round_scores
from sklearn_refine.results._smoothing import SmoothedScores, smooth
from sklearn_refine.results._table import Results

#: Number of surface points along a numeric parameter.
N_GRID = 61
#: Number of levels above which a curve would be a heap of dashes.
MAX_LEVELS = 30
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
    doubt : ndarray of shape (len(y), len(x))
        Uncertainty of the scores, from 0 to 1 (nothing is known).
    """

    x: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    doubt: np.ndarray


@dataclass(frozen=True)
class Curve:
    """Expected scores over one parameter, through the best candidate.

    Attributes
    ----------
    x : ndarray
        Positions: numbers, or the indices of levels.
    mean, low, high : ndarray
        Expected scores, and the scores one standard deviation below and above.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def fit_surface(
    results: Results, across: Parameter, up: Parameter, windows: list[WindowRectangle]
) -> Surface | None:
    """Return the surface through the best candidate, or None if none can be fitted.

    All other parameters have the values of the best candidate that sets both
    parameters. The surface covers all values tried of both, and the windows.
    """
    best = _best_with(results, across.is_set & up.is_set)
    smoothed = fit_smooth(results)
    if best is None or smoothed is None:
        return None
    together = across.is_set & up.is_set
    tried = [np.unique(p.positions[together]) for p in (across, up)]
    x = _surface_grid(across, tried[0], [end for window in windows for end in window.x])
    y = _surface_grid(up, tried[1], [end for window in windows for end in window.y])
    X = _features_through(
        results,
        best,
        {
            across.name: np.tile(encode_positions(across, x), (len(y), 1)),
            up.name: np.repeat(encode_positions(up, y), len(x), axis=0),
        },
    )
    scores = smoothed.predict(X).reshape(len(y), len(x))
    doubt = smoothed.relative_std(X).reshape(len(y), len(x))
    if not across.is_number:
        scores[:, ~np.isin(x, tried[0])] = np.nan
    if not up.is_number:
        scores[~np.isin(y, tried[1])] = np.nan
    return Surface(x, y, scores, doubt)


def fit_curves(results: Results, panels: Sequence[Parameter]) -> dict[str, Curve]:
    """Return the expected score over each parameter that can be predicted, by name."""
    smoothed = fit_smooth(results, ranked=False)
    curves: dict[str, Curve] = {}
    for panel in panels if smoothed is not None else ():
        best = _best_with(results, panel.is_set)
        many = not panel.is_number and len(panel.levels) > MAX_LEVELS
        if best is None or many or not panel.varies:
            continue
        scored = results.rivals[panel.is_set[results.rivals]]
        x = _curve_grid(panel, np.unique(panel.positions[scored]))
        name, encoded = panel.name, encode_positions(panel, x)
        if isinstance(panel, LayerPart):
            name, sizes = panel.whole.name, panel.whole.values[best]
            encoded = panel.whole.encode([panel.change(sizes, at) for at in x])
        X = _features_through(results, best, {name: encoded})
        assert smoothed is not None
        curves[panel.name] = Curve(x, smoothed.predict(X), *smoothed.predict_band(X))
    return curves


def fit_smooth(results: Results, *, ranked: bool = True) -> SmoothedScores | None:
    """Return the smooth function of all candidates that can be compared, or None."""
    rows = results.rivals
    if len(rows) < MIN_CANDIDATES or np.ptp(round_scores(results.scores[rows])) == 0:
        return None
    try:
        return smooth(results, rows, ranked=ranked)
    except (ValueError, np.linalg.LinAlgError):
        return None


def _best_with(results: Results, allowed: np.ndarray) -> int | None:
    """Return the best of the rivals that are allowed, if there is one."""
    rows = results.rivals
    rows = rows[allowed[rows]]
    return int(rows[results.scores[rows].argmax()]) if len(rows) else None


def encode_positions(parameter: Parameter, positions: np.ndarray) -> np.ndarray:
    """Return the features of numbers, or of the levels with these indices."""
    if parameter.is_number:
        return parameter.encode(positions.tolist())
    return parameter.encode([parameter.levels[int(place)] for place in positions])


def _features_through(
    results: Results, best: int, replaced: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return the features of a candidate, with other features of some parameters."""
    n = len(next(iter(replaced.values())))
    X = np.repeat(results.features(np.array([best]))[0], n, axis=0)
    starts = _first_columns(results)
    for name, encoded in replaced.items():
        if name in starts:
            X[:, starts[name] : starts[name] + encoded.shape[1]] = encoded
    return X


def _first_columns(results: Results) -> dict[str, int]:
    """Return the first feature column of each varying parameter."""
    row = np.array([0])
    sizes = [p.encode([p.values[0]]).shape[1] for p in results.varying]
    start = results.features(row)[0].shape[1] - sum(sizes)
    starts = start + np.cumsum([0, *sizes])
    return {p.name: int(s) for p, s in zip(results.varying, starts, strict=False)}


def _curve_grid(parameter: Parameter, scored: np.ndarray) -> np.ndarray:
    """Return the positions of a curve: a grid of numbers, or levels.

    It ends where the scored positions do, because other values may always fail.
    """
    if not parameter.is_number:
        return scored
    space = np.geomspace if parameter.kind == "log" else np.linspace
    grid = space(scored[0], scored[-1], N_GRID)
    return np.unique(grid.round()) if parameter.is_integer else grid


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
