"""Distributions for the parameters that scipy has none for."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state


class log_randint:  # noqa: N801 - named as scipy names its distributions
    """A log-uniform distribution over integers.

    An integer `k` has the probability of the interval from `k` to ``k + 1`` under
    a log-uniform distribution from `low` to `high`: each doubling is as likely as
    any other. It can be used wherever scikit-learn takes a scipy distribution.

    Parameters
    ----------
    low : int
        Smallest value, at least 1.
    high : int
        One more than the largest value, as in :class:`scipy.stats.randint`.

    Raises
    ------
    ValueError
        If `low` or `high` is no int, if `low` is below 1, or if `high` is not
        above `low`.

    See Also
    --------
    layer_sizes : Distribution over whole networks.

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
            Both can be drawn.
        """
        return self.low, self.high - 1

    def cdf(self, k: ArrayLike) -> Any:
        """Return the probability of a value of at most `k`.

        Parameters
        ----------
        k : array-like
            Numbers.

        Returns
        -------
        probability : float or ndarray
            Between 0 and 1.
        """
        above = np.clip(
            np.floor(np.asarray(k, dtype=np.float64)) + 1, self.low, self.high
        )
        share = np.log(above / self.low) / math.log(self.high / self.low)
        return np.minimum(share, 1.0)  # the two logarithms may differ in the last bit

    def ppf(self, q: ArrayLike) -> Any:
        """Return the smallest value whose probability of at most that reaches `q`.

        Parameters
        ----------
        q : array-like
            Probabilities between 0 and 1.

        Returns
        -------
        value : float or ndarray
            Whole numbers, as floats; NaN where `q` is no probability.
        """
        q = np.asarray(q, dtype=np.float64)
        # The tolerance keeps ppf(cdf(k)) == k through the rounding of exp and log.
        exact = self.low * np.exp(q * math.log(self.high / self.low)) * (1 - 1e-12)
        value = np.clip(np.ceil(exact) - 1, self.low, self.high - 1)
        return np.where((q >= 0) & (q <= 1), value, np.nan)[()]

    def rvs(self, size: Any = None, random_state: Any = None) -> Any:
        """Draw values.

        Parameters
        ----------
        size : int or tuple of int, default=None
            Shape of the result; None draws one value.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        value : int or ndarray of int
            From `low` to ``high - 1``.
        """
        u = check_random_state(random_state).uniform(size=size)
        value = np.floor(self.low * np.exp(u * math.log(self.high / self.low)))
        value = np.clip(value, self.low, self.high - 1).astype(np.int64)
        return int(value) if size is None else value


class layer_sizes:  # noqa: N801 - named as scipy names its distributions
    """A distribution over the layer sizes of a neural network.

    The depth is uniform, and each width is log-uniform over integers and
    independent of the others. It can be used wherever scikit-learn takes a scipy
    distribution; ``SuccessiveRandomSearchCV`` also knows its geometry, and narrows
    the depth and each width by itself.

    Parameters
    ----------
    depth : int or tuple of (int, int), default=(1, 3)
        Number of hidden layers, the smallest and the largest; both are drawn.
    width : int or tuple of (int, int), default=(8, 256)
        Number of neurons in a layer, the smallest and the largest; both are drawn.

    Raises
    ------
    ValueError
        If `depth` or `width` is no int or pair of ints, is below 1, or has its
        smallest above its largest.

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
        self.depth = _pair("depth", depth)
        self.width = _pair("width", width)

    def __repr__(self) -> str:
        return f"layer_sizes(depth={self.depth}, width={self.width})"

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Draw layer sizes.

        Parameters
        ----------
        size : int, default=None
            How many to draw; None draws one.
        random_state : int, RandomState instance or None, default=None
            Source of randomness.

        Returns
        -------
        layers : tuple of int or list of tuple of int
            The widths, from the first hidden layer on; a list where `size` is
            given.
        """
        rng = check_random_state(random_state)
        if size is not None:
            return [self.rvs(random_state=rng) for _ in range(size)]
        depth = int(rng.randint(self.depth[0], self.depth[1] + 1))
        widths = log_randint(self.width[0], self.width[1] + 1)
        return tuple(widths.rvs(size=depth, random_state=rng).tolist())


def _pair(name: str, value: Any) -> tuple[int, int]:
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
