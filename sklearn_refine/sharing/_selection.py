"""Selection of features by their scores: the scores do not depend on the number."""

from __future__ import annotations

from typing import Any

from sklearn_refine.sharing._families import Data, Served, view


class Selection:
    """SelectKBest and SelectPercentile over the number of features."""

    axes: tuple[str, ...] = ("k", "percentile")
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        return True

    def order(self, model: Any) -> Any:
        return 0

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        return Served(view(donor, model))

    def size(self, model: Any) -> float:
        return 1.0
