"""scikit-learn's stochastic optimizers, for all parameters of a stack in one go.

A step makes the elementary operations of ``sklearn.neural_network`` in their order,
in place, on blocks of models that fit into the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from sklearn_refine.evaluation._mlp_network import split

Array = np.ndarray[Any, Any]

# What a numpy scalar makes of a float32 array: float64 since numpy 2.
STRONG_32 = (np.float64(1.0) * np.ones(1, np.float32)).dtype


def column(values: Sequence[Any], dtype: Any) -> Array:
    """Return numbers as a column that acts on arrays of `dtype` as each would."""
    strong = dtype == np.float32 and any(type(v) is np.float64 for v in values)
    return np.array([values], dtype=STRONG_32 if strong else dtype).T


class Optimizer(Protocol):
    """What changes the weights of a stack after each batch; it may use up `grads`."""

    def step(self, models: slice, params: Array, grads: Array) -> None:
        """Change the weights of some models in place."""
        ...

    def keep(self, kept: Array) -> None:
        """Forget all models but those of these indices."""
        ...

    def end_epoch(self, seen: Sequence[int]) -> None:
        """Adapt the learning rates to the number of samples seen by each model."""
        ...

    def goes_on(self, model: int) -> bool:
        """Whether a model that no longer improves goes on, at a lower rate."""
        ...

    def restore(self, model: int, like: Any, shapes: Sequence[Any]) -> None:
        """Write the state of a model into a scikit-learn optimizer."""
        ...


class _Base:
    _states: tuple[str, ...] = ()

    def __init__(self, block: int) -> None:
        self.block = block

    def blocks(self, models: slice) -> list[slice]:
        return [
            slice(start, min(start + self.block, models.stop))
            for start in range(models.start, models.stop, self.block)
        ]

    def keep(self, kept: Array) -> None:
        for name in self._states:
            setattr(self, name, getattr(self, name)[kept])


class Adam(_Base):
    """Adam (Kingma and Ba 2014, arXiv:1412.6980) as in ``AdamOptimizer``.

    Parameters
    ----------
    models : sequence of estimators
        Theirs are the hyperparameters.
    params : ndarray of shape (n_models, n_params)
        The weights.
    grad_dtype : dtype
        Of the gradients.
    block : int
        Models to be changed at a time.
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
    )

    def __init__(
        self, models: Sequence[Any], params: Array, grad_dtype: Any, block: int
    ) -> None:
        super().__init__(block)
        self.m = np.zeros(params.shape, grad_dtype)
        self.v = np.zeros(params.shape, grad_dtype)
        self.t = np.zeros(len(models), int)
        self.beta_1 = column([m.beta_1 for m in models], grad_dtype)
        self.beta_2 = column([m.beta_2 for m in models], grad_dtype)
        self.rest_1 = column([1 - m.beta_1 for m in models], grad_dtype)
        self.rest_2 = column([1 - m.beta_2 for m in models], grad_dtype)
        self.epsilon = column([m.epsilon for m in models], grad_dtype)
        self.rate_init = np.array([float(m.learning_rate_init) for m in models])
        self.rate = np.zeros(len(models))
        self.betas = [(float(m.beta_1), float(m.beta_2)) for m in models]
        strong = STRONG_32 if grad_dtype == np.float32 else grad_dtype
        shape = (min(block, len(models)), params.shape[1])
        self._scratch = np.empty(shape, grad_dtype)
        self._update = None if strong == grad_dtype else np.empty(shape, strong)
        self._rate_dtype = strong

    def keep(self, kept: Array) -> None:
        """Forget all models but those of these indices."""
        super().keep(kept)
        self.betas = [self.betas[i] for i in kept]

    def step(self, models: slice, params: Array, grads: Array) -> None:
        """Change the weights of some models in place."""
        self.t[models] += 1
        self.rate[models] = self._rates(models)
        for some in self.blocks(models):
            n = some.stop - some.start
            part = slice(some.start - models.start, some.stop - models.start)
            grad, param = grads[part], params[part]
            m, v = self.m[some], self.v[some]
            scratch = self._scratch[:n]
            np.multiply(m, self.beta_1[some], out=m)
            np.multiply(grad, self.rest_1[some], out=scratch)
            np.add(m, scratch, out=m)
            np.multiply(grad, grad, out=scratch)
            np.multiply(scratch, self.rest_2[some], out=scratch)
            np.multiply(v, self.beta_2[some], out=v)
            np.add(v, scratch, out=v)
            np.sqrt(v, out=scratch)
            np.add(scratch, self.epsilon[some], out=scratch)
            minus_rate = -self.rate[some, None].astype(self._rate_dtype)
            update = grad if self._update is None else self._update[:n]
            np.multiply(m, minus_rate, out=update)
            np.divide(update, scratch, out=update)
            np.add(param, update, out=param, casting="same_kind")

    def _rates(self, models: slice) -> Array:
        # With Python's numbers: a power of numpy arrays may differ in the last bit.
        t, betas = self.t[models].tolist(), self.betas[models]
        factors: dict[Any, tuple[Any, Any]] = {}
        for beta_1, beta_2, step in {(*b, s) for b, s in zip(betas, t, strict=True)}:
            factors[beta_1, beta_2, step] = (
                np.sqrt(1 - beta_2**step),
                1 - beta_1**step,
            )
        if len(factors) == 1:
            ((root, rest),) = factors.values()
        else:
            pairs = [factors[(*b, s)] for b, s in zip(betas, t, strict=True)]
            root, rest = np.array(pairs).T
        rates: Array = self.rate_init[models] * root / rest
        return rates

    def end_epoch(self, seen: Sequence[int]) -> None:
        """Do nothing: Adam's rate follows its own clock."""

    def goes_on(self, model: int) -> bool:
        """Stop: Adam has no lower rate to try."""
        return False

    def restore(self, model: int, like: Any, shapes: Sequence[Any]) -> None:
        """Write the state of a model into scikit-learn's ``AdamOptimizer``."""
        like.t = int(self.t[model])
        like.learning_rate = self.rate[model]
        like.ms = split(self.m[model], shapes)
        like.vs = split(self.v[model], shapes)


