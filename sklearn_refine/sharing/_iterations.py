"""Models that stop before their largest number of iterations.

Such a fit is also the fit for every other limit that it does not reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_refine.sharing._families import Data, Served, is_whole, view


class Iterations:
    """Iterative models over the largest number of iterations."""

    axes: tuple[str, ...] = ("max_iter",)
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        return is_whole(model.max_iter) or (
            hasattr(model, "kernel") and model.max_iter == -1
        )

    def order(self, model: Any) -> Any:
        return -_limit(model)

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        if _limit(donor) != _limit(model):
            n_done = getattr(donor, "n_iter_", None)
            # The fits behind a support vector machine's probabilities are not counted.
            if n_done is None or has_probabilities(donor):
                return None
            n_done = np.max(n_done)
            if not n_done < min(_limit(donor), _limit(model)):
                return None
        return Served(view(donor, model), same="all")

    def size(self, model: Any) -> float:
        return 1.0


class Twins:
    """Models that differ only in parameters which have no effect."""

    axes: tuple[str, ...] = ()
    free: tuple[str, ...] = ()

    def accepts(self, model: Any) -> bool:
        return True

    def order(self, model: Any) -> Any:
        return 0

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        return Served(view(donor, model), same="all")

    def size(self, model: Any) -> float:
        return 1.0


def has_probabilities(model: Any) -> bool:
    """Whether a support vector machine fits others, on random rows, to predict them.

    The parameter may be "deprecated".
    """
    value = getattr(model, "probability", False)
    return bool(value) and not isinstance(value, str)


def _limit(model: Any) -> float:
    """Return the limit as a number; -1 of a support vector machine is none."""
    return np.inf if model.max_iter == -1 else float(model.max_iter)
