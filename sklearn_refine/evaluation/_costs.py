"""Expected times of fits, so that the longest can start first. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sklearn_refine.space._axes import value_key


class CostModel:
    """What candidates may take, from their size and from what others took.

    Before there are times, an MLP is expected to take time in proportion to its
    number of epochs and weights, and everything else the same time. A time that
    was measured counts for a candidate as much as their parameters agree.

    Parameters
    ----------
    n_features : int
        Of the data, for the size of the first layer.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        # The last ones are the most like what comes.
        self._seen: deque[tuple[dict[str, Any], float, float]] = deque(maxlen=256)

    def size(self, params: Mapping[str, Any]) -> float:
        """Return a number that grows with the time of a fit."""
        size = 1.0
        for name, value in params.items():
            if name.endswith("hidden_layer_sizes"):
                weights = _n_weights(self.n_features, value)
                size *= 2000.0 + weights  # so much is the cost of a step in itself
            elif name.endswith("max_iter") and isinstance(value, int):
                size *= max(1, value)
        return size

    def learn(self, params: Mapping[str, Any], seconds: float) -> None:
        """Note the mean time of a candidate's fits."""
        keys = {name: value_key(value) for name, value in params.items()}
        self._seen.append((keys, self.size(params), seconds))

    def expect(self, candidates: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the expected seconds of a fit of each; without any times, its size."""
        sizes = np.array([self.size(params) for params in candidates])
        if not self._seen:
            return sizes
        rates = np.array([seconds / size for _, size, seconds in self._seen])
        equal = np.zeros((len(candidates), len(rates)))
        for name in {name for keys, _, _ in self._seen for name in keys}:
            codes: dict[Any, int] = {}
            seen = [
                codes.setdefault(keys[name], len(codes)) if name in keys else -1
                for keys, _, _ in self._seen
            ]
            own = [
                codes.get(value_key(params[name]), -2) if name in params else -2
                for params in candidates
            ]
            equal += np.equal.outer(own, seen)
        weights = 4.0**equal
        return np.asarray(sizes * (weights @ rates) / weights.sum(axis=1))


def _n_weights(n_features: int, layers: Any) -> float:
    """Return the number of weights between layers; 0 for what are no widths."""
    try:
        tasks = np.append(n_features, np.asarray(layers, dtype=np.float64))
    except (TypeError, ValueError):
        return 0.0  # its own fit will say what is wrong
    weights = float(tasks[:-1] @ tasks[1:])
    return weights if 0 <= weights < np.inf else 0.0
