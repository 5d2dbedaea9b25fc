"""Boosting: the first stages of a long run are a short one.

A run that stopped early is also every longer run.
"""

from __future__ import annotations

from typing import Any

from sklearn_refine.sharing._families import Data, Served, is_whole, view

#: Fitted attributes with one entry for each stage.
_OF_STAGES = (
    "estimators_",
    "estimator_weights_",
    "estimator_errors_",
    "train_score_",
    "oob_improvement_",
    "oob_scores_",
)


class Stages:
    """Boosted models over the number of stages."""

    axes: tuple[str, ...] = ("n_estimators",)
    free: tuple[str, ...] = ("n_estimators",)

    def accepts(self, model: Any) -> bool:
        return is_whole(model.n_estimators)

    def order(self, model: Any) -> Any:
        return -model.n_estimators

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        n, n_done = model.n_estimators, len(donor.estimators_)
        if n > n_done and n_done == donor.n_estimators:
            return None
        fitted = {
            name: getattr(donor, name)[:n]
            for name in _OF_STAGES
            if hasattr(donor, name)
        }
        if hasattr(donor, "n_estimators_"):
            fitted["n_estimators_"] = min(n, n_done)
        return Served(view(donor, model, **fitted), same=min(n, n_done))

    def size(self, model: Any) -> float:
        return float(model.n_estimators)


class HistogramStages:
    """Histogram gradient boosting over the number of stages."""

    axes: tuple[str, ...] = ("max_iter",)
    free: tuple[str, ...] = ("max_iter",)

    def accepts(self, model: Any) -> bool:
        return is_whole(model.max_iter)

    def order(self, model: Any) -> Any:
        return -model.max_iter

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        n, n_done = model.max_iter, donor.n_iter_
        if n > n_done and n_done == donor.max_iter:
            return None
        fitted = {
            "_predictors": donor._predictors[:n],
            "train_score_": donor.train_score_[: n + 1],
            "validation_score_": donor.validation_score_[: n + 1],
        }
        return Served(view(donor, model, **fitted), same=min(n, n_done))

    def size(self, model: Any) -> float:
        return float(model.max_iter)
