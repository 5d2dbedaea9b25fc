"""Training of a stack: models of one architecture that take their steps together.

This module holds the loop over epochs and batches, the stopping rules, and the removal
of finished models. A model's attributes after training must equal scikit-learn's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.mlp._arrays import Array, Layout, aligned, take_rows
from sklearn_refine.mlp._batches import Batch, RowChunk
from sklearn_refine.mlp._losses import DeferredLogLoss
from sklearn_refine.mlp._network import FirstLayer, Network
from sklearn_refine.mlp._optimizers import SGD, Adam
from sklearn_refine.mlp._rows import (
    TrainingRows,
    distinct,
    equal_runs,
    group_models,
    target_dtype,
)
from sklearn_refine.mlp._validation import compute_validation_score

CHUNK_BYTES = 1 << 21  # of shuffled rows that are gathered at a time
HELD_OUT_BYTES = 1 << 25  # of activations of held-out rows at a time
DEFERRED_VALUES = 1 << 17  # predictions that are recorded before losses are computed


class Stack:
    """Models that train together.

    Parameters
    ----------
    models : list of MLPClassifier or MLPRegressor
        Initialised models of the same architecture, loss, solver and batch size.
    rows_of_models : list of TrainingRows
        The rows of each model, sorted by their number. Models that read the same rows
        in the same order are neighbours and share one object.
    batch_size : int
        Nominal number of rows of a batch.
    limit : float or None, default=None
        Each model's share of the time, in seconds, after which its training stops.

    Attributes
    ----------
    seconds : dict of int to float
        Each model's share of the time, by its ``id``.
    errors : dict of int to ValueError
        Errors of models whose weights are not finite, by ``id``.
    unconverged, late : set of int
        The ``id`` of models that ended without convergence, or at the limit.
    """

    def __init__(
        self,
        models: Sequence[Any],
        rows_of_models: Sequence[TrainingRows],
        batch_size: int,
        limit: float | None = None,
    ) -> None:
        first = models[0]
        self.models = list(models)
        self.rows_of_models = list(rows_of_models)
        self.batch_size = batch_size
        self.seconds = {id(model): 0.0 for model in models}
        units = [first.coefs_[0].shape[0], *(c.shape[1] for c in first.coefs_)]
        self.layout = Layout(tuple(units))
        dtype = first.coefs_[0].dtype
        self.params = aligned((len(models), self.layout.n_params), dtype)
        for vector, model in zip(self.params, models, strict=True):
            vector[:] = self.layout.join(model.coefs_ + model.intercepts_)
        self.grad_dtype = np.result_type(
            dtype, target_dtype(rows_of_models[0].y, dtype)
        )
        self.grads = aligned(self.params.shape, self.grad_dtype, 0.0)
        self.is_float32 = dtype == np.float32
        self.half_alpha_list = [0.5 * model.alpha for model in models]
        self.half_alphas = np.array(self.half_alpha_list, dtype=float)
        solver = Adam if first.solver == "adam" else SGD
        self.optimizer = solver(
            models, self.params, self.grads, self.layout.n_penalised
        )
        self.best_params = self.params.copy() if first.early_stopping else None
        self.schedule: list[tuple[RowChunk, list[_StepGroup]]] = []
        self.buffers: dict[str, Array] = {}
        softmax = first.out_activation_ == "softmax"
        for rows in distinct(self.rows_of_models):
            rows.encode_targets(target_dtype(rows.y, dtype), softmax)
        self.networks: dict[tuple[int, int, int], Network] = {}
        self.errors: dict[int, ValueError] = {}
        self.unconverged: set[int] = set()
        self.pauses = False
        self.limit = float("inf") if limit is None else limit
        self.late: set[int] = set()

    def train(self, *, pauses: bool = False) -> None:
        """Train every model until its own stopping rule ends its training.

        If the stack `pauses`, models that would end after ``max_iter`` epochs stay in
        the stack and can predict. All must have the same ``max_iter`` then.
        """
        self.pauses = pauses
        with np.errstate(all="ignore"):
            while self.models and not self._is_paused():
                start = time.perf_counter()
                losses = self._run_epoch()
                done = self._end_epoch(losses)
                share = (time.perf_counter() - start) / len(self.models)
                for i, model in enumerate(self.models):
                    self.seconds[id(model)] += share
                    if not done[i] and self.seconds[id(model)] > self.limit:
                        self.late.add(id(model))
                        done[i] = True
                if any(done):
                    self._remove_models(done)
        for i, model in enumerate(self.models):
            self._set_weights(i, model, self._final_weights()[i].copy())

    def _is_paused(self) -> bool:
        first = self.models[0]
        return self.pauses and first.n_iter_ >= first.max_iter

    def _final_weights(self) -> Array:
        return self.params if self.best_params is None else self.best_params

    def _run_epoch(self) -> Any:
        """Run the steps of one epoch; return the summed loss of each model."""
        n_models = len(self.models)
        losses: Any = [0.0] * n_models if self.is_float32 else np.zeros(n_models)
        if self.models[0].shuffle:
            for permutation in distinct([r.permutation for r in self.rows_of_models]):
                permutation.shuffle()
        if not self.schedule:
            self.schedule = self._create_schedule()
        for chunk, groups in self.schedule:
            chunk.update()
            for group in groups:
                self._run_group(group, losses)
        return losses

    def _create_schedule(self) -> list[tuple[RowChunk, list[_StepGroup]]]:
        """Return the chunks of rows to gather, and the steps to run on each chunk.

        A step includes the models, from `lo` to `hi`, whose batches have the same size.
        The sizes may differ in the last batch of an epoch.
        """
        sizes = [len(rows.X) for rows in self.rows_of_models]
        row_bytes = self.rows_of_models[0].X[0].nbytes
        batch_bytes = self.batch_size * row_bytes * len(distinct(self.rows_of_models))
        chunk_size = self.batch_size * max(1, CHUNK_BYTES // batch_bytes)
        shuffled = self.models[0].shuffle
        schedule = []
        for start in range(0, max(sizes), chunk_size):
            stop = min(start + chunk_size, max(sizes))
            chunk = RowChunk(self.rows_of_models, start, stop, shuffled, self.buffers)
            steps = []
            for row in range(start, stop, self.batch_size):
                n_rows = [min(row + self.batch_size, size) - row for size in sizes]
                for lo, hi in equal_runs(n_rows):
                    n = n_rows[lo]
                    if n > 0:
                        network = self._get_network(lo, hi, n)
                        batch = chunk.batch(lo, hi, row - start, n)
                        first_layers = network.bind_first_layer(batch.inputs)
                        steps.append(_Step(slice(lo, hi), network, batch, first_layers))
            schedule.append((chunk, _group_steps(steps)))
        return schedule

    def _get_network(self, lo: int, hi: int, n_rows: int) -> Network:
        key = (lo, hi, n_rows)
        if key not in self.networks:
            self.networks[key] = self._create_network(lo, hi, n_rows)
        return self.networks[key]

    def _create_network(self, lo: int, hi: int, n_rows: int) -> Network:
        model = self.models[lo]
        return Network(
            self.layout,
            self.params[lo:hi],
            self.grads[lo:hi],
            n_rows,
            model.activation,
            model.out_activation_,
            model.loss,
        )

    def _run_group(self, group: _StepGroup, losses: Any) -> None:
        """Run some steps; add their losses to the losses of the epoch."""
        if group.deferred_loss is None:
            for step in group.steps:
                self._run_step(step, losses)
            return
        group.deferred_loss.start_epoch()
        for i, step in enumerate(group.steps):
            step.network.forward(step.first_layers)
            group.deferred_loss.record_batch(i)
            step.network.backprop(step.batch, step.first_layers)
            self.optimizer.step(step.models, step.batch.weight_sums())
        models = group.steps[0].models
        for batch_losses in group.deferred_loss.compute_totals(
            self.half_alphas[models]
        ):
            losses[models] += batch_losses

    def _run_step(self, step: _Step, losses: Any) -> None:
        """Run one step; add its loss to the losses of the epoch."""
        models, network, batch = step.models, step.network, step.batch
        n_rows = network.n_rows
        network.forward(step.first_layers)
        batch_losses = network.batch_losses(batch)
        network.backprop(batch, step.first_layers)
        norms = network.squared_norms()
        weight_sums = batch.weight_sums()
        if self.is_float32:
            # Model by model, because numpy promotes scalars differently from arrays.
            # scikit-learn makes a given batch size a numpy integer, so that the sum is
            # in double precision.
            given = self.models[0].batch_size != "auto"
            n: Any = np.int64(n_rows) if given else n_rows
            for i in range(models.stop - models.start):
                values: Any = 0
                for norm in norms:
                    values += norm[i]
                penalty = self.half_alpha_list[models.start + i] * values / n_rows
                losses[models.start + i] += (batch_losses[i] + penalty) * n
        else:
            penalty = self.half_alphas[models] * sum(norms) / weight_sums
            losses[models] += (batch_losses + penalty) * n_rows
        self.optimizer.step(models, weight_sums)

    def _end_epoch(self, losses: Any) -> list[bool]:
        """Record the epoch in the models; return for each model whether it is done."""
        validates = self.best_params is not None
        scores = self._score_held_out() if validates else [None] * len(losses)
        for i, model in enumerate(self.models):
            n_samples = len(self.rows_of_models[i].X)
            model.n_iter_ += 1
            model.loss_ = losses[i] / n_samples
            model.t_ += n_samples
            model.loss_curve_.append(model.loss_)
            self._count_no_improvement(i, model, scores[i])
        self.optimizer.end_epoch([model.t_ for model in self.models])
        return [self._is_done(i, model) for i, model in enumerate(self.models)]

    def _count_no_improvement(self, i: int, model: Any, score: Any) -> None:
        """Count the epochs without improvement, and keep the best weights."""
        if self.best_params is None:
            worse = model.loss_ > model.best_loss_ - model.tol
            if model.loss_ < model.best_loss_:
                model.best_loss_ = model.loss_
        else:
            model.validation_scores_.append(score)
            worse = score < model.best_validation_score_ + model.tol
            if score > model.best_validation_score_:
                model.best_validation_score_ = score
                self.best_params[i] = self.params[i]
        if worse:
            model._no_improvement_count += 1
        else:
            model._no_improvement_count = 0

    def _is_done(self, i: int, model: Any) -> bool:
        if model._no_improvement_count > model.n_iter_no_change:
            if not self.optimizer.lower_rate(i):
                return True
            model._no_improvement_count = 0
        # Weights that are not finite stay so, and more epochs would only delay the
        # error. With early stopping, finite weights may have been kept.
        diverged = self.best_params is None and not np.isfinite(model.loss_)
        diverged = diverged and not np.isfinite(self.params[i]).all()
        if diverged or (model.n_iter_ == model.max_iter and not self.pauses):
            self.unconverged.add(id(model))
            return True
        return False

    def _score_held_out(self) -> list[Any]:
        """Score every model on the rows that its early stopping holds out."""
        scores: list[Any] = []
        held_out = [r.held_out for r in self.rows_of_models if r.held_out]
        sizes = [len(rows.X) for rows in held_out]
        row_bytes = self.params.itemsize * sum(self.layout.units[1:])
        for start, stop in equal_runs(sizes):
            n_rows = sizes[start]
            at_once = max(1, HELD_OUT_BYTES // (n_rows * row_bytes))
            for lo in range(start, stop, at_once):
                hi = min(lo + at_once, stop)
                # The buffers of a cached network stay in memory.
                fits_at_once = (lo, hi) == (start, stop)
                create = self._get_network if fits_at_once else self._create_network
                network = create(lo, hi, n_rows)
                groups = group_models(self.rows_of_models[lo:hi])
                inputs = [(part, r.held_out.X) for part, r in groups if r.held_out]
                output = network.forward(network.bind_first_layer(inputs))
                for i, prediction in enumerate(output, start=lo):
                    scores.append(
                        compute_validation_score(
                            self.models[i], held_out[i], prediction
                        )
                    )
        return scores

    def _remove_models(self, done: Sequence[bool]) -> None:
        """Finish the models that are done, and keep the others."""
        weights = self._final_weights()
        kept = np.flatnonzero(~np.asarray(done))
        # Generators of the kept models map to None: they shuffle further epochs, so
        # that the models that are done need a copy.
        rngs: dict[int, Any] = {
            id(self.rows_of_models[i].permutation.rng): None for i in kept
        }
        for i, model in enumerate(self.models):
            if done[i]:
                self._finish_model(i, model, weights[i])
                rng = self.rows_of_models[i].permutation.rng
                if rngs.setdefault(id(rng), rng) is None:
                    rngs[id(rng)] = deepcopy(rng)
                model._random_state = rngs[id(rng)]
        self._keep(kept)

    def n_bytes(self) -> int:
        """Return about how many bytes the stack takes."""
        rows = sum(rows.X.nbytes for rows in distinct(self.rows_of_models))
        return 6 * self.params.nbytes + rows

    def keep(self, models: Sequence[Any]) -> None:
        """Keep only some of the models that are paused."""
        wanted = {id(model) for model in models}
        kept = [i for i, model in enumerate(self.models) if id(model) in wanted]
        if len(kept) < len(self.models):
            self._keep(np.array(kept))

    def _keep(self, kept: np.ndarray) -> None:
        self.models = [self.models[i] for i in kept]
        self.rows_of_models = [self.rows_of_models[i] for i in kept]
        self.params = take_rows(self.params, kept)
        self.half_alpha_list = [self.half_alpha_list[i] for i in kept]
        self.half_alphas = self.half_alphas[kept]
        self.grads = aligned(self.params.shape, self.grad_dtype, 0.0)
        if self.best_params is not None:
            self.best_params = take_rows(self.best_params, kept)
        self.optimizer.keep_models(kept, self.params, self.grads)
        self.networks.clear()
        self.schedule = []
        self.buffers.clear()

    def _finish_model(self, i: int, model: Any, weights: Array) -> None:
        """Write weights and optimizer state into a model; record its error."""
        self.optimizer.export_state(i, model._optimizer, self.layout)
        self._set_weights(i, model, weights)

    def _set_weights(self, i: int, model: Any, weights: Array) -> None:
        parts = self.layout.split(weights)
        model.coefs_ = parts[: len(model.coefs_)]
        model.intercepts_ = parts[len(model.coefs_) :]
        if not all(np.isfinite(part).all() for part in parts):
            self.errors[id(model)] = ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            )


@dataclass(frozen=True)
class _Step:
    """A batch, the models that read it, and their network."""

    models: slice
    network: Network
    batch: Batch
    first_layers: list[FirstLayer]


@dataclass(frozen=True)
class _StepGroup:
    """Consecutive steps of one network.

    `deferred_loss` is None if each step computes the loss of its batch.
    """

    steps: list[_Step]
    deferred_loss: DeferredLogLoss | None


def _group_steps(steps: Sequence[_Step]) -> list[_StepGroup]:
    groups = []
    for lo, hi in equal_runs([id(step.network) for step in steps]):
        network = steps[lo].network
        n_models, n_rows, _ = network.output.shape
        at_once = max(1, DEFERRED_VALUES // (n_models * n_rows))
        for start in range(lo, hi, at_once):
            part = list(steps[start : min(start + at_once, hi)])
            deferred_loss = None
            if not network.has_loss:
                batches = [step.batch for step in part]
                deferred_loss = DeferredLogLoss(
                    network.output, network.flat_coefs, batches
                )
            groups.append(_StepGroup(part, deferred_loss))
    return groups
