"""Nearest neighbours: one query for the most neighbours serves every smaller number.

The nearest 5 are the first 5 of the nearest 30, unless distances tie.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from sklearn_refine.sharing._families import Data, Served, is_whole, view


class Neighbors:
    """KNeighborsClassifier and KNeighborsRegressor over neighbours and weights."""

    axes: tuple[str, ...] = ("n_neighbors", "weights")
    free: tuple[str, ...] = ("n_neighbors",)

    def accepts(self, model: Any) -> bool:
        is_plain = model.weights in ("uniform", "distance", None)
        return is_plain and is_whole(model.n_neighbors)

    def order(self, model: Any) -> Any:
        return -model.n_neighbors

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        k = model.n_neighbors
        if not data.rows or k > min(donor.n_neighbors, donor.n_samples_fit_):
            return None  # more neighbours than rows are an error
        if _method(donor, k) != donor._fit_method:
            return None
        if model.weights == "uniform" and not _predicts_uniformly(donor):
            return None
        queries = vars(donor).setdefault("_shared_queries", {})
        for X in data.rows:
            if id(X) not in queries:
                queries[id(X)] = _Query(donor, X)
            if queries[id(X)].ties(k):
                return None
        served = view(donor, model, _fit_method="shared")
        served.kneighbors = _SharedNeighbors(k, queries)
        return Served(served)

    def size(self, model: Any) -> float:
        return 1.0


class _Query:
    """The nearest neighbours of some rows, for the largest number of neighbours."""

    def __init__(self, donor: Any, X: Any) -> None:
        self.rows = X  # kept, so that its id stays its own
        n_found = min(donor.n_neighbors + 1, donor.n_samples_fit_)
        distances, self.indices = type(donor).kneighbors(donor, X, n_found)
        self.distances = distances
        is_tie = (distances[:, 1:] == distances[:, :-1]).any(axis=0)
        if hasattr(donor, "classes_"):
            # Within the first k the order is of no effect: equal distances have equal
            # weights. At the end, it decides which label counts.
            self._ties = is_tie
        else:
            self._ties = np.logical_or.accumulate(is_tie)  # the order of a sum

    def ties(self, k: int) -> bool:
        """Whether the k-th neighbour of a row is as near as the next one."""
        return k <= len(self._ties) and bool(self._ties[k - 1])


class _SharedNeighbors:
    """Takes the place of ``kneighbors`` of a served model."""

    def __init__(self, k: int, queries: dict[int, _Query]) -> None:
        self._k = k
        self._queries = queries

    def __call__(
        self, X: Any, n_neighbors: Any = None, return_distance: bool = True
    ) -> Any:
        query = self._queries[id(X)]
        indices = query.indices[:, : self._k]
        if not return_distance:
            return indices
        return query.distances[:, : self._k], indices


def _predicts_uniformly(donor: Any) -> bool:
    """Whether a donor's rows can be classified by themselves with equal weights.

    scikit-learn 1.8 fails with some metrics if the classes are strings. A served model
    takes another way through its code and would not fail.
    """
    if "_predicts_uniformly" not in vars(donor):
        probe = copy(donor)
        probe.weights = "uniform"
        vars(probe).pop("feature_names_in_", None)
        try:
            type(donor).predict(probe, donor._fit_X[:1])
            donor._predicts_uniformly = True
        except Exception:
            donor._predicts_uniformly = False
    return bool(donor._predicts_uniformly)


def _method(donor: Any, k: int) -> str:
    """Return the algorithm that a donor would have used for k neighbours."""
    if donor.algorithm != "auto" or donor._fit_method != "brute":
        return str(donor._fit_method)
    many = donor.n_samples_fit_ // 2
    return "other" if donor.n_neighbors >= many > k else "brute"
