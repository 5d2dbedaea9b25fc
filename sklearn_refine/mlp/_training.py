"""Many MLPs trained as one, each as scikit-learn alone would have trained it."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

from sklearn_refine._sklearn_compat import (
    CheckedData,
    early_stopping_scores,
    prepare_stochastic_fit,
    start_optimizer,
    warn_as_mlp,
)
from sklearn_refine.mlp._rows import (
    HeldOut,
    Order,
    Stream,
    distinct,
    with_ones,
)
from sklearn_refine.mlp._stack import Stack

AUTO_BATCH = 200  # what scikit-learn's batch_size="auto" is at most
CACHE_BYTES = 3 << 21  # that a stack may take; a little more than inner caches hold
MOST_IN_STACK = 25


@dataclass
class MLPFit:
    """One fit that is asked for, and what came of it.

    Attributes
    ----------
    model : MLPClassifier or MLPRegressor
        To be fitted in place.
    X, y, weight : array-like
        What its ``fit`` would be given; the same objects where they are the same.
    error : Exception or None
        What its ``fit`` would have raised, or what ended the training of its stack;
        fitted by itself, each model of that shows whether it is to blame.
    messages : list of (str, category)
        The warnings that its ``fit`` would have given.
    alone : bool
        Whether it must be left to scikit-learn after all.
    diverged : bool
        Whether the error is that weights are not finite.
    late : bool
        Whether its share of the time went over the limit before it was done.
    seconds : float
        Its share of the time.
    """

    model: Any
    X: Any
    y: Any
    weight: Any = None
    error: Exception | None = None
    messages: Sequence[tuple[str, type[Warning]]] = ()
    diverged: bool = False
    alone: bool = False
    late: bool = False
    seconds: float = 0.0


def can_train(model: Any, X: Any) -> bool:
    """Whether `train_together` can do what the model's own ``fit`` would do.

    Everything else (``lbfgs``, sparse input, ``warm_start``, ``verbose``, a subclass,
    a parameter that is no plain number) is left to scikit-learn.

    Parameters
    ----------
    model : estimator
        Not fitted yet.
    X : array-like
        What it would be fitted on.

    Returns
    -------
    can : bool
    """
    if type(model) not in (MLPClassifier, MLPRegressor) or sparse.issparse(X):
        return False
    if hasattr(model, "_skl_callbacks"):
        return False
    if {"raise", "call", "log"} & set(np.geterr().values()):
        return False
    if not isinstance(model.max_iter, Integral) or model.max_iter < 1:
        return False
    if model.solver not in ("adam", "sgd") or model.warm_start or model.verbose:
        return False
    if model.batch_size != "auto" and not isinstance(model.batch_size, Integral):
        return False
    return all(_is_plain(getattr(model, name)) for name in _NUMBERS)


_NUMBERS = (
    "alpha",
    "learning_rate_init",
    "power_t",
    "momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "tol",
)
_IN_SINGLE = ("power_t", "momentum", "beta_1", "beta_2", "epsilon")


def _is_plain(value: Any) -> bool:
    return type(value) in (int, float, np.float64, np.int64)


def train_together(fits: Sequence[MLPFit], limit: float | None = None) -> None:
    """MLPFit models, those that can together, each as its own ``fit`` would.

    Weights, losses and numbers of iterations are the same to the last bit where the
    BLAS library gives the same product for the same matrices, however they lie in
    memory, as OpenBLAS does on one thread.

    Parameters
    ----------
    fits : sequence of MLPFit
        All of which `can_train` accepts; they are completed in place, but for
        those that turn out to be better left `alone`: single precision with sample
        weights or with numpy's numbers, weights of another precision than X, and early
        stopping where the version of scikit-learn fails to score classes that are no
        numbers.
    limit : float or None, default=None
        Seconds that each may take, of the time that they share.
    """
    prepared: dict[Hashable, list[_Prepared]] = {}
    known = _Known(Counter(map(_start_of, fits)))
    for fit in fits:
        start = time.perf_counter()
        try:
            ready = _prepare(fit, known)
        except Exception as error:
            fit.error = error
            ready = None
        fit.seconds += time.perf_counter() - start
        if ready is not None:
            prepared.setdefault(ready.key, []).append(ready)
    for group in prepared.values():
        for models in _stacks(group):
            try:
                stack = _trained(models, known, limit)
            except Exception as error:
                # Which of them it is about cannot be known. Its traceback holds all
                # arrays of the stack, for which memory may have been too small.
                for p in models:
                    p.fit.error = error.with_traceback(None)
                continue
            for p in models:
                _complete(p.fit, stack)


@dataclass
class _Prepared:
    fit: MLPFit
    stream: Stream
    key: Hashable


@dataclass
class _Known:
    """What fits have in common, by what it follows from."""

    starts: Counter[Hashable] = field(default_factory=Counter)
    data: dict[Hashable, CheckedData] = field(default_factory=dict)
    twins: dict[Hashable, Any] = field(default_factory=dict)
    rows: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    streams: dict[Hashable, Stream] = field(default_factory=dict)
    states: dict[int, tuple[Any, bytes]] = field(default_factory=dict)

    def add_ones(self, stream: Stream) -> None:
        """Give the rows of a stream a column of ones; once, if several have them."""
        X = stream.X
        if id(X) not in self.rows:
            self.rows[id(X)] = X, with_ones(X)
        stream.X = self.rows[id(X)][1]

    def state(self, rng: np.random.RandomState) -> bytes:
        """Return the state of a generator, which nobody draws from."""
        if id(rng) not in self.states:
            self.states[id(rng)] = rng, pickle.dumps(rng.get_state(legacy=False))
        return self.states[id(rng)][1]


def _initialise(fit: MLPFit, known: _Known) -> tuple[Any, Any, Any]:
    """Let scikit-learn check and initialise a model; return what it trains on.

    A model whose check and initialisation would be that of another takes it from
    there: only its own parameters are checked.
    """
    model = fit.model
    data = (id(fit.X), id(fit.y), id(fit.weight), type(model))
    key = _start_of(fit)
    if key in known.twins:
        model._validate_params()
        twin, names = known.twins[key]
        for name in names:
            value = getattr(twin, name)
            # No object is as costly to copy; nothing is drawn from it, but from the
            # copies that streams make.
            own_copy = value if name == "_random_state" else deepcopy(value)
            setattr(model, name, own_copy)
        start_optimizer(model)
    else:
        own = set(vars(model))
        # A single column is warned of in each fit.
        checked = known.data.get(data) if np.shape(fit.y)[1:] != (1,) else None
        known.data[data] = prepare_stochastic_fit(
            model, fit.X, fit.y, fit.weight, checked
        )
        if key is not None and known.starts[key] > 1:
            known.twins[key] = (deepcopy(model), vars(model).keys() - own)
        start_optimizer(model)
    return known.data[data][0]


def _start_of(fit: MLPFit) -> Hashable:
    """Return what the start of a fit depends on, or None if it is random."""
    model = fit.model
    if not isinstance(model.random_state, Integral):
        return None
    return (
        *(id(fit.X), id(fit.y), id(fit.weight), type(model)),
        str([getattr(model, name) for name in _INITIAL]),
    )


_INITIAL = (
    "hidden_layer_sizes",
    "activation",
    "solver",
    "loss",
    "early_stopping",
    "random_state",
)


def _prepare(fit: MLPFit, known: _Known) -> _Prepared | None:
    """Initialise a model; find what it can share."""
    model = fit.model
    before = deepcopy(model.random_state)
    X, y, weight = _initialise(fit, known)
    data = (id(fit.X), id(fit.y), id(fit.weight))  # kept alive by the fits
    single = X.dtype == np.float32
    if (single and _mixes(model, y, weight)) or (
        (weight is not None and weight.dtype != X.dtype)
        or (model.early_stopping and not early_stopping_scores(model))
    ):
        fit.alone = True
        model.random_state = before  # a generator that the first weights came from
        return None
    rng = model._random_state
    shared = model.random_state is not None
    ones = model.coefs_[0].shape[1] > 1  # else each product is that of a vector
    stream_key = (
        data,
        ones,
        known.state(rng) if shared else id(model),
        model.early_stopping and model.validation_fraction,
    )
    if stream_key not in known.streams:
        # Drawn from here for early stopping only; then a copy of it shuffles the rows.
        own = deepcopy(rng) if shared and model.early_stopping else rng
        known.streams[stream_key] = (
            _hold_out(model, X, y, weight, own)
            if model.early_stopping
            else Stream(X, y, weight, None, Order(own, len(X)))
        )
        if ones:
            known.add_ones(known.streams[stream_key])
    stream = known.streams[stream_key]
    _warn_of_batch_size(fit, len(stream.X))
    key = (
        type(model),
        tuple(coef.shape for coef in model.coefs_),
        X.dtype.str,
        y.dtype.str,
        weight is None,
        model.random_state is None,
        model.out_activation_,
        _nominal_batch(model),
        *(getattr(model, name) for name in _SHARED),
        _kinds_in_single(model) if single else None,
    )
    return _Prepared(fit, stream, key)


def _mixes(model: Any, y: Any, weight: Any) -> bool:
    """Whether scikit-learn does some of single precision's sums in double."""
    return (
        weight is not None
        or isinstance(model.alpha, np.integer)
        or any(isinstance(getattr(model, name), np.generic) for name in _IN_SINGLE)
        or (model.loss == "poisson" and y.dtype.itemsize < 4)
    )


