"""Expected times of fits, so that the longest can start first.

A change here may change the order of fits, but not which candidates are tried. The
module reads no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_refine.space._axes import value_key


class CostModel:
    """Predict the time of fits from model sizes and from earlier fits.

    Before any time is measured, the time of an MLP is expected to be proportional to
    its number of epochs and weights, and all other models are expected to take the same
    time. The weight of a measured time is 4 to the power of the number of parameters on
    which the two candidates agree.

    Parameters
    ----------
    n_features : int
        Number of features of the data, for the size of the first layer.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        # The latest candidates are the most similar to the next ones.
        self._measured: deque[tuple[dict[str, Any], float, float]] = deque(maxlen=256)

    def relative_size(self, params: Mapping[str, Any]) -> float:
        """Return a number that grows with the time of a fit."""
        size = 1.0
        for name, value in params.items():
            if name.endswith("hidden_layer_sizes"):
                weights = _n_weights(self.n_features, value)
                # A step costs as much as 2000 weights, however small the network is.
                size *= 2000.0 + weights
            elif name.endswith("max_iter") and isinstance(value, int):
                size *= max(1, value)
        return size

    def add_time(self, params: Mapping[str, Any], seconds: float) -> None:
        """Record the mean time of a candidate's fits."""
        keys = {name: value_key(value) for name, value in params.items()}
        self._measured.append((keys, self.relative_size(params), seconds))

    def predict(self, candidates: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the expected seconds per fit; relative sizes if none is timed yet."""
        sizes = np.array([self.relative_size(params) for params in candidates])
        if not self._measured:
            return sizes
        rates = np.array([seconds / size for _, size, seconds in self._measured])
        n_equal = np.zeros((len(candidates), len(rates)))
        for name in {name for keys, _, _ in self._measured for name in keys}:
            codes: dict[Any, int] = {}
            measured = [
                codes.setdefault(keys[name], len(codes)) if name in keys else -1
                for keys, _, _ in self._measured
            ]
            wanted = [
                codes.get(value_key(params[name]), -2) if name in params else -2
                for params in candidates
            ]
            n_equal += np.equal.outer(wanted, measured)
        weights = 4.0**n_equal
        return np.asarray(sizes * (weights @ rates) / weights.sum(axis=1))


def _n_weights(n_features: int, layers: Any) -> float:
    """Return the number of weights between layers, 0 for invalid layer sizes."""
    try:
        widths = np.append(n_features, np.asarray(layers, dtype=np.float64))
    except (TypeError, ValueError):
        return 0.0  # the fit will raise the error
    weights = float(widths[:-1] @ widths[1:])
    return weights if 0 <= weights < np.inf else 0.0
