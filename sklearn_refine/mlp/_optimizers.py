"""scikit-learn's stochastic optimizers, for all parameters of a stack in one go.

A step adds the penalty's gradient and makes the elementary operations of
``sklearn.neural_network`` in their order, in place, on blocks of models that fit into
the cache.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.mlp._arrays import Array, Layout, aligned, take

CACHE_BYTES = 1 << 20  # that a block of models may take
#: Parameters of a model; of fewer, the penalty is taken of all, with an alpha for each:
#: numpy's loops over cut rows, or times a column, take up to five times as long.
LONG_ROW = 4096

# What a numpy scalar makes of a float32 array: float64 since numpy 2.
STRONG_32 = (np.float64(1.0) * np.ones(1, np.float32)).dtype


def column(values: Sequence[Any], dtype: Any) -> Array:
    """Return numbers as a column that acts on arrays of `dtype` as each would."""
    strong = dtype == np.float32 and any(type(v) is np.float64 for v in values)
    return np.array([values], dtype=STRONG_32 if strong else dtype).T


@dataclass
class Block:
    """Views of the models that are changed at a time.

    Attributes
    ----------
    models : slice
        Which.
    params, grads : ndarray of shape (n_models, n_params)
        Their weights and gradients.
    coefs, coef_grads, penalty : ndarray of shape (n_models, span)
        The parts of both that are penalised, or all, and room for the gradient of the
        penalty.
    unpenalised : ndarray of shape (n_models, span - n_penalised)
        The part of it that is zero.
    scratch : ndarray of shape (n_models, n_params)
        Room for what lies between the weights and their change.
    state : dict of str to ndarray
        The optimizer's state, by name.
    """

    models: slice
    params: Array
    grads: Array
    coefs: Array
    coef_grads: Array
    penalty: Array
    unpenalised: Array
    scratch: Array
    state: dict[str, Array]


class Optimizer(ABC):
    """What changes the weights of a stack after each batch.

    Parameters
    ----------
    models : sequence of estimators
        Theirs are the hyperparameters.
    params, grads : ndarray of shape (n_models, n_params)
        The weights, and their gradients, which a step may use up.
    n_penalised : int
        How many of the first parameters are penalised.
    """

    _states: tuple[str, ...] = ()

    def __init__(
        self,
        models: Sequence[Any],
        params: Array,
        grads: Array,
        n_penalised: int,
    ) -> None:
        self.n_penalised = n_penalised
        self.alpha = column([m.alpha for m in models], params.dtype)
        self.span = n_penalised
        if params.shape[1] < LONG_ROW:
            self.span = params.shape[1]
            of_each = aligned(params.shape, self.alpha.dtype, 0.0)
            of_each[:, :n_penalised] = self.alpha
            self.alpha = of_each
        row_bytes = 6 * params.shape[1] * params.itemsize
        most = max(1, CACHE_BYTES // row_bytes)
        self.block_size = -(-len(models) // -(-len(models) // most))  # evenly
        shape = (self.block_size, params.shape[1])
        self._scratch = aligned(shape, grads.dtype)
        dtype = np.result_type(self.alpha.dtype, params.dtype)
        self._penalty = self._scratch if dtype == grads.dtype else aligned(shape, dtype)
        self._bind(params, grads)

    def _bind(self, params: Array, grads: Array) -> None:
        self.params, self.grads = params, grads
        self._blocks: dict[tuple[int, int], list[Block]] = {}

    def keep(self, kept: Array, params: Array, grads: Array) -> None:
        """Forget all models but those of these indices, which have new arrays."""
        for name in ("alpha", *self._states):
            setattr(self, name, take(getattr(self, name), kept))
        self._bind(params, grads)

    def step(self, models: slice, weight_sums: Any) -> None:
        """Change the weights of some models in place.

        Parameters
        ----------
        models : slice
            Which.
        weight_sums : int or ndarray of shape (1 or n_models,)
            The weight of the batch, by which gradients are divided.
        """
        self._advance(models)
        for block in self._of(models):
            coef_grads, penalty = block.coef_grads, block.penalty
            np.multiply(block.state["alpha"], block.coefs, out=penalty)
            block.unpenalised.fill(0)  # an intercept may be infinite
            np.add(coef_grads, penalty, out=coef_grads, casting="same_kind")
            divisor = weight_sums
            if isinstance(divisor, np.ndarray):
                first = block.models.start - models.start if len(divisor) > 1 else 0
                divisor = divisor[first : first + len(block.params), None]
            np.divide(block.grads, divisor, out=block.grads, casting="same_kind")
            self._change(block)

    def _of(self, models: slice) -> list[Block]:
        key = (models.start, models.stop)
        if key not in self._blocks:
            starts = range(models.start, models.stop, self.block_size)
            ends = [min(start + self.block_size, models.stop) for start in starts]
            self._blocks[key] = [
                self._block(slice(*ab)) for ab in zip(starts, ends, strict=True)
            ]
        return self._blocks[key]

    def _block(self, models: slice) -> Block:
        n, span = models.stop - models.start, slice(self.span)
        params, grads = self.params[models], self.grads[models]
        penalty = self._penalty[:n, span]
        return Block(
            models,
            params,
            grads,
            params[:, span],
            grads[:, span],
            penalty,
            penalty[:, self.n_penalised :],
            self._scratch[:n],
            {name: getattr(self, name)[models] for name in ("alpha", *self._states)},
        )

    def _advance(self, models: slice) -> None:  # noqa: B027
        """Take note of another step of some models."""

    @abstractmethod
    def _change(self, block: Block) -> None:
        """Change the weights of a block by its gradients."""

    def end_epoch(self, seen: Sequence[int]) -> None:  # noqa: B027
        """Adapt the learning rates to the number of samples seen by each model."""

    def goes_on(self, model: int) -> bool:
        """Whether a model that no longer improves goes on, at a lower rate."""
        return False

    @abstractmethod
    def restore(self, model: int, like: Any, layout: Layout) -> None:
        """Write the state of a model into a scikit-learn optimizer."""


def one(values: Array) -> Array:
    """Return a column of equal double-precision numbers as one, which is quicker."""
    if values.dtype == np.float64 and (values == values[0]).all():
        values = values[0].reshape(())
    return values


def _corrections(clock: tuple[tuple[float, float], int]) -> tuple[float, float]:
    """Return the factor and divisor of Adam's rate, of its betas after some steps.

    With Python's numbers: a power of numpy arrays may differ in the last bit.
    """
    (beta_1, beta_2), t = clock
    return math.sqrt(1 - beta_2**t), 1 - beta_1**t


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980) as in ``AdamOptimizer``.

    Parameters are those of `Optimizer`.
    """

    _states = (
        "m",
        "v",
        "t",
        "beta_1",
        "beta_2",
        "epsilon",
        "rest_1",
        "rest_2",
        "rate_init",
        "rate",
        "minus_rate",
    )

    def __init__(
        self,
        models: Sequence[Any],
        params: Array,
        grads: Array,
        n_penalised: int,
    ) -> None:
        super().__init__(models, params, grads, n_penalised)
        dtype = grads.dtype
        self.m = aligned(params.shape, dtype, 0.0)
        self.v = aligned(params.shape, dtype, 0.0)
        self.t = np.zeros(len(models), int)
        self.beta_1 = column([m.beta_1 for m in models], dtype)
        self.beta_2 = column([m.beta_2 for m in models], dtype)
        self.rest_1 = column([1 - m.beta_1 for m in models], dtype)
        self.rest_2 = column([1 - m.beta_2 for m in models], dtype)
        self.epsilon = column([m.epsilon for m in models], dtype)
        self.rate_init = np.array([float(m.learning_rate_init) for m in models])
        self.rate = np.zeros(len(models))
        self._set_betas([(float(m.beta_1), float(m.beta_2)) for m in models])
        strong = STRONG_32 if dtype == np.float32 else dtype
        self._update = None if strong == dtype else aligned(self._scratch.shape, strong)
        self.minus_rate = np.zeros((len(models), 1), strong)

    def keep(self, kept: Array, params: Array, grads: Array) -> None:
        """Forget all models but those of these indices, which have new arrays."""
        super().keep(kept, params, grads)
        self._set_betas([self.betas[i] for i in kept])

    def _set_betas(self, betas: list[tuple[float, float]]) -> None:
        self.betas = betas
        self.one_beta = len(set(betas)) == 1

    def _block(self, models: slice) -> Block:
        block = super()._block(models)
        for name in ("beta_1", "beta_2", "rest_1", "rest_2", "epsilon"):
            block.state[name] = one(block.state[name])
        return block

    def _advance(self, models: slice) -> None:
        self.t[models] += 1
        rates = self._rates(models)
        self.rate[models] = rates
        self.minus_rate[models, 0] = -rates

    def _change(self, block: Block) -> None:
        state, scratch, grad = block.state, block.scratch, block.grads
        m, v = state["m"], state["v"]
        np.multiply(m, state["beta_1"], out=m)
        np.multiply(grad, state["rest_1"], out=scratch)
        np.add(m, scratch, out=m)
        np.multiply(grad, grad, out=scratch)
        np.multiply(scratch, state["rest_2"], out=scratch)
        np.multiply(v, state["beta_2"], out=v)
        np.add(v, scratch, out=v)
        np.sqrt(v, out=scratch)
        np.add(scratch, state["epsilon"], out=scratch)
        update = grad if self._update is None else self._update[: len(grad)]
        np.multiply(m, state["minus_rate"], out=update)
        np.divide(update, scratch, out=update)
        np.add(block.params, update, out=block.params, casting="same_kind")

    def _rates(self, models: slice) -> Array:
        steps = self.t[models].tolist()
        if self.one_beta and steps.count(steps[0]) == len(steps):
            root, rest = _corrections((self.betas[0], steps[0]))
        else:
            clocks = list(zip(self.betas[models], steps, strict=True))
            known = {clock: _corrections(clock) for clock in set(clocks)}
            root, rest = np.array([known[clock] for clock in clocks]).T
        rates: Array = self.rate_init[models] * root / rest
        return rates

    def restore(self, model: int, like: Any, layout: Layout) -> None:
        """Write the state of a model into scikit-learn's ``AdamOptimizer``."""
        like.t = int(self.t[model])
        like.learning_rate = self.rate[model]
        like.ms = layout.split(self.m[model])
        like.vs = layout.split(self.v[model])


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in ``SGDOptimizer``.

    Parameters are those of `Optimizer`; `nesterovs_momentum` is the same in all models.
    """

    _states = ("velocity", "momentum")

    def __init__(
        self,
        models: Sequence[Any],
        params: Array,
        grads: Array,
        n_penalised: int,
    ) -> None:
        super().__init__(models, params, grads, n_penalised)
        self.velocity = aligned(params.shape, grads.dtype, 0.0)
        self.momentum = column([m.momentum for m in models], grads.dtype)
        self.nesterov = models[0].nesterovs_momentum
        self.models = list(models)
        self.rate = [float(m.learning_rate_init) for m in models]
        self._update = aligned(self._scratch.shape, grads.dtype)

    def keep(self, kept: Array, params: Array, grads: Array) -> None:
        """Forget all models but those of these indices, which have new arrays."""
        super().keep(kept, params, grads)
        self.models = [self.models[i] for i in kept]
        self.rate = [self.rate[i] for i in kept]

    def _change(self, block: Block) -> None:
        rates = np.array([self.rate[block.models]], dtype=block.grads.dtype).T
        param, scaled = block.params, block.scratch
        velocity, momentum = block.state["velocity"], block.state["momentum"]
        np.multiply(block.grads, rates, out=scaled)
        np.multiply(velocity, momentum, out=velocity)
        np.subtract(velocity, scaled, out=velocity)
        if not self.nesterov:
            np.add(param, velocity, out=param, casting="same_kind")
            return
        update = self._update[: len(param)]
        np.multiply(velocity, momentum, out=update)
        np.subtract(update, scaled, out=update)
        np.add(param, update, out=param, casting="same_kind")

    def end_epoch(self, seen: Sequence[int]) -> None:
        """Adapt the learning rates to the number of samples seen by each model."""
        for i, (model, t) in enumerate(zip(self.models, seen, strict=True)):
            if model.learning_rate == "invscaling":
                self.rate[i] = (
                    float(model.learning_rate_init) / (t + 1) ** model.power_t
                )

    def goes_on(self, model: int) -> bool:
        """Whether a model that no longer improves goes on, at a lower rate."""
        if self.models[model].learning_rate != "adaptive" or self.rate[model] <= 1e-6:
            return False
        self.rate[model] /= 5.0
        return True

    def restore(self, model: int, like: Any, layout: Layout) -> None:
        """Write the state of a model into scikit-learn's ``SGDOptimizer``."""
        like.learning_rate = self.rate[model]
        like.velocities = layout.split(self.velocity[model])
