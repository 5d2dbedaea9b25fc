"""XGBoost and LightGBM: the first trees of a long run are a short one.

Both are found by the names of their classes and imported nowhere.
"""

from __future__ import annotations

from inspect import signature
from typing import Any

from sklearn_refine.sharing._families import Data, Served, is_whole, view

#: Further parameters that neither decide the number of trees nor how they are joined.
_HARMLESS = {
    *("verbose", "verbosity", "seed", "nthread", "num_threads", "use_label_encoder"),
    *("deterministic", "force_row_wise", "force_col_wise", "max_bin", "metric"),
    *("feature_fraction", "bagging_fraction", "bagging_freq", "scale_pos_weight"),
    *("min_data_in_leaf", "lambda_l1", "lambda_l2", "path_smooth", "is_unbalance"),
    *("min_gain_to_split", "extra_trees", "cat_smooth", "cat_l2"),
}


def _has_only_known_params(model: Any) -> bool:
    """Whether all parameters are named in the signature or known to do no harm."""
    named = {name for cls in type(model).__mro__ for name in signature(cls).parameters}
    return set(model.get_params(deep=False)) <= named | _HARMLESS


class XGBoost:
    """XGBoost's trees over their number."""

    axes: tuple[str, ...] = ("n_estimators",)
    free: tuple[str, ...] = ("n_estimators",)

    def accepts(self, model: Any) -> bool:
        is_plain = model.early_stopping_rounds is None and model.callbacks is None
        is_gbtree = model.booster in (None, "gbtree")
        is_plain = is_plain and is_gbtree and _has_only_known_params(model)
        return is_plain and is_whole(model.n_estimators)

    def order(self, model: Any) -> Any:
        return -model.n_estimators

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        booster, n = donor.get_booster(), model.n_estimators
        if n > booster.num_boosted_rounds():
            return None
        return Served(view(donor, model, _Booster=booster[:n]), same=n)

    def size(self, model: Any) -> float:
        return float(model.n_estimators)


class LightGBM:
    """LightGBM's trees over their number; not with dart, which changes old trees."""

    axes: tuple[str, ...] = ("n_estimators",)
    free: tuple[str, ...] = ("n_estimators",)

    def accepts(self, model: Any) -> bool:
        is_plain = model.boosting_type == "gbdt" and _has_only_known_params(model)
        return is_plain and is_whole(model.n_estimators)

    def order(self, model: Any) -> Any:
        return -model.n_estimators

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        n = model.n_estimators
        if n > donor.n_estimators or donor.booster_.best_iteration > 0:
            return None
        first = _FirstTrees(donor.booster_, n)
        return Served(view(donor, model, _Booster=first), same=n)

    def size(self, model: Any) -> float:
        return float(model.n_estimators)


class _FirstTrees:
    """A LightGBM booster that predicts with its first trees.

    The number must be given to ``predict``; the attributes of a booster that could
    hold it are not read there.
    """

    def __init__(self, booster: Any, n: int) -> None:
        self._booster = booster
        self._n = n

    def __getattr__(self, name: str) -> Any:
        return getattr(self._booster, name)

    def predict(self, X: Any, **params: Any) -> Any:
        """Return the predictions of the first trees."""
        return self._booster.predict(X, **{**params, "num_iteration": self._n})
