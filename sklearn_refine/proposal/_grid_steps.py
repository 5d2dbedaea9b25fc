"""Where a window has its new numbers on one dimension."""

from __future__ import annotations

from sklearn_refine._history import Level
from sklearn_refine.space._axes import Dimension

#: A step past an edge that follows another one is longer by this factor, up to a
#: decade; so a narrow grid gets away from a wrong start, and a coarse one does not
#: leap.
GROWTH = 3.0
#: A step that comes this near to an end, as a part of itself, is taken for one onto it:
#: numbers with few digits do not halve exactly.
ROUNDING = 0.05


def refine(
    dim: Dimension,
    x: float,
    below: float | None,
    above: float | None,
    n_points: int,
    *,
    follows_step: bool,
) -> tuple[Level, list[float]]:
    """Return the new level around coordinate `x`, and the new numbers on it."""
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
            target = _inside(dim, x, x + side * gap * step)
            gap = min(gap, abs(target - x))
            number = _new_number(dim, x, target, gap, neighbour, side)
            if number is not None and number not in numbers:
                numbers.append(number)
    points = {x, *(dim.encode(number) for number in numbers)}
    return Level(tuple(sorted(points)), below, above), numbers


def _inside(dim: Dimension, x: float, target: float) -> float:
    """Return `target`, brought back to a legal coordinate if `x` is legal."""
    low, high = dim.span
    rounding = ROUNDING * abs(target - x)
    if target <= low + rounding:
        return low if dim.limits.low_closed else (x + low) / 2
    if target >= high - rounding:
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
    """Return the number at `target`, or None where there is no new one."""
    low, high = dim.span
    if not low <= target <= high:
        return None
    number = dim.decode(target, gap)
    # The user may list what is outside; decoded, that would be the end itself.
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
