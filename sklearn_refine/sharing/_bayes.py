"""Naive Bayes: the counts do not depend on the smoothing."""

from __future__ import annotations

from numbers import Real
from typing import Any

from sklearn_refine.sharing._families import Data, Served, view

#: scikit-learn warns of less, or raises it to this value.
SMALLEST_ALPHA = 1e-10


class NaiveBayes:
    """Naive Bayes of counts over the smoothing."""

    axes: tuple[str, ...] = ("alpha",)
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        alpha = model.alpha
        is_number = isinstance(alpha, Real) and not isinstance(alpha, bool)
        return is_number and SMALLEST_ALPHA <= alpha < float("inf")

    def order(self, model: Any) -> Any:
        return 0

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        served = view(donor, model)
        served._update_feature_log_prob(served._check_alpha())
        return Served(served)

    def size(self, model: Any) -> float:
        return 1.0
