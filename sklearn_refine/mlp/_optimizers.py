"""scikit-learn's stochastic optimizers, for all models of a stack at once.

A step adds the gradient of the penalty. It then makes the elementary operations of
``sklearn.neural_network``, in place and on blocks of models that fit into the cache.
The order of these operations and their types must not change: results must equal
scikit-learn's to the last bit.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_refine.mlp._arrays import Array, Layout, aligned, take_rows

CACHE_BYTES = 1 << 20  # available to one block of models
#: Number of parameters from which only the coefficients are penalised. In smaller
#: models, intercepts are included with alpha = 0: numpy's loops over parts of rows, or
#: with a column as a factor, take up to five times as long.
LONG_ROW = 4096

# Type of a float32 array times a numpy scalar: float64 since numpy 2.
PROMOTED_FLOAT32 = (np.float64(1.0) * np.ones(1, np.float32)).dtype


def as_column(values: Sequence[Any], dtype: Any) -> Array:
    """Return numbers as a column that promotes arrays of `dtype` as each would."""
    promotes = dtype == np.float32 and any(type(v) is np.float64 for v in values)
    return np.array([values], dtype=PROMOTED_FLOAT32 if promotes else dtype).T


@dataclass
class Block:
    """Views of the models that are updated at a time.

    Attributes
    ----------
    models : slice
        The models.
    params, grads : ndarray of shape (n_models, n_params)
        Their weights and gradients.
    coefs, coef_grads, penalty : ndarray of shape (n_models, span)
        The parts of both to which the penalty is applied, and a buffer for the
        gradient of the penalty.
    unpenalised : ndarray of shape (n_models, span - n_penalised)
        The part of `penalty` that is zero.
    scratch : ndarray of shape (n_models, n_params)
        A buffer for intermediate values.
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
    """Updates the weights of a stack after each batch.

    Parameters
    ----------
    models : sequence of estimators
        The models, which hold the hyperparameters.
    params, grads : ndarray of shape (n_models, n_params)
        The weights and their gradients. A step may overwrite the gradients.
    n_penalised : int
        Number of leading parameters that are penalised.
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
        self.alpha = as_column([m.alpha for m in models], params.dtype)
        self.span = n_penalised
        if params.shape[1] < LONG_ROW:
            self.span = params.shape[1]
            alphas = aligned(params.shape, self.alpha.dtype, 0.0)
            alphas[:, :n_penalised] = self.alpha
            self.alpha = alphas
        row_bytes = 6 * params.shape[1] * params.itemsize
        max_size = max(1, CACHE_BYTES // row_bytes)
        n_blocks = -(-len(models) // max_size)
        self.block_size = -(-len(models) // n_blocks)
        shape = (self.block_size, params.shape[1])
        self._scratch = aligned(shape, grads.dtype)
        dtype = np.result_type(self.alpha.dtype, params.dtype)
        self._penalty = self._scratch if dtype == grads.dtype else aligned(shape, dtype)
        self._set_arrays(params, grads)

    def _set_arrays(self, params: Array, grads: Array) -> None:
        self.params, self.grads = params, grads
        self._blocks: dict[tuple[int, int], list[Block]] = {}

    def keep_models(self, kept: Array, params: Array, grads: Array) -> None:
        """Keep only the models with these indices, which have new arrays."""
        for name in ("alpha", *self._states):
            setattr(self, name, take_rows(getattr(self, name), kept))
        self._set_arrays(params, grads)

    def step(self, models: slice, weight_sums: Any) -> None:
        """Update the weights of some models in place.

        Parameters
        ----------
        models : slice
            The models.
        weight_sums : int or ndarray of shape (1 or n_models,)
            The weight of the batch, which divides the gradients.
        """
        self._count_step(models)
        for block in self._get_blocks(models):
            coef_grads, penalty = block.coef_grads, block.penalty
            np.multiply(block.state["alpha"], block.coefs, out=penalty)
            block.unpenalised.fill(0)  # an infinite intercept times 0 is NaN
            np.add(coef_grads, penalty, out=coef_grads, casting="same_kind")
            divisor = weight_sums
            if isinstance(divisor, np.ndarray):
                first = block.models.start - models.start if len(divisor) > 1 else 0
                divisor = divisor[first : first + len(block.params), None]
            np.divide(block.grads, divisor, out=block.grads, casting="same_kind")
            self._update_weights(block)

    def _get_blocks(self, models: slice) -> list[Block]:
        key = (models.start, models.stop)
        if key not in self._blocks:
            starts = range(models.start, models.stop, self.block_size)
            stops = [min(start + self.block_size, models.stop) for start in starts]
            self._blocks[key] = [
                self._create_block(slice(*bounds))
                for bounds in zip(starts, stops, strict=True)
            ]
        return self._blocks[key]

    def _create_block(self, models: slice) -> Block:
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

    def _count_step(self, models: slice) -> None:  # noqa: B027
        """Count another step of some models."""

    @abstractmethod
    def _update_weights(self, block: Block) -> None:
        """Update the weights of a block by its gradients."""

    def end_epoch(self, n_samples_seen: Sequence[int]) -> None:  # noqa: B027
        """Adapt the learning rates to the number of samples that each model has seen.

        Only the learning rate "invscaling" depends on it.
        """

    def lower_rate(self, model: int) -> bool:
        """Lower the learning rate of a model that no longer improves.

        Return whether the model continues. Only the learning rate "adaptive" can be
        lowered.
        """
        return False

    @abstractmethod
    def export_state(self, model: int, optimizer: Any, layout: Layout) -> None:
        """Write the state of one model into a scikit-learn optimizer."""


def collapse_equal(values: Array) -> Array:
    """Return a double-precision column of equal numbers as a 0-D array.

    numpy is faster with a single number.
    """
    if values.dtype == np.float64 and (values == values[0]).all():
        values = values[0].reshape(())
    return values


def _bias_corrections(betas: tuple[float, float], t: int) -> tuple[float, float]:
    """Return the factor and the divisor of Adam's rate after `t` steps.

    Computed with Python floats: a power of numpy arrays may differ in the last bit.
    """
    beta_1, beta_2 = betas
    return math.sqrt(1 - beta_2**t), 1 - beta_1**t


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980) as in ``AdamOptimizer``.

    The parameters are the parameters of `Optimizer`.
    """

    _states = (
        "m",
        "v",
        "t",
        "beta_1",
        "beta_2",
        "epsilon",
        "one_minus_beta_1",
        "one_minus_beta_2",
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
        self.beta_1 = as_column([m.beta_1 for m in models], dtype)
        self.beta_2 = as_column([m.beta_2 for m in models], dtype)
        self.one_minus_beta_1 = as_column([1 - m.beta_1 for m in models], dtype)
        self.one_minus_beta_2 = as_column([1 - m.beta_2 for m in models], dtype)
        self.epsilon = as_column([m.epsilon for m in models], dtype)
        self.rate_init = np.array([float(m.learning_rate_init) for m in models])
        self.rate = np.zeros(len(models))
        self._set_betas([(float(m.beta_1), float(m.beta_2)) for m in models])
        rate_dtype = PROMOTED_FLOAT32 if dtype == np.float32 else dtype
        self._update = (
            None if rate_dtype == dtype else aligned(self._scratch.shape, rate_dtype)
        )
        self.minus_rate = np.zeros((len(models), 1), rate_dtype)

    def keep_models(self, kept: Array, params: Array, grads: Array) -> None:
        """Keep only the models with these indices, which have new arrays."""
        super().keep_models(kept, params, grads)
        self._set_betas([self.betas[i] for i in kept])

    def _set_betas(self, betas: list[tuple[float, float]]) -> None:
        self.betas = betas
        self.same_betas = len(set(betas)) == 1

    def _create_block(self, models: slice) -> Block:
        block = super()._create_block(models)
        for name in (
            "beta_1",
            "beta_2",
            "one_minus_beta_1",
            "one_minus_beta_2",
            "epsilon",
        ):
            block.state[name] = collapse_equal(block.state[name])
        return block

    def _count_step(self, models: slice) -> None:
        self.t[models] += 1
        rates = self._compute_rates(models)
        self.rate[models] = rates
        self.minus_rate[models, 0] = -rates

    def _update_weights(self, block: Block) -> None:
        state, scratch, grad = block.state, block.scratch, block.grads
        m, v = state["m"], state["v"]
        np.multiply(m, state["beta_1"], out=m)
        np.multiply(grad, state["one_minus_beta_1"], out=scratch)
        np.add(m, scratch, out=m)
        np.multiply(grad, grad, out=scratch)
        np.multiply(scratch, state["one_minus_beta_2"], out=scratch)
        np.multiply(v, state["beta_2"], out=v)
        np.add(v, scratch, out=v)
        np.sqrt(v, out=scratch)
        np.add(scratch, state["epsilon"], out=scratch)
        update = grad if self._update is None else self._update[: len(grad)]
        np.multiply(m, state["minus_rate"], out=update)
        np.divide(update, scratch, out=update)
        np.add(block.params, update, out=block.params, casting="same_kind")

    def _compute_rates(self, models: slice) -> Array:
        steps = self.t[models].tolist()
        if self.same_betas and steps.count(steps[0]) == len(steps):
            factor, divisor = _bias_corrections(self.betas[0], steps[0])
        else:
            keys = list(zip(self.betas[models], steps, strict=True))
            corrections = {key: _bias_corrections(*key) for key in set(keys)}
            factor, divisor = np.array([corrections[key] for key in keys]).T
        rates: Array = self.rate_init[models] * factor / divisor
        return rates

    def export_state(self, model: int, optimizer: Any, layout: Layout) -> None:
        """Write the state of one model into scikit-learn's ``AdamOptimizer``."""
        optimizer.t = int(self.t[model])
        optimizer.learning_rate = self.rate[model]
        optimizer.ms = layout.split(self.m[model])
        optimizer.vs = layout.split(self.v[model])


class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in ``SGDOptimizer``.

    The parameters are the parameters of `Optimizer`. All models have the same
    `nesterovs_momentum`.
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
        self.momentum = as_column([m.momentum for m in models], grads.dtype)
        self.nesterov = models[0].nesterovs_momentum
        self.models = list(models)
        self.rate = [float(m.learning_rate_init) for m in models]
        self._update = aligned(self._scratch.shape, grads.dtype)

    def keep_models(self, kept: Array, params: Array, grads: Array) -> None:
        """Keep only the models with these indices, which have new arrays."""
        super().keep_models(kept, params, grads)
        self.models = [self.models[i] for i in kept]
        self.rate = [self.rate[i] for i in kept]

    def _update_weights(self, block: Block) -> None:
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

    def end_epoch(self, n_samples_seen: Sequence[int]) -> None:
        """Adapt the learning rates to the number of samples that were seen."""
        for i, (model, t) in enumerate(zip(self.models, n_samples_seen, strict=True)):
            if model.learning_rate == "invscaling":
                self.rate[i] = (
                    float(model.learning_rate_init) / (t + 1) ** model.power_t
                )

    def lower_rate(self, model: int) -> bool:
        """Lower the rate of a model that no longer improves; return if it continues."""
        if self.models[model].learning_rate != "adaptive" or self.rate[model] <= 1e-6:
            return False
        self.rate[model] /= 5.0
        return True

    def export_state(self, model: int, optimizer: Any, layout: Layout) -> None:
        """Write the state of one model into scikit-learn's ``SGDOptimizer``."""
        optimizer.learning_rate = self.rate[model]
        optimizer.velocities = layout.split(self.velocity[model])
