"""Distributions over integers and layer sizes that scipy does not have.

A change to the order of the random draws changes the candidates of every search
that samples them.
"""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state


class log_randint:  # noqa: N801 - named as scipy names its distributions
    """A log-uniform distribution over integers.

    The probability of an integer `k` is the probability of the interval from `k`
    to ``k + 1`` under a log-uniform distribution from `low` to `high`. So values
    from 8 to 16 are about as likely as values from 16 to 32. The distribution can
    be used wherever scikit-learn accepts a scipy distribution.

    Parameters
    ----------
    low : int
        Smallest value, at least 1.
    high : int
        One more than the largest value, as in :class:`scipy.stats.randint`.

    Raises
    ------
    ValueError
        If `low` or `high` is not an int, if `low` is below 1, or if `high` is not
        above `low`.

    See Also
    --------
    layer_sizes : Distribution over the layer sizes of neural networks.

    Examples
    --------
    >>> from sklearn_refine import log_randint
    >>> widths = log_randint(8, 257)
    >>> widths.rvs(size=5, random_state=0).tolist()
    [53, 95, 64, 52, 34]
    >>> widths.support()
    (8, 256)
    >>> int(widths.ppf(0.5))
    45
    >>> round(float(widths.cdf(45)), 2)
    0.5
    """

    def __init__(self, low: int, high: int) -> None:
        for name, value in (("low", low), ("high", high)):
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise ValueError(f"log_randint: {name}={value!r} must be an int.")
        if low < 1:
            raise ValueError(
                f"log_randint: low={low!r} must be at least 1, for 0 and negative "
                "numbers have no logarithm; scipy.stats.randint takes them."
            )
        if high <= low:
            raise ValueError(
                f"log_randint: high={high!r} must be above low={low!r}; "
                "high itself is not drawn."
            )
        self.low = int(low)
        self.high = int(high)

    def __repr__(self) -> str:
        return f"log_randint({self.low}, {self.high})"

    def support(self) -> tuple[int, int]:
        """Return the smallest and the largest value.

        Returns
        -------
        smallest, largest : int
            The ends of the support. Both can be drawn.
        """
        return self.low, self.high - 1

    def cdf(self, k: ArrayLike) -> Any:
        """Return the probability of a value of at most `k`.

        Parameters
        ----------
        k : array-like
            The values to evaluate the distribution function at.

        Returns
        -------
        probability : float or ndarray
            Probabilities between 0 and 1.
        """
        above = np.clip(
            np.floor(np.asarray(k, dtype=np.float64)) + 1, self.low, self.high
        )
        share = np.log(above / self.low) / math.log(self.high / self.low)
        return np.minimum(share, 1.0)  # the logarithms can differ in the last bit

    def ppf(self, q: ArrayLike) -> Any:
        """Return the smallest value with a cumulative probability of at least `q`.

        Parameters
        ----------
        q : array-like
            Probabilities between 0 and 1.

        Returns
        -------
        value : float or ndarray
            Whole numbers as floats. NaN where `q` is outside [0, 1].
        """
        q = np.asarray(q, dtype=np.float64)
        # With the tolerance, ppf(cdf(k)) == k despite rounding in exp and log.
        exact = self.low * np.exp(q * math.log(self.high / self.low)) * (1 - 1e-12)
        value = np.clip(np.ceil(exact) - 1, self.low, self.high - 1)
        return np.where((q >= 0) & (q <= 1), value, np.nan)[()]

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Draw values.

        Parameters
        ----------
        size : int or tuple of int, default=None
            Shape of the result. If None, one int is drawn.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        value : int or ndarray of int
            Values from `low` to ``high - 1``.
        """
        u = check_random_state(random_state).uniform(size=size)
        value = np.floor(self.low * np.exp(u * math.log(self.high / self.low)))
        value = np.clip(value, self.low, self.high - 1).astype(np.int64)
        return int(value) if size is None else value


class layer_sizes:  # noqa: N801 - named as scipy names its distributions
    """A distribution over the layer sizes of a neural network.

    The depth is uniform. Each width is log-uniform over integers, and independent
    of the other widths. The distribution can be used wherever scikit-learn accepts
    a scipy distribution. ``SuccessiveRandomSearchCV`` also narrows the depth and
    each width separately from round to round.

    Parameters
    ----------
    depth : int or tuple of (int, int), default=(1, 3)
        Smallest and largest number of hidden layers. Both can be drawn.
    width : int or tuple of (int, int), default=(8, 256)
        Smallest and largest number of neurons per layer. Both can be drawn.

    Raises
    ------
    ValueError
        If `depth` or `width` is neither an int nor a pair of ints, if it is below
        1, or if its first int is above its second.

    See Also
    --------
    log_randint : Distribution over single integers.

    Examples
    --------
    >>> from sklearn_refine import layer_sizes
    >>> layers = layer_sizes(depth=(1, 3), width=(8, 256))
    >>> layers.rvs(random_state=0)
    (62,)
    >>> layers.rvs(size=2, random_state=1)
    [(254, 203), (22, 13)]
    """

    def __init__(
        self,
        depth: int | tuple[int, int] = (1, 3),
        width: int | tuple[int, int] = (8, 256),
    ) -> None:
        self.depth = _validate_pair("depth", depth)
        self.width = _validate_pair("width", width)

    def __repr__(self) -> str:
        return f"layer_sizes(depth={self.depth}, width={self.width})"

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Draw layer sizes.

        Parameters
        ----------
        size : int, default=None
            Number of draws. If None, a single tuple is returned.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        layers : tuple of int or list of tuple of int
            The width of each hidden layer, first layer first. A list of such
            tuples if `size` is given.
        """
        rng = check_random_state(random_state)
        if size is not None:
            return [self.rvs(random_state=rng) for _ in range(size)]
        depth = int(rng.randint(self.depth[0], self.depth[1] + 1))
        widths = log_randint(self.width[0], self.width[1] + 1)
        return tuple(widths.rvs(size=depth, random_state=rng).tolist())


def _validate_pair(name: str, value: Any) -> tuple[int, int]:
    """Return `value` as a pair of ints, or raise if it is not one."""
    pair = (value, value) if isinstance(value, Integral) else value
    if (
        not isinstance(pair, tuple | list)
        or len(pair) != 2
        or not all(
            isinstance(end, Integral) and not isinstance(end, bool) for end in pair
        )
    ):
        raise ValueError(
            f"layer_sizes: {name}={value!r} must be an int or a pair of ints."
        )
    low, high = int(pair[0]), int(pair[1])
    if low < 1:
        raise ValueError(f"layer_sizes: {name}={value!r} must be at least 1.")
    if low > high:
        raise ValueError(
            f"layer_sizes: {name}={value!r} has its smallest above its largest; "
            f"did you mean ({high}, {low})?"
        )
    return low, high
