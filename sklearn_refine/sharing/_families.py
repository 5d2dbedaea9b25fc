"""Families: models of which one that is fitted can serve others.

The first 50 trees of a forest of 200 are the forest of 50. A *family* says which
models are related like this, and how the one is made from the other. A served model
has no fit of its own. A change here may not break that its predictions have the same
bytes as those of a model that is fitted by itself.

To add a family, copy `_bagging.py` and list the family in `_registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from copy import copy
from numbers import Integral
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np


class Served(NamedTuple):
    """A model that another one serves.

    Attributes
    ----------
    model : estimator
        The fitted model.
    same : hashable or None
        Equal for models that one donor serves and that predict the same. None if there
        is no other model that predicts the same.
    n_columns : int or None
        Of a transformer: how many columns of the donor's transformed training rows are
        those of the model, if the family keeps them.
    """

    model: Any
    same: Hashable = None
    n_columns: int | None = None


class Widest(NamedTuple):
    """A transformer that serves all others of its family.

    Attributes
    ----------
    model : transformer
        The fitted transformer.
    rows : ndarray or None
        The transformed training rows, if ``transform`` returns other bits.
    """

    model: Any
    rows: Any = None


class Data(NamedTuple):
    """What a family may use to serve a model.

    Attributes
    ----------
    rows : sequence of array-like
        The rows for which predictions will be asked; empty if not known.
    fit : callable
        Fits a model on the training rows.
    """

    rows: Sequence[Any]
    fit: Callable[[Any], Any]


class Family(Protocol):
    """Models that differ only in some parameters, and of which one can serve others.

    Attributes
    ----------
    axes : tuple of str
        The parameters in which the models may differ.
    free : tuple of str
        The axes on which the largest value serves all smaller ones, whatever the data.
        Later rounds of a grid search try more values of them.
    """

    axes: tuple[str, ...]
    free: tuple[str, ...]

    def accepts(self, model: Any) -> bool:
        """Return whether an unfitted model can be a member."""
        ...

    def order(self, model: Any) -> Any:
        """Return a sort key: the models that can serve the most others come first."""
        ...

    def serve(self, donor: Any, model: Any, data: Data) -> Served | None:
        """Return a fitted model in place of an unfitted one.

        Parameters
        ----------
        donor : estimator
            A fitted member of the family.
        model : estimator
            An unfitted member of the family.
        data : Data
            The rows, and a way to fit a part of the model.

        Returns
        -------
        served : Served or None
            None if this donor cannot serve this model.
        """
        ...

    def size(self, model: Any) -> float:
        """Return a number proportional to the time that the model's own fit takes."""
        ...


@runtime_checkable
class WideFamily(Family, Protocol):
    """Transformers that cannot serve each other, but that a wider one serves."""

    def fit_widest(self, model: Any, X: Any) -> Widest | None:
        """Return a fitted transformer that serves all others.

        Parameters
        ----------
        model : transformer
            An unfitted member of the family.
        X : array-like
            The training rows.

        Returns
        -------
        widest : Widest or None
            None if the model must be fitted by itself.
        """
        ...


def view(donor: Any, model: Any, **fitted: Any) -> Any:
    """Return a model with its own parameters and the fitted attributes of a donor.

    Parameters
    ----------
    donor : estimator
        The fitted model.
    model : estimator
        The unfitted model; it is not changed.
    **fitted : dict
        Fitted attributes that differ from those of the donor.
    """
    made = copy(model)
    # What a clone keeps is the model's own, or its own lack of it.
    own = {"_sklearn_output_config", "_metadata_request"}
    # Unfitted models of scikit-learn have parameters only, and reading these is slow.
    is_own = type(model).__module__.startswith("sklearn.")
    own.update(vars(model) if is_own else model.get_params(deep=False))
    for name, value in vars(donor).items():
        # A method that is bound to the donor would predict with the donor.
        if name not in own and getattr(value, "__self__", None) is not donor:
            setattr(made, name, value)
    for name, value in fitted.items():
        setattr(made, name, value)
    return made


def is_whole(value: Any) -> bool:
    """Whether a value is an integer, and no bool, that is at least 1."""
    is_integer = isinstance(value, Integral) and not isinstance(value, bool)
    return is_integer and int(value) >= 1


def limit(value: Any) -> float:
    """Return an upper limit as a number; None is no limit."""
    return np.inf if value is None else float(value)


def is_limit(value: Any) -> bool:
    """Whether a value is None or an integer that is at least 1."""
    return value is None or is_whole(value)
