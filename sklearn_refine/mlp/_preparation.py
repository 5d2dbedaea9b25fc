"""Preparation of fits: initial weights, training rows, and what fits can share.

scikit-learn itself checks the data and initialises the models, so that errors, warnings
and random draws are its own. Sharing must not change which numbers a generator draws.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_refine._sklearn_compat import (
    CheckedData,
    early_stopping_scores,
    prepare_stochastic_fit,
    start_optimizer,
)
from sklearn_refine.mlp._fits import MLPFit
from sklearn_refine.mlp._rows import (
    Permutation,
    TrainingRows,
    append_bias_column,
    distinct,
)
from sklearn_refine.mlp._validation import hold_out

AUTO_BATCH_SIZE = 200  # scikit-learn's maximum for batch_size="auto"

# Parameters that determine a model's initial state.
INITIAL_STATE_PARAMS = (
    "hidden_layer_sizes",
    "activation",
    "solver",
    "loss",
    "early_stopping",
    "random_state",
)
# Parameters that all models of a stack have in common.
STACK_PARAMS = (
    "activation",
    "loss",
    "solver",
    "shuffle",
    "early_stopping",
    "nesterovs_momentum",
)
# In single precision, numpy scalars in these parameters promote some arrays.
PROMOTING_PARAMS = ("power_t", "momentum", "beta_1", "beta_2", "epsilon")


@dataclass
class PreparedFit:
    """An initialised fit, the rows that it reads, and the key of fits like it.

    Fits with equal keys can train in one stack.
    """

    fit: MLPFit
    rows: TrainingRows
    key: Hashable


@dataclass
class PreparationCache:
    """Intermediate results that several fits share.

    Keys contain the ``id`` of arrays and generators. The fits, or the cache, keep these
    objects alive.

    Attributes
    ----------
    n_fits : Counter
        Number of fits with each initial state.
    checked_data : dict
        Data that scikit-learn has checked.
    initial_states : dict
        An initialised model, and the names of the attributes that initialisation sets.
    biased_rows : dict
        Each X, and its copy with a bias column.
    training_rows : dict
        Training rows that several models read in the same order.
    rng_states : dict
        Each generator that is not drawn from, and its state.
    """

    n_fits: Counter[Hashable] = field(default_factory=Counter)
    checked_data: dict[Hashable, CheckedData] = field(default_factory=dict)
    initial_states: dict[Hashable, Any] = field(default_factory=dict)
    biased_rows: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    training_rows: dict[Hashable, TrainingRows] = field(default_factory=dict)
    rng_states: dict[int, tuple[Any, bytes]] = field(default_factory=dict)

    def add_bias_column(self, rows: TrainingRows) -> None:
        """Add a bias column to training rows; rows with the same X share the copy."""
        X = rows.X
        if id(X) not in self.biased_rows:
            self.biased_rows[id(X)] = X, append_bias_column(X)
        rows.X = self.biased_rows[id(X)][1]

    def rng_state(self, rng: np.random.RandomState) -> bytes:
        """Return the state of a generator that is not drawn from."""
        if id(rng) not in self.rng_states:
            self.rng_states[id(rng)] = rng, pickle.dumps(rng.get_state(legacy=False))
        return self.rng_states[id(rng)][1]


def nominal_batch_size(model: Any) -> int:
    """Return the batch size for data with enough rows."""
    return AUTO_BATCH_SIZE if model.batch_size == "auto" else int(model.batch_size)


def initial_state_key(fit: MLPFit) -> Hashable:
    """Return a key of the fit's initial state, or None if the state is random."""
    model = fit.model
    if not isinstance(model.random_state, Integral):
        return None
    return (
        *(id(fit.X), id(fit.y), id(fit.weight), type(model)),
        str([getattr(model, name) for name in INITIAL_STATE_PARAMS]),
    )


def prepare_fit(fit: MLPFit, cache: PreparationCache) -> PreparedFit | None:
    """Initialise a model and find the rows that it reads.

    Return None, and set `fit.alone`, if the fit must be left to scikit-learn.
    """
    model = fit.model
    random_state = deepcopy(model.random_state)
    X, y, weight = _initialise(fit, cache)
    if _is_unsupported(model, X, y, weight):
        fit.alone = True
        model.random_state = random_state  # as it was before weights were drawn
        return None
    rows = _find_training_rows(fit, X, y, weight, cache)
    _record_batch_size_warning(fit, len(rows.X))
    is_float32 = X.dtype == np.float32
    key = (
        type(model),
        tuple(coef.shape for coef in model.coefs_),
        X.dtype.str,
        y.dtype.str,
        weight is None,
        model.random_state is None,
        model.out_activation_,
        nominal_batch_size(model),
        *(getattr(model, name) for name in STACK_PARAMS),
        _promotion_key(model) if is_float32 else None,
    )
    return PreparedFit(fit, rows, key)


