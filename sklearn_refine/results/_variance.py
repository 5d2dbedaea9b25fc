"""Measure how much each parameter matters: its share of the variance of the score.

The shares are those of functional ANOVA, of a Gaussian process that was fitted to the
scores. They are estimated from pairs of points that differ in one parameter.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import qmc
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from sklearn_refine.proposal._gaussian_process import (
    SMOOTH,
    GaussianProcess,
    Prior,
    gaussian_process,
)
from sklearn_refine.results._parameters import MISSING, Parameter
from sklearn_refine.results._score_range import round_scores, score_limits
from sklearn_refine.results._smoothing import estimate_noise
from sklearn_refine.results._table import Results

#: Number of cross-validation folds, and of points in the space, a power of 2.
N_FOLDS, N_POINTS = 5, 1024
#: Most candidates that the process is fitted to.
MAX_CANDIDATES = 500
#: Numbers with more values than this are continuous.
MAX_LISTED = 10
#: Prior of functions with several waves, on which the usual prior can be stuck. It is
#: tried too if the usual one explains something, but not nearly all.
SHORT = Prior(2.5, (math.log(0.2), 0.8), (0.0, 0.6), (math.log(0.1), 1.0))
MULTIMODAL_FROM, SMOOTH_ENOUGH = 0.05, 0.85
#: Minimum size of the halving iteration that importances are computed from.
MIN_HALVING_CANDIDATES = 20
#: Below this explained share, importances are noise.
ENOUGH_EXPLAINED = 0.2


class Importances(NamedTuple):
    """How much each varying parameter matters.

    Attributes
    ----------
    data : DataFrame
        One row per parameter, the most important first: `parameter`, `importance` (its
        share by itself), `total` (with interactions) and `std`, the error of `total`.
    explained : float
        R² on candidates that the process was not fitted to.
    """

    data: pd.DataFrame
    explained: float

    @property
    def are_evidence(self) -> bool:
        """Whether enough is explained to rank the parameters."""
        return self.explained >= ENOUGH_EXPLAINED


def compute_importances(results: Results, random_state: Any) -> Importances:
    """Return the importances of the varying parameters.

    The process is fitted to the scores, with very bad ones moved to the lowest score
    of interest. It is also fitted without each of five folds: this gives the explained
    share and, by the jackknife, the standard errors.

    Raises
    ------
    ValueError
        If fewer than three candidates have a score, or no parameter varies.
    """
    rows, parameters = comparable_candidates(results), results.varying
    if len(rows) < 3 or not parameters:
        raise ValueError(
            f"{len(rows)} candidates with a score on every split differ in "
            f"{len(parameters)} parameters; importances need at least 3 candidates "
            "(in a halving search, in one iteration) and a parameter that varies."
        )
    rng = check_random_state(random_state)
    if len(rows) > MAX_CANDIDATES:
        rows = np.sort(rng.choice(rows, MAX_CANDIDATES, replace=False))
    scores = round_scores(results.scores[rows])
    y = np.maximum(scores, score_limits(scores)[0])
    shares, errors, explained = np.zeros((2, len(parameters))), np.zeros(1), 0.0
    if y.min() < y.max():
        y = (y - y.mean()) / y.std()
        noise = estimate_noise(results.split_scores[rows])
        shares, errors, explained = _shares(parameters, rows, y, noise, rng)
    frame = pd.DataFrame(
        {
            "parameter": [parameter.name for parameter in parameters],
            "importance": shares[0],
            "total": shares[1],
            "std": np.broadcast_to(errors, len(parameters)),
        }
    )
    frame = frame.sort_values("total", ascending=False, kind="stable")
    return Importances(frame.reset_index(drop=True), explained)


def rank_parameters(results: Results, random_state: Any) -> list[Parameter]:
    """Return the varying parameters in the order of `order_parameters`."""
    if len(results.varying) < 2 or len(comparable_candidates(results)) < 3:
        return results.varying
    return order_parameters(results, compute_importances(results, random_state))


def order_parameters(results: Results, importances: Importances) -> list[Parameter]:
    """Return the varying parameters, the most important first.

    Without enough evidence for an order, they are sorted by name.
    """
    if not importances.are_evidence:
        return results.varying
    return [results.parameter(name) for name in importances.data["parameter"]]


def comparable_candidates(results: Results) -> np.ndarray:
    """Return the indices of the complete candidates whose scores can be compared.

    In a halving search, these are the candidates of one iteration, because scores also
    depend on the resources: the last iteration with MIN_HALVING_CANDIDATES, or the one
    with the most candidates.
    """
    rows = results.complete
    if results.resources is None or not len(rows):
        return rows
    rounds = results.rounds[rows]
    numbers, counts = np.unique(rounds, return_counts=True)
    enough = numbers[counts >= MIN_HALVING_CANDIDATES]
    number = enough[-1] if len(enough) else numbers[counts.argmax()]
    return np.asarray(rows[rounds == number])


def _shares(
    parameters: list[Parameter],
    rows: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return main and total shares, standard errors of the total, and R²."""
    parts = [p.encode([p.values[row] for row in rows.tolist()]) for p in parameters]
    X = np.hstack(parts)
    groups = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
    folds = KFold(min(N_FOLDS, len(y)), shuffle=True, random_state=rng)
    splits = list(folds.split(X))
    prior = SMOOTH
    processes, explained = _cross_validate(X, y, groups, noise, splits, prior)
    if MULTIMODAL_FROM < explained < SMOOTH_ENOUGH:
        others = _cross_validate(X, y, groups, noise, splits, SHORT)
        if others[1] > explained:
            prior, (processes, explained) = SHORT, others
    whole = gaussian_process(X, y, groups, noise, prior)
    points = _draw_points(parameters, rng)
    shares = [variance_shares(each, *points, groups) for each in processes]
    errors = np.sqrt((len(shares) - 1) * np.var(shares, axis=0)[1])
    return variance_shares(whole, *points, groups), errors, explained