def _kinds_in_single(model: Any) -> Hashable:
    """Return what else decides which of the sums are in double precision."""
    numbers = model.alpha, model.learning_rate_init
    return (*map(type, numbers), model.batch_size == "auto")


_SHARED = (
    "activation",
    "loss",
    "solver",
    "shuffle",
    "early_stopping",
    "nesterovs_momentum",
)


def _nominal_batch(model: Any) -> int:
    return AUTO_BATCH if model.batch_size == "auto" else int(model.batch_size)


def _hold_out(
    model: Any, X: Any, y: Any, weight: Any, rng: np.random.RandomState
) -> Stream:
    """Set rows aside for early stopping, as scikit-learn draws them."""
    is_classifier = isinstance(model, MLPClassifier)
    arrays = [X, y] if weight is None else [X, y, weight]
    parts = train_test_split(
        *arrays,
        random_state=rng,
        test_size=model.validation_fraction,
        stratify=y if is_classifier and y.shape[1] == 1 else None,
    )
    X_train, X_held, y_train, y_held = parts[:4]
    if len(X_held) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' "
            "or the size of your dataset."
        )
    target = y_held
    if is_classifier:
        target = model._label_binarizer.inverse_transform(y_held)
    weights = parts[4:] if weight is not None else (None, None)
    held_out = HeldOut(X_held, y_held, weights[1], target)
    return Stream(X_train, y_train, weights[0], held_out, Order(rng, len(X_train)))


