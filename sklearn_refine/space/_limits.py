"""Ranges of numbers, with the reason for each end.

Later rounds propose only values within such ranges. The user's own values are not
restricted by them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral

#: Above this, not every integer has a float of its own.
LARGEST_INT = 2**53

#: Reasons for an end of a range, as they are shown where windows are shown.
BOUNDS = "bounds"
DECLARED = "declared limit"
KNOWN = "known limit of the library"
LISTED = "limit read from the list"
LEARNED = "values beyond it failed"
SIZE = "size limit"


@dataclass(frozen=True)
class Limits:
    """A range of numbers. A closed end is part of the range.

    Attributes
    ----------
    low, high : float
        The ends.
    low_closed, high_closed : bool
        Whether they are part of the range.
    low_reason, high_reason : str
        Why the range ends there.
    """

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = False
    high_closed: bool = False
    low_reason: str = field(default="", compare=False, repr=False)
    high_reason: str = field(default="", compare=False, repr=False)

    def __contains__(self, value: float) -> bool:
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return above and below

    def because(self, reason: str) -> Limits:
        """Return the same range with one reason for both of its ends."""
        return Limits(
            *(self.low, self.high, self.low_closed, self.high_closed, reason, reason)
        )

    def intersect(self, other: Limits) -> Limits:
        """Return the intersection of two ranges."""
        low = max((self, other), key=lambda r: (r.low, not r.low_closed))
        high = min((self, other), key=lambda r: (r.high, r.high_closed))
        # An end at infinity limits nothing, and so its reason is none.
        low = self if math.isinf(other.low) else low
        high = self if math.isinf(other.high) else high
        return Limits(
            *(low.low, high.high, low.low_closed, high.high_closed),
            *(low.low_reason, high.high_reason),
        )

    def override(self, other: Limits) -> Limits:
        """Return the range with the finite ends of another one in its place."""
        low = self if math.isinf(other.low) else other
        high = self if math.isinf(other.high) else other
        return Limits(
            *(low.low, high.high, low.low_closed, high.high_closed),
            *(low.low_reason, high.high_reason),
        )


#: The range of all numbers.
UNLIMITED = Limits()


def limits_of_list(numbers: Sequence[float]) -> Limits:
    """Return what a list says about the legal range where nothing else is known.

    Numbers of one sign never reach zero, unless zero is listed. Ints that start at 1
    or more stay at 1 or more. Numbers from 0 to 1 with 1 among them are fractions and
    stay at most 1.
    """
    lowest, highest = min(numbers), max(numbers)
    low, high = -math.inf, math.inf
    if lowest >= 0:
        low = 0.0
    elif highest <= 0:
        high = 0.0
    if lowest >= 1 and all(isinstance(number, Integral) for number in numbers):
        low = 1.0
    if low == 0 and highest == 1:
        high = 1.0
    return Limits(low, high, lowest == 0 or low == 1, high in (1.0, highest)).because(
        LISTED
    )


def sentinels_of_list(numbers: Sequence[float]) -> tuple[int, ...]:
    """Return the listed ints that mean something else than their neighbours.

    Where nothing is known, -1 and 0 among otherwise positive ints often stand for "no
    limit" or "automatic".
    """
    if not all(isinstance(number, Integral) for number in numbers):
        return ()
    found = {int(number) for number in numbers if number in (-1, 0)}
    others = [number for number in numbers if number not in found]
    return tuple(sorted(found)) if others and min(others) > 0 else ()


def are_indices(numbers: Sequence[float]) -> bool:
    """Whether a list holds 0, 1, 2, ... without a gap, as the indices of choices do."""
    if not all(isinstance(number, Integral) for number in numbers):
        return False
    return {int(number) for number in numbers} == set(range(len(set(numbers))))
