"""A tree of Pipeline steps: each distinct beginning is fitted once for a split.

Pipelines ask their ``memory`` before they fit a step. A `PrefixTree` answers with the
fitted step of an earlier Pipeline that began in the same way. It keeps only the steps
of the last Pipeline, so Pipelines must come in the order of the tree. A change here may
not break that each step gets a copy of its input, which it may change in place.
"""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import TransformerMixin

from sklearn_refine.sharing._copies import copy_data
from sklearn_refine.sharing._families import Data, WideFamily, Widest
from sklearn_refine.sharing._registry import family_key, find_family


@dataclass
class _Node:
    """A fitted step.

    Attributes
    ----------
    number : int or None
        Equal for steps that can be shared; None if this one must not be.
    step : transformer
        The fitted step.
    X : array-like
        The transformed training rows.
    seconds : float
        The time of the fit.
    test_rows : array-like or None
        The transformed test rows, once they are needed.
    donors : dict of hashable to Widest
        Fitted steps after this one that can serve others of their family.
    """

    number: int | None
    step: Any
    X: Any
    seconds: float
    test_rows: Any = None
    donors: dict[Hashable, Widest] = field(default_factory=dict)


class PrefixTree:
    """The fitted steps of the last Pipeline on one split, as the memory of the next.

    Parameters
    ----------
    paths : iterable of sequence of int
        The numbers of the steps of all Pipelines that will be fitted. Equal numbers
        stand for equal steps after equal steps.
    """

    def __init__(self, paths: Iterable[Sequence[int]]) -> None:
        self._n_uses: Counter[int | None]
        self._n_uses = Counter(number for path in paths for number in path)
        self._nodes: list[_Node] = []
        self._root_donors: dict[Hashable, Widest] = {}
        self._path: Sequence[int] = ()
        self._n_calls = 0
        self.new_seconds = 0.0  #: of the last Pipeline's steps that were fitted for it

    def start(self, path: Sequence[int], n_uses: int = 1) -> None:
        """Prepare for the fit of the Pipeline whose steps have these numbers.

        Its steps that must not be shared with others still have a number of uses.
        """
        self._path = path
        self._n_uses[None] = n_uses
        self._n_calls = 0
        self.new_seconds = 0.0

    def cache(self, function: Callable[..., Any], ignore: Any = None) -> Any:
        """Return a function that fits a step, or returns one that is fitted."""

        def fit_transform(transformer: Any, X: Any, y: Any, **params: Any) -> Any:
            place = self._n_calls
            self._n_calls += 1
            number = self._path[place]
            if len(self._nodes) > place and self._nodes[place].number == number:
                return self._nodes[place].X, self._nodes[place].step
            del self._nodes[place:]
            node = self._fit(function, transformer, X, y, params, number)
            self._nodes.append(node)
            self.new_seconds += node.seconds
            return node.X, node.step

        return fit_transform

    def __sklearn_clone__(self) -> PrefixTree:
        # A TransformedTargetRegressor fits a clone of its Pipeline.
        return self

    def _fit(
        self,
        function: Callable[..., Any],
        transformer: Any,
        X: Any,
        y: Any,
        params: dict[str, Any],
        number: int,
    ) -> _Node:
        start = time.perf_counter()
        donors = self._nodes[-1].donors if self._nodes else self._root_donors
        family = find_family(transformer)
        key: Hashable = None
        is_wide = isinstance(family, WideFamily)
        if family and (is_wide or _transforms_in_two_steps(transformer)):
            settings = transformer.get_params(deep=False)
            key = (type(transformer), family_key(family, "", settings))
            is_plain = not any(params["params"].values())
            if isinstance(family, WideFamily) and key not in donors and is_plain:
                widest = family.fit_widest(transformer, copy_data(X))
                if widest is not None:
                    donors[key] = widest
            if key in donors:
                donor, rows = donors[key]
                served = family.serve(donor, transformer, Data([X], _fit_nothing))
                if served is not None:
                    if rows is None:
                        X = served.model.transform(copy_data(X))
                    else:
                        X = rows[:, : served.n_columns]
                    seconds = time.perf_counter() - start
                    return _Node(number, served.model, X, seconds)
        state = global_random_state()
        X, step = function(transformer, copy_data(X), copy_data(y), **params)
        is_random = global_random_state() != state or _may_draw(step)
        if not (key is None or isinstance(family, WideFamily) or is_random):
            donors[key] = Widest(step)
        seconds = time.perf_counter() - start
        return _Node(None if is_random else number, step, X, seconds)

    def transform(self, X: Any) -> Any:
        """Pass the test rows through the steps."""
        for node in self._nodes:
            if node.test_rows is None:
                node.test_rows = node.step.transform(copy_data(X))
            X = node.test_rows
        return X

    @property
    def seconds(self) -> float:
        """The time of all steps of the last Pipeline."""
        return sum(node.seconds for node in self._nodes)

    @property
    def share(self) -> float:
        """The share of this time of each candidate of the last Pipeline."""
        return sum(
            node.seconds / max(1, self._n_uses[node.number]) for node in self._nodes
        )


def _fit_nothing(model: Any) -> None:
    raise RuntimeError(f"{model!r} is served without a fit.")


def global_random_state() -> bytes:
    """Return the state of the random numbers that a `random_state` of None draws."""
    return pickle.dumps(np.random.get_state(legacy=False))


def _transforms_in_two_steps(transformer: Any) -> bool:
    """Whether ``fit_transform`` is nothing but ``fit`` and ``transform``."""
    own = getattr(type(transformer), "fit_transform", None)
    return own is TransformerMixin.fit_transform


def _may_draw(step: Any) -> bool:
    """Whether a step of another library has a `random_state` that is None."""
    if type(step).__module__.startswith("sklearn."):
        return False
    return any(
        str(name).rpartition("__")[2] == "random_state" and value is None
        for name, value in step.get_params().items()
    )
