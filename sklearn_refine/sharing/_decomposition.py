"""Principal components: all of them are found, however few are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.base import clone

from sklearn_refine.sharing._families import Data, Served, Widest, is_whole, view

_OF_COMPONENTS = (
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
)


class Components:
    """PCA over the number of components, with a solver that finds all of them."""

    axes: tuple[str, ...] = ("n_components",)
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        n = model.n_components
        is_share = isinstance(n, float) and 0 < n < 1
        is_plain = model.copy is True and not hasattr(model, "_sklearn_output_config")
        return is_plain and (n is None or is_whole(n) or is_share)

    def order(self, model: Any) -> Any:
        return 0

    def fit_widest(self, model: Any, X: Any) -> Widest | None:
        solver = _solver(model, X)
        if solver is None or get_config()["transform_output"] != "default":
            return None
        donor = clone(model).set_params(n_components=None, svd_solver=solver)
        if solver == "full":
            return Widest(donor, donor.fit_transform(X))
        return Widest(donor.fit(X), None)  # transform returns the training rows, too

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        if donor.n_components is not None:
            return None
        variance, ratio = donor.explained_variance_, donor.explained_variance_ratio_
        n, most = model.n_components, len(variance)
        if _solver(model, data.rows[0]) != donor._fit_svd_solver:
            return None
        if n is None:
            n = most
        elif not is_whole(n):
            if ratio.dtype != np.float64:
                return None  # versions of scikit-learn add up other numbers
            n = np.searchsorted(np.cumsum(ratio), n, side="right") + 1
        elif n > most:
            return None
        fitted = {name: np.array(getattr(donor, name)[:n]) for name in _OF_COMPONENTS}
        noise = np.mean(variance[n:]) if n < most else 0.0
        served = view(donor, model, n_components_=n, noise_variance_=noise, **fitted)
        return Served(served, n_columns=n)

    def size(self, model: Any) -> float:
        return 1.0


def _solver(model: Any, X: Any) -> str | None:
    """Return the solver that a PCA uses, None if it does not find all components."""
    if sparse.issparse(X) or len(getattr(X, "shape", ())) != 2:
        return None
    n_rows, n_columns = X.shape
    if model.svd_solver == "covariance_eigh" and n_rows < n_columns:
        return None  # the widest has not all variances, which the noise is made of
    if model.svd_solver != "auto":
        is_exact = model.svd_solver in ("full", "covariance_eigh")
        return str(model.svd_solver) if is_exact else None
    if n_columns <= 1000 and n_rows >= 10 * n_columns:
        return "covariance_eigh"
    n, most = model.n_components, min(X.shape)
    is_small = max(X.shape) <= 500
    return "full" if is_small or n is None or not 1 <= n < 0.8 * most else None
