"""Random variables of scipy's newer interface, with the methods of its older one.

scipy 1.15 added ``scipy.stats.Normal``, ``scipy.stats.make_distribution`` and others.
They are recognized by their methods, because older versions of scipy lack them.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def is_random_variable(given: Any) -> bool:
    """Whether an object has the newer interface of scipy, without ``rvs``."""
    methods = ("sample", "icdf", "cdf", "support")
    return (
        not isinstance(given, type)
        and not hasattr(given, "rvs")
        and all(callable(getattr(given, name, None)) for name in methods)
    )


def as_distribution(given: Any) -> Any:
    """Return a random variable with older methods, and anything else unchanged."""
    return RandomVariable(given) if is_random_variable(given) else given


class RandomVariable:
    """A random variable of scipy, with ``ppf``, ``rvs`` and the like.

    Parameters
    ----------
    variable : object
        An object for which `is_random_variable` is true.
    """

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        classes = {cls.__name__ for cls in type(variable).__mro__}
        self.discrete = "DiscreteDistribution" in classes
        self.cdf = variable.cdf
        self.support = variable.support

    def __repr__(self) -> str:
        return str(self.variable)

    @property
    def has_formula(self) -> bool:
        """Whether the quantiles have a formula. Otherwise scipy looks for a root."""
        try:
            self.variable.icdf(0.5, method="formula")
        except NotImplementedError:
            return False
        return True

    def pmf(self, k: Any) -> Any:
        """Return the probabilities of the values `k`."""
        return self.variable.pmf(k)

    def ppf(self, q: Any) -> Any:
        """Return the quantiles at `q`."""
        return self.variable.icdf(q)

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Draw values with a ``RandomState``."""
        seed = random_state.randint(2**31 - 1)
        shape = () if size is None else size
        return self.variable.sample(shape, rng=np.random.default_rng(seed))