def _warn_of_batch_size(fit: MLPFit, n_samples: int) -> None:
    if fit.model.batch_size != "auto" and fit.model.batch_size > n_samples:
        message = (
            "Got `batch_size` less than 1 or larger than "
            "sample size. It is going to be clipped"
        )
        fit.messages = [(message, UserWarning)]


def _complete(fit: MLPFit, stack: Stack) -> None:
    """Book what came of training on the fit."""
    model = fit.model
    fit.seconds += stack.seconds[id(model)]
    fit.error = stack.errors.get(id(model))
    fit.diverged = fit.error is not None
    fit.late = id(model) in stack.late
    if id(model) in stack.unconverged:
        message = (
            f"Stochastic Optimizer: Maximum iterations ({model.max_iter:d}) "
            "reached and the optimization hasn't converged yet."
        )
        fit.messages = [*fit.messages, (message, ConvergenceWarning)]


def warn_for(fit: MLPFit) -> None:
    """Give the warnings that a fit would have given, from where it would have."""
    for message, category in fit.messages:
        warn_as_mlp(message, category)


def _restarted(streams: Sequence[Stream], known: _Known) -> list[Stream]:
    """Return streams of the same rows, to be shuffled from the start.

    Those that would be shuffled alike have one order.
    """
    orders: dict[Hashable, Order] = {}
    fresh: dict[int, Stream] = {}
    for stream in distinct(streams):
        key = known.state(stream.order.rng), len(stream.X)
        if key not in orders:
            orders[key] = stream.order.restart()
        fresh[id(stream)] = replace(stream, order=orders[key])
    return [fresh[id(stream)] for stream in streams]


def _trained(models: Sequence[_Prepared], known: _Known, limit: float | None) -> Stack:
    """Train a stack."""
    streams = [p.stream for p in models]
    if models[0].fit.model.random_state is not None:
        streams = _restarted(streams, known)
    stack = Stack(
        [p.fit.model for p in models],
        streams,
        _nominal_batch(models[0].fit.model),
        limit,
    )
    stack.train()
    return stack


def _stacks(group: Sequence[_Prepared]) -> list[list[_Prepared]]:
    """Cut models that could train together into stacks that fit into the cache."""
    positions: dict[int, int] = {}
    for p in group:
        positions.setdefault(id(p.stream), len(positions))
    ordered = sorted(group, key=lambda p: (len(p.stream.X), positions[id(p.stream)]))
    stacks: list[list[_Prepared]] = []
    most = _most_in_stack(group[0])
    similar: list[list[_Prepared]] = []
    for p in ordered:
        n = len(p.stream.X)
        if similar and n - len(similar[-1][0].stream.X) <= max(1, n // 10):
            similar[-1].append(p)
        else:
            similar.append([p])
    for models in similar:
        n_stacks = -(-len(models) // most)
        for part in np.array_split(np.arange(len(models)), n_stacks):
            stacks.append([models[i] for i in part])
    return stacks


def _most_in_stack(p: _Prepared) -> int:
    """Return how many models of a kind the cache holds."""
    coefs = p.fit.model.coefs_
    n_rows = min(_nominal_batch(p.fit.model), len(p.stream.X))
    units = sum(coef.shape[1] for coef in coefs)
    values = 6 * sum(coef.size for coef in coefs) + 3 * n_rows * units
    of_model = values * p.stream.X.itemsize
    return int(np.clip(CACHE_BYTES // of_model, 4, MOST_IN_STACK))
