"""A Gaussian process with priors on its hyperparameters.

The priors make it usable from two observations on. Surrogates and smoothed results
depend on every constant here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

#: Added to the diagonal of covariance matrices before their Cholesky decomposition, in
#: units of the variance of the observations.
JITTER = 1e-6
#: Largest distance of a hyperparameter from its prior mean, in standard deviations.
MAX_DEVIATIONS = 4.0
#: Most iterations and most observations in the optimisation of the hyperparameters.
MAX_ITER, MAX_OBSERVATIONS = 40, 150


class Prior(NamedTuple):
    """Prior distribution of the hyperparameters.

    Attributes
    ----------
    nu : 1.5 or 2.5
        Smoothness of the Matern covariance.
    length, variance, noise : tuple of two floats
        Mean and standard deviation of a normal prior on the logarithm of each
        lengthscale, of the function variance and of the noise variance. The prior
        mean lengthscale is multiplied by the square root of the number of axes.
    """

    nu: float
    length: tuple[float, float]
    variance: tuple[float, float]
    noise: tuple[float, float]


#: SMOOTH is for interpolation. ROUGH is for random searches: they find better
#: candidates with a rougher prior, which is less certain between observations.
SMOOTH = Prior(2.5, (math.log(0.5), 0.8), (0.0, 0.6), (math.log(0.2), 1.0))
ROUGH = Prior(1.5, (math.log(0.35), 0.8), (0.0, 0.6), (math.log(0.08), 1.0))


@dataclass(frozen=True)
class Kernel:
    """A Matern covariance function with one lengthscale per axis.

    Attributes
    ----------
    nu : 1.5 or 2.5
        Smoothness of the function.
    groups : ndarray of shape (n_features,)
        Index of the axis of each feature.
    theta : ndarray of shape (n_axes + 2,)
        Logarithms of the lengthscales, the function variance and the noise variance.
    """

    nu: float
    groups: np.ndarray
    theta: np.ndarray

    @property
    def noise(self) -> float:
        """Variance of the noise."""
        return float(np.exp(self.theta[-1]))

    def __call__(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return the covariances of the function between the rows of A and of B."""
        scales = np.exp(-self.theta[:-2])[self.groups]
        variance = np.exp(self.theta[-2])
        return np.asarray(
            variance * _matern(self.nu, _squared_distances(A * scales, B * scales))[0]
        )


@dataclass(frozen=True)
class GaussianProcess:
    """The posterior distribution of a function after noisy observations.

    Attributes
    ----------
    kernel : Kernel
        Prior covariance.
    X : ndarray of shape (n, n_features)
        Points of the observations.
    root : ndarray of shape (n, n)
        Lower Cholesky factor of the covariance of the observations.
    weights : ndarray of shape (n,)
        Inverse of this covariance times the observations minus `mean`.
    mean : float
        Prior mean.
    """

    kernel: Kernel
    X: np.ndarray
    root: np.ndarray
    weights: np.ndarray
    mean: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the posterior mean at the rows of X."""
        return np.asarray(self.mean + self.kernel(X, self.X) @ self.weights)

    def moments(
        self, X: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return posterior means, standard deviations, and the gradients of both."""
        kernel = self.kernel
        scales = np.exp(-kernel.theta[:-2])[kernel.groups]
        variance = np.exp(kernel.theta[-2])
        squared = _squared_distances(X * scales, self.X * scales)
        correlation, slope = _matern(kernel.nu, squared)
        covariance, slope = variance * correlation, -2 * variance * slope
        solved = cho_solve((self.root, True), covariance.T).T

        def derive(weights: np.ndarray) -> np.ndarray:
            pulls = slope * weights
            return np.asarray(
                (pulls.sum(axis=1)[:, np.newaxis] * X - pulls @ self.X) * scales**2
            )

        left = np.maximum(variance - (covariance * solved).sum(axis=1), JITTER)
        deviation = np.sqrt(left)
        return (
            self.mean + covariance @ self.weights,
            deviation,
            derive(self.weights),
            -derive(solved) / deviation[:, np.newaxis],
        )

    def draw(self, X: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
        """Draw the values of `n` functions at the rows of X, shape (n, n_rows)."""
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
    """Fit a Gaussian process with the most probable hyperparameters.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        Points. The range of each feature is about 1.
    y : ndarray of shape (n,)
        Noisy observations with a variance of about 1.
    groups : ndarray of shape (n_features,)
        Index of the axis of each feature.
    noise : ndarray of shape (n,)
        Relative noise variance of each observation.
    prior : Prior, default=SMOOTH
        Prior of the hyperparameters.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the covariance matrix is not positive definite.
    """
    subset = np.arange(len(X))
    if len(X) > MAX_OBSERVATIONS:  # evenly spaced from the best to the worst
        ranks = np.linspace(0, len(X) - 1, MAX_OBSERVATIONS).astype(int)
        subset = np.sort(np.argsort(-y, kind="stable")[ranks])
    theta = _fit_theta(X[subset], y[subset], groups, noise[subset], prior)
    kernel = Kernel(prior.nu, groups, theta)
    covariance = kernel(X, X)
    covariance[np.diag_indices(len(X))] += kernel.noise * noise + JITTER
    root = cholesky(covariance, lower=True)
    ones = cho_solve((root, True), np.ones(len(y)))
    mean = float(ones @ y / ones.sum())
    weights = cho_solve((root, True), y - mean)
    return GaussianProcess(kernel, X, root, weights, mean)


def _fit_theta(
    X: np.ndarray, y: np.ndarray, groups: np.ndarray, noise: np.ndarray, prior: Prior
) -> np.ndarray:
    """Return `theta` of `Kernel` with the highest posterior density."""
    n_axes = int(groups.max(initial=-1)) + 1
    parts = [X[:, groups == axis] for axis in range(n_axes)]
    distances = np.array([_squared_distances(part, part) for part in parts])
    distances = distances.reshape(n_axes, len(X), len(X))
    length, spread = prior.length
    length += 0.5 * math.log(max(n_axes, 1))
    variances = [prior.variance, prior.noise]
    center, width = np.array([(length, spread)] * n_axes + variances).T
    reach = MAX_DEVIATIONS * width
    centered = y - y.mean()

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = _log_likelihood(theta, distances, centered, noise, prior.nu)
        z = (theta - center) / width
        return -value + 0.5 * float(z @ z), -gradient + z / width

    optimum = minimize(
        loss,
        center,
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([center - reach, center + reach]),
        options={"maxiter": MAX_ITER},
    )
    return np.asarray(optimum.x)


def _log_likelihood(
    theta: np.ndarray,
    distances: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray,
    nu: float,
) -> tuple[float, np.ndarray]:
    """Return the log marginal likelihood up to a constant, and its gradient."""
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
    """Return the correlation at squared distances, and its negative derivative."""
    root = np.sqrt(2 * nu * squared)
    decay = np.exp(-root)
    if nu == 1.5:
        return (1 + root) * decay, 1.5 * decay
    return (1 + root + root**2 / 3) * decay, (5 / 6) * (1 + root) * decay