def _cross_validate(
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    noise: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
    prior: Prior,
) -> tuple[list[GaussianProcess], float]:
    """Return the process without each fold, and R² on the folds; y has variance 1."""
    processes, squares = [], 0.0
    for train, test in splits:
        process = gaussian_process(X[train], y[train], groups, noise[train], prior)
        squares += float(np.sum((process.predict(X[test]) - y[test]) ** 2))
        processes.append(process)
    return processes, 1 - squares / len(y)


def variance_shares(
    process: GaussianProcess, first: np.ndarray, second: np.ndarray, groups: np.ndarray
) -> np.ndarray:
    """Return the shares of the variance of a function over pairs of random points.

    The two rows of the result are the main effect of each group of columns, and the
    total effect, which includes interactions (Jansen's estimators). A pair that differs
    in one group tells the total effect, and a pair that agrees in one tells the main
    effect.
    """
    a, b = process.predict(first), process.predict(second)
    variance = np.var(np.r_[a, b])
    shares = np.zeros((2, groups[-1] + 1))
    if variance < 1e-12:
        return shares
    for group in range(groups[-1] + 1):
        mixed = process.predict(np.where(groups == group, second, first))
        shares[0, group] = 1 - np.mean((b - mixed) ** 2) / (2 * variance)
        shares[1, group] = np.mean((a - mixed) ** 2) / (2 * variance)
    shares[0] = np.minimum(shares[0], shares[1])  # so it is, but for the few points
    return np.clip(shares, 0, None)


def _draw_points(
    parameters: list[Parameter], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of two samples of the space, of independent parameters."""
    n = len(parameters)
    unit = qmc.Sobol(2 * n, seed=rng.randint(2**31)).random(N_POINTS)
    first, second = (
        np.hstack([_at(p, u) for p, u in zip(parameters, half.T, strict=True)])
        for half in (unit[:, :n], unit[:, n:])
    )
    return first, second


def _at(parameter: Parameter, unit: np.ndarray) -> np.ndarray:
    """Return the features of a parameter at places in [0, 1] of its space.

    A number fills its range evenly, on its scale. Choices, layer sizes and few numbers
    are equally probable. A parameter is unset as often as in the candidates.
    """
    absent = 1 - parameter.is_set.mean()
    place = np.clip((unit - absent) / (1 - absent), 0, 1 - 1e-9)
    levels = parameter.levels
    encoded = parameter.encode(levels)
    if parameter.is_number and len(levels) > MAX_LISTED:
        low, high = encoded.min(), encoded.max()
        features = low + place[:, np.newaxis] * (high - low)
    else:
        features = encoded[(place * len(levels)).astype(int)]
    unset = parameter.encode([MISSING])
    return np.where((unit < absent)[:, np.newaxis], unset, features)
