"""A Gaussian process with priors on its hyperparameters, for as few as two points."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

#: Added to the diagonal of every covariance matrix that is factored, in units of the
#: variance of what is observed.
JITTER = 1e-6
#: How many standard deviations from its prior mean a hyperparameter may lie.
REACH = 4.0
#: Steps of the optimiser of the hyperparameters, and the most points it sees.
N_STEPS, N_POINTS = 40, 150


class Prior(NamedTuple):
    """What is taken for likely before the first observation.

    Attributes
    ----------
    nu : 1.5 or 2.5
        Smoothness of the Matern covariance.
    length, variance, noise : tuple of two floats
        Means and standard deviations of normal priors on the logarithms of the
        lengthscales (before they are multiplied by the root of their number) and of
        the variances of the function and of the noise.
    """

    nu: float
    length: tuple[float, float]
    variance: tuple[float, float]
    noise: tuple[float, float]


#: For what lies between the points; and for a search by random rounds, which finds more
#: if it takes the function for rougher, and so less for known.
SMOOTH = Prior(2.5, (math.log(0.5), 0.8), (0.0, 0.6), (math.log(0.2), 1.0))
ROUGH = Prior(1.5, (math.log(0.35), 0.8), (0.0, 0.6), (math.log(0.08), 1.0))


@dataclass(frozen=True)
class Kernel:
    """The Matern covariance of a function, with a lengthscale for each axis.

    Attributes
    ----------
    nu : 1.5 or 2.5
        Its smoothness.
    groups : ndarray of shape (n_features,)
        Which axis each feature belongs to, from 0 on.
    theta : ndarray of shape (n_axes + 2,)
        Logarithms of each axis' lengthscale, and of the variances of the function
        and of the noise.
    """

    nu: float
    groups: np.ndarray
    theta: np.ndarray

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.theta[-1]))

    def __call__(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return the covariance of the function at the rows of A and of B."""
        scales = np.exp(-self.theta[:-2])[self.groups]
        variance = np.exp(self.theta[-2])
        return np.asarray(
            variance * _matern(self.nu, _squared_distances(A * scales, B * scales))[0]
        )


@dataclass(frozen=True)
class GaussianProcess:
    """What is known of a function after noisy observations.

    Attributes
    ----------
    kernel : Kernel
        Covariance before the observations.
    X : ndarray of shape (n, n_features)
        Where it was observed.
    root : ndarray of shape (n, n)
        Lower Cholesky factor of the covariance of the observations.
    weights : ndarray of shape (n,)
        That covariance's inverse times the observations less their mean.
    mean : float
        Mean before the observations.
    """

    kernel: Kernel
    X: np.ndarray
    root: np.ndarray
    weights: np.ndarray
    mean: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the mean of the function at the rows of X."""
        return np.asarray(self.mean + self.kernel(X, self.X) @ self.weights)

    def draw(self, X: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw `n` functions at the rows of X, (n, n_rows)."""
        half = solve_triangular(self.root, self.kernel(self.X, X), lower=True)
        covariance = self.kernel(X, X) - half.T @ half
        covariance[np.diag_indices(len(X))] += 10 * JITTER
        root = cholesky(covariance, lower=True, overwrite_a=True)
        noise = rng.normal(size=(len(X), n))
        return np.asarray(self.predict(X) + (root @ noise).T)


def gaussian_process(
    X: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    noise: np.ndarray,
    prior: Prior = SMOOTH,
) -> GaussianProcess:
    """Return the function after observing `y`, at the most probable hyperparameters.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Points, each feature of about unit range.
    y : ndarray of shape (n,)
        Noisy observations, of about unit variance.
    groups : ndarray of shape (n_features,)
        Which axis each feature belongs to, from 0 on.
    noise : ndarray of shape (n,)
        Variance of the noise of each observation, up to a common factor.
    prior : Prior, default=SMOOTH
        Of the hyperparameters.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the covariance cannot be factored.
    """
    some = np.arange(len(X))
    if len(X) > N_POINTS:  # evenly spaced from the best to the worst
        places = np.linspace(0, len(X) - 1, N_POINTS).astype(int)
        some = np.sort(np.argsort(-y, kind="stable")[places])
    theta = _most_probable(X[some], y[some], groups, noise[some], prior)
    kernel = Kernel(prior.nu, groups, theta)
    covariance = kernel(X, X)
    covariance[np.diag_indices(len(X))] += kernel.noise * noise + JITTER
    root = cholesky(covariance, lower=True)
    ones = cho_solve((root, True), np.ones(len(y)))
    mean = float(ones @ y / ones.sum())
    return GaussianProcess(kernel, X, root, cho_solve((root, True), y - mean), mean)


def _most_probable(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, noise: np.ndarray, prior: Prior
) -> np.ndarray:
    """Return the hyperparameters of most posterior density, as in Kernel."""
    n_axes = int(groups.max(initial=-1)) + 1
    parts = [X[:, groups == axis] for axis in range(n_axes)]
    distances = np.array([_squared_distances(part, part) for part in parts])
    distances = distances.reshape(n_axes, len(X), len(X))
    length, spread = prior.length
    length += 0.5 * math.log(max(n_axes, 1))
    others = [prior.variance, prior.noise]
    center, width = np.array([(length, spread)] * n_axes + others).T
    centered = y - y.mean()

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _log_likelihood(theta, distances, centered, noise, prior.nu)
        z = (theta - center) / width
        return -value + 0.5 * float(z @ z), -gradient + z / width

    found = minimize(
        loss,
        center,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([center - REACH * width, center + REACH * width]),
        options={"maxiter": N_STEPS},
    )
    return np.asarray(found.x)


def _log_likelihood(
    theta: np.ndarray,
    distances: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray,
    nu: float,
) -> tuple[float, np.ndarray]:
    """Return the log marginal likelihood, up to a constant, and its gradient."""
    n = len(y)
    flat = distances.reshape(-1, n * n)
    inverse = np.exp(-2 * theta[:-2])
    variance, level = np.exp(theta[-2:])
    kernel, slope = _matern(nu, (inverse @ flat).reshape(n, n))
    kernel, slope = variance * kernel, variance * slope
    covariance = kernel.copy()
    covariance[np.diag_indices(n)] += level * noise + JITTER
    root = cholesky(covariance, lower=True)
    weights = cho_solve((root, True), y)
    value = -0.5 * y @ weights - np.log(np.diag(root)).sum()
    outer = np.outer(weights, weights) - cho_solve((root, True), np.eye(n))
    gradient = [
        inverse * (flat @ (outer * slope).ravel()),
        [0.5 * (outer * kernel).sum()],
        [0.5 * level * (np.diag(outer) * noise).sum()],
    ]
    return float(value), np.concatenate(gradient)


def _squared_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    squared = (A**2).sum(axis=1)[:, np.newaxis] + (B**2).sum(axis=1) - 2 * A @ B.T
    return np.asarray(np.maximum(squared, 0.0))


def _matern(nu: float, squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlation at squared distances, and minus its slope in these."""
    root = np.sqrt(2 * nu * squared)
    decay = np.exp(-root)
    if nu == 1.5:
        return (1 + root) * decay, 1.5 * decay
    return (1 + root + root**2 / 3) * decay, (5 / 6) * (1 + root) * decay
