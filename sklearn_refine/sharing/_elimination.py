"""Recursive feature elimination: on the way to few features, it passes more."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_refine.sharing._families import Data, Served, is_whole, view


class Elimination:
    """RFE over the number of features, if the smallest number comes first."""

    axes: tuple[str, ...] = ("n_features_to_select",)
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        return is_whole(model.n_features_to_select) and is_whole(model.step)

    def order(self, model: Any) -> Any:
        return model.n_features_to_select

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        # Features that are eliminated together have one rank, the last ones 2.
        ranks = donor.ranking_
        n = model.n_features_to_select
        last = next((r for r in np.unique(ranks) if (ranks <= r).sum() == n), None)
        if last is None:
            return None
        return Served(
            view(
                donor,
                model,
                n_features_=np.int64(n),
                support_=ranks <= last,
                ranking_=np.maximum(ranks - last + 1, 1),
            )
        )

    def size(self, model: Any) -> float:
        return 1.0
