"""New numbers of a window on one dimension.

New numbers must be legal, new, and between the center's neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sklearn_refine._history import STEPS, Level
from sklearn_refine.space._axes import Dimension

#: On a log scale, a step past an edge after the first refinement is longer by this
#: factor, up to a decade. So a narrow grid can leave a wrong range quickly, and a
#: coarse grid does not take too large steps.
GROWTH = 3.0
#: A step that ends within this fraction of its length from a limit ends on the limit.
#: Numbers rounded to few digits do not halve exactly, so a step can narrowly miss it.
SNAP_FRACTION = 0.05
NOT_PASSED = "no round has gone past it"


def refine_dimension(
    dim: Dimension,
    x: float,
    below: float | None,
    above: float | None,
    n_points: int,
    *,
    follows_step: bool,
) -> tuple[Level, list[float]]:
    """Return the new level around coordinate `x`, and its new numbers."""
    inner = min((abs(n - x) for n in (below, above) if n is not None), default=1.0)
    outward = inner
    if follows_step and dim.scale == "log" and not dim.integer:
        outward = max(inner, min(GROWTH * inner, dim.decade))
    per_side = n_points // 2
    numbers = []
    for side, neighbour in ((-1, below), (1, above)):
        for step in range(1, per_side + 1):
            gap = outward
            if neighbour is not None:
                gap = abs(neighbour - x) / (per_side + 1)
            target = _clip_to_limits(dim, x, x + side * gap * step)
            gap = min(gap, abs(target - x))
            number = _new_number(dim, x, target, gap, neighbour, side)
            if number is not None and number not in numbers:
                numbers.append(number)
    points = {x, *(dim.encode(number) for number in numbers)}
    return Level(tuple(sorted(points)), below, above), numbers


def explain_ends(
    dim: Dimension,
    center: float,
    below: float | None,
    above: float | None,
    numbers: Sequence[float],
) -> str:
    """Return why a window steps past the edges of what was tried, or does not.

    Parameters
    ----------
    dim : Dimension
        With the limits of the round.
    center : float
        The number in the center.
    below, above : float or None
        The nearest coordinates tried; None at an edge.
    numbers : sequence of float
        The new numbers.
    """
    reasons = []
    limits = dim.limits
    below, above = _drop_illegal(dim, below, above)
    if below is None:
        lower = [number for number in numbers if number < center]
        at_end = min(lower, default=center) <= limits.low or not lower
        reason = limits.low_reason if at_end else ""
        reasons.append(_explain_end("below", center, lower, min, reason))
    if above is None:
        higher = [number for number in numbers if number > center]
        at_end = max(higher, default=center) >= limits.high or not higher
        reason = limits.high_reason if at_end else ""
        reasons.append(_explain_end("above", center, higher, max, reason))
    return "; ".join(reasons)


def _explain_end(
    side: str,
    center: float,
    numbers: list[float],
    farthest: Callable[[list[float]], float],
    reason: str,
) -> str:
    if not numbers:
        return f"nothing {side} {center:g}: {reason or 'no other number'}"
    text = f"{STEPS} {side} {center:g}, the edge tried, to {farthest(numbers):g}"
    return f"{text}: {reason}" if reason else text


def explain_edge(
    dim: Dimension, number: float, below: float | None, above: float | None
) -> str:
    """Return which end of the numbers tried a number is, "" if it is none."""
    limits = dim.limits
    below, above = _drop_illegal(dim, below, above)
    if above is None:
        reason = limits.high_reason if number >= limits.high else ""
        return f"{number:g} is the largest value tried ({reason or NOT_PASSED})"
    if below is None:
        reason = limits.low_reason if number <= limits.low else ""
        return f"{number:g} is the smallest value tried ({reason or NOT_PASSED})"
    return ""


def _drop_illegal(
    dim: Dimension, below: float | None, above: float | None
) -> tuple[float | None, float | None]:
    """Return the neighbours within the limits: values that failed are no neighbours."""
    low, high = dim.span
    return (
        None if below is None or below < low else below,
        None if above is None or above > high else above,
    )


def _clip_to_limits(dim: Dimension, x: float, target: float) -> float:
    """Return `target`, or a coordinate within the limits if `x` is within them.

    The replacement is the limit itself, or half way to a limit that is open.
    """
    low, high = dim.span
    tolerance = SNAP_FRACTION * abs(target - x)
    if target <= low + tolerance:
        return low if dim.limits.low_closed else (x + low) / 2
    if target >= high - tolerance:
        return high if dim.limits.high_closed else (x + high) / 2
    return target


def _new_number(
    dim: Dimension,
    x: float,
    target: float,
    gap: float,
    neighbour: float | None,
    side: int,
) -> float | None:
    """Return the number at `target`, or None if it is not new or not legal."""
    low, high = dim.span
    if not low <= target <= high:
        return None
    number = dim.decode(target, gap)
    # A listed value outside the limits would be decoded to the limit itself.
    center = dim.decode(x) if low <= x <= high else None
    if center is not None and dim.integer and number == center and neighbour is None:
        number = center + side
    if number == center or number not in dim.limits:
        return None
    if dim.scale == "log" and number <= 0:
        return None
    y = dim.encode(number)
    if (y - x) * side <= 0:
        return None
    if neighbour is not None and (y - neighbour) * side >= 0:
        return None
    return number
