"""Training of many MLPs as one, with the results of separate fits in scikit-learn.

`train_together` prepares the fits, groups them into stacks and trains each stack. How
fits are grouped may change the time, but never a result.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_refine.mlp._fits import MLPFit, can_train, warn_for
from sklearn_refine.mlp._preparation import (
    PreparationCache,
    PreparedFit,
    initial_state_key,
    nominal_batch_size,
    prepare_fit,
    restart_permutations,
)
from sklearn_refine.mlp._stack import Stack

__all__ = ["MLPFit", "can_train", "train_together", "warn_for"]

CACHE_BYTES = 3 << 21  # for one stack; a little more than the inner caches hold
MAX_MODELS = 25  # in one stack


def train_together(fits: Sequence[MLPFit], limit: float | None = None) -> None:
    """Train models together where possible, with the results of their own ``fit``.

    Weights, losses and numbers of iterations are equal to the last bit if the BLAS
    library computes equal products for equal matrices wherever they are in memory.
    OpenBLAS does so on one thread.

    Parameters
    ----------
    fits : sequence of MLPFit
        Fits that `can_train` accepts; they are completed in place. Some are only marked
        as `alone` and left to scikit-learn: single precision with sample weights or
        with numpy scalars as parameters, weights of another precision than X, and early
        stopping in versions of scikit-learn that fail to score non-numeric classes.
    limit : float or None, default=None
        Maximum share of the time of each fit, in seconds.
    """
    _go_on([fit for fit in fits if fit.stack is not None])
    fits = [fit for fit in fits if not hasattr(fit.model, "n_iter_")]
    groups: dict[Hashable, list[PreparedFit]] = {}
    cache = PreparationCache(Counter(map(initial_state_key, fits)))
    for fit in fits:
        start = time.perf_counter()
        try:
            prepared = prepare_fit(fit, cache)
        except Exception as error:
            fit.error = error
            prepared = None
        fit.seconds += time.perf_counter() - start
        if prepared is not None:
            # Models of one stack pause together.
            stop = fit.pauses and fit.model.max_iter
            groups.setdefault((prepared.key, stop), []).append(prepared)
    for group in groups.values():
        for members in _split_into_stacks(group):
            try:
                stack = _train_stack(members, cache, limit)
            except Exception as error:
                # Any of the members may have caused the error. Its traceback holds all
                # arrays of the stack, and memory may be short.
                for member in members:
                    member.fit.error = error.with_traceback(None)
                continue
            for member in members:
                _record_result(member.fit, stack)


def _go_on(fits: Sequence[MLPFit]) -> None:
    """Continue the training of models that are paused in stacks."""
    members: dict[int, list[MLPFit]] = {}
    for fit in fits:
        members.setdefault(id(fit.stack), []).append(fit)
    for together in members.values():
        stack = together[0].stack
        try:
            stack.keep([fit.model for fit in together])
            stack.train(pauses=together[0].pauses)
        except Exception as error:
            for fit in together:
                fit.error = error.with_traceback(None)
            continue
        for fit in together:
            _record_result(fit, stack)


def _split_into_stacks(group: Sequence[PreparedFit]) -> list[list[PreparedFit]]:
    """Split fits into stacks that fit into the cache and have similar sizes."""
    positions: dict[int, int] = {}
    for each in group:
        positions.setdefault(id(each.rows), len(positions))
    ordered = sorted(group, key=lambda p: (len(p.rows.X), positions[id(p.rows)]))
    similar: list[list[PreparedFit]] = []
    for each in ordered:
        n_rows = len(each.rows.X)
        if similar and n_rows - len(similar[-1][0].rows.X) <= max(1, n_rows // 10):
            similar[-1].append(each)
        else:
            similar.append([each])
    max_models = _max_stack_size(group[0])
    stacks: list[list[PreparedFit]] = []
    for members in similar:
        n_stacks = -(-len(members) // max_models)
        for part in np.array_split(np.arange(len(members)), n_stacks):
            stacks.append([members[i] for i in part])
    return stacks


def _max_stack_size(prepared: PreparedFit) -> int:
    """Return the number of such models that the cache holds."""
    coefs = prepared.fit.model.coefs_
    n_rows = min(nominal_batch_size(prepared.fit.model), len(prepared.rows.X))
    n_units = sum(coef.shape[1] for coef in coefs)
    n_values = 6 * sum(coef.size for coef in coefs) + 3 * n_rows * n_units
    model_bytes = n_values * prepared.rows.X.itemsize
    return int(np.clip(CACHE_BYTES // model_bytes, 4, MAX_MODELS))


def _train_stack(
    members: Sequence[PreparedFit], cache: PreparationCache, limit: float | None
) -> Stack:
    models = [member.fit.model for member in members]
    rows = [member.rows for member in members]
    if models[0].random_state is not None:
        rows = restart_permutations(rows, cache)
    stack = Stack(models, rows, nominal_batch_size(models[0]), limit)
    stack.seconds = {id(member.fit.model): member.fit.seconds for member in members}
    stack.train(pauses=members[0].fit.pauses)
    return stack


def _record_result(fit: MLPFit, stack: Stack) -> None:
    """Record time, error and warnings of training."""
    model = fit.model
    fit.seconds = stack.seconds[id(model)]
    fit.stack = stack if any(model is other for other in stack.models) else None
    fit.error = stack.errors.get(id(model))
    fit.diverged = fit.error is not None
    fit.late = id(model) in stack.late
    fit.messages = [(text, kind) for text, kind in fit.messages if kind is UserWarning]
    if id(model) in stack.unconverged or fit.stack is not None:
        message = (
            f"Stochastic Optimizer: Maximum iterations ({model.max_iter:d}) "
            "reached and the optimization hasn't converged yet."
        )
        fit.messages = [*fit.messages, (message, ConvergenceWarning)]
