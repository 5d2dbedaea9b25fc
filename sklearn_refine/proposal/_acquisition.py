"""Expected improvement: which candidates of a pool a batch of evaluations tries.

A change to the order of random draws or to a tie-break changes which candidates later
rounds try.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import erfcx, log_ndtr, ndtr

from sklearn_refine.proposal._gaussian_process import GaussianProcess

#: Most iterations when the expected improvement is maximized from several starts.
MAX_CLIMB_ITER = 30


def select_by_improvement(
    best: np.ndarray, pool: np.ndarray, n: int, chances: np.ndarray | float = 1.0
) -> list[int]:
    """Return the columns of the pool with the largest expected improvement.

    This is noisy expected improvement for a batch (Letham et al., 2019), maximized
    one candidate at a time (Wilson et al., 2018). The improvement of a candidate is
    its excess over all best candidates and all candidates selected before it,
    averaged over functions. So the batch avoids redundant candidates.

    Parameters
    ----------
    best : ndarray of shape (n_functions, n_best)
        Values of drawn functions at the best candidates.
    pool : ndarray of shape (n_functions, n_pool)
        Values of the same functions at the pool.
    n : int
        Number of columns to return, at most ``n_pool``.
    chances : ndarray of shape (n_pool,), default=1.0
        Probability that a candidate of the pool does not fail.
    """
    known = best.max(axis=1, initial=-np.inf, keepdims=True)
    # Without an expected improvement, the candidate with the highest mean is selected.
    tie_break = 1e-6 * pool.mean(axis=0)
    selected: list[int] = []
    for _ in range(n):
        gain = chances * np.maximum(pool - known, 0.0).mean(axis=0) + tie_break
        gain[selected] = -np.inf
        selected.append(int(gain.argmax()))
        known = np.maximum(known, pool[:, selected[-1:]])
    return selected


def log_expected_improvement(
    process: GaussianProcess, X: np.ndarray, best: float, spread: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the logarithm of the expected improvement, and its gradient.

    The logarithm has a useful gradient also where the improvement is tiny (Ament et
    al., 2023).

    Parameters
    ----------
    process : GaussianProcess
        Model of the scores.
    X : ndarray of shape (n, n_features)
        Points.
    best : float
        Score to improve on.
    spread : float
        Factor of the standard deviations. A larger spread means more exploration.
    """
    mean, deviation, mean_slope, deviation_slope = process.moments(X)
    deviation, deviation_slope = spread * deviation, spread * deviation_slope
    z = np.clip((mean - best) / deviation, -1e6, 1e6)
    value, slope = _log_h(z)
    z_slope = (mean_slope - z[:, np.newaxis] * deviation_slope) / deviation[:, None]
    gradient = deviation_slope / deviation[:, None] + slope[:, None] * z_slope
    return np.log(deviation) + value, gradient


def _log_h(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log(phi(z) + z Phi(z)) for the normal density phi, and its derivative."""
    log_phi = -0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    value = np.empty_like(z)
    near = z > -1
    value[near] = np.log(np.exp(log_phi[near]) + z[near] * ndtr(z[near]))
    far = z[~near]
    ratio = np.sqrt(np.pi / 2) * erfcx(-far / np.sqrt(2))  # Phi / phi
    # For large distances 1 + z Phi / phi cancels; its limit is 1 / z^2.
    rest = np.where(far > -1e3, 1 + far * ratio, 1 / far**2)
    value[~near] = log_phi[~near] + np.log(np.maximum(rest, 1e-300))
    return value, np.exp(log_ndtr(z) - value)


def climb(
    process: GaussianProcess,
    starts: np.ndarray,
    is_free: np.ndarray,
    best: float,
    spread: float,
) -> np.ndarray:
    """Return points near the starts with a larger expected improvement.

    Parameters
    ----------
    process, best, spread
        As in :func:`log_expected_improvement`.
    starts : ndarray of shape (n, n_features)
        Points from which the search starts.
    is_free : ndarray of bool, shape (n, n_features)
        Features that may change.
    """
    if not is_free.any():
        return starts
    lowest, highest = starts.min(initial=0.0), starts.max(initial=1.0)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        X = starts.copy()
        X[is_free] = flat
        value, gradient = log_expected_improvement(process, X, best, spread)
        return -float(value.sum()), -gradient[is_free]

    optimum = minimize(
        loss,
        starts[is_free],
        jac=True,
        method="L-BFGS-B",
        bounds=[(lowest, highest)] * int(is_free.sum()),
        options={"maxiter": MAX_CLIMB_ITER},
    )
    found = starts.copy()
    found[is_free] = optimum.x
    return found


def uncorrelated_rows(
    process: GaussianProcess, X: np.ndarray, n: int, most: float
) -> list[int]:
    """Return up to `n` rows of X, first ones first, without correlations over `most`.

    The correlations are prior ones, so they only depend on distances.
    """
    kernel = process.kernel(X, X)
    is_near = kernel > most * kernel.max(initial=0.0)
    chosen: list[int] = []
    for row in range(len(X)):
        if len(chosen) < n and not is_near[row, chosen].any():
            chosen.append(row)
    return chosen