class SGD(_Base):
    """Stochastic gradient descent with momentum, as in ``SGDOptimizer``.

    Parameters
    ----------
    models : sequence of estimators
        Theirs are the hyperparameters; `nesterovs_momentum` is the same in all.
    params : ndarray of shape (n_models, n_params)
        The weights.
    grad_dtype : dtype
        Of the gradients.
    block : int
        Models to be changed at a time.
    """

    _states = ("velocity", "momentum")

    def __init__(
        self, models: Sequence[Any], params: Array, grad_dtype: Any, block: int
    ) -> None:
        super().__init__(block)
        self.velocity = np.zeros(params.shape, grad_dtype)
        self.momentum = column([m.momentum for m in models], grad_dtype)
        self.nesterov = models[0].nesterovs_momentum
        self.models = list(models)
        self.rate = [float(m.learning_rate_init) for m in models]
        shape = (min(block, len(models)), params.shape[1])
        self._scratch = np.empty(shape, grad_dtype)
        self._update = np.empty(shape, grad_dtype)

    def keep(self, kept: Array) -> None:
        """Forget all models but those of these indices."""
        super().keep(kept)
        self.models = [self.models[i] for i in kept]
        self.rate = [self.rate[i] for i in kept]

    def step(self, models: slice, params: Array, grads: Array) -> None:
        """Change the weights of some models in place."""
        rates = np.array([self.rate[models]], dtype=grads.dtype).T
        for some in self.blocks(models):
            n = some.stop - some.start
            part = slice(some.start - models.start, some.stop - models.start)
            grad, param = grads[part], params[part]
            velocity, momentum = self.velocity[some], self.momentum[some]
            scaled, update = self._scratch[:n], self._update[:n]
            np.multiply(grad, rates[part], out=scaled)
            np.multiply(velocity, momentum, out=velocity)
            np.subtract(velocity, scaled, out=velocity)
            if not self.nesterov:
                np.add(param, velocity, out=param, casting="same_kind")
                continue
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

    def restore(self, model: int, like: Any, shapes: Sequence[Any]) -> None:
        """Write the state of a model into scikit-learn's ``SGDOptimizer``."""
        like.learning_rate = self.rate[model]
        like.velocities = split(self.velocity[model], shapes)