def _initialise(fit: MLPFit, cache: PreparationCache) -> tuple[Any, Any, Any]:
    """Let scikit-learn check and initialise a model; return X, y and weight.

    If another model has the same initial state, it is copied from there. Only the
    model's own parameters are checked then.
    """
    model = fit.model
    data_key = (id(fit.X), id(fit.y), id(fit.weight), type(model))
    key = initial_state_key(fit)
    if key in cache.initial_states:
        model._validate_params()
        initialised, names = cache.initial_states[key]
        for name in names:
            value = getattr(initialised, name)
            # A generator is the most expensive object to copy. It can be shared,
            # because only copies of it are drawn from.
            setattr(model, name, value if name == "_random_state" else deepcopy(value))
    else:
        names_before = set(vars(model))
        # A y with a single column must be checked, and warned of, in each fit.
        is_column = np.shape(fit.y)[1:] == (1,)
        checked = None if is_column else cache.checked_data.get(data_key)
        cache.checked_data[data_key] = prepare_stochastic_fit(
            model, fit.X, fit.y, fit.weight, checked
        )
        if key is not None and cache.n_fits[key] > 1:
            names = vars(model).keys() - names_before
            cache.initial_states[key] = deepcopy(model), names
    start_optimizer(model)
    return cache.checked_data[data_key][0]


def _is_unsupported(model: Any, X: Any, y: Any, weight: Any) -> bool:
    """Return whether a fit with checked data must be left to scikit-learn."""
    return (
        (X.dtype == np.float32 and _mixes_precisions(model, y, weight))
        or (weight is not None and weight.dtype != X.dtype)
        or (model.early_stopping and not early_stopping_scores(model))
    )


def _mixes_precisions(model: Any, y: Any, weight: Any) -> bool:
    """Return whether scikit-learn adds some float32 numbers in double precision."""
    return (
        weight is not None
        or isinstance(model.alpha, np.integer)
        or any(
            isinstance(getattr(model, name), np.generic) for name in PROMOTING_PARAMS
        )
        or (model.loss == "poisson" and y.dtype.itemsize < 4)
    )


def _promotion_key(model: Any) -> Hashable:
    """Return a key of the other causes of sums in double precision."""
    return type(model.alpha), type(model.learning_rate_init), model.batch_size == "auto"


def _find_training_rows(
    fit: MLPFit, X: Any, y: Any, weight: Any, cache: PreparationCache
) -> TrainingRows:
    """Return the rows that a model reads; models with equal generators share them."""
    model = fit.model
    rng = model._random_state
    is_seeded = model.random_state is not None
    # With one unit, each product is a product with a vector, whose bits may change.
    use_bias_column = model.coefs_[0].shape[1] > 1
    key = (
        # The class decides how the target is encoded.
        (id(fit.X), id(fit.y), id(fit.weight), type(model)),
        use_bias_column,
        cache.rng_state(rng) if is_seeded else id(model),
        model.early_stopping and model.validation_fraction,
    )
    if key not in cache.training_rows:
        if model.early_stopping:
            # Holding rows out draws from the generator, which other fits may share.
            own_rng = deepcopy(rng) if is_seeded else rng
            rows = hold_out(model, X, y, weight, own_rng)
        else:
            rows = TrainingRows(X, y, weight, None, Permutation(rng, len(X)))
        if use_bias_column:
            cache.add_bias_column(rows)
        cache.training_rows[key] = rows
    return cache.training_rows[key]


def _record_batch_size_warning(fit: MLPFit, n_samples: int) -> None:
    if fit.model.batch_size != "auto" and fit.model.batch_size > n_samples:
        message = (
            "Got `batch_size` less than 1 or larger than "
            "sample size. It is going to be clipped"
        )
        fit.messages = [(message, UserWarning)]


def restart_permutations(
    rows_of_models: Sequence[TrainingRows], cache: PreparationCache
) -> list[TrainingRows]:
    """Return the same rows with new permutations, to be shuffled from the start.

    Rows that are shuffled alike share one permutation.
    """
    permutations: dict[Hashable, Permutation] = {}
    restarted: dict[int, TrainingRows] = {}
    for rows in distinct(rows_of_models):
        key = cache.rng_state(rows.permutation.rng), len(rows.X)
        if key not in permutations:
            permutations[key] = rows.permutation.restart()
        restarted[id(rows)] = replace(rows, permutation=permutations[key])
    return [restarted[id(rows)] for rows in rows_of_models]
