"""Selection of features by their scores: the scores do not depend on the number."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn_refine.sharing._families import Data, Served, view


class Selection:
    """SelectKBest and SelectPercentile over the number of features."""

    axes: tuple[str, ...] = ("k", "percentile")
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        if hasattr(model, "k"):
            k = model.k
            is_all = isinstance(k, str) and k == "all"
            return is_all or (_is_number(k, Integral) and k >= 0)
        return _is_number(model.percentile, Real) and 0 <= model.percentile <= 100

    def order(self, model: Any) -> Any:
        return 0

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        k: Any = getattr(model, "k", "all")
        if k != "all" and k > len(donor.scores_):
            return None  # a fit warns of this
        return Served(view(donor, model))

    def size(self, model: Any) -> float:
        return 1.0


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)
