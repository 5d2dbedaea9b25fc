"""Properties of distribution objects: discrete, bounded, and their support points.

These functions only read a distribution. They accept frozen scipy distributions and
user-defined classes with ``ppf``, ``cdf`` and ``rvs``.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from scipy.stats import rv_continuous, rv_discrete

from sklearn_refine.space._distributions import log_randint
from sklearn_refine.space._random_variables import RandomVariable

#: Quantiles are kept this far inside (0, 1), where unbounded distributions are finite.
MARGIN = 1e-9
#: Quantiles of unbounded discrete distributions are kept this far inside (0, 1),
#: because scipy looks for these quantiles step by step.
DISCRETE_MARGIN = 1e-4
#: Largest number of steps for such a quantile. Beyond this number, and with infinite
#: variance, values are sampled without quantiles.
MAX_STEPS = 100_000


def has_unreachable_quantiles(distribution: Any) -> bool:
    """Whether scipy fails to find the quantiles, or needs too many steps."""
    if not (is_unbounded(distribution) and is_discrete(distribution)):
        return False
    if distribution.support()[0] == -math.inf:
        # scipy looks from 0 on; skellam.ppf raises for some q (scipy 1.17).
        return not overrides(distribution, "_ppf")
    is_far = bool(distribution.cdf(MAX_STEPS) < 1 - DISCRETE_MARGIN)
    return is_far and not math.isfinite(distribution.var())


def is_scipy_class(distribution: Any) -> bool:
    """Whether scipy defines the class of a distribution, and not the user."""
    if isinstance(distribution, RandomVariable):
        return True
    unfrozen = getattr(distribution, "dist", distribution)
    return type(unfrozen).__module__.startswith("scipy.")


def overrides(distribution: Any, method: str) -> bool:
    """Whether a distribution of scipy has its own version of a method.

    Without an own ``_ppf``, scipy looks for the root of the cdf. Without an own
    ``_rvs``, scipy draws quantiles. Classes of another kind define all their methods.
    """
    unfrozen = getattr(distribution, "dist", distribution)
    for base in (rv_continuous, rv_discrete):
        if isinstance(unfrozen, base):
            return getattr(type(unfrozen), method) is not getattr(base, method)
    return True


def has_fast_quantiles(distribution: Any) -> bool:
    """Whether quantiles are known to be fast, thousands of them at once."""
    return type(distribution) is log_randint or (
        not isinstance(distribution, RandomVariable)
        and is_scipy_class(distribution)
        and overrides(distribution, "_ppf")
    )


def describe(distribution: Any) -> str:
    """Return a distribution's name and arguments as text."""
    frozen = getattr(distribution, "dist", None)
    if frozen is None:
        return repr(distribution)
    given = [repr(value) for value in distribution.args]
    given += [f"{key}={value!r}" for key, value in distribution.kwds.items()]
    return f"{frozen.name}({', '.join(given)})"


def is_discrete(distribution: Any) -> bool:
    """Whether the values of a distribution are separate points."""
    if isinstance(distribution, RandomVariable):
        return distribution.discrete
    if isinstance(distribution, log_randint):
        return True
    if isinstance(distribution, rv_continuous):
        return False
    # A frozen scipy distribution holds the unfrozen one in `dist`. Only discrete
    # distributions have a pmf.
    if hasattr(distribution, "dist") or hasattr(distribution, "pmf"):
        return hasattr(getattr(distribution, "dist", distribution), "pmf")
    return _returns_ints(distribution)


def _returns_ints(distribution: Any) -> bool:
    """Whether a user-defined distribution returns ints."""
    if np.asarray(distribution.ppf(np.array([0.25, 0.5]))).dtype.kind in "iu":
        return True
    try:
        drawn = distribution.rvs(random_state=np.random.RandomState(0))
    except Exception:  # the search needs only the quantiles
        return False
    return isinstance(drawn, Integral) and not isinstance(drawn, bool)


def support_points(distribution: Any) -> np.ndarray:
    """Return the sorted `xk` of a scipy distribution, or an empty array."""
    unfrozen = getattr(distribution, "dist", distribution)
    given = getattr(unfrozen, "xk", None)
    if given is None:
        return np.empty(0)
    points = np.unique(np.asarray(given, dtype=np.float64))
    return np.asarray(points - points[0] + distribution.support()[0])


def is_bounded(distribution: Any) -> bool:
    """Whether a distribution declares a finite smallest and largest value."""
    support = getattr(distribution, "support", None)
    return callable(support) and bool(np.isfinite(support()).all())


def is_unbounded(distribution: Any) -> bool:
    """Whether a distribution declares an infinite support."""
    support = getattr(distribution, "support", None)
    return callable(support) and bool(np.isinf(support()).any())
