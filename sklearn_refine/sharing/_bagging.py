"""Bagging: the first models of a large ensemble are a small one."""

from __future__ import annotations

from typing import Any

from sklearn_refine.sharing._families import Data, Served, is_whole, view


class Bagging:
    """BaggingClassifier and BaggingRegressor over the number of estimators."""

    axes: tuple[str, ...] = ("n_estimators",)
    free: tuple[str, ...] = ("n_estimators",)

    def accepts(self, model: Any) -> bool:
        return is_whole(model.n_estimators) and not model.oob_score

    def order(self, model: Any) -> Any:
        return -model.n_estimators

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        n = model.n_estimators
        if n > len(donor.estimators_):
            return None
        return Served(
            view(
                donor,
                model,
                estimators_=donor.estimators_[:n],
                estimators_features_=donor.estimators_features_[:n],
                _seeds=donor._seeds[:n],
            ),
            same=n,
        )

    def size(self, model: Any) -> float:
        return float(model.n_estimators)
