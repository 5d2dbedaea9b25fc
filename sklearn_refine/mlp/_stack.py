"""Training of a stack: models of one architecture that take their steps together.

What is not in the arithmetic of a batch: the order of the rows, epochs, stopping rules,
and models that leave the stack when they are done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from sklearn_refine.mlp._arrays import Array, Layout, aligned, take
from sklearn_refine.mlp._losses import ClassLosses
from sklearn_refine.mlp._network import Batch, First, Network
from sklearn_refine.mlp._optimizers import SGD, Adam
from sklearn_refine.mlp._rows import (
    HeldOut,
    Rows,
    Stream,
    distinct,
    of_streams,
    runs,
    target_dtype,
)

CHUNK_BYTES = 1 << 21  # of shuffled rows that are gathered at a time
HELD_OUT_BYTES = 1 << 25  # of activations of held-out rows at a time
NOTED_VALUES = 1 << 17  # of predictions, until their losses are computed


class Stack:
    """Models that train together.

    Parameters
    ----------
    models : list of MLPClassifier or MLPRegressor
        Initialised, with the same architecture, loss, solver and batch size.
    streams : list of Stream
        What each model reads; the same object for models that read the same rows in
        the same order, which stand side by side. In the order of their sizes.
    batch_size : int
        Nominal number of rows of a batch.
    limit : float or None, default=None
        Seconds of its share of the time, after which a model gives up.
    """

    def __init__(
        self,
        models: Sequence[Any],
        streams: Sequence[Stream],
        batch_size: int,
        limit: float | None = None,
    ) -> None:
        first = models[0]
        self.models = list(models)
        self.streams = list(streams)
        self.batch_size = batch_size
        self.seconds = {id(model): 0.0 for model in models}
        units = [first.coefs_[0].shape[0], *(c.shape[1] for c in first.coefs_)]
        self.layout = Layout(tuple(units))
        dtype = first.coefs_[0].dtype
        self.params = aligned((len(models), self.layout.n_params), dtype)
        for vector, model in zip(self.params, models, strict=True):
            vector[:] = self.layout.join(model.coefs_ + model.intercepts_)
        self.grad_dtype = np.result_type(dtype, target_dtype(streams[0].y, dtype))
        self.grads = aligned(self.params.shape, self.grad_dtype, 0.0)
        self.single = dtype == np.float32
        self.half_alpha = [0.5 * model.alpha for model in models]
        self.half_alphas = np.array(self.half_alpha, dtype=float)
        solver = Adam if first.solver == "adam" else SGD
        self.optimizer = solver(
            models, self.params, self.grads, self.layout.n_penalised
        )
        self.best = self.params.copy() if first.early_stopping else None
        self.schedule: list[tuple[Rows, list[_Run]]] = []
        self.buffers: dict[str, Array] = {}
        softmax = first.out_activation_ == "softmax"
        for stream in distinct(self.streams):
            stream.encode(target_dtype(stream.y, dtype), softmax)
        self.networks: dict[tuple[int, int, int], Network] = {}
        self.errors: dict[int, ValueError] = {}
        self.unconverged: set[int] = set()
        self.limit = float("inf") if limit is None else limit
        self.late: set[int] = set()

    def train(self) -> None:
        """Train every model until its own stopping rule says so."""
        with np.errstate(all="ignore"):
            while self.models:
                start = time.perf_counter()
                losses = self._epoch()
                done = self._end_epoch(losses)
                share = (time.perf_counter() - start) / len(self.models)
                for i, model in enumerate(self.models):
                    self.seconds[id(model)] += share
                    if not done[i] and self.seconds[id(model)] > self.limit:
                        self.late.add(id(model))
                        done[i] = True
                if any(done):
                    self._retire(done)

    def _epoch(self) -> Any:
        """Take the steps of one epoch; return the summed loss of each model."""
        n_models = len(self.models)
        shuffled = self.models[0].shuffle
        losses: Any = [0.0] * n_models if self.single else np.zeros(n_models)
        if shuffled:
            for order in distinct([stream.order for stream in self.streams]):
                order.shuffle()
        if not self.schedule:
            self.schedule = self._schedule()
        for rows, steps in self.schedule:
            rows.gather()
            for run in steps:
                self._run(run, losses)
        return losses

    def _schedule(self) -> list[tuple[Rows, list[_Run]]]:
        """Return the stretches of rows to gather, and the steps to take on each.

        A step is made by the models that have equally many rows left, from `lo` to
        `hi`: in the last batch of an epoch, they may differ.
        """
        sizes = [len(stream.X) for stream in self.streams]
        step = self.batch_size
        row_bytes = self.streams[0].X[0].nbytes
        at_once = CHUNK_BYTES // (step * row_bytes * len(distinct(self.streams)))
        chunk = step * max(1, at_once)
        schedule = []
        for start in range(0, max(sizes), chunk):
            stop = min(start + chunk, max(sizes))
            shuffled = self.models[0].shuffle
            rows = Rows(self.streams, start, stop, shuffled, self.buffers)
            steps = []
            for row in range(start, stop, step):
                n_rows = [min(row + step, size) - row for size in sizes]
                for lo, hi in runs(n_rows):
                    n = n_rows[lo]
                    if n > 0:
                        network = self._network(lo, hi, n)
                        batch = rows.batch(lo, hi, row - start, n)
                        firsts = network.bind(batch.inputs)
                        steps.append(_Step(slice(lo, hi), network, batch, firsts))
            schedule.append((rows, _as_runs(steps)))
        return schedule

    def _network(self, lo: int, hi: int, n_rows: int) -> Network:
        key = (lo, hi, n_rows)
        if key not in self.networks:
            self.networks[key] = self._new_network(lo, hi, n_rows)
        return self.networks[key]

    def _new_network(self, lo: int, hi: int, n_rows: int) -> Network:
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

    def _run(self, run: _Run, losses: Any) -> None:
        """Take some steps; add the loss of each to those of the epoch."""
        if run.losses is None:
            for step in run.steps:
                self._step(step, losses)
            return
        run.losses.begin()
        for i, step in enumerate(run.steps):
            step.network.forward(step.firsts)
            run.losses.note(i)
            step.network.backprop(step.batch, step.firsts)
            self.optimizer.step(step.models, step.batch.weight_sums())
        models = run.steps[0].models
        for of_batch in run.losses.totals(self.half_alphas[models]):
            losses[models] += of_batch

    def _step(self, step: _Step, losses: Any) -> None:
        models, network, batch = step.models, step.network, step.batch
        n_rows = network.n_rows
        network.forward(step.firsts)
        of_batch = network.batch_losses(batch)
        network.backprop(batch, step.firsts)
        norms = network.squared_norms()
        weight_sums = batch.weight_sums()
        if self.single:
            # One by one: numpy has other rules for arrays of single numbers. A given
            # batch size becomes numpy's in scikit-learn, and so the sum double.
            given = self.models[0].batch_size != "auto"
            n: Any = np.int64(n_rows) if given else n_rows
            for i in range(models.stop - models.start):
                values: Any = 0
                for norm in norms:
                    values += norm[i]
                penalty = self.half_alpha[models.start + i] * values / n_rows
                losses[models.start + i] += (of_batch[i] + penalty) * n
        else:
            penalty = self.half_alphas[models] * sum(norms) / weight_sums
            losses[models] += (of_batch + penalty) * n_rows
        self.optimizer.step(models, weight_sums)

    def _end_epoch(self, losses: Any) -> list[bool]:
        """Book the epoch on the models; say which of them are done."""
        scores = self._validate() if self.best is not None else [None] * len(losses)
        for i, model in enumerate(self.models):
            n_samples = len(self.streams[i].X)
            model.n_iter_ += 1
            model.loss_ = losses[i] / n_samples
            model.t_ += n_samples
            model.loss_curve_.append(model.loss_)
            self._count(i, model, scores[i])
        self.optimizer.end_epoch([model.t_ for model in self.models])
        return [self._is_done(i, model) for i, model in enumerate(self.models)]

    def _count(self, i: int, model: Any, score: Any) -> None:
        """Count the epochs without improvement, and keep the best weights."""
        if self.best is None:
            worse = model.loss_ > model.best_loss_ - model.tol
            if model.loss_ < model.best_loss_:
                model.best_loss_ = model.loss_
        else:
            model.validation_scores_.append(score)
            worse = score < model.best_validation_score_ + model.tol
            if score > model.best_validation_score_:
                model.best_validation_score_ = score
                self.best[i] = self.params[i]
        if worse:
            model._no_improvement_count += 1
        else:
            model._no_improvement_count = 0

    def _is_done(self, i: int, model: Any) -> bool:
        if model._no_improvement_count > model.n_iter_no_change:
            if not self.optimizer.goes_on(i):
                return True
            model._no_improvement_count = 0
        # Weights that are no longer finite stay so: the rest of the epochs would
        # only delay the error, unless early stopping has better weights to return.
        diverged = self.best is None and not np.isfinite(model.loss_)
        diverged = diverged and not np.isfinite(self.params[i]).all()
        if diverged or model.n_iter_ == model.max_iter:
            self.unconverged.add(id(model))
            return True
        return False

    def _validate(self) -> list[Any]:
        """Score every model on the rows that its early stopping holds out."""
        scores: list[Any] = []
        held_out = [stream.held_out for stream in self.streams if stream.held_out]
        sizes = [len(rows.X) for rows in held_out]
        row_bytes = self.params.itemsize * sum(self.layout.units[1:])
        for start, stop in runs(sizes):
            n_rows = sizes[start]
            at_once = max(1, HELD_OUT_BYTES // (n_rows * row_bytes))
            for lo in range(start, stop, at_once):
                hi = min(lo + at_once, stop)
                whole = (lo, hi) == (start, stop)
                make = self._network if whole else self._new_network
                parts = of_streams(self.streams[lo:hi])
                network = make(lo, hi, n_rows)
                inputs = [(part, s.held_out.X) for part, s in parts if s.held_out]
                output = network.forward(network.bind(inputs))
                for i, prediction in enumerate(output, start=lo):
                    score = _validation_score(self.models[i], held_out[i], prediction)
                    scores.append(score)
        return scores

    def _retire(self, done: Sequence[bool]) -> None:
        """Give the models that are done their weights, and train the rest."""
        weights = self.params if self.best is None else self.best
        kept = np.flatnonzero(~np.asarray(done))
        rngs: dict[int, Any] = {id(self.streams[i].order.rng): None for i in kept}
        for i, model in enumerate(self.models):
            if done[i]:
                self._finish(i, model, weights[i])
                rng = self.streams[i].order.rng
                if rngs.setdefault(id(rng), rng) is None:  # it goes on for the others
                    rngs[id(rng)] = deepcopy(rng)
                model._random_state = rngs[id(rng)]
        self.models = [self.models[i] for i in kept]
        self.streams = [self.streams[i] for i in kept]
        self.params = take(self.params, kept)
        self.half_alpha = [self.half_alpha[i] for i in kept]
        self.half_alphas = self.half_alphas[kept]
        self.grads = aligned(self.params.shape, self.grad_dtype, 0.0)
        self.best = None if self.best is None else take(self.best, kept)
        self.optimizer.keep(kept, self.params, self.grads)
        self.networks.clear()
        self.schedule = []
        self.buffers.clear()

    def _finish(self, i: int, model: Any, weights: Array) -> None:
        parts = self.layout.split(weights)
        model.coefs_ = parts[: len(model.coefs_)]
        model.intercepts_ = parts[len(model.coefs_) :]
        self.optimizer.restore(i, model._optimizer, self.layout)
        if not all(np.isfinite(part).all() for part in parts):
            self.errors[id(model)] = ValueError(
                "Solver produced non-finite parameter weights. The input data may"
                " contain large values and need to be preprocessed."
            )


@dataclass(frozen=True)
class _Step:
    """A batch, the models that see it, and what they compute with."""

    models: slice
    network: Network
    batch: Batch
    firsts: list[First]


@dataclass(frozen=True)
class _Run:
    """Steps of the same models and as many rows, one after another.

    `losses` is None where the loss of each batch is computed in its step.
    """

    steps: list[_Step]
    losses: ClassLosses | None


def _as_runs(steps: Sequence[_Step]) -> list[_Run]:
    found = []
    for lo, hi in runs([id(step.network) for step in steps]):
        network = steps[lo].network
        n_models, n_rows, _ = network.output.shape
        at_once = max(1, NOTED_VALUES // (n_models * n_rows))
        for start in range(lo, hi, at_once):
            part = list(steps[start : min(start + at_once, hi)])
            losses = None
            if network.loss is None:
                losses = ClassLosses(network, [step.batch for step in part])
            found.append(_Run(part, losses))
    return found


def _validation_score(model: Any, held_out: HeldOut, output: Array) -> Any:
    """Return what the model's own scoring of its early stopping does."""
    if model.loss != "log_loss":
        prediction = output.ravel() if output.shape[1] == 1 else output
        if not np.isfinite(prediction).all():
            return np.nan
        return r2_score(held_out.target, prediction, sample_weight=held_out.weight)
    if held_out.weight is None and len(model.classes_) > 1:
        # accuracy_score of the labels, which are equal where their codes are
        if model.out_activation_ == "softmax":
            right = output.argmax(axis=1) == held_out.y.argmax(axis=1)
        else:
            right = ((output > 0.5) == held_out.y).all(axis=1)
        return float(np.average(right))
    output = output.ravel() if output.shape[1] == 1 else output
    labels = model._label_binarizer.inverse_transform(output)
    return accuracy_score(held_out.target, labels, sample_weight=held_out.weight)
